// SPDX-License-Identifier: BSD-2-Clause
//! The fixed structure between `nlmsghdr` and the attributes, field by field.

use super::names::spells;
use crate::bytes::{i32_at, put_at, u8_at, u16_at, u32_at};

/// What a field of a fixed structure means, and with it how wide it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// One byte.
    U8,
    /// Two bytes.
    U16,
    /// Four bytes.
    U32,
    /// Four bytes, signed.
    I32,
    /// One byte that should be 0.
    Pad,
    /// One byte, `AF_*`.
    Family,
    /// Four bytes, the index of an interface.
    IfIndex,
    /// Four bytes of `IFF_*`.
    IfFlags,
    /// One byte of `IFA_F_*`.
    IfaFlags,
    /// One byte, `RT_SCOPE_*`.
    Scope,
    /// Two bytes, `IFT_*` or `ARPHRD_*`.
    LinkType,
    /// Four bytes, signed, an error number with the system's sign.
    Errno,
    /// Two bytes, a message type.
    MsgType,
    /// Two bytes of `NLM_F_*`.
    MsgFlags,
}

impl FieldKind {
    /// Bytes of such a field.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::U8 | Self::Pad | Self::Family | Self::IfaFlags | Self::Scope => 1,
            Self::U16 | Self::LinkType | Self::MsgType | Self::MsgFlags => 2,
            Self::U32 | Self::I32 | Self::IfIndex | Self::IfFlags | Self::Errno => 4,
        }
    }

    /// Whether the field is read as a signed number.
    #[must_use]
    pub const fn signed(self) -> bool {
        matches!(self, Self::I32 | Self::Errno)
    }
}

/// One field of a fixed structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderField {
    /// Name of the field without the structure's prefix.
    pub name: &'static str,
    /// Where it begins in the structure.
    pub offset: usize,
    /// What it is.
    pub kind: FieldKind,
}

impl HeaderField {
    /// The field's value in the structure that begins `bytes`.
    #[must_use]
    pub fn read(&self, bytes: &[u8]) -> Option<i64> {
        match (self.kind.size(), self.kind.signed()) {
            (1, _) => u8_at(bytes, self.offset).map(i64::from),
            (2, _) => u16_at(bytes, self.offset).map(i64::from),
            (_, false) => u32_at(bytes, self.offset).map(i64::from),
            (_, true) => i32_at(bytes, self.offset).map(i64::from),
        }
    }

    /// Puts a value into the structure that begins `bytes`. A negative value is accepted as the bit
    /// pattern of its width. False, and nothing written, if it does not fit the field or `bytes`.
    pub fn write(&self, bytes: &mut [u8], value: i64) -> bool {
        match self.kind.size() {
            1 => u8::try_from(value)
                .or_else(|_| i8::try_from(value).map(i8::cast_unsigned))
                .is_ok_and(|value| put_at(bytes, self.offset, &[value])),
            2 => u16::try_from(value)
                .or_else(|_| i16::try_from(value).map(i16::cast_unsigned))
                .is_ok_and(|value| put_at(bytes, self.offset, &value.to_le_bytes())),
            _ => u32::try_from(value)
                .or_else(|_| i32::try_from(value).map(i32::cast_unsigned))
                .is_ok_and(|value| put_at(bytes, self.offset, &value.to_le_bytes())),
        }
    }
}

/// A fixed structure.
#[derive(Debug, PartialEq, Eq)]
pub struct HeaderSpec {
    /// The structure's name in the kernel headers; empty if the message has none.
    pub name: &'static str,
    /// Size of the header in bytes.
    pub size: usize,
    /// Fields of the header, by offset.
    pub fields: &'static [HeaderField],
}

impl HeaderSpec {
    /// The field with that name, which may be the structure's own: `ifi_index`.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&'static HeaderField> {
        self.fields.iter().find(|field| spells(name, field.name, &["ifi_", "ifa_", "nlmsg_"]))
    }

    /// Every field's name, for "did you mean" suggestions.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.fields.iter().map(|field| field.name)
    }
}

const fn field(name: &'static str, offset: usize, kind: FieldKind) -> HeaderField {
    HeaderField { name, offset, kind }
}

/// Nothing between `nlmsghdr` and what follows.
pub(super) static NONE: HeaderSpec = HeaderSpec { name: "", size: 0, fields: &[] };

/// `struct ifinfomsg`.
pub(super) static IFINFOMSG: HeaderSpec = HeaderSpec {
    name: "ifinfomsg",
    size: 16,
    fields: &[
        field("family", 0, FieldKind::Family),
        field("pad", 1, FieldKind::Pad),
        field("type", 2, FieldKind::LinkType),
        field("index", 4, FieldKind::IfIndex),
        field("flags", 8, FieldKind::IfFlags),
        field("change", 12, FieldKind::IfFlags),
    ],
};

/// `struct ifaddrmsg`.
pub(super) static IFADDRMSG: HeaderSpec = HeaderSpec {
    name: "ifaddrmsg",
    size: 8,
    fields: &[
        field("family", 0, FieldKind::Family),
        field("prefixlen", 1, FieldKind::U8),
        field("flags", 2, FieldKind::IfaFlags),
        field("scope", 3, FieldKind::Scope),
        field("index", 4, FieldKind::IfIndex),
    ],
};

/// `struct nlmsgerr`; `len` to `pid` are those of the request.
pub(super) static NLMSGERR: HeaderSpec = HeaderSpec {
    name: "nlmsgerr",
    size: 20,
    fields: &[
        field("error", 0, FieldKind::Errno),
        field("len", 4, FieldKind::U32),
        field("type", 8, FieldKind::MsgType),
        field("flags", 10, FieldKind::MsgFlags),
        field("seq", 12, FieldKind::U32),
        field("pid", 16, FieldKind::U32),
    ],
};

/// The `int` of `NLMSG_DONE`, which has no structure of its own.
pub(super) static DONE: HeaderSpec =
    HeaderSpec { name: "done", size: 4, fields: &[field("error", 0, FieldKind::Errno)] };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_fill_their_structures_without_overlap() {
        for header in [&NONE, &IFINFOMSG, &IFADDRMSG, &NLMSGERR, &DONE] {
            let end = header.fields.iter().fold(0, |end, field| {
                assert_eq!(field.offset, end, "{}.{}", header.name, field.name);
                end + field.kind.size()
            });
            assert_eq!(end, header.size, "{}", header.name);
        }
    }

    #[test]
    fn reading_and_writing_by_name() {
        let mut bytes = [0; 16];
        for (number, field) in (0x11..).zip(IFINFOMSG.fields) {
            assert!(field.write(&mut bytes, number));
            assert_eq!(field.read(&bytes), Some(number));
        }
        assert_eq!(bytes, [0x11, 0x12, 0x13, 0, 0x14, 0, 0, 0, 0x15, 0, 0, 0, 0x16, 0, 0, 0]);
        let by_name = |name| IFINFOMSG.by_name(name).expect("known");
        assert!(!by_name("family").write(&mut bytes, 256));
        assert!(!by_name("change").write(&mut bytes[..15], 1));
        assert!(by_name("change").write(&mut bytes, -1));
        assert_eq!(by_name("change").read(&bytes), Some(0xffff_ffff));
        assert_eq!(by_name("change").read(&bytes[..15]), None);
        assert_eq!(IFINFOMSG.by_name("flag"), None);
        let mut done = [0; 4];
        assert!(DONE.fields[0].write(&mut done, -22));
        assert_eq!(DONE.fields[0].read(&done), Some(-22));
    }
}
