// SPDX-License-Identifier: BSD-2-Clause
//! Attributes of address messages (`netlink/route/ifaddrs.h`, `linux/if_addr.h`).

use super::attr::{AttrKind as K, AttrSpec, AttrTable, attr};
use crate::consts::{freebsd as f, linux as l, *};

/// Inside `IFA_FREEBSD`. `IFAF_FLAGS` are the raw flags of `struct in6_ifaddr`; FreeBSD sends them for
/// IPv6 alone.
static IFAF: AttrTable = AttrTable {
    name: "ifaf",
    attrs: &[attr(f::IFAF_VHID, "vhid", K::U32), attr(f::IFAF_FLAGS, "flags", K::In6Flags)],
};

/// A table of `IFA_*`: what both systems number alike, then the rest.
macro_rules! ifa {
    ($($own:expr),+ $(,)?) => {
        &[
            attr(IFA_ADDRESS, "address", K::IpAddr),
            attr(IFA_LOCAL, "local", K::IpAddr),
            attr(IFA_LABEL, "label", K::Str),
            attr(IFA_BROADCAST, "broadcast", K::IpAddr),
            attr(IFA_ANYCAST, "anycast", K::IpAddr),
            attr(IFA_CACHEINFO, "cacheinfo", K::CacheInfo),
            attr(IFA_MULTICAST, "multicast", K::IpAddr),
            attr(IFA_FLAGS, "flags", K::IfaFlags),
            attr(IFA_RT_PRIORITY, "rt_priority", K::U32),
            attr(IFA_TARGET_NETNSID, "target_netnsid", K::I32),
            $($own),+
        ]
    };
}

const FREEBSD_ATTRS: &[AttrSpec] = ifa![attr(f::IFA_FREEBSD, "freebsd", K::Nested(&IFAF))];
const LINUX_ATTRS: &[AttrSpec] = ifa![attr(l::IFA_PROTO, "proto", K::U8)];

/// `IFA_*` of FreeBSD.
pub(super) static FREEBSD_IFA: AttrTable = AttrTable { name: "ifa", attrs: FREEBSD_ATTRS };
/// `IFA_*` of Linux.
pub(super) static LINUX_IFA: AttrTable = AttrTable { name: "ifa", attrs: LINUX_ATTRS };
