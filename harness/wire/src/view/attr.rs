// SPDX-License-Identifier: BSD-2-Clause
//! `struct nlattr` and the attributes of a message or nest.

use super::message::{Trailing, advance, take};
use crate::bytes::{u16_at, u32_at, u64_at};
use crate::consts::{NLA_F_NESTED, NLA_F_NET_BYTEORDER, NLA_HDRLEN, NLA_TYPE_MASK};

/// One attribute (`struct nlattr` of `netlink/netlink.h`).
///
/// ```text
///  0   2   4
///  |len|typ| payload, padded to a multiple of four
///      N O + 14 bits of number
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawAttr<'a> {
    /// Where the attribute begins, counted from where the iterator was told to count.
    pub offset: usize,
    /// `nla_type` with its two flag bits.
    pub type_field: u16,
    /// What `nla_len` covers after the header.
    pub payload: &'a [u8],
    /// Up to three bytes that align the next attribute; fewer if the container ends first.
    pub padding: &'a [u8],
}

impl<'a> RawAttr<'a> {
    /// The attribute's number without the flag bits.
    #[must_use]
    pub const fn number(&self) -> u16 {
        self.type_field & NLA_TYPE_MASK
    }

    /// Whether `NLA_F_NESTED` is set. Neither kernel asks for it on most nests.
    #[must_use]
    pub const fn nested_flag(&self) -> bool {
        self.type_field & NLA_F_NESTED != 0
    }

    /// Whether `NLA_F_NET_BYTEORDER` is set.
    #[must_use]
    pub const fn net_byteorder_flag(&self) -> bool {
        self.type_field & NLA_F_NET_BYTEORDER != 0
    }

    /// The value, if the payload has exactly one byte.
    #[must_use]
    pub fn as_u8(&self) -> Option<u8> {
        match *self.payload {
            [value] => Some(value),
            _ => None,
        }
    }

    /// The value, if the payload has exactly two bytes.
    #[must_use]
    pub fn as_u16(&self) -> Option<u16> {
        if self.payload.len() == 2 { u16_at(self.payload, 0) } else { None }
    }

    /// The value, if the payload has exactly four bytes.
    #[must_use]
    pub fn as_u32(&self) -> Option<u32> {
        if self.payload.len() == 4 { u32_at(self.payload, 0) } else { None }
    }

    /// The value, if the payload has exactly eight bytes.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        if self.payload.len() == 8 { u64_at(self.payload, 0) } else { None }
    }

    /// The bytes before the first NUL; nothing if there is no NUL, as `nlattr_get_string()` of FreeBSD.
    #[must_use]
    pub fn as_str_bytes(&self) -> Option<&'a [u8]> {
        let end = self.payload.iter().position(|&byte| byte == 0)?;
        self.payload.get(..end)
    }

    /// The attributes inside, with offsets counted as this attribute's own.
    #[must_use]
    pub fn nested(&self) -> Attrs<'a> {
        attrs_at(self.payload, self.offset.saturating_add(NLA_HDRLEN))
    }
}

/// One step through a list of attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttrItem<'a> {
    /// An attribute whose length field fits.
    Attr(RawAttr<'a>),
    /// The rest of the list; always the last item.
    Trailing(Trailing<'a>),
}

/// Iterator over attributes; see [`attrs`].
#[derive(Clone, Debug)]
pub struct Attrs<'a> {
    rest: &'a [u8],
    offset: usize,
}

/// Walks a list of attributes, counting offsets from the list's first byte. Nothing is lost: what cannot
/// be read comes last as [`AttrItem::Trailing`].
#[must_use]
pub fn attrs(list: &[u8]) -> Attrs<'_> {
    attrs_at(list, 0)
}

/// Attributes like [`attrs`], where the list begins at `offset` of what the caller counts in.
#[must_use]
pub fn attrs_at(list: &[u8], offset: usize) -> Attrs<'_> {
    Attrs { rest: list, offset }
}

/// The first readable attribute with that number.
#[must_use]
pub fn find_attr(list: &[u8], number: u16) -> Option<RawAttr<'_>> {
    attrs(list).find_map(|item| match item {
        AttrItem::Attr(attr) if attr.number() == number => Some(attr),
        _ => None,
    })
}

impl<'a> Iterator for Attrs<'a> {
    type Item = AttrItem<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let offset = self.offset;
        let taken = take(self.rest, NLA_HDRLEN, |bytes| {
            let len = u16_at(bytes, 0)?;
            Some((u32::from(len), u16_at(bytes, 2)?))
        });
        Some(match taken {
            Ok(taken) => {
                self.rest = taken.rest;
                self.offset = advance(offset, NLA_HDRLEN, taken.payload, taken.padding);
                AttrItem::Attr(RawAttr {
                    offset,
                    type_field: taken.header,
                    payload: taken.payload,
                    padding: taken.padding,
                })
            }
            Err(cause) => {
                AttrItem::Trailing(Trailing { offset, bytes: core::mem::take(&mut self.rest), cause })
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::TrailingCause;

    #[test]
    fn flags_are_kept_beside_the_number() {
        let list = [5, 0, 4, 0xc0, 7, 0, 0, 0];
        let Some(AttrItem::Attr(attr)) = attrs(&list).next() else { panic!("unreadable") };
        assert_eq!((attr.type_field, attr.number()), (0xc004, 4));
        assert!(attr.nested_flag() && attr.net_byteorder_flag());
        assert_eq!((attr.as_u8(), attr.as_u32(), attr.padding), (Some(7), None, &[0, 0, 0][..]));
    }

    #[test]
    fn strings_end_at_the_first_nul() {
        let attr = |payload| RawAttr { offset: 0, type_field: 3, payload, padding: &[] };
        assert_eq!(attr(b"lo0\0x").as_str_bytes(), Some(&b"lo0"[..]));
        assert_eq!(attr(b"lo0").as_str_bytes(), None);
    }

    #[test]
    fn offsets_run_through_nests() {
        let list = [12, 0, 18, 0, 5, 0, 1, 0, b'x', 0, 0, 0, 3, 0, 1, 0];
        let items: std::vec::Vec<_> = attrs_at(&list, 100).collect();
        let [AttrItem::Attr(nest), AttrItem::Trailing(rest)] = items[..] else { panic!("{items:?}") };
        let Some(AttrItem::Attr(inner)) = nest.nested().next() else { panic!("empty nest") };
        assert_eq!((nest.offset, inner.offset, rest.offset), (100, 104, 112));
        assert_eq!(rest.cause, TrailingCause::LengthBelowHeader { len: 3, need: 4 });
        assert_eq!(find_attr(&list, 18), Some(RawAttr { offset: 0, ..nest }));
        assert_eq!(find_attr(&list, 1), None);
    }
}
