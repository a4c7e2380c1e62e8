// SPDX-License-Identifier: BSD-2-Clause
//! The part of a vector's JSON Schema that comes from the wire tables: the names of messages, flags, groups, fields and
//! attributes, for FreeBSD and Linux together. Which attributes and header fields a message has follows from its name.

use std::collections::{BTreeMap, BTreeSet};

use nlproof_wire::schema::{
    AttrKind, AttrTable, FieldKind, Flag, capabilities, groups, if_flags, ifa_flags, in6_flags, link_types,
    messages, nlm_flags, operstates, scopes,
};
use nlproof_wire::{Os, families};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::malformed::Malformation;
use crate::file::one_of;

/// QEMU's machine takes more; nobody has tested more.
pub(super) const MOST_PROCESSORS: u32 = 16;

const SYSTEMS: [Os; 2] = [Os::FreeBsd, Os::Linux];

/// Each name once, in their order.
fn names(of: impl IntoIterator<Item = &'static str>) -> Schema {
    one_of(of.into_iter().collect::<BTreeSet<_>>())
}

fn name_or_number(of: impl IntoIterator<Item = &'static str>, min: i64, max: i64) -> Value {
    json!({ "anyOf": [names(of), integer(min, max)] })
}

fn integer(min: i64, max: i64) -> Value {
    json!({ "type": "integer", "minimum": min, "maximum": max })
}

/// A list of flags, one flag, or a number.
fn flag_word(tables: impl IntoIterator<Item = &'static [Flag]>, bits: u32) -> Value {
    let flags = tables.into_iter().flatten().map(|flag| flag.name);
    let one = name_or_number(flags, -(1 << (bits - 1)), (1 << bits) - 1);
    json!({ "anyOf": [one, { "type": "array", "items": one }] })
}

pub(super) fn message(_: &mut SchemaGenerator) -> Schema {
    let all = SYSTEMS.into_iter().flat_map(messages).map(|message| message.name);
    json_schema!({ "anyOf": [names(all), integer(0, u16::MAX.into())] })
}

pub(super) fn message_flags(_: &mut SchemaGenerator) -> Schema {
    let all = SYSTEMS.into_iter().flat_map(|os| messages(os).iter().map(move |message| (os, message)));
    let flags = all.flat_map(|(os, message)| nlm_flags(os, message.number)).map(|flag| flag.name);
    let number = json!({ "type": ["string", "integer"], "pattern": "^(0x[0-9a-fA-F]{1,4}|[0-9]{1,5})$", "minimum": 0, "maximum": u16::MAX });
    json_schema!({ "type": "array", "items": { "anyOf": [names(flags), number] } })
}

pub(super) fn group_names(_: &mut SchemaGenerator) -> Schema {
    let all = SYSTEMS.into_iter().flat_map(groups).map(|group| group.name);
    json_schema!({ "type": "array", "items": names(all) })
}

pub(super) fn malformations(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": names(Malformation::ALL.map(Malformation::name)), "uniqueItems": true })
}

pub(super) fn systems(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "enum": ["freebsd", "linux"] } })
}

/// Processors of a guest.
pub(super) fn processors(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 2, "maximum": MOST_PROCESSORS })
}

/// Settings of a kernel by name.
pub(super) fn settings(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": { "pattern": "^net\\.netlink\\.[a-z0-9_.]+$" },
        "additionalProperties": integer(i32::MIN.into(), i32::MAX.into()),
    })
}

/// A program and its arguments: a number is read as its text.
pub(super) fn command(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "type": ["string", "integer"] }, "minItems": 1 })
}

/// Adds the header fields and attributes of each message to the schema.
pub(super) fn by_message(schema: &mut Schema) {
    // Messages with the same header and attributes are one case.
    let mut cases: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for message in SYSTEMS.into_iter().flat_map(messages) {
        let table = message.attrs.map(|table| table.name).unwrap_or_default();
        cases.entry((message.header.name, table)).or_default().insert(message.name);
    }
    let cases = cases.into_iter().map(|((header, table), names)| {
        let attrs = match table {
            "" => json!({ "items": by_number() }),
            table => json!({ "items": { "$ref": format!("#/definitions/{table}") } }),
        };
        json!({
            "if": { "properties": { "message": { "enum": names } }, "required": ["message"] },
            "then": { "properties": { "header": fields(header), "attrs": attrs } },
        })
    });
    schema.insert("allOf".into(), cases.collect());
}

/// The fields of a header, by the structure's name.
fn fields(header: &str) -> Value {
    let mut fields = Map::new();
    for os in SYSTEMS {
        for message in messages(os).iter().filter(|message| message.header.name == header) {
            for field in message.header.fields {
                fields.insert(field.name.into(), field_value(field.kind));
            }
        }
    }
    json!({ "properties": fields, "additionalProperties": false })
}

fn field_value(kind: FieldKind) -> Value {
    let bits = kind.size() as u32 * 8;
    let (min, max) = (-(1 << (bits - 1)), (1 << bits) - 1);
    match kind {
        FieldKind::IfIndex => json!({ "anyOf": [integer(min, max), interface()] }),
        FieldKind::IfFlags => flag_word(SYSTEMS.map(if_flags), bits),
        FieldKind::IfaFlags => flag_word(SYSTEMS.map(ifa_flags), bits),
        FieldKind::Family => {
            name_or_number(SYSTEMS.into_iter().flat_map(families).map(|(_, name)| *name), min, max)
        }
        FieldKind::Scope => name_or_number(scopes().iter().map(|value| value.name), min, max),
        FieldKind::LinkType => {
            name_or_number(SYSTEMS.into_iter().flat_map(link_types).map(|value| value.name), min, max)
        }
        _ => integer(min, max),
    }
}

/// The index that an interface has in the guest, by its name.
fn interface() -> Value {
    json!({ "type": "string", "pattern": "^\\$.", "description": "The index of the interface of this name: $lo10." })
}

/// Every table of attributes, by name: an attribute is a mapping with one key.
pub(super) fn attribute_tables() -> Map<String, Value> {
    let mut tables: BTreeMap<&str, BTreeMap<&str, Vec<Value>>> = BTreeMap::new();
    let mut left: Vec<(Os, &AttrTable)> = SYSTEMS
        .into_iter()
        .flat_map(|os| messages(os).iter().filter_map(move |message| Some((os, message.attrs?))))
        .collect();
    let mut seen: Vec<(Os, &AttrTable)> = Vec::new();
    while let Some((os, table)) = left.pop() {
        if seen.iter().any(|(known, other)| *known == os && std::ptr::eq(*other, table)) {
            continue;
        }
        seen.push((os, table));
        let attributes = tables.entry(table.name).or_default();
        for attr in table.attrs {
            let value = attr_value(attr.kind);
            let values = attributes.entry(attr.name).or_default();
            if !values.contains(&value) {
                values.push(value);
            }
            match attr.kind {
                AttrKind::Nested(inner) => left.push((os, inner)),
                AttrKind::ByKind(by) => left.extend(by.tables.iter().map(|(_, inner)| (os, *inner))),
                _ => {}
            }
        }
    }
    let table = |(name, attributes): (&str, BTreeMap<&str, Vec<Value>>)| {
        let mut schema = by_number();
        let exact = json!({ "$ref": "#/definitions/exact" });
        let attributes: Map<_, _> = attributes
            .into_iter()
            .map(|(name, mut values)| {
                values.push(exact.clone());
                (name.to_owned(), json!({ "anyOf": values }))
            })
            .collect();
        schema["properties"] = attributes.into();
        (name.to_owned(), schema)
    };
    tables.into_iter().map(table).collect()
}

/// An attribute by its number alone.
fn by_number() -> Value {
    json!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "patternProperties": { "^#[0-9]+$": true, "^[a-z0-9_]+(\\|(nested|net_byteorder)){1,2}$": true },
        "additionalProperties": false,
    })
}

/// The value of an attribute whose bytes or length are given as they are.
pub(super) fn exact() -> Value {
    json!({
        "type": "object",
        "description": "Bytes or a length as they are: what nla_len says may differ from what follows.",
        "properties": {
            "hex": { "type": "string", "description": "The payload in hex." },
            "value": { "description": "The payload as without `len`." },
            "len": { "description": "nla_len, in bytes.", "type": "integer", "minimum": 0, "maximum": u16::MAX },
        },
        "additionalProperties": false,
        "oneOf": [{ "required": ["hex"] }, { "required": ["value"] }],
    })
}

fn attr_value(kind: AttrKind) -> Value {
    match kind {
        AttrKind::U8 => integer(0, u8::MAX.into()),
        AttrKind::U16 | AttrKind::Be16 | AttrKind::EtherType => integer(0, u16::MAX.into()),
        AttrKind::U32 => integer(0, u32::MAX.into()),
        AttrKind::I32 => integer(i32::MIN.into(), i32::MAX.into()),
        AttrKind::U64 => json!({ "type": "integer", "minimum": 0 }),
        AttrKind::Str => json!({ "type": "string" }),
        AttrKind::Flag => json!({ "type": "null" }),
        AttrKind::HwAddr => {
            json!({ "type": "string", "description": "A link-level address: \"02:00:00:00:00:01\"." })
        }
        AttrKind::IpAddr => json!({ "type": "string", "description": "An IPv4 or IPv6 address." }),
        AttrKind::IfIndex => json!({ "anyOf": [integer(0, u32::MAX.into()), interface()] }),
        AttrKind::IfaFlags => flag_word(SYSTEMS.map(ifa_flags), 32),
        AttrKind::In6Flags => flag_word([in6_flags()], 32),
        AttrKind::OperState => name_or_number(operstates().iter().map(|value| value.name), 0, u8::MAX.into()),
        AttrKind::CacheInfo => {
            let seconds = integer(0, u32::MAX.into());
            let fields: Map<_, _> = ["preferred", "valid", "created", "updated"]
                .map(|field| (field.to_owned(), seconds.clone()))
                .into_iter()
                .collect();
            json!({ "type": "object", "properties": fields, "additionalProperties": false })
        }
        AttrKind::Nested(table) => {
            json!({ "type": "array", "items": { "$ref": format!("#/definitions/{}", table.name) } })
        }
        AttrKind::ByKind(by) => {
            let table =
                |(_, table): &(&str, &AttrTable)| json!({ "$ref": format!("#/definitions/{}", table.name) });
            let tables: Vec<_> = by.tables.iter().map(table).collect();
            json!({ "type": "array", "items": { "anyOf": tables } })
        }
        AttrKind::BitWords => {
            let name = names(capabilities().iter().copied());
            let one = json!({ "anyOf": [name, { "type": "integer", "minimum": 0 }] });
            json!({ "anyOf": [one, { "type": "array", "items": one }] })
        }
        // Only as bytes.
        AttrKind::Stats64 | AttrKind::Binary => json!(false),
    }
}
