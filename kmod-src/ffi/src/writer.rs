// SPDX-License-Identifier: BSD-2-Clause
//! Writers: `struct nl_writer`, whose layout only C knows. C says where a message goes on, and attributes are written
//! there without asking it again as long as there is room.

use core::marker::PhantomData;
use core::ptr::{NonNull, null_mut};

use iface_core::{GroupWriter, MessageHeader, Nest, STATISTICS, Writer};

use crate::abi::{self, Call, NlWriter, Window};

/// An attribute's header, in bytes; attributes are aligned to as many.
const HEADER: usize = 4;
/// Attributes that are longer are left to C: the field of the length has 16 bits.
const LONGEST: u32 = 0xfff0;

/// A stream of messages, for as long as the call into Rust lasts.
///
/// # Invariants
/// The pointer is valid for `'c`, and nothing else writes through it meanwhile. `window.room` bytes from
/// `window.next` on are writable and belong to nobody else; the `window.offset` bytes before them are the message
/// so far, if there is one.
pub(crate) struct Stream<'c> {
    nw: NonNull<NlWriter>,
    window: Window,
    /// `window.offset` when C knew it last.
    known: u32,
    call: PhantomData<&'c mut ()>,
}

impl Stream<'_> {
    /// # Safety
    /// The writer lives for the lifetime that the caller gives to the value, and is used by nobody else.
    pub(crate) const unsafe fn new(nw: NonNull<NlWriter>) -> Self {
        let window = Window { next: null_mut(), room: 0, offset: 0 };
        Self { nw, window, known: 0, call: PhantomData }
    }

    fn as_ptr(&self) -> *mut NlWriter {
        self.nw.as_ptr()
    }

    /// Bytes that C has yet to be told of.
    fn used(&self) -> u32 {
        self.window.offset.wrapping_sub(self.known)
    }

    /// Has C write to the message: `write` gets the writer, the bytes that it has yet to be told of, and where to
    /// say where the message goes on.
    pub(crate) fn let_write(&mut self, write: impl FnOnce(*mut NlWriter, u32, *mut Window)) {
        let used = self.used();
        write(self.as_ptr(), used, &raw mut self.window);
        self.known = self.window.offset;
    }

    /// Takes room for an attribute, writes its header and its padding, and returns where its `len` bytes go. `None`:
    /// C has to find room.
    #[inline]
    fn place(&mut self, kind: u16, len: usize) -> Option<*mut u8> {
        let whole = len.checked_add(HEADER)?;
        let padded = whole.checked_next_multiple_of(HEADER)?;
        let taken = u32::try_from(padded).ok().filter(|taken| *taken <= self.window.room.min(LONGEST))?;
        let header = self.window.next;
        self.window.room = self.window.room.wrapping_sub(taken);
        self.window.offset = self.window.offset.wrapping_add(taken);
        // SAFETY: `taken` bytes, at least a header, are there by the type's invariant, and only now stop being
        // part of the window. `padded - HEADER` is within them.
        unsafe {
            self.window.next = header.add(padded);
            if whole != padded {
                header.add(padded.wrapping_sub(HEADER)).cast::<u32>().write_unaligned(0);
            }
            // nla_len and nla_type (sys/netlink/netlink.h) of a little-endian machine.
            header.cast::<u32>().write_unaligned((u32::from(kind) << 16) | (whole as u32));
            Some(header.add(HEADER))
        }
    }

    #[cold]
    fn attribute_by_c(&mut self, kind: u16, data: &[u8]) {
        self.let_write(|nw, used, window| {
            // SAFETY: the stream's writer and window; `data` is readable for its length.
            unsafe { abi::nlproof_writer_attribute(nw, used, kind, data.as_ptr(), data.len(), window) }
        });
    }

    #[cold]
    fn string_by_c(&mut self, kind: u16, value: &[u8]) {
        self.let_write(|nw, used, window| {
            // SAFETY: the stream's writer and window; `value` is readable for its length.
            unsafe { abi::nlproof_writer_string(nw, used, kind, value.as_ptr(), value.len(), window) }
        });
    }
}

impl<'c> Writer for Stream<'c> {
    type Stream = Stream<'c>;

    fn stream(&mut self) -> &mut Stream<'c> {
        self
    }

    fn begin(&mut self, header: &MessageHeader, payload: &[u8]) -> bool {
        let MessageHeader { kind, flags, seq, pid } = *header;
        // SAFETY: the writer is valid by the type's invariant; `payload` is readable for its length, and the
        // window writable.
        let begun = unsafe {
            abi::nlproof_writer_begin(
                self.as_ptr(),
                kind,
                flags,
                seq,
                pid,
                payload.as_ptr(),
                payload.len(),
                &raw mut self.window,
            )
        };
        self.known = self.window.offset;
        begun
    }

    fn attribute(&mut self, kind: u16, data: &[u8]) {
        match self.place(kind, data.len()) {
            // SAFETY: `place` gives room for as many bytes, which are no part of `data`.
            Some(place) => unsafe { place.copy_from_nonoverlapping(data.as_ptr(), data.len()) },
            None => self.attribute_by_c(kind, data),
        }
    }

    fn nest(&mut self, kind: u16) -> Option<Nest> {
        let begin = self.window.offset;
        if self.place(kind, 0).is_none() {
            self.attribute_by_c(kind, &[]);
        }
        // Without memory there is no message any more.
        (self.window.offset != 0).then(|| Nest::at(begin))
    }

    fn end_nest(&mut self, nest: Nest) {
        // Bytes from the nest's header on. Without memory, which the offset of 0 tells, it is gone.
        let Some(len) = self.window.offset.checked_sub(nest.offset()) else { return };
        // SAFETY: the `offset` bytes before `next` are the message so far (type's invariant), and the nest's header
        // is among them, because core ends what it begins before the message.
        unsafe { self.window.next.sub(len as usize).cast::<u16>().write_unaligned(len as u16) }
    }

    fn end(&mut self) -> bool {
        let used = self.used();
        self.window.room = 0;
        // SAFETY: the writer is valid by the type's invariant.
        unsafe { abi::nlproof_writer_end(self.as_ptr(), used) }
    }

    fn abort(&mut self) {
        self.window.room = 0;
        // SAFETY: the writer is valid by the type's invariant.
        unsafe { abi::nlproof_writer_abort(self.as_ptr()) }
    }

    fn end_dump(&mut self, error: i32, header: &MessageHeader) -> bool {
        let MessageHeader { kind, flags, seq, pid } = *header;
        // SAFETY: the writer is valid by the type's invariant, and no message is unfinished.
        unsafe { abi::nlproof_writer_end_dump(self.as_ptr(), error, kind, flags, seq, pid) }
    }

    fn u8(&mut self, kind: u16, value: u8) {
        match self.place(kind, 1) {
            // SAFETY: `place` gives room for a byte.
            Some(place) => unsafe { place.write(value) },
            None => self.attribute_by_c(kind, &[value]),
        }
    }

    fn u32(&mut self, kind: u16, value: u32) {
        match self.place(kind, 4) {
            // SAFETY: `place` gives room for four bytes.
            Some(place) => unsafe { place.cast::<u32>().write_unaligned(value) },
            None => self.attribute_by_c(kind, &value.to_ne_bytes()),
        }
    }

    fn statistics(&mut self, kind: u16, values: &[u64; STATISTICS]) {
        const BYTES: usize = size_of::<[u64; STATISTICS]>();
        match self.place(kind, BYTES) {
            // SAFETY: `place` gives room for as many bytes, which are no part of `values`.
            Some(place) => unsafe { place.cast::<[u64; STATISTICS]>().write_unaligned(*values) },
            None => {
                // SAFETY: numbers have no padding, so they are as many bytes.
                let bytes = unsafe { &*values.as_ptr().cast::<[u8; BYTES]>() };
                self.attribute_by_c(kind, bytes);
            }
        }
    }

    fn string(&mut self, kind: u16, value: &[u8]) {
        let len = value.len();
        let Some(place) = len.checked_add(1).and_then(|with_nul| self.place(kind, with_nul)) else {
            return self.string_by_c(kind, value);
        };
        // SAFETY: `place` gives room for the bytes and a NUL, which are no part of `value`.
        unsafe {
            place.copy_from_nonoverlapping(value.as_ptr(), len);
            place.add(len).write(0);
        }
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

impl<'c> Writer for GroupStream<'c> {
    type Stream = Stream<'c>;

    fn stream(&mut self) -> &mut Stream<'c> {
        &mut self.stream
    }

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

    fn u8(&mut self, kind: u16, value: u8) {
        self.stream.u8(kind, value);
    }

    fn u32(&mut self, kind: u16, value: u32) {
        self.stream.u32(kind, value);
    }

    fn statistics(&mut self, kind: u16, values: &[u64; STATISTICS]) {
        self.stream.statistics(kind, values);
    }

    fn string(&mut self, kind: u16, value: &[u8]) {
        self.stream.string(kind, value);
    }
}

impl GroupWriter for GroupStream<'_> {
    /// Dropping does it.
    fn flush(self) {}
}
