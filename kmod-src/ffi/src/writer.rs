// SPDX-License-Identifier: BSD-2-Clause
//! Writers: `struct nl_writer`, whose layout only C knows. C says where a message goes on, and attributes are written
//! there without asking it again as long as there is room.

use core::marker::PhantomData;
use core::ptr::{NonNull, null_mut};

use iface_core::{GroupWriter, MessageHeader, Name, Nest, Writer, attribute_header};
use nlproof_wire::consts::IFNAMSIZ;

use crate::abi::{self, Call, NlWriter, Window};

/// An attribute's header, in bytes; attributes are aligned to as many.
const HEADER: u32 = 4;
/// The longest payload: the field of the length has 16 bits, and counts the header.
const LONGEST: usize = 0xfff0;

/// No window.
const NOTHING: Window = Window { next: null_mut(), end: null_mut(), message: null_mut() };

/// Bytes from one pointer to the other, which is not before it.
fn between(from: *mut u8, to: *mut u8) -> usize {
    to.addr().wrapping_sub(from.addr())
}

/// A stream of messages, for as long as the call into Rust lasts.
///
/// # Invariants
/// The pointer is valid for `'c`, and nothing else writes through it meanwhile. The bytes from `window.next` to
/// `window.end` are writable and belong to nobody else; those from `window.message` to `window.next` are the message so
/// far. Without a message and without memory all three are null.
pub(crate) struct Stream<'c> {
    nw: NonNull<NlWriter>,
    window: Window,
    /// `window.next` when C knew it last.
    known: *mut u8,
    call: PhantomData<&'c mut ()>,
}

impl Stream<'_> {
    /// # Safety
    /// The writer lives for the lifetime that the caller gives to the value, and is used by nobody else.
    pub(crate) const unsafe fn new(nw: NonNull<NlWriter>) -> Self {
        Self { nw, window: NOTHING, known: null_mut(), call: PhantomData }
    }

    fn as_ptr(&self) -> *mut NlWriter {
        self.nw.as_ptr()
    }

    /// Bytes that C has yet to be told of.
    fn used(&self) -> u32 {
        between(self.known, self.window.next) as u32
    }

    /// Bytes of the message so far.
    fn offset(&self) -> u32 {
        between(self.window.message, self.window.next) as u32
    }

    /// Bytes that may still be written.
    fn room(&self) -> usize {
        between(self.window.next, self.window.end)
    }

    /// Has C write to the message: `write` gets the writer, the bytes that it has yet to be told of, and where to
    /// say where the message goes on.
    pub(crate) fn let_write(&mut self, write: impl FnOnce(*mut NlWriter, u32, *mut Window)) {
        let used = self.used();
        write(self.as_ptr(), used, &raw mut self.window);
        self.known = self.window.next;
    }

    /// Takes `len` bytes, a multiple of four, from the window. `None`: there is no memory for them.
    #[inline(always)]
    fn take(&mut self, len: u32) -> Option<*mut u8> {
        if self.room() < len as usize && !self.find_room(len) {
            return None;
        }
        let place = self.window.next;
        // SAFETY: as many bytes are there by the type's invariant, and only now stop being part of the window.
        self.window.next = unsafe { place.add(len as usize) };
        Some(place)
    }

    /// Has C move the message to where as many bytes are free. Without memory the window is empty afterwards.
    #[cold]
    #[inline(never)]
    fn find_room(&mut self, len: u32) -> bool {
        self.let_write(|nw, used, window| {
            // SAFETY: the stream's writer and window.
            unsafe { abi::nlproof_writer_find_room(nw, used, len, window) }
        });
        self.room() >= len as usize
    }

    /// Takes room for an attribute, writes its header and its padding, and returns where its `len` bytes go. `None`
    /// without memory, and for one whose length its header cannot hold, of which the kernel has none.
    #[inline(always)]
    fn place(&mut self, kind: u16, len: usize) -> Option<*mut u8> {
        if len > LONGEST {
            return None;
        }
        let whole = (len as u32).wrapping_add(HEADER);
        let padded = whole.wrapping_add(HEADER.wrapping_sub(1)) & !HEADER.wrapping_sub(1);
        let header = self.take(padded)?;
        // SAFETY: `padded` bytes are there, at least a header; its last word holds what of the padding there is.
        unsafe {
            if whole != padded {
                header.add(padded.wrapping_sub(HEADER) as usize).cast::<u32>().write_unaligned(0);
            }
            header.cast::<u32>().write_unaligned(attribute_header(kind, len as u16));
            Some(header.add(HEADER as usize))
        }
    }
}

impl<'c> Writer for Stream<'c> {
    type Stream = Stream<'c>;

    fn stream(&mut self) -> &mut Stream<'c> {
        self
    }

    #[inline(always)]
    fn begin(&mut self, header: &MessageHeader, payload: &[u8]) -> bool {
        let Ok(len) = u32::try_from(payload.len()) else { return false };
        // SAFETY: the writer is valid by the type's invariant, `header` readable, and the window writable.
        let begun = unsafe { abi::nlproof_writer_begin(self.as_ptr(), header, len, &raw mut self.window) };
        self.known = self.window.next;
        if !begun {
            return false;
        }
        // C has found room for as much, and the fixed headers of messages are multiples of four.
        if let Some(place) = self.take(len) {
            // SAFETY: `take` gives room for as many bytes, which are no part of `payload`.
            unsafe { place.copy_from_nonoverlapping(payload.as_ptr(), payload.len()) }
        }
        true
    }

    #[inline(always)]
    fn attribute(&mut self, kind: u16, data: &[u8]) {
        if let Some(place) = self.place(kind, data.len()) {
            // SAFETY: `place` gives room for as many bytes, which are no part of `data`.
            unsafe { place.copy_from_nonoverlapping(data.as_ptr(), data.len()) }
        }
    }

    #[inline(always)]
    fn nest(&mut self, kind: u16) -> Option<Nest> {
        let begin = self.offset();
        self.place(kind, 0).map(|_| Nest::at(begin))
    }

    fn end_nest(&mut self, nest: Nest) {
        // Bytes from the nest's header on. Without memory, when there are no bytes, it is gone.
        let Some(len) = self.offset().checked_sub(nest.offset()) else { return };
        // SAFETY: the bytes before `next` are the message so far (type's invariant), and the nest's header is among
        // them, because core ends what it begins before the message.
        unsafe { self.window.next.sub(len as usize).cast::<u16>().write_unaligned(len as u16) }
    }

    fn end(&mut self) -> bool {
        let used = self.used();
        self.window.end = self.window.next;
        // SAFETY: the writer is valid by the type's invariant.
        unsafe { abi::nlproof_writer_end(self.as_ptr(), used) }
    }

    fn abort(&mut self) {
        self.window = NOTHING;
        // SAFETY: the writer is valid by the type's invariant.
        unsafe { abi::nlproof_writer_abort(self.as_ptr()) }
    }

    fn end_dump(&mut self, error: i32, header: &MessageHeader) -> bool {
        // SAFETY: the writer is valid by the type's invariant, `header` readable, and no message is unfinished.
        unsafe { abi::nlproof_writer_end_dump(self.as_ptr(), error, header) }
    }

    #[inline(always)]
    fn words<const N: usize>(&mut self, words: &[u32; N]) {
        if let Some(place) = self.take(size_of::<[u32; N]>() as u32) {
            // SAFETY: `take` gives room for as many words, which are no part of `words`.
            unsafe { place.cast::<[u32; N]>().write_unaligned(*words) }
        }
    }

    #[inline(always)]
    fn filled<const N: usize>(&mut self, kind: u16, fill: impl FnOnce(&mut [u8; N])) {
        if let Some(place) = self.place(kind, N) {
            // SAFETY: `place` gives room for as many bytes, which C has allocated and nobody else uses.
            fill(unsafe { &mut *place.cast::<[u8; N]>() });
        }
    }

    #[inline(always)]
    fn name(&mut self, kind: u16, name: Name) {
        // Longer than any name with header, NUL and padding: what is behind this one is overwritten by what follows.
        const MOST: usize = (HEADER as usize).wrapping_add(IFNAMSIZ);
        if self.room() < MOST {
            return self.string(kind, name.as_bytes());
        }
        let header = self.window.next;
        let whole = (name.len() as u32).wrapping_add(1).wrapping_add(HEADER);
        let padded = whole.wrapping_add(HEADER.wrapping_sub(1)) & !HEADER.wrapping_sub(1);
        // SAFETY: `MOST` bytes are there, and `padded` is at most as many: a name has less than IFNAMSIZ bytes.
        unsafe {
            header.cast::<u32>().write_unaligned(attribute_header(kind, whole.wrapping_sub(HEADER) as u16));
            header.add(HEADER as usize).cast::<[u8; IFNAMSIZ]>().write_unaligned(name.padded());
            self.window.next = header.add(padded as usize);
        }
    }

    #[inline(always)]
    fn string(&mut self, kind: u16, value: &[u8]) {
        let len = value.len();
        let Some(place) = len.checked_add(1).and_then(|with_nul| self.place(kind, with_nul)) else { return };
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

    fn words<const N: usize>(&mut self, words: &[u32; N]) {
        self.stream.words(words);
    }

    fn filled<const N: usize>(&mut self, kind: u16, fill: impl FnOnce(&mut [u8; N])) {
        self.stream.filled(kind, fill);
    }

    fn string(&mut self, kind: u16, value: &[u8]) {
        self.stream.string(kind, value);
    }

    fn name(&mut self, kind: u16, name: Name) {
        self.stream.name(kind, name);
    }
}

impl GroupWriter for GroupStream<'_> {
    /// Dropping does it.
    fn flush(self) {}
}
