// SPDX-License-Identifier: BSD-2-Clause
//! The family header of a message: fields by name, the others zero.

use nlproof_wire::schema::{
    FieldKind, HeaderField, Message, if_flags, ifa_flags, link_type_number, link_types, scope_number, scopes,
};
use nlproof_wire::{Os, families, family_number};

use super::datagram::Datagram;
use super::place::SourceFile;
use super::values::{flags, ifname, number};
use crate::file::{FileError, Node, Value};

/// Appends the header of `message` with the given fields.
pub(super) fn put_header(
    file: SourceFile<'_>,
    os: Os,
    message: &Message,
    fields: Option<&Node>,
    out: &mut Datagram,
) -> Result<(), FileError> {
    let start = out.len();
    out.put(&vec![0; message.header.size]);
    let Some(node) = fields else { return Ok(()) };
    let Value::Map(entries) = &node.value else {
        return Err(file.expected(node, "a mapping of header fields"));
    };
    for (key, value) in entries {
        let Value::Str(name) = &key.value else { return Err(file.expected(key, "a field's name")) };
        let field = message
            .header
            .by_name(name)
            .ok_or_else(|| file.unknown(key.place, "header field", name, message.header.names()))?;
        match ifname(value) {
            Some(ifname) if field.kind == FieldKind::IfIndex => out.patch(start + field.offset, ifname),
            _ => {
                let number = field_value(file, os, field, value)?;
                if !field.write(&mut out.data[start..], number) {
                    return Err(file.error(value.place, format!("{number} does not fit into {name}")));
                }
            }
        }
    }
    Ok(())
}

fn field_value(file: SourceFile<'_>, os: Os, field: &HeaderField, node: &Node) -> Result<i64, FileError> {
    let flag_word = |table, max| flags(file, node, "flag", table, max).map(i64::from);
    match (field.kind, &node.value) {
        (FieldKind::IfFlags, _) => flag_word(if_flags(os), u32::MAX),
        (FieldKind::IfaFlags, _) => flag_word(ifa_flags(os), 0xff),
        (FieldKind::Family, Value::Str(name)) => family_number(os, name).map(i64::from).ok_or_else(|| {
            file.unknown(node.place, "address family", name, families(os).iter().map(|(_, name)| *name))
        }),
        (FieldKind::Scope, Value::Str(name)) => scope_number(name)
            .map(i64::from)
            .ok_or_else(|| file.unknown(node.place, "scope", name, scopes().iter().map(|value| value.name))),
        (FieldKind::LinkType, Value::Str(name)) => {
            link_type_number(os, name).map(i64::from).ok_or_else(|| {
                file.unknown(node.place, "link type", name, link_types(os).iter().map(|value| value.name))
            })
        }
        (FieldKind::IfIndex, Value::Str(_)) => Err(file
            .expected(node, "an interface index")
            .help("a number, or `$name` for the index that this interface has in the guest")),
        (kind, _) => {
            let bits = kind.size() as u32 * 8;
            // Negative numbers are bit patterns too: an index of -1 is a case worth sending.
            number(file, node, -(1 << (bits - 1)), (1 << bits) - 1).map(|number| number as i64)
        }
    }
}
