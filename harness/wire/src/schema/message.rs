// SPDX-License-Identifier: BSD-2-Clause
//! Message types: their names, structures and attributes.

use super::ack::{FREEBSD_NLMSGERR, LINUX_NLMSGERR};
use super::addr::{FREEBSD_IFA, LINUX_IFA};
use super::attr::AttrTable;
use super::header::{DONE, HeaderSpec, IFADDRMSG, IFINFOMSG, NLMSGERR, NONE};
use super::link::{FREEBSD_IFLA, LINUX_IFLA};
use super::names::spells;
use crate::bytes::split;
use crate::consts::*;
use crate::os::Os;
use crate::view::Ack;

/// A message type.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// `nlmsg_type`.
    pub number: u16,
    /// Name of the message type: `newlink`, `error`.
    pub name: &'static str,
    /// The structure after `nlmsghdr`.
    pub header: &'static HeaderSpec,
    /// Attributes of the message; without a table the rest of the message is left as bytes.
    pub attrs: Option<&'static AttrTable>,
}

/// The payload of a message in the parts its type prescribes. Laid end to end, `fixed`, `echo` and `rest`
/// are the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout<'a> {
    /// The fixed structure; shorter than [`HeaderSpec::size`] if the message ends before.
    pub fixed: &'a [u8],
    /// In `NLMSG_ERROR`, what is echoed of the request after its header.
    pub echo: &'a [u8],
    /// Attributes if the message has a table, bytes otherwise.
    pub rest: &'a [u8],
    /// Where `rest` begins in the payload.
    pub rest_offset: usize,
}

impl Message {
    /// Cuts a payload; `flags` is `nlmsg_flags`, which decides how much an acknowledgement echoes.
    #[must_use]
    pub fn layout<'a>(&self, flags: u16, payload: &'a [u8]) -> Layout<'a> {
        let (fixed, rest) = split(payload, self.header.size);
        let plain = Layout { fixed, echo: &[], rest, rest_offset: fixed.len() };
        if self.number != NLMSG_ERROR {
            return plain;
        }
        match Ack::parse(flags, payload) {
            Some(ack) => Layout { fixed, echo: ack.echo, rest: ack.tlvs, rest_offset: ack.tlvs_offset },
            None => plain,
        }
    }
}

const fn raw(number: u16, name: &'static str) -> Message {
    Message { number, name, header: &NONE, attrs: None }
}

const fn link(number: u16, name: &'static str, attrs: &'static AttrTable) -> Message {
    Message { number, name, header: &IFINFOMSG, attrs: Some(attrs) }
}

const fn addr(number: u16, name: &'static str, attrs: &'static AttrTable) -> Message {
    Message { number, name, header: &IFADDRMSG, attrs: Some(attrs) }
}

/// Types that both systems have. Routes and neighbours are only named.
macro_rules! types {
    ($ifla:expr, $ifa:expr, $nlmsgerr:expr, $done:expr) => {
        &[
            raw(NLMSG_NOOP, "noop"),
            Message { number: NLMSG_ERROR, name: "error", header: &NLMSGERR, attrs: Some($nlmsgerr) },
            Message { number: NLMSG_DONE, name: "done", header: &DONE, attrs: $done },
            raw(NLMSG_OVERRUN, "overrun"),
            link(RTM_NEWLINK, "newlink", $ifla),
            link(RTM_DELLINK, "dellink", $ifla),
            link(RTM_GETLINK, "getlink", $ifla),
            link(RTM_SETLINK, "setlink", $ifla),
            addr(RTM_NEWADDR, "newaddr", $ifa),
            addr(RTM_DELADDR, "deladdr", $ifa),
            addr(RTM_GETADDR, "getaddr", $ifa),
            raw(RTM_NEWROUTE, "newroute"),
            raw(RTM_DELROUTE, "delroute"),
            raw(RTM_GETROUTE, "getroute"),
            raw(RTM_NEWNEIGH, "newneigh"),
            raw(RTM_DELNEIGH, "delneigh"),
            raw(RTM_GETNEIGH, "getneigh"),
            raw(RTM_NEWRULE, "newrule"),
            raw(RTM_DELRULE, "delrule"),
            raw(RTM_GETRULE, "getrule"),
            raw(RTM_NEWNEXTHOP, "newnexthop"),
            raw(RTM_DELNEXTHOP, "delnexthop"),
            raw(RTM_GETNEXTHOP, "getnexthop"),
        ]
    };
}

static FREEBSD: &[Message] = types!(&FREEBSD_IFLA, &FREEBSD_IFA, &FREEBSD_NLMSGERR, None);
// Linux may end a dump with the texts of an extended acknowledgement.
static LINUX: &[Message] = types!(&LINUX_IFLA, &LINUX_IFA, &LINUX_NLMSGERR, Some(&LINUX_NLMSGERR));

/// Every message type of a system, by number.
#[must_use]
pub fn messages(os: Os) -> &'static [Message] {
    match os {
        Os::FreeBsd => FREEBSD,
        Os::Linux => LINUX,
    }
}

/// The message type with that number.
#[must_use]
pub fn message(os: Os, number: u16) -> Option<&'static Message> {
    messages(os).iter().find(|message| message.number == number)
}

/// The message type with that name, which may be the header's own: `RTM_NEWLINK`.
#[must_use]
pub fn message_by_name(os: Os, name: &str) -> Option<&'static Message> {
    messages(os).iter().find(|message| spells(name, message.name, &["rtm_", "nlmsg_"]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::AttrKind;

    fn check(table: &AttrTable) {
        let numbers = || table.attrs.iter().map(|attr| attr.number);
        assert!(numbers().zip(numbers().skip(1)).all(|(a, b)| a < b), "{} is not in order", table.name);
        for attr in table.attrs {
            assert_eq!(table.by_name(attr.name), Some(attr), "{}.{} is there twice", table.name, attr.name);
            match attr.kind {
                AttrKind::Nested(inner) => check(inner),
                AttrKind::ByKind(by) => by.tables.iter().for_each(|(_, inner)| check(inner)),
                _ => {}
            }
        }
    }

    #[test]
    fn tables_are_ordered_and_names_unique() {
        for os in Os::ALL {
            let types = messages(os);
            assert!(types.windows(2).all(|pair| pair[0].number < pair[1].number));
            for found in types {
                assert_eq!(message_by_name(os, found.name), Some(found));
                found.attrs.into_iter().for_each(check);
            }
        }
    }

    #[test]
    fn numbers_that_the_systems_give_differently() {
        let number = |os, message: &str, attr: &str| {
            message_by_name(os, message)?.attrs?.by_name(attr).map(|attr| attr.number)
        };
        assert_eq!(number(Os::FreeBsd, "newlink", "freebsd"), Some(64));
        assert_eq!(number(Os::Linux, "newlink", "freebsd"), None);
        assert_eq!(number(Os::FreeBsd, "newlink", "tso_max_segs"), Some(59));
        assert_eq!(number(Os::Linux, "newlink", "tso_max_segs"), Some(60));
        assert_eq!(number(Os::FreeBsd, "newaddr", "freebsd"), Some(11));
        assert_eq!(number(Os::Linux, "newaddr", "proto"), Some(11));
        assert_eq!(number(Os::FreeBsd, "newlink", "promiscuity"), Some(30));
        assert_eq!(number(Os::FreeBsd, "newlink", "new_ifindex"), Some(49));
    }

    #[test]
    fn nests_by_name() {
        let ifla = message_by_name(Os::FreeBsd, "getlink").and_then(|m| m.attrs).expect("table");
        let caps = ["freebsd", "caps"]
            .iter()
            .fold(ifla, |table, name| table.by_name(name).and_then(|attr| attr.kind.table()).expect("nest"));
        assert_eq!(caps.by_number(5).map(|attr| attr.name), Some("mask"));
        assert!(ifla.names().any(|name| name == "stats64"));
        assert_eq!(ifla.by_number(0), None);
    }

    #[test]
    fn a_layout_loses_nothing() {
        let payload: [u8; 40] = core::array::from_fn(|i| i as u8);
        for os in Os::ALL {
            for found in messages(os) {
                for len in 0..payload.len() {
                    for flags in [0, NLM_F_CAPPED] {
                        let part = found.layout(flags, &payload[..len]);
                        let whole = [part.fixed, part.echo, part.rest].concat();
                        assert_eq!(whole, payload[..len]);
                        assert_eq!(part.rest_offset, part.fixed.len() + part.echo.len());
                    }
                }
            }
        }
    }
}
