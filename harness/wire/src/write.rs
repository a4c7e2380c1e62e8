// SPDX-License-Identifier: BSD-2-Clause
//! Writing messages front to back, without allocating.
//!
//! As the kernel's `nl_writer`, a [`Writer`] latches its first failure and ignores everything after it,
//! so that a sequence of calls needs one check at its end.

use core::fmt;

use crate::bytes::{align, put_at};
use crate::consts::{NLA_HDRLEN, NLMSG_HDRLEN};
use crate::view::NlMsgHdr;

/// Where a [`Writer`] puts its bytes.
pub trait Sink {
    /// What was written.
    fn written(&self) -> &[u8];
    /// What was written, to be patched.
    fn written_mut(&mut self) -> &mut [u8];
    /// Appends all of `bytes`, or nothing and false if they do not fit.
    fn append(&mut self, bytes: &[u8]) -> bool;
    /// Forgets what is behind `len`.
    fn truncate(&mut self, len: usize);
}

/// A [`Sink`] over a buffer of fixed size.
#[derive(Debug)]
pub struct SliceSink<'a> {
    buffer: &'a mut [u8],
    len: usize,
}

impl Sink for SliceSink<'_> {
    fn written(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }

    fn written_mut(&mut self) -> &mut [u8] {
        self.buffer.get_mut(..self.len).unwrap_or_default()
    }

    fn append(&mut self, bytes: &[u8]) -> bool {
        if !put_at(self.buffer, self.len, bytes) {
            return false;
        }
        self.len = self.len.saturating_add(bytes.len());
        true
    }

    fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }
}

#[cfg(any(test, feature = "alloc"))]
impl Sink for alloc::vec::Vec<u8> {
    fn written(&self) -> &[u8] {
        self
    }

    fn written_mut(&mut self) -> &mut [u8] {
        self
    }

    fn append(&mut self, bytes: &[u8]) -> bool {
        self.extend_from_slice(bytes);
        true
    }

    fn truncate(&mut self, len: usize) {
        alloc::vec::Vec::truncate(self, len);
    }
}

/// Why a [`Writer`] gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WriteError {
    /// The buffer is full.
    Full,
    /// An attribute or nest exceeds what its 16-bit length can say.
    AttrTooLong,
    /// Calls out of order: something put outside a message, or a message begun inside another.
    Misplaced,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "buffer full",
            Self::AttrTooLong => "attribute longer than 65535 bytes",
            Self::Misplaced => "written outside a message, or message begun inside a message",
        })
    }
}

impl core::error::Error for WriteError {}

/// An open nest; hand it to [`Writer::end_nest`].
#[derive(Clone, Copy, Debug)]
#[must_use = "a nest that is not ended has length 0"]
pub struct Nest {
    offset: usize,
}

/// Writes messages into a [`Sink`].
#[derive(Debug)]
pub struct Writer<S> {
    sink: S,
    /// Where the open message begins.
    message: Option<usize>,
    error: Option<WriteError>,
}

impl<'a> Writer<SliceSink<'a>> {
    /// A writer into `buffer`, from its first byte.
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self::into_sink(SliceSink { buffer, len: 0 })
    }
}

#[cfg(any(test, feature = "alloc"))]
impl Writer<alloc::vec::Vec<u8>> {
    /// A writer into a buffer that grows.
    #[must_use]
    pub fn growing() -> Self {
        Self::into_sink(alloc::vec::Vec::new())
    }

    /// The messages written so far. An open message is dropped.
    ///
    /// # Errors
    /// The failure that was latched.
    pub fn into_vec(mut self) -> Result<alloc::vec::Vec<u8>, WriteError> {
        self.finish()?;
        Ok(self.sink)
    }
}

impl<S: Sink> Writer<S> {
    /// A writer that appends to a sink.
    pub const fn into_sink(sink: S) -> Self {
        Self { sink, message: None, error: None }
    }

    /// Begins a message. `nlmsg_len` is filled in by [`Writer::end`], whatever `header.len` says.
    pub fn begin(&mut self, header: NlMsgHdr) {
        if self.message.is_some() {
            self.fail(WriteError::Misplaced);
            return;
        }
        self.message = Some(self.len());
        self.append(&header.to_bytes());
    }

    /// Puts a fixed structure or other bytes, padded with zeroes to a multiple of four.
    pub fn put(&mut self, bytes: &[u8]) {
        if self.message.is_none() {
            self.fail(WriteError::Misplaced);
        }
        self.append(bytes);
        self.pad(bytes.len());
    }

    /// Puts an attribute. `type_field` may carry `NLA_F_NESTED` or `NLA_F_NET_BYTEORDER`.
    pub fn attr(&mut self, type_field: u16, payload: &[u8]) {
        let Ok(len) = u16::try_from(payload.len().saturating_add(NLA_HDRLEN)) else {
            self.fail(WriteError::AttrTooLong);
            return;
        };
        self.attr_header(len, type_field);
        self.append(payload);
        self.pad(payload.len());
    }

    /// Opens a nest without `NLA_F_NESTED`, as FreeBSD sends its nests.
    pub fn begin_nest(&mut self, type_field: u16) -> Nest {
        let offset = self.len();
        self.attr_header(0, type_field);
        Nest { offset }
    }

    /// Closes a nest by filling in its length.
    pub fn end_nest(&mut self, nest: Nest) {
        if self.error.is_some() {
            return;
        }
        let len = self.len().checked_sub(nest.offset).filter(|&len| len >= NLA_HDRLEN);
        match len.map(u16::try_from) {
            Some(Ok(len)) => self.patch(nest.offset, &len.to_le_bytes()),
            Some(Err(_)) => self.fail(WriteError::AttrTooLong),
            None => self.fail(WriteError::Misplaced),
        }
    }

    /// Ends the message by filling in its length.
    ///
    /// # Errors
    /// The failure latched since the message began. The message is then gone, those before it stay, and
    /// the failure stays latched until [`Writer::abort`].
    pub fn end(&mut self) -> Result<(), WriteError> {
        let Some(start) = self.message.take() else {
            self.fail(WriteError::Misplaced);
            return Err(self.error.unwrap_or(WriteError::Misplaced));
        };
        let size = self.len().saturating_sub(start);
        if self.error.is_none() {
            match u32::try_from(size) {
                Ok(len) if size >= NLMSG_HDRLEN => self.patch(start, &len.to_le_bytes()),
                _ => self.fail(WriteError::Full),
            }
        }
        match self.error {
            None => Ok(()),
            Some(error) => {
                self.sink.truncate(start);
                Err(error)
            }
        }
    }

    /// Drops the open message, if there is one, and forgets a latched failure.
    pub fn abort(&mut self) {
        if let Some(start) = self.message.take() {
            self.sink.truncate(start);
        }
        self.error = None;
    }

    /// The messages written so far. An open message is dropped.
    ///
    /// # Errors
    /// The failure that was latched.
    pub fn finish(&mut self) -> Result<&[u8], WriteError> {
        if let Some(start) = self.message.take() {
            self.sink.truncate(start);
        }
        match self.error {
            None => Ok(self.sink.written()),
            Some(error) => Err(error),
        }
    }

    /// Bytes written, with those of an open message.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sink.written().len()
    }

    /// Whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The latched failure.
    #[must_use]
    pub const fn error(&self) -> Option<WriteError> {
        self.error
    }

    fn fail(&mut self, error: WriteError) {
        self.error = self.error.or(Some(error));
    }

    fn append(&mut self, bytes: &[u8]) {
        if self.error.is_none() && !self.sink.append(bytes) {
            self.fail(WriteError::Full);
        }
    }

    fn attr_header(&mut self, len: u16, type_field: u16) {
        if self.message.is_none() {
            self.fail(WriteError::Misplaced);
        }
        let [l0, l1] = len.to_le_bytes();
        let [t0, t1] = type_field.to_le_bytes();
        self.append(&[l0, l1, t0, t1]);
    }

    fn pad(&mut self, len: usize) {
        let padding = align(len).saturating_sub(len);
        self.append([0; 3].get(..padding).unwrap_or_default());
    }

    fn patch(&mut self, offset: usize, bytes: &[u8]) {
        if !put_at(self.sink.written_mut(), offset, bytes) {
            self.fail(WriteError::Misplaced);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consts::NLA_F_NESTED;

    const HEADER: NlMsgHdr = NlMsgHdr { len: 999, kind: 16, flags: 5, seq: 1, pid: 0 };

    fn fill<S: Sink>(w: &mut Writer<S>) -> Result<(), WriteError> {
        w.begin(HEADER);
        w.put(&[0xaa; 6]);
        w.attr(3, b"lo0\0");
        let nest = w.begin_nest(18 | NLA_F_NESTED);
        w.attr(1, &[7]);
        w.end_nest(nest);
        w.end()
    }

    #[test]
    fn lengths_and_padding_are_filled_in() {
        let mut buffer = [0xff; 64];
        let mut w = Writer::new(&mut buffer);
        fill(&mut w).expect("fits");
        let written = w.finish().expect("no failure");
        assert_eq!(written[..4], [44, 0, 0, 0]);
        assert_eq!(written[16..24], [0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0, 0]);
        assert_eq!(written[24..32], [8, 0, 3, 0, b'l', b'o', b'0', 0]);
        assert_eq!(written[32..], [12, 0, 18, 0x80, 5, 0, 1, 0, 7, 0, 0, 0]);
    }

    #[test]
    fn an_overflow_is_latched_and_takes_only_its_message() {
        let mut buffer = [0; 80];
        let mut w = Writer::new(&mut buffer);
        fill(&mut w).expect("the first fits");
        assert_eq!(fill(&mut w), Err(WriteError::Full));
        assert_eq!((w.len(), w.error()), (44, Some(WriteError::Full)));
        assert_eq!(w.finish(), Err(WriteError::Full));
        w.abort();
        assert_eq!(w.finish().map(<[u8]>::len), Ok(44));
    }

    #[test]
    fn too_long_attributes_and_misplaced_calls_are_refused() {
        let mut w = Writer::growing();
        w.begin(HEADER);
        w.attr(1, &[0; 65532]);
        assert_eq!(w.end(), Err(WriteError::AttrTooLong));
        w.abort();
        w.begin(HEADER);
        let nest = w.begin_nest(1);
        w.attr(1, &[0; 40000]);
        w.attr(1, &[0; 40000]);
        w.end_nest(nest);
        assert_eq!(w.end(), Err(WriteError::AttrTooLong));
        w.abort();
        w.attr(1, &[1]);
        assert_eq!(w.error(), Some(WriteError::Misplaced));
        w.abort();
        w.begin(HEADER);
        w.begin(HEADER);
        assert_eq!(w.end(), Err(WriteError::Misplaced));
        assert!(w.is_empty());
    }

    #[test]
    fn an_unfinished_message_is_not_handed_over() {
        let mut w = Writer::growing();
        fill(&mut w).expect("grows");
        w.begin(HEADER);
        assert_eq!(w.into_vec().map(|bytes| bytes.len()), Ok(44));
    }
}
