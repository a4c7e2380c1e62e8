// SPDX-License-Identifier: BSD-2-Clause
//! Writing messages: the part of `struct nl_writer` (`sys/netlink/netlink_message_writer.h`) that
//! iface.c needs.

use crate::name::Name;

/// Header fields of a message to be sent; its length is the writer's business. The layout is C's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct MessageHeader {
    /// `nlmsg_type`.
    pub kind: u16,
    /// `nlmsg_flags`.
    pub flags: u16,
    /// `nlmsg_seq`.
    pub seq: u32,
    /// `nlmsg_pid`.
    pub pid: u32,
}

/// A nested attribute that has been begun: its offset from the message's header.
#[derive(Debug)]
#[must_use = "a nested attribute must be ended to get its length"]
pub struct Nest(u32);

impl Nest {
    /// The nested attribute that begins `offset` bytes after the message's header.
    pub const fn at(offset: u32) -> Self {
        Self(offset)
    }

    /// Where it begins.
    #[must_use]
    pub const fn offset(&self) -> u32 {
        self.0
    }
}

/// The header of an attribute with `len` bytes of payload, as [`Writer::words`] takes it: `nla_len` and `nla_type` of
/// `struct nlattr`.
#[must_use]
pub const fn attribute_header(kind: u16, len: u16) -> u32 {
    let ([a, b], [c, d]) = (len.wrapping_add(4).to_ne_bytes(), kind.to_ne_bytes());
    u32::from_ne_bytes([a, b, c, d])
}

/// One stream of messages to one socket or group.
///
/// A failure to get memory is latched: the calls after it do nothing, and [`end`](Self::end) reports it.
/// Callers need not look at the result of every attribute.
pub trait Writer {
    /// What the kernel's own functions write to.
    type Stream;

    /// The stream itself, for what a driver adds to the message.
    fn stream(&mut self) -> &mut Self::Stream;

    /// Begins a message whose fixed header is `payload` (`nlmsg_add` and `nlmsg_reserve_data`). False
    /// when there is no memory: nothing was begun then.
    fn begin(&mut self, header: &MessageHeader, payload: &[u8]) -> bool;

    /// Adds an attribute, padded to four bytes.
    fn attribute(&mut self, kind: u16, data: &[u8]);

    /// Begins a nested attribute; `None` when there is no memory.
    fn nest(&mut self, kind: u16) -> Option<Nest>;

    /// Ends a nested attribute: its length becomes known.
    fn end_nest(&mut self, nest: Nest);

    /// Ends the message; false if any part of it failed, and then nothing of it remains.
    #[must_use]
    fn end(&mut self) -> bool;

    /// Takes the unfinished message back.
    fn abort(&mut self);

    /// Writes NLMSG_DONE with `error` (0: none) for a dump whose messages had `header`, and keeps the
    /// request from being acknowledged as well. False when there is no memory.
    #[must_use]
    fn end_dump(&mut self, error: i32, header: &MessageHeader) -> bool;

    /// Adds a number of four bytes.
    fn u32(&mut self, kind: u16, value: u32) {
        self.attribute(kind, &value.to_ne_bytes());
    }

    /// Adds attributes that are encoded already: an [`attribute_header`] and its payload in host order, one after the
    /// other. Of those with nothing of variable length in between, at once.
    fn words<const N: usize>(&mut self, words: &[u32; N]);

    /// Adds an attribute of `N` bytes that are written by `fill`, all of them.
    fn filled<const N: usize>(&mut self, kind: u16, fill: impl FnOnce(&mut [u8; N])) {
        let mut bytes = [0; N];
        fill(&mut bytes);
        self.attribute(kind, &bytes);
    }

    /// Adds a string with its NUL.
    fn string(&mut self, kind: u16, value: &[u8]);

    /// Adds a name with its NUL.
    fn name(&mut self, kind: u16, name: Name) {
        self.string(kind, name.as_bytes());
    }
}

/// A writer to a multicast group.
pub trait GroupWriter: Writer {
    /// Sends what was written to the group's members.
    fn flush(self);
}
