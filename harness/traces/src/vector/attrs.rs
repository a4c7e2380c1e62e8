// SPDX-License-Identifier: BSD-2-Clause
//! Attributes of a message: a list of mappings with one key each, so that order and repetition are kept.
//!
//! ```yaml
//! - ifname: lo10
//! - linkinfo: [{kind: lo}]
//! - mtu: {hex: "05", len: 6}     # bytes and, if given, nla_len as they are
//! - "#77": {hex: "0102"}         # an attribute by number
//! - linkinfo|nested: []          # with NLA_F_NESTED in nla_type
//! ```

use std::net::IpAddr;

use nlproof_wire::Os;
use nlproof_wire::consts::{NLA_F_NESTED, NLA_F_NET_BYTEORDER};
use nlproof_wire::schema::{AttrKind, AttrTable, ifa_flags, in6_flags, operstate_number, operstates};
use nlproof_wire::view::IfaCacheInfo;

use super::datagram::Datagram;
use super::place::SourceFile;
use super::values::{capabilities, flags, hex_node, hwaddr, ifname, number};
use crate::file::{FileError, Node, Value};

/// What stands behind an attribute's name for NLA_F_NESTED and NLA_F_NET_BYTEORDER.
pub(super) const NESTED: &str = "nested";
pub(super) const NET_BYTEORDER: &str = "net_byteorder";

/// Appends a list of attributes.
pub(super) fn put_attrs(
    file: SourceFile<'_>,
    os: Os,
    table: Option<&'static AttrTable>,
    node: &Node,
    out: &mut Datagram,
) -> Result<(), FileError> {
    let Value::List(items) = &node.value else {
        return Err(file.expected(node, "a list of attributes").help("one mapping each: `- ifname: lo10`"));
    };
    for item in items {
        let (key, value) = match &item.value {
            Value::Map(entries) if entries.len() == 1 => &entries[0],
            _ => return Err(file.expected(item, "a mapping with one key, the attribute's name,")),
        };
        put_attr(file, os, table, items, key, value, out)?;
    }
    Ok(())
}

/// What a value is that depends on another attribute of its list; itself if that one chooses nothing that is known.
pub(super) fn chosen(table: Option<&'static AttrTable>, items: &[Node], kind: AttrKind) -> AttrKind {
    let AttrKind::ByKind(by) = kind else { return kind };
    let text = |item: &Node| {
        let Value::Map(entries) = &item.value else { return None };
        let [(key, value)] = &entries[..] else { return None };
        let (Value::Str(name), Value::Str(text)) = (&key.value, &value.value) else { return None };
        let number = table?.by_name(name)?.number;
        (number == by.number).then(|| text.clone())
    };
    let last = items.iter().rev().find_map(text);
    last.and_then(|name| by.table(name.as_bytes())).map_or(kind, AttrKind::Nested)
}

fn put_attr(
    file: SourceFile<'_>,
    os: Os,
    table: Option<&'static AttrTable>,
    items: &[Node],
    key: &Node,
    value: &Node,
    out: &mut Datagram,
) -> Result<(), FileError> {
    let (attr_type, kind) = attr_type(file, table, key)?;
    let kind = chosen(table, items, kind);
    let start = out.len();
    out.put(&[0, 0]);
    out.put(&attr_type.to_le_bytes());
    let given_len = match exact(file, value)? {
        Some(exact) => {
            match (exact.hex, exact.value) {
                (Some(hex), None) => out.put(&hex_node(file, hex)?),
                (None, Some(inner)) => put_payload(file, os, kind, inner, out)?,
                _ => return Err(file.error(value.place, "give either `hex` or `value`")),
            }
            exact.len
        }
        None => {
            put_payload(file, os, kind, value, out)?;
            None
        }
    };
    let true_len = out.len() - start;
    let len = match given_len {
        Some(node) => number(file, node, 0, u16::MAX.into())? as u16,
        None => u16::try_from(true_len).map_err(|_| {
            file.error(value.place, format!("an attribute of {true_len} bytes; 65535 is the most"))
        })?,
    };
    out.set_u16(start, len);
    out.align();
    Ok(())
}

/// The attribute's type and what its payload is.
fn attr_type(
    file: SourceFile<'_>,
    table: Option<&'static AttrTable>,
    key: &Node,
) -> Result<(u16, AttrKind), FileError> {
    let Value::Str(given) = &key.value else {
        return Err(file.expected(key, "an attribute's name").help("by number: \"#77\", in quotes"));
    };
    let mut words = given.split('|');
    let name = words.next().unwrap_or_default();
    let bits = words.try_fold(0, |bits, word| match word {
        NESTED => Ok(bits | NLA_F_NESTED),
        NET_BYTEORDER => Ok(bits | NLA_F_NET_BYTEORDER),
        _ => Err(file.unknown(key.place, "flag of an attribute", word, [NESTED, NET_BYTEORDER])),
    })?;
    if let Some(digits) = name.strip_prefix('#') {
        let number: u16 =
            digits.parse().map_err(|_| file.error(key.place, format!("`{name}` is not `#0` to `#65535`")))?;
        let kind = table.and_then(|table| table.by_number(number)).map_or(AttrKind::Binary, |spec| spec.kind);
        return Ok((number | bits, kind));
    }
    let known = table.map(|table| table.names().collect::<Vec<_>>()).unwrap_or_default();
    match table.and_then(|table| table.by_name(name)) {
        Some(spec) => Ok((spec.number | bits, spec.kind)),
        None => Err(file.unknown(key.place, "attribute", name, known)),
    }
}

/// An attribute whose bytes or length are given as they are.
struct Exact<'a> {
    hex: Option<&'a Node>,
    value: Option<&'a Node>,
    len: Option<&'a Node>,
}

fn exact<'a>(file: SourceFile<'_>, node: &'a Node) -> Result<Option<Exact<'a>>, FileError> {
    const KEYS: [&str; 3] = ["hex", "value", "len"];
    let Value::Map(entries) = &node.value else { return Ok(None) };
    let is_exact = |key: &Node| matches!(&key.value, Value::Str(name) if KEYS.contains(&name.as_str()));
    if !entries.iter().any(|(key, _)| is_exact(key)) {
        return Ok(None);
    }
    let mut exact = Exact { hex: None, value: None, len: None };
    for (key, value) in entries {
        match &key.value {
            Value::Str(name) if name == "hex" => exact.hex = Some(value),
            Value::Str(name) if name == "value" => exact.value = Some(value),
            Value::Str(name) if name == "len" => exact.len = Some(value),
            Value::Str(name) => return Err(file.unknown(key.place, "key", name, KEYS)),
            _ => return Err(file.expected(key, "hex, value or len")),
        }
    }
    Ok(Some(exact))
}

fn put_payload(
    file: SourceFile<'_>,
    os: Os,
    kind: AttrKind,
    node: &Node,
    out: &mut Datagram,
) -> Result<(), FileError> {
    let unsigned = |bits: u32| number(file, node, 0, (1 << bits) - 1);
    match (kind, &node.value) {
        (AttrKind::U8, _) => out.put(&[unsigned(8)? as u8]),
        (AttrKind::U16 | AttrKind::EtherType, _) => out.put(&(unsigned(16)? as u16).to_le_bytes()),
        (AttrKind::Be16, _) => out.put(&(unsigned(16)? as u16).to_be_bytes()),
        (AttrKind::U32, _) => out.put(&(unsigned(32)? as u32).to_le_bytes()),
        (AttrKind::I32, _) => {
            let value = number(file, node, i32::MIN.into(), i32::MAX.into())? as i32;
            out.put(&value.to_le_bytes());
        }
        (AttrKind::U64, _) => out.put(&(unsigned(64)? as u64).to_le_bytes()),
        (AttrKind::Str, Value::Str(text)) => {
            out.put(text.as_bytes());
            out.put(&[0]);
        }
        (AttrKind::Flag, Value::Null) => {}
        (AttrKind::HwAddr, Value::Str(text)) => {
            let bytes = hwaddr(text)
                .ok_or_else(|| file.error(node.place, format!("`{text}` is no link-level address")))?;
            out.put(&bytes);
        }
        (AttrKind::IpAddr, Value::Str(text)) => match text.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => out.put(&address.octets()),
            Ok(IpAddr::V6(address)) => out.put(&address.octets()),
            Err(_) => return Err(file.error(node.place, format!("`{text}` is no IP address"))),
        },
        (AttrKind::IfIndex, _) => match ifname(node) {
            Some(name) => out.put_ifindex(name),
            None => out.put(&(unsigned(32)? as u32).to_le_bytes()),
        },
        (AttrKind::IfaFlags, _) => {
            out.put(&flags(file, node, "flag", ifa_flags(os), u32::MAX)?.to_le_bytes())
        }
        (AttrKind::In6Flags, _) => out.put(&flags(file, node, "flag", in6_flags(), u32::MAX)?.to_le_bytes()),
        (AttrKind::OperState, Value::Str(name)) => {
            let state = operstate_number(name).ok_or_else(|| {
                file.unknown(
                    node.place,
                    "operational state",
                    name,
                    operstates().iter().map(|value| value.name),
                )
            })?;
            out.put(&[state]);
        }
        (AttrKind::OperState, _) => out.put(&[unsigned(8)? as u8]),
        (AttrKind::CacheInfo, Value::Map(entries)) => put_cacheinfo(file, entries, out)?,
        (AttrKind::BitWords, Value::Str(_) | Value::List(_) | Value::Int(_)) => {
            out.put(&capabilities(file, node)?.to_le_bytes());
        }
        (AttrKind::Nested(table), Value::List(_)) => put_attrs(file, os, Some(table), node, out)?,
        (AttrKind::Stats64 | AttrKind::BitWords | AttrKind::Binary, _) => {
            return Err(file.expected(node, "bytes").help("{hex: \"0102\"}"));
        }
        (AttrKind::ByKind(by), _) => {
            let kinds: Vec<_> = by.tables.iter().map(|(name, _)| *name).collect();
            let help = format!(
                "{{hex: \"0102\"}}; a list of attributes beside `kind: {}`",
                kinds.join("` or `kind: ")
            );
            return Err(file.expected(node, "bytes").help(help));
        }
        (kind, _) => return Err(file.expected(node, expected(kind))),
    }
    Ok(())
}

fn expected(kind: AttrKind) -> &'static str {
    match kind {
        AttrKind::Str => "a text",
        AttrKind::Flag => "nothing",
        AttrKind::HwAddr => "a link-level address such as 02:00:00:00:00:01, in quotes,",
        AttrKind::IpAddr => "an IP address",
        AttrKind::CacheInfo => "a mapping of preferred, valid, created, updated",
        AttrKind::Nested(_) => "a list of attributes",
        _ => "a number",
    }
}

fn put_cacheinfo(
    file: SourceFile<'_>,
    entries: &[(Node, Node)],
    out: &mut Datagram,
) -> Result<(), FileError> {
    const KEYS: [&str; 4] = ["preferred", "valid", "created", "updated"];
    let mut info = IfaCacheInfo::default();
    for (key, value) in entries {
        let Value::Str(name) = &key.value else { return Err(file.expected(key, "a field's name")) };
        let field = match name.as_str() {
            "preferred" => &mut info.preferred,
            "valid" => &mut info.valid,
            "created" => &mut info.created,
            "updated" => &mut info.updated,
            _ => return Err(file.unknown(key.place, "field of cacheinfo", name, KEYS)),
        };
        *field = number(file, value, 0, u32::MAX.into())? as u32;
    }
    out.put(&info.to_bytes());
    Ok(())
}
