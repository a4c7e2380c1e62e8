// SPDX-License-Identifier: BSD-2-Clause
//! Writing messages: the part of `struct nl_writer` (`sys/netlink/netlink_message_writer.h`) that
//! iface.c needs.

/// Header fields of a message to be sent; its length is the writer's business.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

/// Numbers in `struct rtnl_link_stats64`.
pub const STATISTICS: usize = 24;

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

    /// Adds a number of one byte.
    fn u8(&mut self, kind: u16, value: u8) {
        self.attribute(kind, &[value]);
    }

    /// Adds a number of four bytes.
    fn u32(&mut self, kind: u16, value: u32) {
        self.attribute(kind, &value.to_ne_bytes());
    }

    /// Adds 24 numbers of eight bytes.
    fn statistics(&mut self, kind: u16, values: &[u64; STATISTICS]) {
        let mut bytes = [0; STATISTICS.saturating_mul(8)];
        for (slot, value) in bytes.chunks_exact_mut(8).zip(values) {
            slot.copy_from_slice(&value.to_ne_bytes());
        }
        self.attribute(kind, &bytes);
    }

    /// Adds a string with its NUL.
    fn string(&mut self, kind: u16, value: &[u8]);
}

/// A writer to a multicast group.
pub trait GroupWriter: Writer {
    /// Sends what was written to the group's members.
    fn flush(self);
}
