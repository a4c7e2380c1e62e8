// SPDX-License-Identifier: BSD-2-Clause
//! Names of a draft that may be shorter: the same name in every place where it stands.

use std::collections::BTreeSet;

use crate::draft::{Draft, DraftAttr, DraftStep, Payload};

/// Names longer than an interface's are bytes: they are cut, not renamed.
const NAME: usize = 16;

/// Every name: texts of attributes, interfaces whose index is asked for.
pub(super) fn names(draft: &Draft) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for message in draft.messages() {
        names.extend(message.index.clone());
        collect(&message.attrs, &mut names);
    }
    names
}

fn collect(attrs: &[DraftAttr], names: &mut BTreeSet<String>) {
    for attr in attrs {
        match &attr.payload {
            Payload::Bytes(bytes) => names.extend(name_of(bytes)),
            Payload::Index(name) => names.extend([name.clone()]),
            Payload::Nest(inner) => collect(inner, names),
        }
    }
}

/// The name that a payload holds: plain text with its NUL.
pub(super) fn name_of(payload: &[u8]) -> Option<String> {
    let (last, text) = payload.split_last()?;
    let plain = *last == 0 && (1..NAME).contains(&text.len()) && text.iter().all(u8::is_ascii_graphic);
    plain.then(|| String::from_utf8_lossy(text).into_owned())
}

/// Names that may stand for a name, the shortest first: its letters with one digit or none.
pub(super) fn shorter(name: &str) -> Vec<String> {
    let letters = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = &name[letters.len()..];
    let mut found: Vec<String> = Vec::new();
    if !digits.is_empty() {
        found.extend([0, 1].map(|digit| format!("{letters}{digit}")));
        found.extend(digits.chars().next().map(|digit| format!("{letters}{digit}")));
    } else if let Some(first) = letters.chars().next() {
        found.push(first.into());
    }
    found.retain(|other| other.len() < name.len());
    found.dedup();
    found
}

/// The draft with another name wherever this one stands, in words of commands too.
pub(super) fn renamed(draft: &Draft, from: &str, to: &str) -> Draft {
    let mut draft = draft.clone();
    for message in draft.messages_mut() {
        if message.index.as_deref() == Some(from) {
            message.index = Some(to.to_owned());
        }
        rename(&mut message.attrs, from, to);
    }
    for step in &mut draft.steps {
        if let DraftStep::Exec { argv, .. } = step {
            argv.iter_mut().filter(|word| *word == from).for_each(|word| to.clone_into(word));
        }
    }
    draft
}

fn rename(attrs: &mut [DraftAttr], from: &str, to: &str) {
    for attr in attrs {
        match &mut attr.payload {
            Payload::Bytes(bytes) => {
                if name_of(bytes).as_deref() == Some(from) {
                    *bytes = [to.as_bytes(), &[0]].concat();
                }
            }
            Payload::Index(name) if name == from => to.clone_into(name),
            Payload::Index(_) => {}
            Payload::Nest(inner) => rename(inner, from, to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shorter_name_keeps_its_letters() {
        assert_eq!(shorter("bridge1234"), ["bridge0", "bridge1"]);
        assert_eq!(shorter("lo77"), ["lo0", "lo1", "lo7"]);
        assert_eq!(shorter("uplink"), ["u"]);
        assert!(shorter("lo1").is_empty() && shorter("x").is_empty());
    }

    #[test]
    fn bytes_that_are_no_text_are_no_name() {
        assert_eq!(name_of(b"lo1\0").as_deref(), Some("lo1"));
        for other in [&b"lo1"[..], b"\0", b"", b"a b\0", b"a\0b\0", b"a-name-of-17-bytes\0"] {
            assert_eq!(name_of(other), None, "{other:?}");
        }
    }
}
