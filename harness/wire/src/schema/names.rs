// SPDX-License-Identifier: BSD-2-Clause
//! Names as people type them: `RTM_NEWLINK` and `newlink` are one, `IFLA_ALT_IFNAME` and `alt-ifname` too.

/// What the kernel headers put before the names of these tables, in lower case; of two that begin alike the longer one
/// stands first.
pub(crate) const PREFIXES: &[&str] = &[
    "rtnlgrp_",
    "rtm_",
    "nlm_f_",
    "nlmsgerr_attr_",
    "nlmsg_",
    "nla_bitset_bit_",
    "nla_bitset_",
    "iflaf_",
    "ifla_info_",
    "ifla_prop_",
    "ifla_",
    "ifaf_",
    "ifa_f_",
    "ifa_",
    "ifi_",
    "in6_iff_",
    "iff_",
    "if_oper_",
    "rt_scope_",
    "ift_",
    "arphrd_",
    "af_",
    "pf_",
];

/// Whether `given` is how somebody may write `name`: upper or lower case, a dash for an underscore, one of `prefixes`
/// before it or none.
pub(crate) fn spells(given: &str, name: &str, prefixes: &[&str]) -> bool {
    alike(given, name)
        || prefixes.iter().any(|prefix| without(given, prefix).is_some_and(|rest| alike(rest, name)))
}

/// The name without the prefix that the kernel headers give it, as near to a table's as can be told without the table:
/// what is to be compared with known names for a suggestion.
#[must_use]
pub fn bare_name(given: &str) -> &str {
    PREFIXES.iter().find_map(|prefix| without(given, prefix)).unwrap_or(given)
}

fn alike(one: &str, other: &str) -> bool {
    one.len() == other.len()
        && one.bytes().zip(other.bytes()).all(|(one, other)| folded(one) == folded(other))
}

fn folded(byte: u8) -> u8 {
    if byte == b'-' { b'_' } else { byte.to_ascii_lowercase() }
}

/// What stands behind the prefix, if something does.
pub(crate) fn without<'a>(given: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = given.split_at_checked(prefix.len())?;
    (!rest.is_empty() && alike(start, prefix)).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::super::{
        AttrKind, flag_by_name, group_number, if_flags, ifa_flags, link_type_number, message_by_name,
        nlm_flags, operstate_number, scope_number,
    };
    use super::*;
    use crate::os::{Os, errno_number, family_number};

    #[test]
    fn case_dashes_and_a_prefix_do_not_matter() {
        for given in ["alt_ifname", "ALT_IFNAME", "alt-ifname", "IFLA_ALT_IFNAME", "ifla-alt-ifname"] {
            assert!(spells(given, "alt_ifname", &["ifla_"]), "{given}");
        }
        for given in ["alt_ifnam", "IFA_ALT_IFNAME", "ifla_", "ifla", "", "é_ifname"] {
            assert!(!spells(given, "alt_ifname", &["ifla_"]), "{given}");
        }
    }

    #[test]
    fn every_table_knows_the_header_s_own_names() {
        let os = Os::FreeBsd;
        let newlink = message_by_name(os, "RTM_NEWLINK").unwrap();
        assert_eq!(message_by_name(os, "newlink"), Some(newlink));
        assert_eq!(message_by_name(os, "NLMSG_DONE").map(|message| message.name), Some("done"));
        let ifla = newlink.attrs.unwrap();
        assert_eq!(ifla.by_name("IFLA_MTU"), ifla.by_name("mtu"));
        assert!(ifla.by_name("mtu").is_some() && ifla.by_name("IFA_MTU").is_none());
        let nested = |name: &str| match ifla.by_name(name).map(|attr| attr.kind) {
            Some(AttrKind::Nested(table)) => table,
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(nested("IFLA_LINKINFO").by_name("IFLA_INFO_KIND").map(|attr| attr.name), Some("kind"));
        assert_eq!(nested("prop_list").by_name("IFLA_ALT_IFNAME").map(|attr| attr.name), Some("alt_ifname"));
        assert_eq!(
            nested("IFLA_FREEBSD").by_name("IFLAF_ORIG_IFNAME").map(|attr| attr.name),
            Some("orig_ifname")
        );
        assert_eq!(newlink.header.by_name("ifi_index"), newlink.header.by_name("index"));
        let flags =
            [(nlm_flags(os, 18), "NLM_F_ACK"), (if_flags(os), "IFF_UP"), (ifa_flags(os), "IFA_F_PERMANENT")];
        for (table, name) in flags {
            assert_eq!(flag_by_name(table, name), flag_by_name(table, bare_name(name)), "{name}");
            assert!(flag_by_name(table, name).is_some(), "{name}");
        }
        assert_eq!(group_number(os, "RTNLGRP_LINK"), group_number(os, "link"));
        assert_eq!(scope_number("RT_SCOPE_HOST"), scope_number("host"));
        assert_eq!(operstate_number("IF_OPER_UP"), operstate_number("up"));
        assert_eq!(link_type_number(os, "IFT_LOOP"), link_type_number(os, "loop"));
        assert_eq!(link_type_number(Os::Linux, "ARPHRD_ETHER"), Some(1));
        assert_eq!(family_number(os, "AF_INET6"), family_number(os, "inet6"));
        assert_eq!(errno_number(os, "enodev"), errno_number(os, "ENODEV"));
        assert_eq!(Os::by_name("FreeBSD"), Some(os));
    }

    #[test]
    fn the_longest_prefix_is_taken_off_for_a_suggestion() {
        assert_eq!(bare_name("IFLA_INFO_KNID"), "KNID");
        assert_eq!(bare_name("NLM_F_AKC"), "AKC");
        assert_eq!(bare_name("newlnk"), "newlnk");
        assert_eq!(bare_name("IFA_"), "IFA_");
        for (number, prefix) in PREFIXES.iter().enumerate() {
            let hidden = PREFIXES[..number].iter().find(|before| prefix.starts_with(*before));
            assert_eq!(hidden, None, "{prefix} is never met");
        }
    }
}
