// SPDX-License-Identifier: BSD-2-Clause
//! Requests as bytes, and the rules by which the kernel reads them
//! (`netlink/netlink_message_parser.{h,c}`, NLA_FOREACH of `netlink/netlink_ctl.h`).

use nlproof_wire::bytes::{align, array_at, u8_at, u16_at};
use nlproof_wire::consts::{NLA_HDRLEN, NLA_TYPE_MASK, NLMSG_HDRLEN};

use crate::address::SocketAddress;
use crate::errno::Errno;
use crate::report::Report;
use crate::writer::MessageHeader;

/// A request, complete according to its `nlmsg_len`.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Type, flags, sequence number and the requester's port.
    pub header: MessageHeader,
    /// What follows the header, `nlmsg_len` - 16 bytes.
    pub payload: &'a [u8],
    /// NETLINK_GET_STRICT_CHK is set on the socket.
    pub strict: bool,
    /// Where in memory the header stands. One error text shows a pointer made of it; 0 discloses nothing.
    pub base: u64,
}

/// What the attributes of one level go into.
pub(crate) trait AttributeSet<'a> {
    /// Takes one attribute. Those it does not know are ignored.
    fn attribute(&mut self, attribute: &Attribute<'a>, report: &mut Report) -> Result<(), Errno>;
}

/// One attribute of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attribute<'a> {
    /// `nla_type` with its flag bits, as error texts show it.
    pub(crate) raw_kind: u16,
    /// What follows the attribute's header.
    pub(crate) data: &'a [u8],
    /// Bytes from the message's header to the attribute.
    pub(crate) offset: usize,
    /// [`Request::base`].
    pub(crate) base: u64,
}

/// The fixed header of a request and its attributes.
pub(crate) struct Parts<'a, const N: usize> {
    /// The header, filled up with zeros if the request was shorter.
    pub(crate) header: [u8; N],
    attributes: &'a [u8],
    base: u64,
}

impl<'a> Request<'a> {
    /// Splits off a fixed header of `N` bytes. A shorter request is an error on a strict socket only.
    pub(crate) fn split<const N: usize>(&self, report: &mut Report) -> Result<Parts<'a, N>, Errno> {
        let (header, attributes) = match self.payload.split_first_chunk::<N>() {
            Some((header, attributes)) => (*header, attributes),
            None if self.strict => {
                report.say(|text| {
                    text.str("header too short: expected ").number(count(N));
                    text.str(", got ").number(count(self.payload.len()));
                });
                return Err(Errno::EINVAL);
            }
            None => {
                report.take_scratch(N, Errno::EINVAL)?;
                let mut padded = [0; N];
                for (slot, &byte) in padded.iter_mut().zip(self.payload) {
                    *slot = byte;
                }
                (padded, &[][..])
            }
        };
        Ok(Parts { header, attributes, base: self.base })
    }
}

impl<'a, const N: usize> Parts<'a, N> {
    /// Reads the attributes into `set`.
    pub(crate) fn read(&self, set: &mut impl AttributeSet<'a>, report: &mut Report) -> Result<(), Errno> {
        walk(self.attributes, NLMSG_HDRLEN.saturating_add(N), self.base, set, report)
    }
}

/// Reads one level of attributes, of which the first is `offset` bytes after the message's header.
///
/// The walk ends without an error before an attribute that would reach beyond the list. The length of
/// an attribute is read even when less than a header is left; what lies beyond counts as zero here (the
/// kernel's buffer is zeroed there).
pub(crate) fn walk<'a>(
    list: &'a [u8],
    offset: usize,
    base: u64,
    set: &mut impl AttributeSet<'a>,
    report: &mut Report,
) -> Result<(), Errno> {
    let mut rest = list;
    let mut offset = offset;
    while !rest.is_empty() {
        let byte = |at| u8_at(rest, at).unwrap_or(0);
        let len = usize::from(u16::from_le_bytes([byte(0), byte(1)]));
        let raw_kind = u16::from_le_bytes([byte(2), byte(3)]);
        let Some(next) = rest.get(align(len)..) else { break };
        let attribute = Attribute { raw_kind, data: rest.get(NLA_HDRLEN..len).unwrap_or(&[]), offset, base };
        let read = if len < NLA_HDRLEN {
            report.say(|text| {
                let address = base.wrapping_add(u64::try_from(offset).unwrap_or(0));
                text.str("Invalid attr ").pointer(if base == 0 { 0 } else { address });
                text.str(" type ").number(raw_kind).str(" len: ").number(count(len));
            });
            Err(Errno::EINVAL)
        } else {
            set.attribute(&attribute, report)
        };
        if let Err(error) = read {
            report.at(u32::try_from(offset).unwrap_or(0));
            return Err(error);
        }
        rest = next;
        offset = offset.saturating_add(align(len));
    }
    Ok(())
}

impl<'a> Attribute<'a> {
    /// The attribute's number without the flag bits.
    pub(crate) const fn kind(&self) -> u16 {
        self.raw_kind & NLA_TYPE_MASK
    }

    fn wrong_size(&self, report: &mut Report, what: &str) -> Errno {
        report.say(|text| {
            text.str("nla type ")
                .number(self.raw_kind)
                .str(" size(")
                .number(count(self.data.len()))
                .str(") is not ");
            text.str(what);
        });
        Errno::EINVAL
    }

    /// `nlattr_get_uint32`.
    pub(crate) fn u32(&self, report: &mut Report) -> Result<u32, Errno> {
        match *self.data {
            [a, b, c, d] => Ok(u32::from_le_bytes([a, b, c, d])),
            _ => Err(self.wrong_size(report, "uint32")),
        }
    }

    /// `nlattr_get_uint16`.
    pub(crate) fn u16(&self, report: &mut Report) -> Result<u16, Errno> {
        match *self.data {
            [a, b] => Ok(u16::from_le_bytes([a, b])),
            _ => Err(self.wrong_size(report, "uint16")),
        }
    }

    /// `nlattr_get_string`: the bytes before the first NUL, which must be there.
    pub(crate) fn string(&self, report: &mut Report) -> Result<&'a [u8], Errno> {
        let end = self.data.iter().position(|&byte| byte == 0);
        end.and_then(|end| self.data.get(..end)).ok_or_else(|| self.wrong_size(report, "NULL-terminated"))
    }

    /// `nlattr_get_stringn`: the bytes before the first NUL or the end. The kernel makes a copy.
    pub(crate) fn string_unterminated(&self, report: &mut Report) -> Result<&'a [u8], Errno> {
        report.take_scratch(self.data.len().saturating_add(1), Errno::ENOMEM)?;
        let end = self.data.iter().position(|&byte| byte == 0).unwrap_or(self.data.len());
        Ok(self.data.get(..end).unwrap_or(&[]))
    }

    /// `nlattr_get_ip`: the length tells the family. The kernel makes a `sockaddr`.
    pub(crate) fn ip(&self, report: &mut Report) -> Result<SocketAddress, Errno> {
        if let Ok(inet) = <[u8; 4]>::try_from(self.data) {
            report.take_scratch(SOCKADDR_IN, Errno::ENOBUFS)?;
            return Ok(SocketAddress::Inet(inet));
        }
        if let Ok(inet6) = <[u8; 16]>::try_from(self.data) {
            report.take_scratch(SOCKADDR_IN6, Errno::ENOBUFS)?;
            return Ok(SocketAddress::Inet6(inet6));
        }
        report.say(|text| {
            text.str("unknown IP len: ").number(count(self.data.len()));
            text.str(" for rta type ").number(self.raw_kind);
        });
        Err(Errno::ENOTSUP)
    }

    /// The payload, if it is a `struct ifa_cacheinfo` (16 bytes).
    pub(crate) fn cache_info(&self, report: &mut Report) -> Result<[u8; 16], Errno> {
        <[u8; 16]>::try_from(self.data).map_err(|_| self.wrong_size(report, "ifa_cacheinfo"))
    }

    /// `nlattr_get_nested`: reads the attributes inside into `set`.
    pub(crate) fn nested(&self, set: &mut impl AttributeSet<'a>, report: &mut Report) -> Result<(), Errno> {
        walk(self.data, self.offset.saturating_add(NLA_HDRLEN), self.base, set, report)
    }
}

/// Bytes of `struct sockaddr_in`.
pub(crate) const SOCKADDR_IN: usize = 16;
/// Bytes of `struct sockaddr_in6`.
const SOCKADDR_IN6: usize = 28;

/// A length for an error text.
fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// Two bytes of a header that is complete.
pub(crate) fn header_u16(header: &[u8], offset: usize) -> u16 {
    u16_at(header, offset).unwrap_or(0)
}

/// Four bytes of a header that is complete.
pub(crate) fn header_u32(header: &[u8], offset: usize) -> u32 {
    array_at(header, offset).map_or(0, u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[derive(Default)]
    struct Kinds(Vec<(u16, Vec<u8>)>);

    impl<'a> AttributeSet<'a> for Kinds {
        fn attribute(&mut self, attribute: &Attribute<'a>, report: &mut Report) -> Result<(), Errno> {
            self.0.push((attribute.kind(), attribute.data.to_vec()));
            match attribute.kind() {
                1 => attribute.u32(report).map(drop),
                2 => attribute.nested(self, report),
                3 => attribute.string(report).map(drop),
                4 => attribute.ip(report).map(drop),
                _ => Ok(()),
            }
        }
    }

    fn read(payload: &[u8]) -> (Result<(), Errno>, Vec<u16>, Report) {
        let request = Request { header: MessageHeader::default(), payload, strict: false, base: 0x1000 };
        let (mut set, mut report) = (Kinds::default(), Report::default());
        let parts = request.split::<4>(&mut report).unwrap();
        let result = parts.read(&mut set, &mut report);
        (result, set.0.into_iter().map(|(kind, _)| kind).collect(), report)
    }

    fn text(report: &Report) -> &str {
        report.text().map_or("", |text| core::str::from_utf8(text).unwrap())
    }

    #[test]
    fn an_attribute_beyond_the_end_ends_the_walk_silently() {
        let (result, kinds, report) = read(&[0, 0, 0, 0, 8, 0, 1, 0, 1, 0, 0, 0, 9, 0, 5, 0, 1]);
        assert_eq!((result, kinds, report.text()), (Ok(()), std::vec![1], None));
    }

    #[test]
    fn a_length_below_four_is_an_error_with_place_and_pointer() {
        let (result, _, report) = read(&[0, 0, 0, 0, 8, 0, 1, 0, 1, 0, 0, 0, 3, 0, 5, 0]);
        assert_eq!(result, Err(Errno::EINVAL));
        assert_eq!(text(&report), "Invalid attr 0x101c type 5 len: 3");
        assert_eq!(report.offset(), Some(28));
    }

    #[test]
    fn a_single_zero_byte_at_the_end_is_a_length_of_zero() {
        assert_eq!(read(&[0, 0, 0, 0, 0]).0, Err(Errno::EINVAL));
        assert_eq!(read(&[0, 0, 0, 0, 1]).0, Ok(()));
    }

    #[test]
    fn the_innermost_place_is_reported() {
        let (result, kinds, report) = read(&[0, 0, 0, 0, 12, 0, 2, 0x80, 6, 0, 1, 0, 7, 7, 0, 0]);
        assert_eq!((result, kinds), (Err(Errno::EINVAL), std::vec![2, 1]));
        assert_eq!(text(&report), "nla type 1 size(2) is not uint32");
        assert_eq!(report.offset(), Some(24));
    }

    #[test]
    fn an_attribute_whose_padding_is_missing_is_not_seen() {
        assert_eq!(read(&[0, 0, 0, 0, 10, 0, 2, 0x80, 6, 0, 1, 0, 7, 7, 0, 0]).1, std::vec![2]);
        assert_eq!(read(&[0, 0, 0, 0, 5, 0, 9, 0, 7]).1, std::vec![]);
    }

    #[test]
    fn strings_and_addresses() {
        let (result, _, report) = read(&[0, 0, 0, 0, 6, 0, 3, 0, b'l', b'o', 0, 0]);
        assert_eq!(result, Err(Errno::EINVAL));
        assert_eq!(text(&report), "nla type 3 size(2) is not NULL-terminated");
        let (result, _, report) = read(&[0, 0, 0, 0, 9, 0, 4, 0, 1, 2, 3, 4, 5, 0, 0, 0]);
        assert_eq!(result, Err(Errno::ENOTSUP));
        assert_eq!(text(&report), "unknown IP len: 5 for rta type 4");
    }

    #[test]
    fn a_short_header_is_filled_up_unless_the_socket_is_strict() {
        let lax = Request { header: MessageHeader::default(), payload: &[9], strict: false, base: 0 };
        assert_eq!(lax.split::<4>(&mut Report::default()).map(|parts| parts.header), Ok([9, 0, 0, 0]));
        let mut report = Report::default();
        let strict = Request { strict: true, ..lax };
        assert_eq!(strict.split::<4>(&mut report).map(|parts| parts.header), Err(Errno::EINVAL));
        assert_eq!(text(&report), "header too short: expected 4, got 1");
    }
}
