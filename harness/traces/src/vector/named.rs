// SPDX-License-Identifier: BSD-2-Clause
//! The bytes of a datagram as the messages of a vector: names where there is a name, hex where there is none.

use std::collections::BTreeMap;
use std::net::IpAddr;

use nlproof_wire::consts::{NLA_F_NESTED, NLA_F_NET_BYTEORDER, NLA_HDRLEN, NLMSG_HDRLEN};
use nlproof_wire::schema::{
    self, AttrKind, AttrTable, FieldKind, Flag, FlagPart, Message, flag_parts, if_flags, ifa_flags,
    in6_flags, link_type_name, nlm_flags, operstate_name, scope_name,
};
use nlproof_wire::view::{AttrItem, IfaCacheInfo, MessageItem, NlMsgHdr, RawAttr, attrs, messages};
use nlproof_wire::{Os, family_name};

use super::attrs::{NESTED, NET_BYTEORDER, chosen};
use super::numbering::SEQ_STEP;
use crate::file::tree::{Entries, hex_text, list, pair, text};
use crate::file::{Node, Value};

/// Indexes of interfaces whose names are known.
pub(crate) type Interfaces = BTreeMap<u32, String>;

/// A part of a datagram that one message of a vector sends: a message with what stands between it and the next one.
#[derive(Debug, Clone)]
pub(super) struct Segment<'a> {
    /// Where the segment begins in the datagram.
    pub(super) offset: usize,
    /// The message as a vector has it.
    pub(super) tree: Value,
    os: Os,
    bytes: &'a [u8],
    /// The datagram ends with it, so that nothing is padded behind it.
    last: bool,
}

/// The datagram in segments; there is at least one.
pub(super) fn segments<'a>(os: Os, datagram: &'a [u8], interfaces: &Interfaces) -> Vec<Segment<'a>> {
    let mut starts: Vec<usize> = messages(datagram)
        .filter_map(|item| match item {
            MessageItem::Message(message) => Some(message.offset),
            MessageItem::Trailing(_) => None,
        })
        .take(SEQ_STEP as usize)
        .collect();
    // Bytes before which there is no message are a message all the same, whose length is wrong.
    if starts.is_empty() {
        starts.push(0);
    }
    let ends = starts.iter().skip(1).copied().chain([datagram.len()]);
    let of = |(start, end): (&usize, usize)| {
        let (bytes, last) = (&datagram[*start..end], end == datagram.len());
        let tree = Parts::of(os, bytes, last).tree(os, interfaces);
        Segment { offset: *start, tree, os, bytes, last }
    };
    starts.iter().zip(ends).map(of).collect()
}

impl Segment<'_> {
    /// The bytes with the numbers that a vector's messages have.
    pub(super) fn numbered(&self, seq: u32) -> Vec<u8> {
        let mut bytes = self.bytes.to_vec();
        let numbers = [seq.to_le_bytes(), [0; 4]].concat();
        bytes.iter_mut().skip(SEQ_AT).zip(numbers).for_each(|(byte, number)| *byte = number);
        bytes
    }

    /// Gives up the names of all but the message's type.
    pub(super) fn make_raw(&mut self) {
        self.tree = Parts::of(self.os, self.bytes, self.last).raw();
    }

    /// What is sent otherwise than it was, if `seq` is the message's number.
    pub(super) fn replaced(&self, seq: u32, interfaces: &Interfaces) -> Vec<String> {
        let header = Parts::of(self.os, self.bytes, self.last).header;
        let mut told = Vec::new();
        if header.seq != seq && self.bytes.len() > SEQ_AT {
            told.push(format!("nlmsg_seq {} is numbered by the run", header.seq));
        }
        if header.pid != 0 && self.bytes.len() > PID_AT {
            told.push(format!("nlmsg_pid {} is 0", header.pid));
        }
        for (index, name) in interfaces {
            if names(&self.tree, &format!("${name}")) {
                told.push(format!("index {index} is that of {name} in the guest"));
            }
        }
        told
    }
}

/// Where `nlmsg_seq` and `nlmsg_pid` stand in a message.
const SEQ_AT: usize = 8;
const PID_AT: usize = 12;

/// Whether a text stands anywhere in a value, but as a key.
fn names(value: &Value, name: &str) -> bool {
    match value {
        Value::Str(text) => text == name,
        Value::List(items) => items.iter().any(|item| names(&item.value, name)),
        Value::Map(entries) => entries.iter().any(|(_, value)| names(&value.value, name)),
        _ => false,
    }
}

/// The parts of a segment.
struct Parts<'a> {
    header: NlMsgHdr,
    spec: Option<&'static Message>,
    /// What follows the header and is sent.
    content: &'a [u8],
    /// Bytes of it that can be read as attributes: those of the message with its padding.
    readable: usize,
    /// Bytes of the segment.
    size: usize,
    /// `nlmsg_len` is not what the length of the message makes it.
    odd_len: bool,
}

impl<'a> Parts<'a> {
    fn of(os: Os, bytes: &'a [u8], last: bool) -> Self {
        // Bytes that are missing of the header are sent as if they were there, and cut.
        let mut start = [0; NLMSG_HDRLEN];
        start.iter_mut().zip(bytes).for_each(|(byte, given)| *byte = *given);
        let header = NlMsgHdr::parse(&start).unwrap_or_default();
        let after = bytes.get(NLMSG_HDRLEN..).unwrap_or_default();
        let len = usize::try_from(header.len).unwrap_or(usize::MAX);
        let message = len.checked_sub(NLMSG_HDRLEN).and_then(|len| after.split_at_checked(len));
        let spec = schema::message(os, header.kind);
        let size = bytes.len();
        match message {
            // The padding between two messages of a datagram is added by whoever compiles it.
            Some((content, padding))
                if padding.is_empty()
                    || (!last && padding.len() < 4 && padding.iter().all(|byte| *byte == 0)) =>
            {
                let size = NLMSG_HDRLEN + content.len();
                Self { header, spec, content, readable: content.len(), size, odd_len: false }
            }
            Some((content, padding)) => {
                let readable = content.len().next_multiple_of(4).min(content.len() + padding.len());
                Self { header, spec, content: after, readable, size, odd_len: true }
            }
            None => Self { header, spec, content: after, readable: after.len(), size, odd_len: true },
        }
    }

    /// The message by names.
    fn tree(&self, os: Os, interfaces: &Interfaces) -> Value {
        let mut message = self.start(os);
        let mut sent = NLMSG_HDRLEN;
        let mut rest = self.content;
        if let Some(spec) = self.spec {
            let (fixed, after) = rest.split_at(spec.header.size.min(rest.len()));
            let known = |index: u32, whole| interfaces.get(&index).filter(|_| whole).map(String::as_str);
            message.put_some("header", header_tree(os, spec, fixed, known));
            sent += spec.header.size;
            rest = after;
            let echo = spec.layout(self.header.flags, self.content).echo;
            if let Some(table) = spec.attrs.filter(|_| echo.is_empty()) {
                let readable = self.readable.saturating_sub(fixed.len()).min(rest.len());
                let list = attrs_tree(os, table, &rest[..readable], interfaces);
                message.put_some("attrs", Value::List(list.attrs));
                sent += list.sent;
                rest = rest.get(list.read..).unwrap_or_default();
            }
        }
        self.end(message, sent, rest)
    }

    /// The message by its bytes.
    fn raw(&self) -> Value {
        let mut message = Entries::default();
        message.put("message", Value::Int(self.header.kind.into()));
        message.put_some("flags", number_flags(self.header.flags));
        // A type that the tables know has a header all the same: the first bytes.
        let mut sent = NLMSG_HDRLEN;
        let mut rest = self.content;
        if let Some(spec) = self.spec {
            let (fixed, after) = rest.split_at(spec.header.size.min(rest.len()));
            let mut fields = Entries::default();
            let mut whole = vec![0; spec.header.size];
            whole.iter_mut().zip(fixed).for_each(|(byte, given)| *byte = *given);
            for field in spec.header.fields {
                fields.put(field.name, Value::Int(field.read(&whole).unwrap_or_default().into()));
            }
            message.put_some("header", fields.map());
            sent += spec.header.size;
            rest = after;
        }
        self.end(message, sent, rest)
    }

    fn start(&self, os: Os) -> Entries {
        let mut message = Entries::default();
        match self.spec {
            Some(spec) => message.put("message", text(spec.name)),
            None => message.put("message", Value::Int(self.header.kind.into())),
        }
        let table = nlm_flags(os, self.header.kind);
        message.put_some(
            "flags",
            flag_list(table, self.header.flags.into(), |bits| text(&format!("{bits:#x}"))),
        );
        message
    }

    /// Puts what stands behind the attributes, and the lengths. `sent` bytes are there already, the last four of which may be
    /// padding.
    fn end(&self, mut message: Entries, sent: usize, rest: &[u8]) -> Value {
        if !rest.is_empty() {
            message.put("tail", hex_text(rest));
        }
        if self.odd_len {
            message.put("len", Value::Int(self.header.len.into()));
        }
        let surplus = (sent + rest.len()).saturating_sub(self.size);
        if surplus > 0 {
            message.put("cut", Value::Int(surplus as i128));
        }
        message.map()
    }
}

fn number_flags(flags: u16) -> Value {
    match flags {
        0 => list([]),
        flags => list([text(&format!("{flags:#x}"))]),
    }
}

/// A list of flags; `other` writes the bits that have no name.
fn flag_list(table: &'static [Flag], word: u32, other: impl Fn(u32) -> Value) -> Value {
    list(flag_parts(table, word).map(|part| match part {
        FlagPart::Named(flag) => text(flag.name),
        FlagPart::Unnamed(bits) => other(bits),
    }))
}

/// A flag word as values take it: one name, a list, or a number.
fn flag_word(table: &'static [Flag], word: u32) -> Value {
    match flag_list(table, word, |bits| Value::Int(bits.into())) {
        Value::List(mut parts) if parts.len() == 1 => parts.remove(0).value,
        Value::List(parts) if parts.is_empty() => Value::Int(0),
        many => many,
    }
}

/// Capabilities as values take them: one name, a list, or a number.
fn capabilities(word: u64) -> Value {
    let (names, rest) = schema::capability_names(word);
    let mut parts: Vec<Value> = names.map(text).collect();
    if rest != 0 || parts.is_empty() {
        parts.push(Value::Int(rest.into()));
    }
    if parts.len() == 1 { parts.remove(0) } else { list(parts) }
}

/// The fields that are not zero, and the index whose interface is `known`, by its number and whether all its bytes are there.
/// Bytes that are missing of the structure are zero.
pub(crate) fn header_tree<'n>(
    os: Os,
    spec: &Message,
    fixed: &[u8],
    known: impl Fn(u32, bool) -> Option<&'n str>,
) -> Value {
    let mut whole = vec![0; spec.header.size];
    whole.iter_mut().zip(fixed).for_each(|(byte, given)| *byte = *given);
    let mut fields = Entries::default();
    for field in spec.header.fields {
        let number = field.read(&whole).unwrap_or_default();
        let word = number as u32;
        let whole_field = field.offset + field.kind.size() <= fixed.len();
        if field.kind == FieldKind::IfIndex
            && let Some(name) = known(word, whole_field)
        {
            fields.put(field.name, text(&format!("${name}")));
            continue;
        }
        if number == 0 {
            continue;
        }
        let named = |name: Option<&'static str>| name.map_or(Value::Int(number.into()), text);
        fields.put(
            field.name,
            match field.kind {
                FieldKind::Family => named(family_name(os, word as u8)),
                FieldKind::IfFlags => flag_word(if_flags(os), word),
                FieldKind::IfaFlags => flag_word(ifa_flags(os), word),
                FieldKind::Scope => named(scope_name(word as u8)),
                FieldKind::LinkType => named(link_type_name(os, word as u16)),
                _ => Value::Int(number.into()),
            },
        );
    }
    fields.map()
}

/// Attributes as a vector's list.
struct Listed {
    attrs: Vec<Node>,
    /// Bytes of the list that they stand for.
    read: usize,
    /// Bytes that they compile to: more where padding is missing at the end.
    sent: usize,
}

/// The attributes from the front of a list, as far as names and plain padding go.
fn attrs_tree(os: Os, table: &'static AttrTable, bytes: &[u8], interfaces: &Interfaces) -> Listed {
    let mut found = Vec::new();
    let (mut read, mut sent) = (0, 0);
    for item in attrs(bytes) {
        let AttrItem::Attr(attr) = item else { break };
        if attr.padding.iter().any(|byte| *byte != 0) {
            break;
        }
        let size = NLA_HDRLEN + attr.payload.len();
        read += size + attr.padding.len();
        sent += size.next_multiple_of(4);
        found.push(attr);
    }
    let Value::List(plain) = list(found.iter().map(|attr| attr_tree(os, table, attr, &[], interfaces)))
    else {
        return Listed { attrs: Vec::new(), read: 0, sent: 0 };
    };
    let mut attrs = plain.clone();
    // What depends on another attribute is read when that one is.
    for (node, attr) in attrs.iter_mut().zip(&found) {
        let spec = table.by_number(attr.number());
        if spec.is_some_and(|spec| matches!(spec.kind, AttrKind::ByKind(_))) {
            node.value = attr_tree(os, table, attr, &plain, interfaces);
        }
    }
    Listed { attrs, read, sent }
}

fn attr_tree(
    os: Os,
    table: &'static AttrTable,
    attr: &RawAttr<'_>,
    items: &[Node],
    interfaces: &Interfaces,
) -> Value {
    let spec = table.by_number(attr.number());
    let (key, kind) = match spec {
        Some(spec) => {
            let mut key = spec.name.to_owned();
            for (bit, word) in [(NLA_F_NESTED, NESTED), (NLA_F_NET_BYTEORDER, NET_BYTEORDER)] {
                if attr.type_field & bit != 0 {
                    key.push('|');
                    key.push_str(word);
                }
            }
            (key, chosen(Some(table), items, spec.kind))
        }
        None => (format!("#{}", attr.type_field), AttrKind::Binary),
    };
    let value = payload_tree(os, kind, attr, interfaces);
    pair(&key, value.unwrap_or_else(|| pair("hex", hex_text(attr.payload))))
}

/// The payload as its kind takes it; `None`: only as bytes.
pub(crate) fn payload_tree(
    os: Os,
    kind: AttrKind,
    attr: &RawAttr<'_>,
    interfaces: &Interfaces,
) -> Option<Value> {
    let payload = attr.payload;
    if !kind.accepts(os, payload.len()) {
        return None;
    }
    let number = |number: i128| Some(Value::Int(number));
    match kind {
        AttrKind::U8 => number(attr.as_u8()?.into()),
        AttrKind::U16 => number(attr.as_u16()?.into()),
        AttrKind::Be16 => number(attr.as_u16()?.swap_bytes().into()),
        AttrKind::U32 => number(attr.as_u32()?.into()),
        AttrKind::I32 => number(attr.as_u32()?.cast_signed().into()),
        AttrKind::U64 => number(attr.as_u64()?.into()),
        AttrKind::Str => {
            let (last, bytes) = payload.split_last()?;
            let plain = *last == 0 && !bytes.contains(&0);
            std::str::from_utf8(bytes).ok().filter(|_| plain).map(text)
        }
        AttrKind::Flag => Some(Value::Null),
        AttrKind::HwAddr if payload.is_empty() => None,
        AttrKind::HwAddr => {
            let digits: Vec<_> = payload.iter().map(|byte| format!("{byte:02x}")).collect();
            Some(text(&digits.join(":")))
        }
        AttrKind::IpAddr => {
            let address = match <[u8; 4]>::try_from(payload) {
                Ok(octets) => IpAddr::from(octets),
                Err(_) => IpAddr::from(<[u8; 16]>::try_from(payload).ok()?),
            };
            Some(text(&address.to_string()))
        }
        AttrKind::IfIndex => {
            let index = attr.as_u32()?;
            match interfaces.get(&index) {
                Some(name) => Some(text(&format!("${name}"))),
                None => number(index.into()),
            }
        }
        AttrKind::IfaFlags => Some(flag_word(ifa_flags(os), attr.as_u32()?)),
        AttrKind::In6Flags => Some(flag_word(in6_flags(), attr.as_u32()?)),
        AttrKind::OperState => {
            let state = attr.as_u8()?;
            Some(operstate_name(state).map_or(Value::Int(state.into()), text))
        }
        AttrKind::CacheInfo => {
            let info = IfaCacheInfo::parse(payload)?;
            let mut fields = Entries::default();
            let IfaCacheInfo { preferred, valid, created, updated } = info;
            for (name, value) in
                [("preferred", preferred), ("valid", valid), ("created", created), ("updated", updated)]
            {
                fields.put(name, Value::Int(value.into()));
            }
            Some(fields.map())
        }
        AttrKind::Nested(table) => {
            let inner = attrs_tree(os, table, payload, interfaces);
            // What is not all of it would have another length.
            (inner.read == payload.len() && inner.sent == payload.len()).then_some(Value::List(inner.attrs))
        }
        AttrKind::EtherType => number(attr.as_u16()?.into()),
        // Two words, as FreeBSD has them.
        AttrKind::BitWords => attr.as_u64().map(capabilities),
        AttrKind::Stats64 | AttrKind::Binary | AttrKind::ByKind(_) => None,
    }
}
