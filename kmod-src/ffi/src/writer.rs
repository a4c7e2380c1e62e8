// SPDX-License-Identifier: BSD-2-Clause
//! Writers: `struct nl_writer`, whose layout only C knows.

use core::marker::PhantomData;
use core::ptr::NonNull;

use iface_core::{GroupWriter, MessageHeader, Nest, Writer};

use crate::abi::{self, Call, NlWriter};

/// A stream of messages, for as long as the call into Rust lasts.
///
/// # Invariants
/// The pointer is valid for `'c`, and nothing else writes through it meanwhile.
pub(crate) struct Stream<'c> {
    nw: NonNull<NlWriter>,
    call: PhantomData<&'c mut ()>,
}

impl Stream<'_> {
    /// # Safety
    /// The writer lives for the lifetime that the caller gives to the value, and is used by nobody else.
    pub(crate) const unsafe fn new(nw: NonNull<NlWriter>) -> Self {
        Self { nw, call: PhantomData }
    }

    fn as_ptr(&self) -> *mut NlWriter {
        self.nw.as_ptr()
    }
}

impl Writer for Stream<'_> {
    fn begin(&mut self, header: &MessageHeader, payload: &[u8]) -> bool {
        let MessageHeader { kind, flags, seq, pid } = *header;
        // SAFETY: the writer is valid by the type's invariant; `payload` is readable for its length.
        unsafe {
            abi::nlproof_writer_begin(self.as_ptr(), kind, flags, seq, pid, payload.as_ptr(), payload.len())
        }
    }

    fn attribute(&mut self, kind: u16, data: &[u8]) {
        // SAFETY: the writer is valid by the type's invariant; `data` is readable for its length.
        unsafe { abi::nlproof_writer_attribute(self.as_ptr(), kind, data.as_ptr(), data.len()) }
    }

    fn nest(&mut self, kind: u16) -> Option<Nest> {
        // SAFETY: the writer is valid by the type's invariant.
        let offset = unsafe { abi::nlproof_writer_nest(self.as_ptr(), kind) };
        // No attribute begins where the message does.
        (offset != 0).then(|| Nest::at(offset))
    }

    fn end_nest(&mut self, nest: Nest) {
        // SAFETY: the writer is valid by the type's invariant. The offset is one that `nest` returned for the
        // message that is being written, because core ends what it begins before the message.
        unsafe { abi::nlproof_writer_end_nest(self.as_ptr(), nest.offset()) }
    }

    fn end(&mut self) -> bool {
        // SAFETY: the writer is valid by the type's invariant.
        unsafe { abi::nlproof_writer_end(self.as_ptr()) }
    }

    fn abort(&mut self) {
        // SAFETY: the writer is valid by the type's invariant.
        unsafe { abi::nlproof_writer_abort(self.as_ptr()) }
    }

    fn end_dump(&mut self, error: i32, header: &MessageHeader) -> bool {
        let MessageHeader { kind, flags, seq, pid } = *header;
        // SAFETY: the writer is valid by the type's invariant.
        unsafe { abi::nlproof_writer_end_dump(self.as_ptr(), error, kind, flags, seq, pid) }
    }

    fn string(&mut self, kind: u16, value: &[u8]) {
        // SAFETY: the writer is valid by the type's invariant; `value` is readable for its length.
        unsafe { abi::nlproof_writer_string(self.as_ptr(), kind, value.as_ptr(), value.len()) }
    }
}

/// The call's writer to a group; dropping it sends what was finished.
pub(crate) struct GroupStream<'c> {
    stream: Stream<'c>,
    owner: NonNull<Call>,
}

impl GroupStream<'_> {
    /// The writer to a group of NETLINK_ROUTE; `None` if nobody listens, there is no memory, or the call's only
    /// writer is in use.
    ///
    /// # Safety
    /// The call lives for the lifetime that the caller gives to the value.
    pub(crate) unsafe fn open(owner: NonNull<Call>, group: u32) -> Option<Self> {
        // SAFETY: the call is valid, as the caller promises.
        let nw = NonNull::new(unsafe { abi::nlproof_writer_to_group(owner.as_ptr(), group) })?;
        // SAFETY: the writer is part of the call, and C gives it to one user at a time.
        let stream = unsafe { Stream::new(nw) };
        Some(Self { stream, owner })
    }
}

impl Drop for GroupStream<'_> {
    fn drop(&mut self) {
        // SAFETY: call and writer are valid (`open`), and this is the writer's last use.
        unsafe { abi::nlproof_writer_flush(self.owner.as_ptr(), self.stream.as_ptr()) }
    }
}

impl Writer for GroupStream<'_> {
    fn begin(&mut self, header: &MessageHeader, payload: &[u8]) -> bool {
        self.stream.begin(header, payload)
    }

    fn attribute(&mut self, kind: u16, data: &[u8]) {
        self.stream.attribute(kind, data);
    }

    fn nest(&mut self, kind: u16) -> Option<Nest> {
        self.stream.nest(kind)
    }

    fn end_nest(&mut self, nest: Nest) {
        self.stream.end_nest(nest);
    }

    fn end(&mut self) -> bool {
        self.stream.end()
    }

    fn abort(&mut self) {
        self.stream.abort();
    }

    fn end_dump(&mut self, error: i32, header: &MessageHeader) -> bool {
        self.stream.end_dump(error, header)
    }

    fn string(&mut self, kind: u16, value: &[u8]) {
        self.stream.string(kind, value);
    }
}

impl GroupWriter for GroupStream<'_> {
    /// Dropping does it.
    fn flush(self) {}
}
