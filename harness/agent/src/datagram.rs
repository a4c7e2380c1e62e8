// SPDX-License-Identifier: BSD-2-Clause
//! The part of netlink that the agent itself must understand: where a message begins, which request it
//! answers, whether it ends a step, and the fence.
//!
//! ```text
//!  0               4       6       8               12              16
//!  | nlmsg_len u32 | type  | flags | nlmsg_seq u32 | nlmsg_pid u32 | payload, padded to 4 bytes
//! ```
//! (FreeBSD sys/netlink/netlink.h, Linux linux/netlink.h; byte order of the machine.) Everything else is
//! decoded by the harness, from the bytes as they came.

use alloc::vec::Vec;

use crate::ReplyEnd;
use crate::frame::FENCE_SEQ_BASE;

/// Length of nlmsghdr in bytes.
pub const HEADER_LEN: usize = 16;

const NLMSG_NOOP: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 0x01;
const NLM_F_MULTI: u16 = 0x02;
const NLM_F_ACK: u16 = 0x04;
const NLM_F_DUMP: u16 = 0x300;
const RTM_GETLINK: u16 = 18;
const IFINFOMSG_LEN: usize = 16;

/// One message within a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// Where it begins in the datagram, in bytes.
    pub offset: usize,
    /// nlmsg_type.
    pub kind: u16,
    /// nlmsg_flags.
    pub flags: u16,
    /// nlmsg_seq.
    pub seq: u32,
    /// What follows the header, without padding.
    pub payload: &'a [u8],
    /// Length with header and padding, in bytes, as far as the datagram goes.
    pub padded_len: usize,
}

/// The messages of a datagram, up to the first that does not lie within it.
pub fn messages(datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    let mut offset = 0;
    core::iter::from_fn(move || {
        let message = message_at(datagram, offset)?;
        offset += message.padded_len;
        Some(message)
    })
}

fn message_at(datagram: &[u8], offset: usize) -> Option<Message<'_>> {
    let rest = datagram.get(offset..)?;
    let header = rest.first_chunk::<HEADER_LEN>()?;
    let [l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, ..] = *header;
    let len = u32::from_ne_bytes([l0, l1, l2, l3]) as usize;
    Some(Message {
        offset,
        kind: u16::from_ne_bytes([k0, k1]),
        flags: u16::from_ne_bytes([f0, f1]),
        seq: u32::from_ne_bytes([s0, s1, s2, s3]),
        payload: rest.get(HEADER_LEN..len)?,
        padded_len: len.next_multiple_of(4).min(rest.len()),
    })
}

/// Whether a datagram holds what ends the collection of replies to the request with this seq.
#[must_use]
pub fn ends(end: ReplyEnd, seq: u32, datagram: &[u8]) -> bool {
    messages(datagram).filter(|message| message.seq == seq).any(|message| match (message.kind, end) {
        (NLMSG_ERROR, _) => true,
        (NLMSG_DONE, ReplyEnd::End) => true,
        (_, ReplyEnd::Message) => message.flags & NLM_F_MULTI == 0,
        (_, ReplyEnd::End | ReplyEnd::Nothing) => false,
    })
}

/// The `count`-th fence of a program: its seq and its bytes, an empty NLMSG_NOOP that asks for an
/// acknowledgement. Both kernels acknowledge it after all that was asked before on the same socket.
#[must_use]
pub fn fence(count: u32) -> (u32, [u8; HEADER_LEN]) {
    let seq = FENCE_SEQ_BASE | (count & !FENCE_SEQ_BASE);
    (seq, empty_message(NLMSG_NOOP, NLM_F_REQUEST | NLM_F_ACK, seq))
}

/// A request for all links: a header and an ifinfomsg of zeroes.
#[must_use]
pub fn link_dump(seq: u32) -> [u8; HEADER_LEN + IFINFOMSG_LEN] {
    let mut bytes = [0; HEADER_LEN + IFINFOMSG_LEN];
    let header = empty_message(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, seq);
    let len = (HEADER_LEN + IFINFOMSG_LEN) as u32;
    for (place, byte) in bytes.iter_mut().zip(len.to_ne_bytes().into_iter().chain(header.into_iter().skip(4)))
    {
        *place = byte;
    }
    bytes
}

fn empty_message(kind: u16, flags: u16, seq: u32) -> [u8; HEADER_LEN] {
    let mut bytes = [0; HEADER_LEN];
    let fields = (HEADER_LEN as u32).to_ne_bytes().into_iter();
    let fields = fields.chain(kind.to_ne_bytes()).chain(flags.to_ne_bytes()).chain(seq.to_ne_bytes());
    for (place, byte) in bytes.iter_mut().zip(fields) {
        *place = byte;
    }
    bytes
}

/// What a datagram is once the acknowledgements of fences are taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfenced {
    /// The bytes without them; empty if there was nothing else.
    pub data: Vec<u8>,
    /// The acknowledgement of the fence with the given seq was among them.
    pub reached: bool,
}

/// Takes the acknowledgements of all fences out of a datagram and looks for that of `seq`.
#[must_use]
pub fn without_fences(datagram: &[u8], seq: u32) -> Unfenced {
    let mut unfenced = Unfenced { data: Vec::with_capacity(datagram.len()), reached: false };
    let mut end = 0;
    for message in messages(datagram) {
        end = message.offset + message.padded_len;
        if message.kind == NLMSG_ERROR && message.seq >= FENCE_SEQ_BASE {
            unfenced.reached |= message.seq == seq;
        } else {
            unfenced.data.extend_from_slice(datagram.get(message.offset..end).unwrap_or_default());
        }
    }
    // Bytes that are no message are for the harness to judge.
    unfenced.data.extend_from_slice(datagram.get(end..).unwrap_or_default());
    unfenced
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message with the given payload, padded.
    fn message(kind: u16, flags: u16, seq: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend((16 + payload.len() as u32).to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(seq.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn messages_are_walked_by_their_padded_lengths() {
        let mut datagram = message(16, 2, 7, &[1, 2, 3, 4, 5]);
        datagram.extend(message(NLMSG_DONE, 0, 7, &[]));
        let seen: Vec<_> = messages(&datagram).map(|m| (m.offset, m.kind, m.payload.len())).collect();
        assert_eq!(seen, [(0, 16, 5), (24, NLMSG_DONE, 0)]);
    }

    #[test]
    fn a_length_that_lies_ends_the_walk() {
        for len in [0u32, 15, 21, u32::MAX] {
            let mut datagram = message(16, 0, 7, &[0; 4]);
            datagram[..4].copy_from_slice(&len.to_ne_bytes());
            assert_eq!(messages(&datagram).count(), 0, "{len}");
        }
        assert_eq!(messages(&[0; 15]).count(), 0);
    }

    #[test]
    fn each_end_is_recognised_and_no_other() {
        let link = message(16, 0, 7, &[]);
        let part = message(16, NLM_F_MULTI, 7, &[]);
        let ack = message(NLMSG_ERROR, 0, 7, &[0; 20]);
        let done = message(NLMSG_DONE, NLM_F_MULTI, 7, &[0; 4]);
        let of_another = message(NLMSG_ERROR, 0, 8, &[0; 20]);
        let table = [
            (ReplyEnd::Message, [true, false, true, false, false]),
            (ReplyEnd::End, [false, false, true, true, false]),
            (ReplyEnd::Nothing, [false, false, true, false, false]),
        ];
        for (end, expected) in table {
            let seen = [&link, &part, &ack, &done, &of_another].map(|datagram| ends(end, 7, datagram));
            assert_eq!(seen, expected, "{end:?}");
        }
    }

    #[test]
    fn the_end_is_found_behind_other_messages() {
        let mut datagram = message(16, NLM_F_MULTI, 7, &[0; 16]);
        datagram.extend(message(NLMSG_DONE, 0, 7, &[0; 4]));
        assert!(ends(ReplyEnd::End, 7, &datagram));
        assert!(!ends(ReplyEnd::Nothing, 7, &datagram));
    }

    #[test]
    fn a_fence_is_a_noop_that_asks_for_an_acknowledgement() {
        let (seq, bytes) = fence(3);
        assert_eq!(seq, FENCE_SEQ_BASE + 3);
        let message = messages(&bytes).next();
        let fields = message.map(|m| (m.kind, m.flags, m.seq, m.payload.len()));
        assert_eq!(fields, Some((NLMSG_NOOP, 5, seq, 0)));
    }

    #[test]
    fn only_acknowledgements_of_fences_are_taken_out() {
        let (old, _) = fence(1);
        let (seq, _) = fence(2);
        let reply = message(16, 0, 7, &[9; 6]);
        let mut datagram = message(NLMSG_ERROR, 0, old, &[0; 20]);
        datagram.extend(&reply);
        assert_eq!(without_fences(&datagram, seq), Unfenced { data: reply.clone(), reached: false });
        datagram.extend(message(NLMSG_ERROR, 0, seq, &[0; 20]));
        datagram.extend([1, 2, 3]);
        let expected = [&reply[..], &[1, 2, 3]].concat();
        assert_eq!(without_fences(&datagram, seq), Unfenced { data: expected, reached: true });
    }
}
