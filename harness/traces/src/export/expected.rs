// SPDX-License-Identifier: BSD-2-Clause
//! What a golden expects of a step, as far as a program can hold it against what comes: types of messages, errors, attributes,
//! exit statuses.

use std::net::IpAddr;

use nlproof_wire::consts::NLMSG_ERROR;
use nlproof_wire::schema::{
    AttrKind, AttrTable, Flag, Message as Spec, flag_by_name, ifa_flags, in6_flags, message_by_name,
    operstate_number,
};
use nlproof_wire::{Os, errno_number};

use crate::trace::messages;
use crate::vector::hex;

/// What is expected of a step.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Expected {
    /// The messages of the answer, in order.
    pub(super) replies: Vec<Reply>,
    /// Types of the events, as a multiset.
    pub(super) events: Vec<u16>,
    /// Exit status of the command.
    pub(super) status: Option<i32>,
    /// Something is expected that a program does not compare: a long run of messages, bytes that are no message.
    pub(super) partial: bool,
}

/// A message of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// `nlmsg_type`.
    pub(super) kind: u16,
    /// The error of an acknowledgement.
    pub(super) error: Option<i32>,
    /// Bytes between the netlink header and the attributes, but for the echo of an acknowledgement.
    pub(super) fixed: usize,
    /// The attributes that the golden shows.
    pub(super) attrs: Vec<Attr>,
}

/// An attribute of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attr {
    /// The name, with those of the nests around it.
    pub(super) name: String,
    /// The same as numbers.
    pub(super) path: Vec<u16>,
    /// What it holds.
    pub(super) value: Value,
}

/// What an attribute holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// Bytes.
    Bytes(Vec<u8>),
    /// The index of the interface of this name.
    Index(String),
    /// Something that differs from run to run, or that only a table reads: a nest, a counter.
    Any,
}

/// What the body of a golden expects of each step.
pub(super) fn expected(os: Os, body: &str, steps: usize) -> Vec<Expected> {
    let mut all = vec![Expected::default(); steps];
    for message in messages(body) {
        let step = message.step.strip_prefix("step ").and_then(|number| number.parse::<usize>().ok());
        let Some(expected) = step.and_then(|step| all.get_mut(step)) else { continue };
        let name = message.name();
        let spec = name.rsplit(' ').next().and_then(|name| message_by_name(os, name));
        match (name.as_bytes().first(), spec) {
            (Some(b'<'), Some(spec)) => expected.replies.push(reply(os, spec, message.head, &message.attrs)),
            (Some(b'*'), Some(spec)) => expected.events.push(spec.number),
            (Some(b'<' | b'*' | b'=' | b'!'), _) => expected.partial = true,
            _ if name == "exec" => {
                let status = message.head.split(' ').find_map(|word| word.strip_prefix("status="));
                expected.status = status.and_then(|status| status.parse().ok());
            }
            _ => {}
        }
    }
    for expected in &mut all {
        expected.events.sort_unstable();
    }
    all
}

fn reply(os: Os, spec: &Spec, head: &str, shown: &[(String, &str)]) -> Reply {
    let word = head.split(' ').find_map(|word| word.strip_prefix("error="));
    let error = word.and_then(|word| errno_number(os, word).or_else(|| word.parse().ok()));
    let mut attrs: Vec<Attr> = Vec::new();
    for (name, text) in shown {
        let Some((path, kind)) = spec.attrs.and_then(|table| path_of(os, table, name)) else { continue };
        match attrs.iter_mut().find(|attr| attr.path == path) {
            // Of several that stand in one place a program sees the first.
            Some(attr) => attr.value = Value::Any,
            None => {
                let value = value_of(os, kind, text).unwrap_or(Value::Any);
                attrs.push(Attr { name: name.clone(), path, value });
            }
        }
    }
    // A nest says nothing that what is in it does not.
    let nests: Vec<Vec<u16>> = attrs.iter().map(|attr| attr.path.clone()).collect();
    attrs.retain(|attr| {
        nests.iter().all(|path| path.len() <= attr.path.len() || !path.starts_with(&attr.path))
    });
    let fixed = if spec.number == NLMSG_ERROR { 20 } else { spec.header.size };
    Reply { kind: spec.number, error, fixed, attrs }
}

/// An attribute by the names on the way to it: its numbers, and what it is.
fn path_of(os: Os, table: &'static AttrTable, name: &str) -> Option<(Vec<u16>, AttrKind)> {
    let mut table = Some(table);
    let mut path = Vec::new();
    let mut kind = AttrKind::Binary;
    for word in name.split(' ') {
        let spec = table?.by_name(word)?;
        path.push(spec.number);
        kind = spec.kind;
        table = match spec.kind.table() {
            // The cookie of a FreeBSD acknowledgement is a list of link attributes.
            None if spec.name == "cookie" => message_by_name(os, "newlink")?.attrs,
            inner => inner,
        };
    }
    Some((path, kind))
}

/// The bytes of a value as the golden shows it; `None`: only a table, or only a run, knows them.
fn value_of(os: Os, kind: AttrKind, text: &str) -> Option<Value> {
    let number = || text.parse::<u64>().ok();
    let low = |size: usize| Some(number()?.to_le_bytes().get(..size)?.to_vec());
    let word = |table: &'static [Flag]| {
        let bits = text.split('|').filter(|word| *word != "-").map(|word| match word.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => flag_by_name(table, word),
        });
        bits.sum::<Option<u32>>().map(|word| word.to_le_bytes().to_vec())
    };
    let bytes = match kind {
        AttrKind::U8 => low(1)?,
        AttrKind::U16 => low(2)?,
        AttrKind::U32 => low(4)?,
        AttrKind::U64 => low(8)?,
        AttrKind::Be16 => u16::try_from(number()?).ok()?.to_be_bytes().to_vec(),
        AttrKind::I32 => text.parse::<i32>().ok()?.to_le_bytes().to_vec(),
        AttrKind::EtherType => u16::from_str_radix(text.strip_prefix("0x")?, 16).ok()?.to_le_bytes().to_vec(),
        AttrKind::OperState => vec![operstate_number(text).or_else(|| text.parse().ok())?],
        AttrKind::Str => [unquoted(text)?.as_bytes(), &[0]].concat(),
        AttrKind::Flag if text.is_empty() => Vec::new(),
        AttrKind::HwAddr if !text.is_empty() => {
            text.split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect::<Option<_>>()?
        }
        AttrKind::IpAddr => match text.parse().ok()? {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        },
        AttrKind::IfIndex => match text.strip_prefix('$') {
            Some(name) => return Some(Value::Index(name.to_owned())),
            None => low(4)?,
        },
        AttrKind::IfaFlags => word(ifa_flags(os))?,
        AttrKind::In6Flags => word(in6_flags())?,
        AttrKind::BitWords | AttrKind::Binary => hex(text.strip_prefix("0x")?).ok()?,
        _ => return None,
    };
    Some(Value::Bytes(bytes))
}

/// A text as it was before it was quoted; `None`: it has escapes that are not plain.
fn unquoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut plain = String::new();
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        match (letter, letter == '\\') {
            (_, true) => plain.push(letters.next().filter(|next| matches!(next, '"' | '\\'))?),
            ('"', _) => return None,
            _ => plain.push(letter),
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_golden_shows_becomes_bytes() {
        let body = "step 0\n  > newlink request\n  < newlink - seq=+0 index=$lo10\n      ifname \"lo10\"\n      mtu 1500\n      \
                    operstate down\n      link $lo0\n      stats64 <monotonic>\n      linkinfo\n        kind \"lo\"\n  \
                    < error ack_tlvs seq=+0 error=EINVAL\n      request type=newlink len=40\n      msg \"No \\\"mtu\\\"\"\n  \
                    * link: newlink - seq=0\nstep 1\n  exec status=3\n  = 134 messages that count:\n";
        let all = expected(Os::FreeBsd, body, 2);
        let attrs: Vec<_> =
            all[0].replies[0].attrs.iter().map(|attr| (attr.name.as_str(), &attr.value)).collect();
        let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
        assert_eq!(
            attrs,
            [
                ("ifname", &bytes(b"lo10\0")),
                ("mtu", &bytes(&[220, 5, 0, 0])),
                ("operstate", &bytes(&[2])),
                ("link", &Value::Index("lo0".into())),
                ("stats64", &Value::Any),
                ("linkinfo kind", &bytes(b"lo\0")),
            ]
        );
        let ack = &all[0].replies[1];
        assert_eq!((ack.error, ack.fixed, &ack.attrs[0].value), (Some(22), 20, &bytes(b"No \"mtu\"\0")));
        assert_eq!((all[0].events.as_slice(), all[1].status, all[1].partial), (&[16][..], Some(3), true));
    }

    #[test]
    fn what_a_golden_does_not_show_is_any_value() {
        for (kind, text) in [
            (AttrKind::U32, "<monotonic>"),
            (AttrKind::Str, "\"a\\u{7f}\""),
            (AttrKind::HwAddr, "<mac>"),
            (AttrKind::CacheInfo, "preferred=infinite"),
        ] {
            assert_eq!(value_of(Os::FreeBsd, kind, text), None, "{text}");
        }
    }
}
