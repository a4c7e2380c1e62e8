// SPDX-License-Identifier: BSD-2-Clause
//! Names of values that are no flags: groups, scopes, states, types of interfaces.

use super::names::spells;
use crate::consts::{freebsd as f, linux as l, *};
use crate::os::Os;

/// A named value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<T> {
    /// The number.
    pub number: T,
    /// Name of the value.
    pub name: &'static str,
}

const fn value<T>(number: T, name: &'static str) -> Value<T> {
    Value { number, name }
}

fn name_of<T: PartialEq>(values: &'static [Value<T>], number: T) -> Option<&'static str> {
    values.iter().find(|value| value.number == number).map(|value| value.name)
}

fn number_of<T: Copy>(values: &[Value<T>], name: &str) -> Option<T> {
    let prefixes = &["rtnlgrp_", "rt_scope_", "if_oper_", "ift_", "arphrd_"];
    values.iter().find(|value| spells(name, value.name, prefixes)).map(|value| value.number)
}

/// Groups that both systems have, then others.
macro_rules! groups {
    ($($own:expr),* $(,)?) => {
        &[
            value(RTNLGRP_LINK, "link"),
            value(RTNLGRP_NOTIFY, "notify"),
            value(RTNLGRP_NEIGH, "neigh"),
            value(RTNLGRP_TC, "tc"),
            value(RTNLGRP_IPV4_IFADDR, "ipv4_ifaddr"),
            value(RTNLGRP_IPV4_MROUTE, "ipv4_mroute"),
            value(RTNLGRP_IPV4_ROUTE, "ipv4_route"),
            value(RTNLGRP_IPV4_RULE, "ipv4_rule"),
            value(RTNLGRP_IPV6_IFADDR, "ipv6_ifaddr"),
            value(RTNLGRP_IPV6_MROUTE, "ipv6_mroute"),
            value(RTNLGRP_IPV6_ROUTE, "ipv6_route"),
            value(RTNLGRP_IPV6_IFINFO, "ipv6_ifinfo"),
            value(RTNLGRP_IPV6_PREFIX, "ipv6_prefix"),
            value(RTNLGRP_IPV6_RULE, "ipv6_rule"),
            value(RTNLGRP_ND_USEROPT, "nd_useropt"),
            value(RTNLGRP_IPV4_NETCONF, "ipv4_netconf"),
            value(RTNLGRP_IPV6_NETCONF, "ipv6_netconf"),
            value(RTNLGRP_MDB, "mdb"),
            value(RTNLGRP_MPLS_ROUTE, "mpls_route"),
            value(RTNLGRP_NSID, "nsid"),
            value(RTNLGRP_MPLS_NETCONF, "mpls_netconf"),
            value(RTNLGRP_IPV4_MROUTE_R, "ipv4_mroute_r"),
            value(RTNLGRP_IPV6_MROUTE_R, "ipv6_mroute_r"),
            value(RTNLGRP_NEXTHOP, "nexthop"),
            value(RTNLGRP_BRVLAN, "brvlan"),
            $($own),*
        ]
    };
}

static FREEBSD_GROUPS: &[Value<u32>] = groups![];
static LINUX_GROUPS: &[Value<u32>] = groups![
    value(l::RTNLGRP_MCTP_IFADDR, "mctp_ifaddr"),
    value(l::RTNLGRP_TUNNEL, "tunnel"),
    value(l::RTNLGRP_STATS, "stats"),
];

/// Multicast groups of `NETLINK_ROUTE` (`RTNLGRP_*`).
#[must_use]
pub fn groups(os: Os) -> &'static [Value<u32>] {
    match os {
        Os::FreeBsd => FREEBSD_GROUPS,
        Os::Linux => LINUX_GROUPS,
    }
}

/// The name of a group.
#[must_use]
pub fn group_name(os: Os, number: u32) -> Option<&'static str> {
    name_of(groups(os), number)
}

/// The number of a group, as `NETLINK_ADD_MEMBERSHIP` takes it.
#[must_use]
pub fn group_number(os: Os, name: &str) -> Option<u32> {
    number_of(groups(os), name)
}

static SCOPES: &[Value<u8>] = &[
    value(RT_SCOPE_UNIVERSE, "universe"),
    value(RT_SCOPE_SITE, "site"),
    value(RT_SCOPE_LINK, "link"),
    value(RT_SCOPE_HOST, "host"),
    value(RT_SCOPE_NOWHERE, "nowhere"),
];

/// Scopes of addresses (`RT_SCOPE_*`), the same on both systems.
#[must_use]
pub fn scopes() -> &'static [Value<u8>] {
    SCOPES
}

/// The name of a scope.
#[must_use]
pub fn scope_name(number: u8) -> Option<&'static str> {
    name_of(SCOPES, number)
}

/// The number of a scope.
#[must_use]
pub fn scope_number(name: &str) -> Option<u8> {
    number_of(SCOPES, name)
}

static OPERSTATES: &[Value<u8>] = &[
    value(IF_OPER_UNKNOWN, "unknown"),
    value(IF_OPER_NOTPRESENT, "notpresent"),
    value(IF_OPER_DOWN, "down"),
    value(IF_OPER_LOWERLAYERDOWN, "lowerlayerdown"),
    value(IF_OPER_TESTING, "testing"),
    value(IF_OPER_DORMANT, "dormant"),
    value(IF_OPER_UP, "up"),
];

/// Operational states (`IF_OPER_*`, RFC 2863), the same on both systems.
#[must_use]
pub fn operstates() -> &'static [Value<u8>] {
    OPERSTATES
}

/// The name of an operational state.
#[must_use]
pub fn operstate_name(number: u8) -> Option<&'static str> {
    name_of(OPERSTATES, number)
}

/// The number of an operational state.
#[must_use]
pub fn operstate_number(name: &str) -> Option<u8> {
    number_of(OPERSTATES, name)
}

static FREEBSD_LINK_TYPES: &[Value<u16>] = &[
    value(f::IFT_OTHER, "other"),
    value(f::IFT_ETHER, "ether"),
    value(f::IFT_PPP, "ppp"),
    value(f::IFT_LOOP, "loop"),
    value(f::IFT_SLIP, "slip"),
    value(f::IFT_PROPVIRTUAL, "propvirtual"),
    value(f::IFT_IEEE80211, "ieee80211"),
    value(f::IFT_TUNNEL, "tunnel"),
    value(f::IFT_L2VLAN, "l2vlan"),
    value(f::IFT_IEEE1394, "ieee1394"),
    value(f::IFT_USB, "usb"),
    value(f::IFT_IEEE8023ADLAG, "ieee8023adlag"),
    value(f::IFT_INFINIBAND, "infiniband"),
    value(f::IFT_INFINIBANDLAG, "infinibandlag"),
    value(f::IFT_BRIDGE, "bridge"),
    value(f::IFT_STF, "stf"),
    value(f::IFT_GIF, "gif"),
    value(f::IFT_ENC, "enc"),
    value(f::IFT_PFLOG, "pflog"),
    value(f::IFT_PFSYNC, "pfsync"),
    value(f::IFT_WIREGUARD, "wireguard"),
];

static LINUX_LINK_TYPES: &[Value<u16>] = &[
    value(l::ARPHRD_NETROM, "netrom"),
    value(l::ARPHRD_ETHER, "ether"),
    value(l::ARPHRD_IEEE1394, "ieee1394"),
    value(l::ARPHRD_INFINIBAND, "infiniband"),
    value(l::ARPHRD_SLIP, "slip"),
    value(l::ARPHRD_CAN, "can"),
    value(l::ARPHRD_PPP, "ppp"),
    value(l::ARPHRD_TUNNEL, "tunnel"),
    value(l::ARPHRD_TUNNEL6, "tunnel6"),
    value(l::ARPHRD_LOOPBACK, "loopback"),
    value(l::ARPHRD_SIT, "sit"),
    value(l::ARPHRD_IPGRE, "ipgre"),
    value(l::ARPHRD_IEEE80211, "ieee80211"),
    value(l::ARPHRD_IP6GRE, "ip6gre"),
    value(l::ARPHRD_NETLINK, "netlink"),
    value(l::ARPHRD_NONE, "none"),
    value(l::ARPHRD_VOID, "void"),
];

/// Types of interfaces: `IFT_*` of FreeBSD, `ARPHRD_*` of Linux; those that rtnetlink shows in practice.
#[must_use]
pub fn link_types(os: Os) -> &'static [Value<u16>] {
    match os {
        Os::FreeBsd => FREEBSD_LINK_TYPES,
        Os::Linux => LINUX_LINK_TYPES,
    }
}

/// The name of a type of interface.
#[must_use]
pub fn link_type_name(os: Os, number: u16) -> Option<&'static str> {
    name_of(link_types(os), number)
}

/// The number of a type of interface.
#[must_use]
pub fn link_type_number(os: Os, name: &str) -> Option<u16> {
    number_of(link_types(os), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both_ways<T: Copy + PartialEq + core::fmt::Debug>(values: &'static [Value<T>]) {
        for value in values {
            assert_eq!(name_of(values, value.number), Some(value.name));
            assert_eq!(number_of(values, value.name), Some(value.number));
        }
    }

    #[test]
    fn names_and_numbers_are_unique() {
        for os in Os::ALL {
            both_ways(groups(os));
            both_ways(link_types(os));
        }
        both_ways(scopes());
        both_ways(operstates());
    }

    #[test]
    fn values_as_the_headers_have_them() {
        assert_eq!(group_number(Os::FreeBsd, "ipv6_ifaddr"), Some(9));
        assert_eq!(group_name(Os::FreeBsd, 34), None);
        assert_eq!(group_name(Os::Linux, 34), Some("mctp_ifaddr"));
        assert_eq!(scope_name(254), Some("host"));
        assert_eq!(scope_number("planet"), None);
        assert_eq!(operstate_name(6), Some("up"));
        assert_eq!(operstate_number("dormant"), Some(5));
        assert_eq!(link_type_name(Os::FreeBsd, 24), Some("loop"));
        assert_eq!(link_type_number(Os::Linux, "loopback"), Some(772));
    }
}
