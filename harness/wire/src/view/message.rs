// SPDX-License-Identifier: BSD-2-Clause
//! `struct nlmsghdr` and the messages of a datagram.

use core::fmt;

use crate::bytes::{align, bytes_word, split, u16_at, u32_at};
use crate::consts::NLMSG_HDRLEN;

/// `struct nlmsghdr` (`netlink/netlink.h`, RFC 3549 2.3.2).
///
/// ```text
///  0       4       8       12      16
///  |  len  |typ|flg|  seq  |  pid  |
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NlMsgHdr {
    /// `nlmsg_len`: bytes of the message with this header, without padding after it.
    pub len: u32,
    /// `nlmsg_type`: `NLMSG_*` or `RTM_*`.
    pub kind: u16,
    /// `nlmsg_flags`: `NLM_F_*`.
    pub flags: u16,
    /// `nlmsg_seq`: chosen by the requester, echoed in replies, 0 in events.
    pub seq: u32,
    /// `nlmsg_pid`: port number of the requester's socket, 0 in events.
    pub pid: u32,
}

impl NlMsgHdr {
    /// Bytes on the wire.
    pub const SIZE: usize = NLMSG_HDRLEN;

    /// Reads the header that begins `bytes`.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            len: u32_at(bytes, 0)?,
            kind: u16_at(bytes, 4)?,
            flags: u16_at(bytes, 6)?,
            seq: u32_at(bytes, 8)?,
            pid: u32_at(bytes, 12)?,
        })
    }

    /// The header as it goes on the wire.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let [l0, l1, l2, l3] = self.len.to_le_bytes();
        let [t0, t1] = self.kind.to_le_bytes();
        let [f0, f1] = self.flags.to_le_bytes();
        let [s0, s1, s2, s3] = self.seq.to_le_bytes();
        let [p0, p1, p2, p3] = self.pid.to_le_bytes();
        [l0, l1, l2, l3, t0, t1, f0, f1, s0, s1, s2, s3, p0, p1, p2, p3]
    }
}

/// One message of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawMessage<'a> {
    /// Where the message begins in the datagram.
    pub offset: usize,
    /// Header of the message.
    pub header: NlMsgHdr,
    /// What `nlmsg_len` covers after the header.
    pub payload: &'a [u8],
    /// Up to three bytes that align the next message; fewer if the datagram ends first.
    pub padding: &'a [u8],
}

/// Bytes at the end of a container that are no further item of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailing<'a> {
    /// Where they begin.
    pub offset: usize,
    /// The bytes, to the end of the container.
    pub bytes: &'a [u8],
    /// Why they are not an item.
    pub cause: TrailingCause,
}

/// Why bytes could not be read as a message or attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrailingCause {
    /// Fewer bytes are left than a header takes.
    ShortHeader {
        /// Bytes of the header that should be there.
        need: usize,
    },
    /// The length field is smaller than the header it stands in.
    LengthBelowHeader {
        /// Value of the length field.
        len: u32,
        /// Bytes of the header.
        need: usize,
    },
    /// The length field reaches beyond the container.
    LengthPastEnd {
        /// Value of the length field.
        len: u32,
        /// Bytes that are left.
        left: usize,
    },
}

impl fmt::Display for TrailingCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ShortHeader { need } => write!(f, "too short for a header of {need} bytes"),
            Self::LengthBelowHeader { len, need } => {
                write!(f, "length {len} is below the header's {need}")
            }
            Self::LengthPastEnd { len, left } => {
                let are = if left == 1 { "is" } else { "are" };
                write!(f, "length {len} where {left} {} {are} left", bytes_word(left))
            }
        }
    }
}

/// One step through a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageItem<'a> {
    /// A message whose length field fits.
    Message(RawMessage<'a>),
    /// The rest of the datagram; always the last item.
    Trailing(Trailing<'a>),
}

/// Iterator over the messages of a datagram; see [`messages`].
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    rest: &'a [u8],
    offset: usize,
}

/// Walks a datagram. The items follow each other without a gap: header, payload, padding, next header;
/// what cannot be read comes last as [`MessageItem::Trailing`].
#[must_use]
pub fn messages(datagram: &[u8]) -> Messages<'_> {
    Messages { rest: datagram, offset: 0 }
}

impl<'a> Iterator for Messages<'a> {
    type Item = MessageItem<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let offset = self.offset;
        let item = match take(self.rest, NLMSG_HDRLEN, |bytes| NlMsgHdr::parse(bytes).map(|h| (h.len, h))) {
            Ok(taken) => {
                self.rest = taken.rest;
                MessageItem::Message(RawMessage {
                    offset,
                    header: taken.header,
                    payload: taken.payload,
                    padding: taken.padding,
                })
            }
            Err(cause) => {
                let bytes = core::mem::take(&mut self.rest);
                return Some(MessageItem::Trailing(Trailing { offset, bytes, cause }));
            }
        };
        if let MessageItem::Message(m) = &item {
            self.offset = advance(offset, NLMSG_HDRLEN, m.payload, m.padding);
        }
        Some(item)
    }
}

/// One length-prefixed item cut from the front of a container.
pub(super) struct Taken<'a, H> {
    pub(super) header: H,
    pub(super) payload: &'a [u8],
    pub(super) padding: &'a [u8],
    pub(super) rest: &'a [u8],
}

/// Cuts one item from the front of `bytes`; `parse` yields its length field and its header.
pub(super) fn take<H>(
    bytes: &[u8],
    header_size: usize,
    parse: impl FnOnce(&[u8]) -> Option<(u32, H)>,
) -> Result<Taken<'_, H>, TrailingCause> {
    let Some((len, header)) = parse(bytes) else {
        return Err(TrailingCause::ShortHeader { need: header_size });
    };
    // A length that usize cannot hold is past the end of any slice.
    let size = usize::try_from(len).unwrap_or(usize::MAX);
    if size < header_size {
        return Err(TrailingCause::LengthBelowHeader { len, need: header_size });
    }
    let (Some(item), Some(after)) = (bytes.get(..size), bytes.get(size..)) else {
        return Err(TrailingCause::LengthPastEnd { len, left: bytes.len() });
    };
    let (_, payload) = split(item, header_size);
    let (padding, rest) = split(after, align(size).saturating_sub(size));
    Ok(Taken { header, payload, padding, rest })
}

/// Offset behind an item.
pub(super) fn advance(offset: usize, header_size: usize, payload: &[u8], padding: &[u8]) -> usize {
    offset.saturating_add(header_size).saturating_add(payload.len()).saturating_add(padding.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(len: u32) -> NlMsgHdr {
        NlMsgHdr { len, kind: 3, flags: 0x0102, seq: 0x0304_0506, pid: 0x0708_090a }
    }

    #[test]
    fn header_bytes_follow_the_ruler() {
        let bytes = header(17).to_bytes();
        assert_eq!(bytes, [17, 0, 0, 0, 3, 0, 2, 1, 6, 5, 4, 3, 10, 9, 8, 7]);
        assert_eq!(NlMsgHdr::parse(&bytes), Some(header(17)));
        assert_eq!(NlMsgHdr::parse(&bytes[..15]), None);
    }

    #[test]
    fn padding_is_handed_over_even_when_it_is_dirty_or_cut() {
        let mut bytes = std::vec::Vec::from(header(17).to_bytes());
        bytes.extend([0xaa, 1, 2, 3]);
        bytes.extend(header(17).to_bytes());
        bytes.extend([0xbb, 9]);
        let items: std::vec::Vec<_> = messages(&bytes).collect();
        let [MessageItem::Message(first), MessageItem::Message(second)] = items[..] else {
            panic!("{items:?}");
        };
        assert_eq!((first.offset, first.payload, first.padding), (0, &[0xaa][..], &[1, 2, 3][..]));
        assert_eq!((second.offset, second.payload, second.padding), (20, &[0xbb][..], &[9][..]));
    }

    #[test]
    fn the_unreadable_rest_comes_last_with_its_cause() {
        let last = |bytes: &[u8]| match messages(bytes).last() {
            Some(MessageItem::Trailing(t)) => Some((t.offset, t.bytes.len(), t.cause)),
            _ => None,
        };
        assert_eq!(last(&[1, 2, 3]), Some((0, 3, TrailingCause::ShortHeader { need: 16 })));
        let low = header(15).to_bytes();
        assert_eq!(last(&low), Some((0, 16, TrailingCause::LengthBelowHeader { len: 15, need: 16 })));
        let high = header(u32::MAX).to_bytes();
        assert_eq!(last(&high), Some((0, 16, TrailingCause::LengthPastEnd { len: u32::MAX, left: 16 })));
        assert_eq!(last(&header(16).to_bytes()), None);
        assert_eq!(messages(&[]).next(), None);
    }
}
