// SPDX-License-Identifier: BSD-2-Clause
//! `tests/inventory.yaml`: the rows that vectors have to reach.

use std::collections::BTreeMap;
use std::path::Path;

use iface_core::Profile;
use nlproof_wire::schema::{AttrKind, AttrTable, group_name, group_number, message_by_name};
use nlproof_wire::{Os, errno_names};
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::file::{FileError, Position, load_yaml, profiles, schema_of};
use crate::trace::Message;

/// What vectors have to reach: patterns of messages in goldens.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawInventory {
    /// Kinds of rows (`requests`, `errors`, ...), each with its rows.
    #[schemars(with = "BTreeMap<String, Vec<RawRow>>")]
    kinds: BTreeMap<String, Vec<Spanned<RawRow>>>,
}

/// One thing that can be reached.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(extend("dependencies" = { "value": ["attr"] }))]
struct RawRow {
    /// Mark and name of the message: `> newlink` is a request, `< error` a reply, `* link: newlink` an event.
    #[schemars(regex(pattern = "^[><*] "))]
    message: String,
    /// Words of the message's line: flags, or `field=value`.
    #[serde(default)]
    has: Vec<String>,
    /// Path of an attribute that the message must hold.
    attr: Option<String>,
    /// Pattern of the attribute's value; `*` stands for any text.
    value: Option<String>,
    /// Of an error: the request that it answers.
    to: Option<String>,
    /// The branches that have the row; without it all.
    #[serde(default)]
    #[schemars(schema_with = "profiles")]
    only: Vec<Spanned<String>>,
    /// Why no vector reaches it. Shown, and wrong as soon as one does.
    gap: Option<String>,
}

/// The schema of `inventory.yaml`.
pub fn inventory_schema() -> Schema {
    schema_of::<RawInventory>("What nlproof's vectors have to reach")
}

/// One thing that can be reached: the pattern of a message in a golden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The row's kind.
    pub kind: String,
    /// Mark and name of the message, `> newlink`, `< error`, `* link: newlink`.
    pub message: String,
    /// Words of the message's line: flags, or `field=value`.
    pub has: Vec<String>,
    /// Path of an attribute that the message must hold.
    pub attr: Option<String>,
    /// What the attribute's value must look like; `*` stands for any text.
    pub value: Option<String>,
    /// For an error: the request it answers.
    pub to: Option<String>,
    /// The profiles in which the row exists.
    pub profiles: Vec<Profile>,
    /// Why no vector reaches it. Shown, and wrong as soon as one does.
    pub gap: Option<String>,
}

/// The inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// Rows of the inventory by kind, in the file's order.
    pub rows: Vec<Row>,
}

impl Inventory {
    /// Loads the file.
    ///
    /// # Errors
    /// It is not there, is no YAML, has an unknown key or profile, a row twice, a value without an attribute,
    /// or a message without one of the marks `>`, `<`, `*`.
    pub fn load(path: &Path) -> Result<Inventory, FileError> {
        Self::validated(path, load_yaml(path)?)
    }

    fn validated(path: &Path, raw: RawInventory) -> Result<Inventory, FileError> {
        let mut rows: Vec<Row> = Vec::new();
        for (kind, raw) in raw
            .kinds
            .into_iter()
            .flat_map(|(kind, rows)| rows.into_iter().map(move |row| (kind.clone(), row)))
        {
            let place = Position::from(raw.referenced);
            let row = row(path, place, kind, raw.value)?;
            if rows.contains(&row) {
                return Err(FileError::at(path, place, format!("the row `{}` is there twice", row.name())));
            }
            rows.push(row);
        }
        if rows.is_empty() {
            return Err(FileError::whole(path, "no rows: an empty inventory is always reached"));
        }
        Ok(Inventory { rows })
    }
}

fn row(path: &Path, place: Position, kind: String, raw: RawRow) -> Result<Row, FileError> {
    if !["> ", "< ", "* "].iter().any(|mark| raw.message.starts_with(mark)) {
        return Err(FileError::at(path, place, format!("`{}` has no mark", raw.message))
            .help("`> ` is a request, `< ` a reply, `* GROUP: ` an event"));
    }
    if raw.value.is_some() && raw.attr.is_none() {
        return Err(FileError::at(path, place, "a `value` without the `attr` whose value it is"));
    }
    if let Some(unknown) = unknown_name(&raw) {
        return Err(FileError::at(path, place, format!("{unknown}: no golden can hold it")));
    }
    let mut profiles = Vec::new();
    for name in &raw.only {
        let at = Position::from(name.referenced);
        profiles.push(
            name.value
                .parse()
                .map_err(|error| FileError::at(path, at, format!("`{}`: {error}", name.value)))?,
        );
    }
    if profiles.is_empty() {
        profiles = Profile::ALL.to_vec();
    }
    let RawRow { message, has, attr, value, to, gap, .. } = raw;
    Ok(Row { kind, message, has, attr, value, to, profiles, gap })
}

/// A name in the row that the wire schema does not have, spelt as goldens spell it. Without this a gap that is misspelt
/// would stay one for ever.
fn unknown_name(row: &RawRow) -> Option<String> {
    let os = Os::FreeBsd;
    let name = match row.message.strip_prefix("* ").and_then(|event| event.split_once(": ")) {
        Some((group, _))
            if group_number(os, group).and_then(|number| group_name(os, number)) != Some(group) =>
        {
            return Some(format!("`{group}` is no multicast group"));
        }
        Some((_, name)) => name,
        None => row.message.get(2..).unwrap_or_default(),
    };
    let message = |name: &str| message_by_name(os, name).filter(|message| message.name == name);
    let Some(known) = message(name) else { return Some(format!("`{name}` is no message")) };
    if let Some(to) = row.to.as_ref().filter(|to| message(to).is_none()) {
        return Some(format!("`{to}` is no message"));
    }
    let errno = row
        .has
        .iter()
        .filter_map(|word| word.strip_prefix("error="))
        .find(|errno| *errno != "0" && !errno_names(os).any(|name| name == *errno));
    if let Some(errno) = errno {
        return Some(format!("`{errno}` is no errno"));
    }
    let mut tables: Vec<_> = known.attrs.into_iter().collect();
    for word in row.attr.iter().flat_map(|path| path.split(' ')) {
        // What stands below an attribute that is no nest (a bit set's words) is rendering, not schema.
        let Some(first) = tables.first() else { break };
        let spelt = |table: &&AttrTable| table.by_name(word).filter(|attr| attr.name == word);
        match tables.iter().find_map(spelt).map(|attr| attr.kind) {
            Some(AttrKind::Nested(inner)) => tables = vec![inner],
            Some(AttrKind::ByKind(by)) => tables = by.tables.iter().map(|(_, table)| *table).collect(),
            Some(_) => tables.clear(),
            None => return Some(format!("`{word}` is no attribute of {}", first.name)),
        }
    }
    None
}

impl Row {
    /// The row in one line.
    pub fn name(&self) -> String {
        let mut name = self.message.clone();
        for word in self.to.iter().map(|to| format!("to {to}")).chain(self.has.iter().cloned()) {
            name.push(' ');
            name.push_str(&word);
        }
        for word in self.attr.iter().chain(&self.value) {
            name.push(' ');
            name.push_str(word);
        }
        name
    }

    /// Whether the row's attribute may have this value.
    pub fn takes(&self, value: &str) -> bool {
        self.value.as_deref().is_none_or(|wanted| like(wanted, value))
    }

    /// Whether this message is what the row asks for.
    pub fn matches(&self, message: &Message<'_>) -> bool {
        let attr = |path: &str, value: Option<&str>| {
            message
                .attrs
                .iter()
                .any(|(other, found)| other == path && value.is_none_or(|value| like(value, found)))
        };
        message.name() == self.message
            && self.has.iter().all(|word| message.has(word))
            && self.attr.as_ref().is_none_or(|path| attr(path, self.value.as_deref()))
            && self.to.as_ref().is_none_or(|to| attr("request", Some(&format!("type={to} *"))))
    }
}

/// Whether `text` is `pattern`, in which `*` stands for any text.
fn like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|start| text.strip_prefix(start)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::parse_yaml;
    use crate::trace::messages;

    fn load(text: &str) -> Result<Inventory, FileError> {
        let path = Path::new("inventory.yaml");
        Inventory::validated(path, parse_yaml(path, text)?)
    }

    #[test]
    fn a_pattern_matches_the_whole_text() {
        for (pattern, text, matches) in [
            ("\"a\"", "\"a\"", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abde", false),
            ("*", "", true),
            ("ab*b", "ab", false),
        ] {
            assert_eq!(like(pattern, text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn a_row_asks_for_all_it_names() {
        let inventory = load(
            "kinds:\n  errors:\n    - {message: < error, to: newlink, has: [error=ENOENT], attr: msg, value: '\"no #*\"'}\n",
        );
        let row = &inventory.expect("it is right").rows[0];
        let body = "step 0\n  < error ack_tlvs error=ENOENT\n      request type=newlink len=40\n      msg \"no #9\"\n";
        assert!(row.matches(&messages(body)[0]));
        for (from, to) in
            [("ENOENT", "EPERM"), ("newlink", "dellink"), ("no #", "nothing "), ("< error", "< done")]
        {
            assert!(!row.matches(&messages(&body.replace(from, to))[0]), "{to}");
        }
    }

    #[test]
    fn what_could_never_fail_is_refused() {
        for (text, complaint) in [
            ("kinds: {}", "no rows"),
            ("kinds: {a: [{message: newlink}]}", "no mark"),
            ("kinds: {a: [{message: < newlnk}]}", "`newlnk` is no message"),
            ("kinds: {a: [{message: '* lnk: newlink'}]}", "`lnk` is no multicast group"),
            ("kinds: {a: [{message: < error, to: newlnk}]}", "`newlnk` is no message"),
            ("kinds: {a: [{message: < error, has: [error=EPREM]}]}", "`EPREM` is no errno"),
            ("kinds: {a: [{message: < newlink, attr: freebsd cpas}]}", "`cpas` is no attribute of"),
            ("kinds: {a: [{message: < newlink, value: x}]}", "without the `attr`"),
            ("kinds: {a: [{message: < newlink}, {message: < newlink}]}", "twice"),
            ("kinds: {a: [{message: < newlink, only: ['12']}]}", "no such profile"),
            ("kinds: {a: [{message: < newlink, atr: x}]}", "unknown key"),
        ] {
            let error = load(text).expect_err(text).to_string();
            assert!(error.contains(complaint), "{text}: {error}");
        }
    }
}
