// SPDX-License-Identifier: BSD-2-Clause
//! Scalars in vectors: numbers, names of flags, addresses, bytes in hex.

use nlproof_base::counted;
use nlproof_wire::schema::{self, Flag, capability, flag_by_name};

use super::place::SourceFile;
use crate::file::{FileError, Node, Value};

/// A number within a range.
pub(super) fn number(file: SourceFile<'_>, node: &Node, min: i128, max: i128) -> Result<i128, FileError> {
    match node.value {
        Value::Int(number) if (min..=max).contains(&number) => Ok(number),
        Value::Int(number) => {
            Err(file.error(node.place, format!("{number} does not fit: {min} to {max} do")))
        }
        _ => Err(file.expected(node, "a number")),
    }
}

/// A flag word: a list of names, one name, or a number.
pub(super) fn flags(
    file: SourceFile<'_>,
    node: &Node,
    what: &str,
    table: &'static [Flag],
    max: u32,
) -> Result<u32, FileError> {
    match &node.value {
        Value::List(names) => {
            names.iter().try_fold(0, |bits, name| Ok(bits | flag(file, name, what, table, max)?))
        }
        _ => flag(file, node, what, table, max),
    }
}

fn flag(
    file: SourceFile<'_>,
    node: &Node,
    what: &str,
    table: &'static [Flag],
    max: u32,
) -> Result<u32, FileError> {
    match &node.value {
        Value::Str(name) => flag_by_name(table, name)
            .ok_or_else(|| file.unknown(node.place, what, name, table.iter().map(|flag| flag.name))),
        Value::Int(_) => Ok(number(file, node, 0, max.into())? as u32),
        _ => Err(file.expected(node, &format!("a {what} or a list of them"))),
    }
}

/// Capabilities of an interface: a list of names, one name, or a number, in two words.
pub(super) fn capabilities(file: SourceFile<'_>, node: &Node) -> Result<u64, FileError> {
    let one = |node: &Node| match &node.value {
        Value::Str(name) => capability(name).ok_or_else(|| {
            file.unknown(node.place, "capability", name, schema::capabilities().iter().copied())
        }),
        _ => Ok(number(file, node, 0, u64::MAX.into())? as u64),
    };
    match &node.value {
        Value::List(names) => names.iter().try_fold(0, |bits, name| Ok(bits | one(name)?)),
        _ => one(node),
    }
}

/// The name of an interface in `$name`.
pub(super) fn ifname(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Str(text) => text.strip_prefix('$').filter(|name| !name.is_empty()),
        _ => None,
    }
}

/// Bytes in hex; spaces and line ends do not count.
///
/// # Errors
/// What is not hex, for a person.
pub fn hex(text: &str) -> Result<Vec<u8>, String> {
    let mut digits = Vec::new();
    for (number, line) in (1..).zip(text.split('\n')) {
        for (column, c) in (1..).zip(line.chars()).filter(|(_, c)| !c.is_whitespace()) {
            let digit = c.to_digit(16).ok_or_else(|| {
                let line =
                    if text.contains('\n') { format!("line {number}, column") } else { "column".to_owned() };
                format!("`{}` in {line} {column} is not a hex digit", c.escape_debug())
            })?;
            digits.push(digit as u8);
        }
    }
    if !digits.len().is_multiple_of(2) {
        return Err(format!("{} make no whole bytes", counted(digits.len(), "hex digit")));
    }
    Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// Bytes in hex at a place.
pub(super) fn hex_node(file: SourceFile<'_>, node: &Node) -> Result<Vec<u8>, FileError> {
    match &node.value {
        Value::Str(text) => hex(text).map_err(|what| file.error(node.place, what)),
        // YAML reads unquoted digits as a number: 0010 would lose its zeroes.
        _ => Err(file.expected(node, "bytes in hex, in quotes,")),
    }
}

/// A link-level address: two hex digits a byte, colons between.
pub(super) fn hwaddr(text: &str) -> Option<Vec<u8>> {
    text.split(':').map(|byte| u8::from_str_radix(byte, 16).ok().filter(|_| byte.len() == 2)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_bytes_or_an_error() {
        assert_eq!(hex("00 ff\n1a"), Ok(vec![0, 0xff, 0x1a]));
        assert_eq!(hex(""), Ok(vec![]));
        assert_eq!(hex("0g"), Err("`g` in column 2 is not a hex digit".into()));
        assert_eq!(hex("00\n0 x"), Err("`x` in line 2, column 3 is not a hex digit".into()));
        assert_eq!(hex("012"), Err("3 hex digits make no whole bytes".into()));
    }

    #[test]
    fn link_level_addresses() {
        assert_eq!(hwaddr("02:00:5e:10:00:ff"), Some(vec![2, 0, 0x5e, 0x10, 0, 0xff]));
        assert_eq!(hwaddr("2:0"), None);
        assert_eq!(hwaddr("02:zz"), None);
    }
}
