// SPDX-License-Identifier: BSD-2-Clause
//! Attribute tables and the kinds of payload.

use core::fmt;

use super::names::{spells, without};
use crate::os::Os;
use crate::view::{AttrItem, IfaCacheInfo, RtnlLinkStats64, attrs};

/// What the payload of an attribute is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttrKind {
    /// One byte.
    U8,
    /// Two bytes.
    U16,
    /// Four bytes.
    U32,
    /// Four bytes, signed.
    I32,
    /// Eight bytes.
    U64,
    /// Two bytes in network order.
    Be16,
    /// Text with its terminating NUL.
    Str,
    /// No payload; being there is the value.
    Flag,
    /// A link-layer address of any length.
    HwAddr,
    /// An address of the message's family: 4 bytes for IPv4, 16 for IPv6.
    IpAddr,
    /// Four bytes, the index of an interface.
    IfIndex,
    /// Four bytes of `IFA_F_*`.
    IfaFlags,
    /// Four bytes of `IN6_IFF_*`, FreeBSD's own flags of an IPv6 address.
    In6Flags,
    /// One byte of `IF_OPER_*`.
    OperState,
    /// `struct rtnl_link_stats64`: 192 bytes from FreeBSD; Linux appends counters.
    Stats64,
    /// `struct ifa_cacheinfo`, 16 bytes.
    CacheInfo,
    /// Bits in 32-bit words, lowest first (`NLA_BITSET_VALUE`, `NLA_BITSET_MASK`).
    BitWords,
    /// Attributes of another table.
    Nested(&'static AttrTable),
    /// Attributes of the table that another attribute of the same list chooses; else bytes.
    ByKind(&'static ByKind),
    /// Two bytes in host order, the type of an Ethernet frame.
    EtherType,
    /// Bytes without further meaning here.
    Binary,
}

impl AttrKind {
    /// Whether a payload of `len` bytes is possible.
    #[must_use]
    pub fn accepts(self, os: Os, len: usize) -> bool {
        match self {
            Self::U8 | Self::OperState => len == 1,
            Self::U16 | Self::Be16 | Self::EtherType => len == 2,
            Self::U32 | Self::I32 | Self::IfIndex | Self::IfaFlags | Self::In6Flags => len == 4,
            Self::U64 => len == 8,
            Self::Str | Self::HwAddr | Self::Nested(_) | Self::ByKind(_) | Self::Binary => true,
            Self::Flag => len == 0,
            Self::IpAddr => len == 4 || len == 16,
            Self::Stats64 => match os {
                Os::FreeBsd => len == RtnlLinkStats64::SIZE,
                Os::Linux => len >= RtnlLinkStats64::SIZE && len.is_multiple_of(8),
            },
            Self::CacheInfo => len == IfaCacheInfo::SIZE,
            Self::BitWords => len.is_multiple_of(4),
        }
    }

    /// The table of a nest.
    #[must_use]
    pub const fn table(self) -> Option<&'static AttrTable> {
        match self {
            Self::Nested(table) => Some(table),
            _ => None,
        }
    }

    /// What it is in this list of attributes: what [`ByKind`](Self::ByKind) stands for there, else itself. Of a kind that
    /// comes twice the last holds, as in the kernel's parser.
    #[must_use]
    pub fn in_list(self, list: &[u8]) -> Self {
        let Self::ByKind(by) = self else { return self };
        let kinds = attrs(list).filter_map(|item| match item {
            AttrItem::Attr(attr) if attr.number() == by.number => attr.as_str_bytes(),
            _ => None,
        });
        kinds.last().and_then(|kind| by.table(kind)).map_or(Self::Binary, Self::Nested)
    }
}

/// Tables of which a string in the same list chooses one.
#[derive(Debug, PartialEq, Eq)]
pub struct ByKind {
    /// Number of the attribute that holds the string.
    pub number: u16,
    /// Strings that are known, each with its table.
    pub tables: &'static [(&'static str, &'static AttrTable)],
}

impl ByKind {
    /// The table of this string, without its NUL.
    #[must_use]
    pub fn table(&self, kind: &[u8]) -> Option<&'static AttrTable> {
        self.tables.iter().find(|(name, _)| name.as_bytes() == kind).map(|(_, table)| *table)
    }
}

impl fmt::Display for AttrKind {
    /// What it takes, as in "3 bytes where a u32 takes 4".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::U8 => "a u8 takes 1",
            Self::U16 => "a u16 takes 2",
            Self::U32 => "a u32 takes 4",
            Self::I32 => "an i32 takes 4",
            Self::U64 => "a u64 takes 8",
            Self::Be16 => "a u16 in network order takes 2",
            Self::Str => "a string takes at least 1",
            Self::Flag => "a flag takes 0",
            Self::HwAddr => "a hardware address takes any",
            Self::IpAddr => "an address takes 4 or 16",
            Self::IfIndex => "an interface index takes 4",
            Self::IfaFlags | Self::In6Flags => "address flags take 4",
            Self::OperState => "an operational state takes 1",
            Self::Stats64 => "link statistics take 192",
            Self::CacheInfo => "cache information takes 16",
            Self::BitWords => "a bit set takes a multiple of 4",
            Self::Nested(_) | Self::ByKind(_) => "nested attributes take any",
            Self::EtherType => "an Ethernet type takes 2",
            Self::Binary => "a binary attribute takes any",
        })
    }
}

/// One attribute of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttrSpec {
    /// Number of the attribute, without flag bits.
    pub number: u16,
    /// Name of the attribute.
    pub name: &'static str,
    /// Layout of the payload.
    pub kind: AttrKind,
}

/// Attributes that may stand in one place.
#[derive(Debug, PartialEq, Eq)]
pub struct AttrTable {
    /// The header's prefix for them in lower case: `ifla`, `ifla_info`, `ifaf`.
    pub name: &'static str,
    /// The attributes, by number.
    pub attrs: &'static [AttrSpec],
}

impl AttrTable {
    /// The attribute with that number; the flag bits of `nla_type` must be off.
    #[must_use]
    pub fn by_number(&self, number: u16) -> Option<&'static AttrSpec> {
        self.attrs.iter().find(|attr| attr.number == number)
    }

    /// The attribute with that name, which may be the header's own: `IFLA_MTU` in the table of `ifla`.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&'static AttrSpec> {
        self.attrs.iter().find(|attr| spells(name, attr.name, &[]) || self.has_own(name, attr.name))
    }

    /// Whether `given` is the header's own spelling of an attribute of this table. Some of its names have only the first
    /// part of the table's before them: IFLA_ALT_IFNAME stands among those of IFLA_PROP_LIST.
    fn has_own(&self, given: &str, name: &str) -> bool {
        let first = self.name.split('_').next().unwrap_or(self.name);
        [self.name, first].into_iter().any(|prefix| {
            let rest = without(given, prefix).and_then(|rest| rest.strip_prefix(['_', '-']));
            rest.is_some_and(|rest| spells(rest, name, &[]))
        })
    }

    /// Every name, for "did you mean" suggestions.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.attrs.iter().map(|attr| attr.name)
    }
}

/// Short form for the tables.
pub(super) const fn attr(number: u16, name: &'static str, kind: AttrKind) -> AttrSpec {
    AttrSpec { number, name, kind }
}
