// SPDX-License-Identifier: BSD-2-Clause
//! A file that is to be written: a tree of values, and its YAML as people write it.

use nlproof_base::hex;
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_saphyr::{FlowMap, FlowSeq, ser_options, to_string_with_options};

use super::{Node, Position, Value};

/// A mapping or a list of at most this many characters stands on one line.
const LINE: usize = 100;

/// Lines are never folded: a text stays on its own.
const NEVER: usize = 1 << 20;

/// Bytes of hex on one line of a long value.
const HEX_LINE: usize = 32;

/// A mapping under construction.
#[derive(Debug, Default)]
pub(crate) struct Entries(Vec<(Node, Node)>);

impl Entries {
    /// Puts a value behind those before it.
    pub(crate) fn put(&mut self, key: &str, value: Value) {
        self.0.push((node(text(key)), node(value)));
    }

    /// Puts a list or a mapping, unless it is empty.
    pub(crate) fn put_some(&mut self, key: &str, value: Value) {
        let empty = match &value {
            Value::List(items) => items.is_empty(),
            Value::Map(entries) => entries.is_empty(),
            _ => false,
        };
        if !empty {
            self.put(key, value);
        }
    }

    /// The mapping.
    pub(crate) fn map(self) -> Value {
        Value::Map(self.0)
    }
}

/// A mapping of one entry: a step, an attribute.
pub(crate) fn pair(key: &str, value: Value) -> Value {
    let mut entries = Entries::default();
    entries.put(key, value);
    entries.map()
}

/// A value that has no place yet.
fn node(value: Value) -> Node {
    Node { place: Position::START, value }
}

/// A text.
pub(crate) fn text(text: &str) -> Value {
    Value::Str(text.to_owned())
}

/// A list of texts.
pub(crate) fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Value {
    list(texts.into_iter().map(text))
}

/// A list.
pub(crate) fn list(values: impl IntoIterator<Item = Value>) -> Value {
    Value::List(values.into_iter().map(node).collect())
}

/// Bytes as the hex text of a vector; many bytes stand on lines of their own.
pub(crate) fn hex_text(bytes: &[u8]) -> Value {
    let lines: Vec<String> = bytes.chunks(HEX_LINE).map(hex).collect();
    Value::Str(lines.join("\n"))
}

/// A tree as YAML, as people write vectors: short mappings and lists of words on one line.
pub(crate) fn yaml(tree: &Value) -> String {
    let options = ser_options! {
        compact_list_indent: false,
        folded_wrap_chars: NEVER,
        yaml_12: true,
        no_lang_directive: true,
    };
    // Only a writer that fails makes this fail, and a String does not.
    to_string_with_options(&Laid { value: tree, place: Place::Line }, options).unwrap_or_default()
}

/// A value and where it stands.
struct Laid<'a> {
    value: &'a Value,
    place: Place,
}

/// Where a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// On a line that is its own: the file, or an item of a list.
    Line,
    /// Behind a key.
    Key,
    /// Within a mapping or a list on one line.
    Within,
}

impl Serialize for Laid<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let short = self.place == Place::Key && width(self.value).is_some_and(|width| width <= LINE);
        let inner = |line| if short || self.place == Place::Within { Place::Within } else { line };
        match self.value {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Int(value) => serializer.serialize_i128(*value),
            Value::Str(text) => serializer.serialize_str(text),
            Value::List(items) => {
                let place = inner(Place::Line);
                let items: Vec<_> = items.iter().map(|node| Laid { value: &node.value, place }).collect();
                if short { FlowSeq(items).serialize(serializer) } else { serializer.collect_seq(items) }
            }
            Value::Map(entries) => {
                let pairs = Pairs { entries, place: inner(Place::Key) };
                if short { FlowMap(pairs).serialize(serializer) } else { pairs.serialize(serializer) }
            }
        }
    }
}

/// The entries of a mapping, in their order.
struct Pairs<'a> {
    entries: &'a [(Node, Node)],
    place: Place,
}

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.entries.len()))?;
        let place = self.place;
        for (key, value) in self.entries {
            let key = Laid { value: &key.value, place: Place::Within };
            map.serialize_entry(&key, &Laid { value: &value.value, place })?;
        }
        map.end()
    }
}

/// About how many characters a value takes on one line; `None`: it needs lines of its own, because it is a text of several
/// lines or a list of mappings.
fn width(value: &Value) -> Option<usize> {
    let sum = |widths: Vec<usize>| widths.into_iter().map(|width| width + 2).sum::<usize>();
    match value {
        Value::Null | Value::Bool(_) => Some(5),
        Value::Int(number) => Some(number.to_string().len()),
        Value::Str(text) => (!text.contains('\n')).then_some(text.chars().count()),
        Value::List(items) => {
            let of = |item: &Node| match item.value {
                Value::List(_) | Value::Map(_) => None,
                ref scalar => width(scalar),
            };
            items.iter().map(of).collect::<Option<Vec<_>>>().map(sum)
        }
        Value::Map(entries) => {
            let of = |(key, value): &(Node, Node)| Some(width(&key.value)? + width(&value.value)?);
            entries.iter().map(of).collect::<Option<Vec<_>>>().map(sum)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::super::parse_yaml;
    use super::*;

    #[test]
    fn long_bytes_stand_on_lines_of_their_own() {
        let yaml = yaml(&list([hex_text(&[0xab; 40])]));
        assert_eq!(yaml, format!("- |-\n  {}\n  {}\n", "ab".repeat(32), "ab".repeat(8)));
    }

    fn any_text() -> impl Strategy<Value = String> {
        prop_oneof![
            "[ -~]{0,12}",
            any::<String>(),
            "[0-9.eExob_+:-]{1,8}",
            "[ \n\t]{0,4}[a-z:#'\"{}]{0,3}[ \n\t]{0,4}",
        ]
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(|number| Value::Int(number.into())),
            any_text().prop_map(Value::Str),
        ];
        scalar.prop_recursive(4, 24, 4, |inner| {
            let pair = (any_text(), inner.clone());
            let map = prop::collection::btree_map("[a-z#0-9|-]{1,10}", inner.clone(), 0..4);
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(list),
                map.prop_map(|map| {
                    let mut entries = Entries::default();
                    map.into_iter().for_each(|(key, value)| entries.put(&key, value));
                    entries.map()
                }),
                pair.prop_map(|(text, value)| list([Value::Str(text), value])),
            ]
        })
    }

    /// The values without their places.
    fn bare(value: &Value) -> Value {
        match value {
            Value::List(items) => list(items.iter().map(|item| bare(&item.value))),
            Value::Map(entries) => Value::Map(
                entries
                    .iter()
                    .map(|(key, value)| (node(bare(&key.value)), node(bare(&value.value))))
                    .collect(),
            ),
            scalar => scalar.clone(),
        }
    }

    proptest! {
        #[test]
        fn any_tree_is_read_back_as_it_was(value in any_value()) {
            let mut file = Entries::default();
            file.put("file", value);
            let tree = file.map();
            let text = yaml(&tree);
            let read: Node = parse_yaml(Path::new("t.yaml"), &text)
                .map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
            prop_assert_eq!(bare(&read.value), tree, "{}", text);
        }
    }
}
