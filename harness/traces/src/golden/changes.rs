// SPDX-License-Identifier: BSD-2-Clause
//! Differences between two goldens of one vector, message by message and attribute by attribute: what a
//! release changed on the wire.

use std::collections::BTreeSet;
use std::fmt;

use sha2::{Digest as _, Sha256};
use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::capabilities::{CapabilityChange, CapabilityForm};
use crate::trace::{Message, messages};

/// Hex digits of a fingerprint: enough for the differences of one run.
const FINGERPRINT: usize = 12;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Where.
    pub place: Place,
    /// The first golden's value; `None`: it has none.
    pub from: Option<String>,
    /// What the second one has.
    pub to: Option<String>,
}

impl Change {
    /// The change of an interface's capabilities that this is, if it is one.
    pub fn capabilities(&self) -> Option<(CapabilityChange, CapabilityForm)> {
        CapabilityChange::of(&self.place.attr, self.from.as_deref()?, self.to.as_deref()?)
    }
}

/// The place of a difference: `< newlink freebsd caps size`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The message with its mark, `< newlink`.
    pub message: String,
    /// The attribute with its path, `freebsd caps size`; empty: the message itself, or its header.
    pub attr: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gap = if self.attr.is_empty() { "" } else { " " };
        write!(f, "{}{gap}{}", self.message, self.attr)
    }
}

/// A short text that is equal for the same differences, however often and in whatever order they are there. An
/// attribute that differs in the same way in a reply and in an event is one difference, and so are an interface's
/// capabilities in a message and in what ifconfig(8) prints of them.
pub(super) fn fingerprint(changes: &[Change]) -> String {
    let key = |change: &Change| {
        if let Some((word, _)) = change.capabilities() {
            let hex = |word: u64| Some(format!("{word:#x}"));
            return [Some("capabilities".to_owned()), hex(word.from), hex(word.to)];
        }
        let place = if change.place.attr.is_empty() { &change.place.message } else { &change.place.attr };
        [Some(place.clone()), change.from.clone(), change.to.clone()]
    };
    fingerprint_of(changes.iter().map(key))
}

/// The same for lines that only one of two texts has.
pub(super) fn fingerprint_of(differences: impl Iterator<Item = [Option<String>; 3]>) -> String {
    let mut hash = Sha256::new();
    for difference in differences.collect::<BTreeSet<_>>() {
        for part in difference {
            // What is not there is not what is empty.
            hash.update([u8::from(part.is_some())]);
            hash.update(part.as_deref().unwrap_or_default());
            hash.update("\n");
        }
    }
    let hex = nlproof_base::hex(&hash.finalize());
    hex[..FINGERPRINT].to_owned()
}

/// The differences between two goldens' bodies, in the order of the first.
pub fn changes(from: &str, to: &str) -> Vec<Change> {
    let (from, to) = (messages(from), messages(to));
    let key = |messages: &[Message<'_>]| -> Vec<(String, String)> {
        messages.iter().map(|message| (message.step.to_owned(), message.head.to_owned())).collect()
    };
    let mut found = Vec::new();
    for op in capture_diff_slices(Algorithm::Myers, &key(&from), &key(&to)) {
        match op {
            DiffOp::Equal { old_index, new_index, len } => {
                for offset in 0..len {
                    inside(&from[old_index + offset], &to[new_index + offset], &mut found);
                }
            }
            DiffOp::Delete { old_index, old_len, .. } => {
                found.extend(from[old_index..old_index + old_len].iter().map(removed));
            }
            DiffOp::Insert { new_index, new_len, .. } => {
                found.extend(to[new_index..new_index + new_len].iter().map(added));
            }
            DiffOp::Replace { old_index, old_len, new_index, new_len } => {
                replaced(
                    &from[old_index..old_index + old_len],
                    &to[new_index..new_index + new_len],
                    &mut found,
                );
            }
        }
    }
    found
}

/// Messages in the same place with the same name are one message that changed; the others came or went.
fn replaced(from: &[Message<'_>], to: &[Message<'_>], found: &mut Vec<Change>) {
    let mut left: Vec<&Message<'_>> = to.iter().collect();
    for old in from {
        match left.iter().position(|new| new.step == old.step && new.name() == old.name()) {
            Some(position) => {
                let new = left.remove(position);
                let fields = |message: &Message<'_>| message.head[message.name().len()..].trim().to_owned();
                found.push(Change { place: whole(old), from: Some(fields(old)), to: Some(fields(new)) });
                inside(old, new, found);
            }
            None => found.push(removed(old)),
        }
    }
    found.extend(left.into_iter().map(added));
}

/// The attributes of a message that both have.
fn inside(from: &Message<'_>, to: &Message<'_>, found: &mut Vec<Change>) {
    let key = |message: &Message<'_>| -> Vec<String> {
        message.attrs.iter().map(|(path, value)| format!("{path}\0{value}")).collect()
    };
    let place = |path: &str| Place { message: from.name().to_owned(), attr: path.to_owned() };
    for op in capture_diff_slices(Algorithm::Myers, &key(from), &key(to)) {
        let (_, old, new) = op.as_tag_tuple();
        if matches!(op, DiffOp::Equal { .. }) {
            continue;
        }
        let mut added: Vec<_> = to.attrs[new].iter().collect();
        for (path, value) in &from.attrs[old] {
            let same = added.iter().position(|(other, _)| other == path);
            let to = same.map(|position| added.remove(position).1.to_owned());
            found.push(Change { place: place(path), from: Some((*value).to_owned()), to });
        }
        found.extend(added.into_iter().map(|(path, value)| Change {
            place: place(path),
            from: None,
            to: Some((*value).to_owned()),
        }));
    }
}

fn removed(message: &Message<'_>) -> Change {
    Change { place: whole(message), from: Some(message.head.to_owned()), to: None }
}

fn added(message: &Message<'_>) -> Change {
    Change { place: whole(message), from: None, to: Some(message.head.to_owned()) }
}

/// A message itself, and not one of its attributes.
fn whole(message: &Message<'_>) -> Place {
    Place { message: message.name().to_owned(), attr: String::new() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;
    use crate::file::files_below;
    use crate::golden::Store;

    const OLD: &str = "step 0\n  > newlink request\n      ifname \"lo10\"\n  < error - error=0\n  * link: newlink - flags=up\n      mtu 1\n      freebsd\n        caps\n          size 34\n";

    /// An attribute's place begins behind the message's name.
    fn change(place: &str, from: Option<&str>, to: Option<&str>) -> Change {
        let names = ["* link: newlink", "< error"];
        let message = names.into_iter().find(|name| place.starts_with(name)).unwrap();
        let attr = place[message.len()..].trim().to_owned();
        let place = Place { message: message.into(), attr };
        Change { place, from: from.map(Into::into), to: to.map(Into::into) }
    }

    #[test]
    fn equal_goldens_have_no_changes() {
        assert_eq!(changes(OLD, OLD), []);
    }

    #[test]
    fn an_attribute_is_named_with_its_nest() {
        let new = OLD.replace("size 34", "size 35");
        assert_eq!(changes(OLD, &new), [change("* link: newlink freebsd caps size", Some("34"), Some("35"))]);
    }

    #[test]
    fn a_message_more_is_one_change_and_does_not_disturb_the_others() {
        let new = OLD.replace("size 34", "size 35") + "  * link: newlink - flags=down\n      mtu 1\n";
        assert_eq!(
            changes(OLD, &new),
            [
                change("* link: newlink freebsd caps size", Some("34"), Some("35")),
                change("* link: newlink", None, Some("* link: newlink - flags=down")),
            ]
        );
        assert_eq!(
            changes(&new, OLD)[1],
            change("* link: newlink", Some("* link: newlink - flags=down"), None)
        );
    }

    #[test]
    fn another_error_is_a_change_of_the_message() {
        let new = OLD.replace("error=0", "error=EINVAL");
        assert_eq!(changes(OLD, &new), [change("< error", Some("- error=0"), Some("- error=EINVAL"))]);
    }

    #[test]
    fn an_attribute_more_has_no_before() {
        let new = OLD.replace("      mtu 1\n", "      mtu 1\n      group 0\n");
        assert_eq!(changes(OLD, &new), [change("* link: newlink group", None, Some("0"))]);
    }

    #[test]
    fn the_same_difference_has_one_fingerprint_however_often_and_wherever_it_is() {
        let new = OLD.replace("size 34", "size 35");
        let one = fingerprint(&changes(OLD, &new));
        assert_eq!(one.len(), FINGERPRINT);
        let reply = |text: &str| text.replace("* link:", "<");
        assert_eq!(one, fingerprint(&changes(&reply(OLD), &reply(&new))));
        let twice = |text: &str| format!("{text}{}", text.replace("step 0", "step 1"));
        assert_eq!(one, fingerprint(&changes(&twice(OLD), &twice(&new))));
        assert_ne!(one, fingerprint(&changes(OLD, &OLD.replace("size 34", "size 36"))));
        assert_ne!(one, fingerprint(&changes(OLD, &new.replace("error=0", "error=EINVAL"))));
        assert_ne!(one, fingerprint(&changes(&new, OLD)));
    }

    /// What 15.1-RELEASE changed: epair(4) tells one capability more, in messages and in what ifconfig(8) prints.
    #[test]
    fn the_goldens_of_15_0_and_of_15_1_differ_by_one_cause() {
        let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
        let store = Store::new(&goldens);
        let mut causes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut files = files_below(&goldens.join("freebsd-15.0")).unwrap();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "trace"));
        for path in &files {
            let inside = path.strip_prefix(goldens.join("freebsd-15.0")).unwrap().with_extension("");
            let id = inside.to_str().unwrap();
            let old = store.read("freebsd-15.0", id).unwrap().unwrap();
            let new =
                ["freebsd-15", "common"].iter().find_map(|layer| store.read(layer, id).unwrap()).unwrap();
            let found = changes(&old.body, &new.body);
            assert!(!found.is_empty(), "{id}");
            causes.entry(fingerprint(&found)).or_default().push(id.to_owned());
        }
        assert_eq!(causes.len(), 1, "{causes:?}");
        let vectors = causes.into_values().next().unwrap();
        assert!(vectors.len() >= 15 && vectors.contains(&"clients/ifconfig-epair".to_owned()), "{vectors:?}");
    }

    #[test]
    fn a_place_is_written_with_its_message() {
        let place = |attr: &str| Place { message: "< newlink".into(), attr: attr.into() }.to_string();
        assert_eq!(place("freebsd caps size"), "< newlink freebsd caps size");
        assert_eq!(place(""), "< newlink");
    }
}
