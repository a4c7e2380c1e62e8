// SPDX-License-Identifier: BSD-2-Clause
//! Names of flag bits.

use super::names::spells;
use crate::consts::{freebsd as f, linux as l, *};
use crate::os::Os;

/// A named flag; some names stand for several bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag {
    /// Bits of the flag.
    pub bits: u32,
    /// Name of the flag.
    pub name: &'static str,
}

/// A part of a flag word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagPart {
    /// A flag of the table, all of whose bits are set.
    Named(Flag),
    /// The bits that no flag names.
    Unnamed(u32),
}

/// The parts of `value` in the order of the table, then the rest if there is any. A name for several bits
/// stands before those for each of them and takes their place.
pub fn flag_parts(table: &'static [Flag], value: u32) -> impl Iterator<Item = FlagPart> {
    let mut left = value;
    let mut flags = table.iter();
    let mut done = false;
    core::iter::from_fn(move || {
        for flag in flags.by_ref() {
            if flag.bits != 0 && left & flag.bits == flag.bits {
                left &= !flag.bits;
                return Some(FlagPart::Named(*flag));
            }
        }
        if done || left == 0 {
            return None;
        }
        done = true;
        Some(FlagPart::Unnamed(left))
    })
}

/// The bits of a flag by its name, which may be the header's own: `NLM_F_ACK`, `IFF_UP`.
#[must_use]
pub fn flag_by_name(table: &[Flag], name: &str) -> Option<u32> {
    table
        .iter()
        .find(|flag| spells(name, flag.name, &["nlm_f_", "iff_", "ifa_f_", "in6_iff_"]))
        .map(|flag| flag.bits)
}

const fn flag(bits: u32, name: &'static str) -> Flag {
    Flag { bits, name }
}

/// A flag of `nlmsg_flags`.
const fn nlm(bits: u16, name: &'static str) -> Flag {
    Flag { bits: bits as u32, name }
}

/// Flags of any message, then those of one kind.
macro_rules! nlm_flags {
    ($($own:expr),* $(,)?) => {
        &[
            nlm(NLM_F_REQUEST, "request"),
            nlm(NLM_F_MULTI, "multi"),
            nlm(NLM_F_ACK, "ack"),
            nlm(NLM_F_ECHO, "echo"),
            nlm(NLM_F_DUMP_INTR, "dump_intr"),
            nlm(NLM_F_DUMP_FILTERED, "dump_filtered"),
            $($own),*
        ]
    };
}

static NLM_ANY: &[Flag] = nlm_flags![];
static NLM_GET: &[Flag] = nlm_flags![
    nlm(NLM_F_DUMP, "dump"),
    nlm(NLM_F_ROOT, "root"),
    nlm(NLM_F_MATCH, "match"),
    nlm(NLM_F_ATOMIC, "atomic"),
];
static NLM_NEW: &[Flag] = nlm_flags![
    nlm(NLM_F_REPLACE, "replace"),
    nlm(NLM_F_EXCL, "excl"),
    nlm(NLM_F_CREATE, "create"),
    nlm(NLM_F_APPEND, "append"),
];
static NLM_DEL_FREEBSD: &[Flag] = nlm_flags![nlm(NLM_F_NONREC, "nonrec")];
static NLM_DEL_LINUX: &[Flag] = nlm_flags![nlm(NLM_F_NONREC, "nonrec"), nlm(NLM_F_BULK, "bulk")];
static NLM_ACK: &[Flag] = nlm_flags![nlm(NLM_F_CAPPED, "capped"), nlm(NLM_F_ACK_TLVS, "ack_tlvs")];

/// Names of `nlmsg_flags` in a message of that type: from 0x100 up they mean something else in a GET, a
/// NEW, a DEL and an acknowledgement.
///
/// FreeBSD echoes the request's flags in the NEWLINKs that answer a GETLINK; read those with the table of
/// the request's type.
#[must_use]
pub fn nlm_flags(os: Os, message_type: u16) -> &'static [Flag] {
    match (message_type, message_type & 3, os) {
        (NLMSG_ERROR | NLMSG_DONE, ..) => NLM_ACK,
        (..NLMSG_MIN_TYPE, ..) => NLM_ANY,
        // rtnetlink numbers its types in fours: NEW, DEL, GET, SET.
        (_, 0, _) | (_, 3, _) => NLM_NEW,
        (_, 1, Os::FreeBsd) => NLM_DEL_FREEBSD,
        (_, 1, Os::Linux) => NLM_DEL_LINUX,
        (_, _, _) => NLM_GET,
    }
}

static IFF_FREEBSD: &[Flag] = &[
    flag(IFF_UP, "up"),
    flag(IFF_BROADCAST, "broadcast"),
    flag(IFF_DEBUG, "debug"),
    flag(IFF_LOOPBACK, "loopback"),
    flag(IFF_POINTOPOINT, "pointopoint"),
    flag(f::IFF_NEEDSEPOCH, "needsepoch"),
    flag(f::IFF_DRV_RUNNING, "drv_running"),
    flag(IFF_NOARP, "noarp"),
    flag(IFF_PROMISC, "promisc"),
    flag(IFF_ALLMULTI, "allmulti"),
    flag(f::IFF_DRV_OACTIVE, "drv_oactive"),
    flag(f::IFF_SIMPLEX, "simplex"),
    flag(f::IFF_LINK0, "link0"),
    flag(f::IFF_LINK1, "link1"),
    flag(f::IFF_LINK2, "link2"),
    flag(f::IFF_MULTICAST, "multicast"),
    flag(f::IFF_CANTCONFIG, "cantconfig"),
    flag(f::IFF_PPROMISC, "ppromisc"),
    flag(f::IFF_MONITOR, "monitor"),
    flag(f::IFF_STATICARP, "staticarp"),
    flag(f::IFF_STICKYARP, "stickyarp"),
    flag(f::IFF_DYING, "dying"),
    flag(f::IFF_RENAMING, "renaming"),
    flag(f::IFF_SPARE, "spare"),
    flag(f::IFF_LOWER_UP, "lower_up"),
];

static IFF_LINUX: &[Flag] = &[
    flag(IFF_UP, "up"),
    flag(IFF_BROADCAST, "broadcast"),
    flag(IFF_DEBUG, "debug"),
    flag(IFF_LOOPBACK, "loopback"),
    flag(IFF_POINTOPOINT, "pointopoint"),
    flag(l::IFF_NOTRAILERS, "notrailers"),
    flag(l::IFF_RUNNING, "running"),
    flag(IFF_NOARP, "noarp"),
    flag(IFF_PROMISC, "promisc"),
    flag(IFF_ALLMULTI, "allmulti"),
    flag(l::IFF_MASTER, "master"),
    flag(l::IFF_SLAVE, "slave"),
    flag(l::IFF_MULTICAST, "multicast"),
    flag(l::IFF_PORTSEL, "portsel"),
    flag(l::IFF_AUTOMEDIA, "automedia"),
    flag(l::IFF_DYNAMIC, "dynamic"),
    flag(l::IFF_LOWER_UP, "lower_up"),
    flag(l::IFF_DORMANT, "dormant"),
    flag(l::IFF_ECHO, "echo"),
];

/// Names of `ifi_flags` and `ifi_change`.
#[must_use]
pub fn if_flags(os: Os) -> &'static [Flag] {
    match os {
        Os::FreeBsd => IFF_FREEBSD,
        Os::Linux => IFF_LINUX,
    }
}

static IFA_F: &[Flag] = &[
    // IFA_F_TEMPORARY is the same bit.
    flag(IFA_F_SECONDARY, "secondary"),
    flag(IFA_F_NODAD, "nodad"),
    flag(IFA_F_OPTIMISTIC, "optimistic"),
    flag(IFA_F_DADFAILED, "dadfailed"),
    flag(IFA_F_HOMEADDRESS, "homeaddress"),
    flag(IFA_F_DEPRECATED, "deprecated"),
    flag(IFA_F_TENTATIVE, "tentative"),
    flag(IFA_F_PERMANENT, "permanent"),
    flag(IFA_F_MANAGETEMPADDR, "managetempaddr"),
    flag(IFA_F_NOPREFIXROUTE, "noprefixroute"),
    flag(IFA_F_MCAUTOJOIN, "mcautojoin"),
    flag(IFA_F_STABLE_PRIVACY, "stable_privacy"),
];

/// Names of `ifa_flags` and `IFA_FLAGS`; both systems have the same.
#[must_use]
pub fn ifa_flags(_os: Os) -> &'static [Flag] {
    IFA_F
}

static IN6_IFF: &[Flag] = &[
    flag(f::IN6_IFF_ANYCAST, "anycast"),
    flag(f::IN6_IFF_TENTATIVE, "tentative"),
    flag(f::IN6_IFF_DUPLICATED, "duplicated"),
    flag(f::IN6_IFF_DETACHED, "detached"),
    flag(f::IN6_IFF_DEPRECATED, "deprecated"),
    flag(f::IN6_IFF_NODAD, "nodad"),
    flag(f::IN6_IFF_AUTOCONF, "autoconf"),
    flag(f::IN6_IFF_TEMPORARY, "temporary"),
    flag(f::IN6_IFF_PREFER_SOURCE, "prefer_source"),
];

/// Names of `IFAF_FLAGS`, FreeBSD's own flags of an IPv6 address.
#[must_use]
pub fn in6_flags() -> &'static [Flag] {
    IN6_IFF
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn names(table: &'static [Flag], value: u32) -> Vec<&'static str> {
        flag_parts(table, value)
            .map(|part| match part {
                FlagPart::Named(flag) => flag.name,
                FlagPart::Unnamed(_) => "?",
            })
            .collect()
    }

    #[test]
    fn the_high_bits_depend_on_the_type() {
        let of = |os, message_type| names(nlm_flags(os, message_type), 0x301);
        assert_eq!(of(Os::FreeBsd, RTM_GETLINK), ["request", "dump"]);
        assert_eq!(of(Os::FreeBsd, RTM_NEWADDR), ["request", "replace", "excl"]);
        assert_eq!(of(Os::FreeBsd, RTM_DELLINK), ["request", "nonrec", "?"]);
        assert_eq!(of(Os::Linux, RTM_DELLINK), ["request", "nonrec", "bulk"]);
        assert_eq!(of(Os::FreeBsd, NLMSG_ERROR), ["request", "capped", "ack_tlvs"]);
        assert_eq!(of(Os::FreeBsd, NLMSG_NOOP), ["request", "?"]);
        assert_eq!(names(nlm_flags(Os::FreeBsd, RTM_GETADDR), 0x200), ["match"]);
    }

    #[test]
    fn what_has_no_name_stays_as_bits() {
        let parts: Vec<_> = flag_parts(if_flags(Os::FreeBsd), 0x8000_0041).collect();
        assert_eq!(parts[2], FlagPart::Unnamed(0x8000_0000));
        assert_eq!(names(if_flags(Os::FreeBsd), 0x41), ["up", "drv_running"]);
        assert_eq!(
            names(if_flags(Os::Linux), 0x1_1049),
            ["up", "loopback", "running", "multicast", "lower_up"]
        );
        assert_eq!(names(ifa_flags(Os::Linux), 0), [""; 0]);
    }

    #[test]
    fn names_and_bits_are_unique() {
        let mut tables: Vec<&[Flag]> = [if_flags, ifa_flags].iter().flat_map(|t| Os::ALL.map(t)).collect();
        tables.extend([in6_flags(), NLM_GET, NLM_NEW, NLM_DEL_LINUX, NLM_ACK]);
        for table in tables {
            for flag in table {
                assert_eq!(flag_by_name(table, flag.name), Some(flag.bits), "{}", flag.name);
                assert_eq!(table.iter().filter(|other| other.bits == flag.bits).count(), 1);
            }
            assert_eq!(flag_by_name(table, "no such flag"), None);
        }
    }
}
