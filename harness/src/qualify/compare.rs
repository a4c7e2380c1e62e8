// SPDX-License-Identifier: BSD-2-Clause
//! Two cells' answers beside each other: what differs, each difference once, and what explains it.

use std::collections::{BTreeMap, BTreeSet};

use super::answers::{Answer, Answers};
use super::finding::{Class, Comparison, Consequence, Difference, NotCompared};
use crate::file::FileError;
use crate::golden::{CapabilityForm, Change, Place, changes};

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
    comparison.differences = with_consequences(std::mem::take(&mut comparison.differences));
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
    Difference { messages, attributes, from, to, class, because, vectors, consequences: Vec::new() }
}

/// Puts what commands print to the difference on the wire that it follows from: ifconfig(8) shows the very word of
/// capabilities that messages have. A difference on the wire that is unexplained explains nothing that has a reason.
fn with_consequences(differences: Vec<Difference>) -> Vec<Difference> {
    let form = |one: &Difference| one.capabilities().map(|(_, form)| form);
    let (printed, mut causes): (Vec<_>, Vec<_>) =
        differences.into_iter().partition(|one| form(one) == Some(CapabilityForm::Output));
    let mut alone = Vec::new();
    for one in printed {
        let word = one.capabilities().map(|(word, _)| word);
        let is_cause = |cause: &&mut Difference| {
            cause.capabilities() == word.map(|word| (word, CapabilityForm::Message))
                && (cause.class == one.class || one.class == Class::Unexplained)
        };
        match causes.iter_mut().find(is_cause) {
            Some(cause) => {
                let all: BTreeSet<_> = cause.vectors.iter().chain(&one.vectors).cloned().collect();
                cause.vectors = all.into_iter().collect();
                cause.consequences.push(Consequence {
                    attribute: one.attributes.join(", "),
                    from: one.from.unwrap_or_default(),
                    to: one.to.unwrap_or_default(),
                    vectors: one.vectors,
                });
            }
            None => alone.push(one),
        }
    }
    causes.extend(alone);
    causes
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

    const BEFORE: &str =
        "step 0\n  < newlink - a=1\n      freebsd\n        caps\n          value 0x0b00600000000000\n";
    const PRINTED: &str = r#"step 0
  exec status=0
    out "\toptions=60000b<RXCSUM,TXCSUM,VLAN_MTU,RXCSUM_IPV6,TXCSUM_IPV6>"
"#;

    fn changed(text: &str) -> String {
        let text = text.replace("0x0b006", "0x1b006").replace("60000b<", "60001b<");
        text.replace("VLAN_MTU,", "VLAN_MTU,VLAN_HWTAGGING,")
    }

    #[test]
    fn what_a_command_prints_of_a_difference_is_its_consequence() {
        let texts = [("a", BEFORE), ("b", PRINTED)].map(|(id, text)| (id, text.to_owned()));
        let both = |id: &'static str| (id, format!("{BEFORE}{}", PRINTED.replace("step 0", "step 1")));
        let texts: Vec<_> = texts.into_iter().chain([both("c")]).collect();
        let said = |change: &dyn Fn(&str) -> String| -> Answers {
            texts.iter().map(|(id, text)| ((*id).to_owned(), Answer::Said(change(text)))).collect()
        };
        let old = said(&str::to_owned);
        let found = compare([("old", &old), ("new", &said(&changed))], &mut unexplained).unwrap();
        let [one] = found.differences.as_slice() else { panic!("{:?}", found.differences) };
        assert_eq!(one.attributes, ["freebsd caps value"]);
        assert_eq!(one.vectors, ["a", "b", "c"]);
        assert_eq!(one.consequences.len(), 1);
        assert_eq!(one.consequences[0].vectors, ["b", "c"]);
        assert!(one.line().contains(" in 3 vectors, 2 of them by what a command prints: "), "{}", one.line());
        // Another name than the bit's is a difference of its own.
        let other = said(&|text| changed(text).replace("HWTAGGING", "HWFILTER"));
        let found = compare([("old", &old), ("new", &other)], &mut unexplained).unwrap();
        assert_eq!(found.differences.len(), 2, "{:?}", found.differences);
        assert!(found.differences.iter().all(|one| one.consequences.is_empty()));
    }

    #[test]
    fn a_cause_without_a_reason_explains_nothing() {
        let said = |change: &dyn Fn(&str) -> String| {
            answers(&[("a", Answer::Said(change(BEFORE))), ("b", Answer::Said(change(PRINTED)))])
        };
        let (old, new) = (said(&str::to_owned), said(&changed));
        let of = |wire: Class, output: Class| {
            let mut explain = |id: &str, from: &str, to: &str| {
                let class = if id == "a" { wire } else { output };
                let all = all_changes(from, to).into_iter();
                Ok(all.map(|change| (change, (class, "x".to_owned()))).collect())
            };
            let found = compare([("old", &old), ("new", &new)], &mut explain).unwrap();
            found.differences.iter().map(|one| one.class).collect::<Vec<_>>()
        };
        assert_eq!(of(Class::Declared, Class::Unexplained), [Class::Declared]);
        assert_eq!(of(Class::Unexplained, Class::Declared), [Class::Unexplained, Class::Declared]);
    }

    /// What 15.1-RELEASE changed, by the goldens of both.
    #[test]
    fn between_15_0_and_15_1_there_is_one_difference() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
        let store = crate::golden::Store::new(&root);
        let (mut old, mut new) = (Answers::new(), Answers::new());
        for path in crate::file::files_below(&root.join("freebsd-15.0")).unwrap() {
            let inside = path.strip_prefix(root.join("freebsd-15.0")).unwrap();
            if inside.extension().is_none_or(|extension| extension != "trace") {
                continue;
            }
            let id = inside.with_extension("").to_str().unwrap().to_owned();
            let said = |layers: &[&str]| {
                let golden = layers.iter().find_map(|layer| store.read(layer, &id).unwrap());
                Answer::Said(golden.unwrap().body)
            };
            old.insert(id.clone(), said(&["freebsd-15.0"]));
            new.insert(id.clone(), said(&["freebsd-15", "common"]));
        }
        let found = compare([("15.0", &old), ("15.1", &new)], &mut unexplained).unwrap();
        let [one] = found.differences.as_slice() else { panic!("{:?}", found.differences) };
        assert_eq!(one.attributes, ["freebsd caps mask", "freebsd caps value"]);
        assert_eq!(one.vectors, old.keys().cloned().collect::<Vec<_>>());
        assert_eq!(one.consequences[0].vectors, ["clients/ifconfig-epair"]);
    }

    #[test]
    fn texts_that_differ_never_pass_for_equal() {
        assert_eq!(all_changes("step 0\n", "step 0\n"), []);
        let found = all_changes("step 0\n", "step 1\n");
        assert_eq!((found[0].from.as_deref(), found[0].to.as_deref()), (Some("step 0"), Some("step 1")));
        assert_eq!(all_changes("step 0\n", "step 0").len(), 1, "a final newline counts");
    }
}
