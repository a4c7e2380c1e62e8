// SPDX-License-Identifier: BSD-2-Clause
//! Two cells' answers beside each other: what differs, each difference once, and what explains it.

use std::collections::{BTreeMap, BTreeSet};

use super::answers::{Answer, Answers};
use super::finding::{Class, Comparison, Difference, NotCompared};
use crate::file::FileError;
use crate::golden::{Change, Place, changes};

/// The place of a difference that is no message's: that a guest is lost.
const GUEST: &str = "the guest";

/// What explains a difference, or why nothing does.
pub(super) type Explained = (Class, String);

/// Explains the differences of a vector between the first text and the second one.
pub(super) type Explain<'a> = dyn FnMut(&str, &str, &str) -> Result<Vec<(Change, Explained)>, FileError> + 'a;

/// Differences that are one: alike in attribute, sides and explanation.
type Key = (Class, String, Option<String>, Option<String>, String);

#[derive(Default)]
struct Gathered {
    messages: BTreeSet<String>,
    vectors: BTreeSet<String>,
}

/// Compares the answers of two cells, whose names are for people.
pub(super) fn compare(
    [(old_name, old), (new_name, new)]: [(&str, &Answers); 2],
    explain: &mut Explain<'_>,
) -> Result<Comparison, FileError> {
    let mut comparison = Comparison::default();
    let mut gathered: BTreeMap<Key, Gathered> = BTreeMap::new();
    let mut left: BTreeMap<(bool, String), Vec<String>> = BTreeMap::new();
    let ids: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for id in ids {
        let mut leave = |unexplained: bool, reason: String| {
            left.entry((!unexplained, reason)).or_default().push(id.clone());
        };
        let mut add = |change: Change, (class, because): Explained| {
            let Place { message, attr } = change.place;
            // An attribute that differs alike in a reply and in an event is one difference.
            let place = if attr.is_empty() { format!("\0{message}") } else { attr };
            let of_it = gathered.entry((class, place, change.from, change.to, because)).or_default();
            of_it.messages.insert(message);
            of_it.vectors.insert(id.clone());
        };
        match (old.get(id), new.get(id)) {
            (Some(Answer::Said(one)), Some(Answer::Said(other))) => {
                comparison.compared.push(id.clone());
                if one != other {
                    comparison.differing.push(id.clone());
                }
                for (change, explained) in explain(id, one, other)? {
                    add(change, explained);
                }
            }
            (Some(Answer::Lost), Some(Answer::Said(_))) => add(guest("is lost", "lives"), stated()),
            (Some(Answer::Said(_)), Some(Answer::Lost)) => add(guest("lives", "is lost"), stated()),
            (Some(Answer::Lost), Some(Answer::Lost)) => {
                leave(false, "both guests are lost in it, as the vector states".into());
            }
            (Some(Answer::Hole(reason)), _) => leave(true, format!("{old_name}: {reason}")),
            (_, Some(Answer::Hole(reason))) => leave(true, format!("{new_name}: {reason}")),
            (Some(Answer::NotRun(one)), Some(Answer::NotRun(other))) if one == other => {
                leave(false, one.clone());
            }
            (Some(Answer::NotRun(reason)), _) => leave(false, format!("{old_name}: {reason}")),
            (_, Some(Answer::NotRun(reason))) => leave(false, format!("{new_name}: {reason}")),
            (None, _) => leave(false, format!("not selected in the run of {old_name}")),
            (_, None) => leave(false, format!("not selected in the run of {new_name}")),
        }
    }
    for one in gathered.into_iter().map(difference) {
        let same = |other: &&mut Difference| {
            let sides = (&other.from, &other.to, other.class, &other.because);
            sides == (&one.from, &one.to, one.class, &one.because)
                && (&other.messages, &other.vectors) == (&one.messages, &one.vectors)
                && !other.attributes.is_empty()
                && !one.attributes.is_empty()
        };
        // A set of bits is said twice, by its mask and by its value.
        match comparison.differences.iter_mut().find(same) {
            Some(other) => other.attributes.extend(one.attributes),
            None => comparison.differences.push(one),
        }
    }
    comparison.differences.sort_by_key(|one| (one.class, std::cmp::Reverse(one.vectors.len())));
    let left = left.into_iter();
    comparison.not_compared = left
        .map(|((explained, reason), vectors)| NotCompared { reason, unexplained: !explained, vectors })
        .collect();
    Ok(comparison)
}

fn difference(((class, place, from, to, because), of_it): (Key, Gathered)) -> Difference {
    let attributes = if place.starts_with('\0') { Vec::new() } else { vec![place] };
    let (messages, vectors) = (of_it.messages.into_iter().collect(), of_it.vectors.into_iter().collect());
    Difference { messages, attributes, from, to, class, because, vectors }
}

fn guest(from: &str, to: &str) -> Change {
    let place = Place { message: GUEST.to_owned(), attr: String::new() };
    Change { place, from: Some(from.to_owned()), to: Some(to.to_owned()) }
}

/// The explanation of a guest that is lost: a loss that is not stated is a hole.
fn stated() -> Explained {
    (Class::Declared, "the vector states it (loses)".into())
}

/// The differences between two texts. What differs in no message and no attribute, such as the order of lines, is one
/// difference as well: texts that differ are never equal.
pub(super) fn all_changes(from: &str, to: &str) -> Vec<Change> {
    let found = changes(from, to);
    if !found.is_empty() || from == to {
        return found;
    }
    let mut pairs = from.lines().map(Some).chain([None]).zip(to.lines().map(Some).chain([None]));
    let (from, to) = pairs.find(|(one, other)| one != other).unwrap_or_default();
    let [from, to] = [from, to].map(|line| line.map(|line| line.trim().to_owned()));
    vec![Change { place: Place { message: "a line of the trace".into(), attr: String::new() }, from, to }]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(all: &[(&str, Answer)]) -> Answers {
        all.iter().map(|(id, answer)| ((*id).to_owned(), answer.clone())).collect()
    }

    fn said(mtu: u32) -> Answer {
        Answer::Said(format!(
            "step 0\n  < newlink - a=1\n      mtu {mtu}\n  * link: newlink - a=1\n      mtu {mtu}\n"
        ))
    }

    fn unexplained(_: &str, from: &str, to: &str) -> Result<Vec<(Change, Explained)>, FileError> {
        let reason = || (Class::Unexplained, "nothing explains it".to_owned());
        Ok(all_changes(from, to).into_iter().map(|change| (change, reason())).collect())
    }

    #[test]
    fn a_difference_is_told_once_with_its_messages_and_vectors() {
        let old = answers(&[("a", said(1)), ("b", said(1)), ("c", said(1))]);
        let new = answers(&[("a", said(2)), ("b", said(2)), ("c", said(1))]);
        let found = compare([("old", &old), ("new", &new)], &mut unexplained).unwrap();
        assert_eq!(found.compared, ["a", "b", "c"]);
        assert_eq!(found.differing, ["a", "b"]);
        assert_eq!(found.differences.len(), 1, "{:?}", found.differences);
        let one = &found.differences[0];
        assert_eq!((one.attributes.join(" ").as_str(), one.vectors.len()), ("mtu", 2));
        assert_eq!(one.messages, ["* link: newlink", "< newlink"]);
        assert_eq!(one.line(), "mtu (* link: newlink, < newlink): 1 -> 2 in 2 vectors: nothing explains it");
    }

    #[test]
    fn what_cannot_be_compared_has_its_reason_and_a_hole_is_unexplained() {
        let hole = || Answer::Hole("a record is missing".into());
        let not_run = |why: &str| Answer::NotRun(why.into());
        let old = answers(&[
            ("a", said(1)),
            ("b", hole()),
            ("c", not_run("needs x")),
            ("d", Answer::Lost),
            ("e", Answer::Lost),
            ("f", said(1)),
        ]);
        let new = answers(&[
            ("a", hole()),
            ("b", said(1)),
            ("c", not_run("needs x")),
            ("d", Answer::Lost),
            ("e", said(1)),
            ("g", said(1)),
        ]);
        let found = compare([("old", &old), ("new", &new)], &mut unexplained).unwrap();
        let told: Vec<_> = found
            .not_compared
            .iter()
            .map(|one| format!("{} {} {}", one.unexplained, one.vectors.join(" "), one.reason))
            .collect();
        assert_eq!(
            told,
            [
                "true a new: a record is missing",
                "true b old: a record is missing",
                "false d both guests are lost in it, as the vector states",
                "false c needs x",
                "false f not selected in the run of new",
                "false g not selected in the run of old",
            ]
        );
        assert_eq!(found.differences.len(), 1);
        assert_eq!(found.differences[0].class, Class::Declared);
        assert_eq!(
            found.differences[0].line(),
            "the guest: is lost -> lives in 1 vector: the vector states it (loses)"
        );
    }

    #[test]
    fn texts_that_differ_never_pass_for_equal() {
        assert_eq!(all_changes("step 0\n", "step 0\n"), []);
        let found = all_changes("step 0\n", "step 1\n");
        assert_eq!((found[0].from.as_deref(), found[0].to.as_deref()), (Some("step 0"), Some("step 1")));
        assert_eq!(all_changes("step 0\n", "step 0").len(), 1, "a final newline counts");
    }
}
