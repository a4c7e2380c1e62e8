// SPDX-License-Identifier: BSD-2-Clause
//! Headers and attributes of messages in a vector's words: names where there is a name, hex where there is none.

use std::collections::BTreeMap;
use std::net::IpAddr;

use nlproof_wire::consts::{NLA_F_NESTED, NLA_F_NET_BYTEORDER, NLA_HDRLEN};
use nlproof_wire::schema::{
    self, AttrKind, AttrTable, FieldKind, Flag, FlagPart, Message, flag_parts, if_flags, ifa_flags,
    in6_flags, link_type_name, nlm_flags, operstate_name, scope_name,
};
use nlproof_wire::view::{AttrItem, IfaCacheInfo, RawAttr, attrs};
use nlproof_wire::{Os, family_name};

use super::attrs::{NESTED, NET_BYTEORDER, chosen};
use crate::file::tree::{Entries, hex_text, list, pair, text};
use crate::file::{Node, Value};

/// Indexes of interfaces whose names are known.
pub(crate) type Interfaces = BTreeMap<u32, String>;

/// The flags of a message of this type.
pub(crate) fn flags_tree(os: Os, kind: u16, flags: u16) -> Value {
    flag_list(nlm_flags(os, kind), flags.into(), |bits| text(&format!("{bits:#x}")))
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
pub(super) struct Listed {
    pub(super) attrs: Vec<Node>,
    /// Bytes of the list that they stand for.
    pub(super) read: usize,
    /// Bytes that they compile to: more where padding is missing at the end.
    pub(super) sent: usize,
}

/// The attributes from the front of a list, as far as names and plain padding go.
pub(super) fn attrs_tree(os: Os, table: &'static AttrTable, bytes: &[u8], interfaces: &Interfaces) -> Listed {
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
