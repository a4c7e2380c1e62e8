// SPDX-License-Identifier: BSD-2-Clause
//! Words, numbers and lines as they stand in the text of a trace.

use nlproof_wire::{Os, errno_name};

/// Indentation of one level.
pub(super) const LEVEL: &str = "  ";
/// The level of a message's attributes. Steps have 0, messages 1; what belongs to a nest has one more than the nest.
pub(super) const ATTRIBUTES: usize = 3;

/// Appends a line at a level, with its line end.
pub(super) fn put(text: &mut String, level: usize, line: &str) {
    for _ in 0..level {
        text.push_str(LEVEL);
    }
    text.push_str(line);
    text.push('\n');
}

/// An error of the guest's for people: its name, or its number.
pub(super) fn errno_text(os: Os, errno: i32) -> String {
    errno_name(os, errno).map_or_else(|| format!("errno {errno}"), str::to_owned)
}

/// Text in double quotes; whatever is not printable ASCII is escaped, so that a golden is plain text.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            other => quoted.extend(other.escape_default()),
        }
    }
    quoted.push('"');
    quoted
}

/// Bytes as `0x...`; nothing is `0x`.
pub(super) fn hex(bytes: &[u8]) -> String {
    format!("0x{}", nlproof_base::hex(bytes))
}
