// SPDX-License-Identifier: BSD-2-Clause
//! The fixed structures of address messages.

use crate::bytes::{u8_at, u32_at};

/// `struct ifaddrmsg` (`netlink/route/ifaddrs.h`).
///
/// ```text
///  0   1   2   3   4       8
///  |fam|len|flg|scp| index |
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IfAddrMsg {
    /// `ifa_family`: `AF_*`.
    pub family: u8,
    /// `ifa_prefixlen`: bits of the prefix.
    pub prefixlen: u8,
    /// `ifa_flags`: the low eight bits of `IFA_F_*`; 0 from FreeBSD, which uses `IFA_FLAGS`.
    pub flags: u8,
    /// `ifa_scope`: `RT_SCOPE_*`.
    pub scope: u8,
    /// `ifa_index`: the interface.
    pub index: u32,
}

impl IfAddrMsg {
    /// Bytes on the wire.
    pub const SIZE: usize = 8;

    /// Reads the structure that begins `bytes`.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            family: u8_at(bytes, 0)?,
            prefixlen: u8_at(bytes, 1)?,
            flags: u8_at(bytes, 2)?,
            scope: u8_at(bytes, 3)?,
            index: u32_at(bytes, 4)?,
        })
    }

    /// The structure as it goes on the wire.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let [i0, i1, i2, i3] = self.index.to_le_bytes();
        [self.family, self.prefixlen, self.flags, self.scope, i0, i1, i2, i3]
    }
}

/// `struct ifa_cacheinfo` (`netlink/route/ifaddrs.h`).
///
/// ```text
///  0       4       8       12      16
///  |prefer.| valid | cstamp| tstamp|
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IfaCacheInfo {
    /// `ifa_prefered`: seconds until the prefix stops being preferred; [`INFINITE_LIFETIME`](crate::consts::INFINITE_LIFETIME) is never.
    pub preferred: u32,
    /// `ifa_valid`: seconds until the prefix stops being valid; [`INFINITE_LIFETIME`](crate::consts::INFINITE_LIFETIME) is never.
    pub valid: u32,
    /// `cstamp`: creation, milliseconds since boot on FreeBSD, hundredths of a second on Linux.
    pub created: u32,
    /// `tstamp`: last update, in the unit of `created`.
    pub updated: u32,
}

impl IfaCacheInfo {
    /// Bytes on the wire.
    pub const SIZE: usize = 16;

    /// Reads the structure that begins `bytes`.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            preferred: u32_at(bytes, 0)?,
            valid: u32_at(bytes, 4)?,
            created: u32_at(bytes, 8)?,
            updated: u32_at(bytes, 12)?,
        })
    }

    /// The structure as it goes on the wire.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let [p0, p1, p2, p3] = self.preferred.to_le_bytes();
        let [v0, v1, v2, v3] = self.valid.to_le_bytes();
        let [c0, c1, c2, c3] = self.created.to_le_bytes();
        let [u0, u1, u2, u3] = self.updated.to_le_bytes();
        [p0, p1, p2, p3, v0, v1, v2, v3, c0, c1, c2, c3, u0, u1, u2, u3]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ifaddrmsg_round_trip() {
        let bytes = [28, 64, 2, 253, 7, 0, 0, 1];
        let message = IfAddrMsg::parse(&bytes).expect("whole");
        let wanted = IfAddrMsg { family: 28, prefixlen: 64, flags: 2, scope: 253, index: 0x0100_0007 };
        assert_eq!(message, wanted);
        assert_eq!(message.to_bytes(), bytes);
        assert_eq!(IfAddrMsg::parse(&bytes[..7]), None);
    }

    #[test]
    fn cacheinfo_round_trip() {
        let bytes: [u8; 16] = core::array::from_fn(|i| i as u8);
        let info = IfaCacheInfo::parse(&bytes).expect("whole");
        assert_eq!((info.preferred, info.updated), (0x0302_0100, 0x0f0e_0d0c));
        assert_eq!(info.to_bytes(), bytes);
        assert_eq!(IfaCacheInfo::parse(&bytes[1..]), None);
    }
}
