// SPDX-License-Identifier: BSD-2-Clause
//! What has to stay while a vector becomes small, and whether an answer shows it.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use crate::fuzz::{Answer, difference_keys};

/// What has to stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// Two targets answer differently, in the same place.
    Differs,
    /// The kernel panics, in the same place.
    Panics,
    /// The guest is lost in another way: it hangs, say.
    Lost,
    /// The kernel trace breaks the same rule.
    Violated,
    /// An answer is not well-formed, in the same place.
    Malformed,
    /// The kernel complains of the same on its console.
    Complains,
    /// This text stands in the conversation, or on the console of a kernel that panics or complains.
    Text(String),
}

impl Keep {
    /// The words that are no text.
    pub const WORDS: [(&'static str, Keep); 6] = [
        ("differs", Keep::Differs),
        ("panics", Keep::Panics),
        ("lost", Keep::Lost),
        ("violated", Keep::Violated),
        ("malformed", Keep::Malformed),
        ("complains", Keep::Complains),
    ];
}

impl FromStr for Keep {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let word = Keep::WORDS.into_iter().find(|(word, _)| *word == text);
        Ok(word.map_or_else(|| Keep::Text(text.to_owned()), |(_, keep)| keep))
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Keep::WORDS.iter().find(|(_, keep)| keep == self) {
            Some((word, _)) => f.write_str(word),
            None => match self {
                Keep::Text(text) => write!(f, "'{text}'"),
                _ => Ok(()),
            },
        }
    }
}

/// Whether an answer shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The answer does: names of what it shows, the first of them first. A text has no name.
    Shows(Vec<String>),
    /// The answer does not.
    Not,
    /// Nobody can say: the reason.
    Unclear(String),
}

impl Verdict {
    /// Whether it is shown, and is the same as what has this name.
    pub fn is_of(&self, wanted: Option<&str>) -> bool {
        match self {
            Verdict::Shows(names) => wanted.is_none_or(|wanted| names.iter().any(|name| name == wanted)),
            Verdict::Not | Verdict::Unclear(_) => false,
        }
    }

    fn of(names: Vec<String>) -> Verdict {
        if names.is_empty() { Verdict::Not } else { Verdict::Shows(names) }
    }
}

/// A loss of a kernel that panicked ([`Loss::kind`](crate::targets::Loss::kind)).
const PANICKED: &str = "panicked";

impl Keep {
    /// Judges the answers to one request: that of the target, and of the one that it is compared with.
    pub fn judge(&self, answer: &Answer, other: Option<&Answer>) -> Verdict {
        let loss = answer.loss.as_ref();
        let unclear = |answer: &Answer| {
            let lost = answer.loss.as_ref().map(|loss| format!("the guest was lost ({})", loss.kind));
            Verdict::Unclear(lost.or_else(|| answer.hole.clone()).unwrap_or_else(|| "no answer".into()))
        };
        let alive = answer.seen.is_some();
        match self {
            Keep::Panics | Keep::Lost => match loss {
                Some(loss) if (loss.kind == PANICKED) == (*self == Keep::Panics) => {
                    Verdict::Shows(vec![loss.fingerprint.clone()])
                }
                None if alive => Verdict::Not,
                _ => unclear(answer),
            },
            Keep::Text(text) => {
                let complaints = answer.complaints.iter().map(|complaint| &complaint.text);
                let rules = answer.violations.iter().chain(&answer.malformed).map(|(_, text)| text);
                let seen = answer.seen.iter().chain(loss.map(|loss| &loss.text));
                match seen.chain(complaints).chain(rules).any(|said| said.contains(text)) {
                    true => Verdict::Shows(Vec::new()),
                    // What does not stand in a whole conversation, or in what a panic said, is not there.
                    false
                        if (alive && answer.hole.is_none())
                            || loss.is_some_and(|loss| loss.kind == PANICKED) =>
                    {
                        Verdict::Not
                    }
                    false => unclear(answer),
                }
            }
            _ if !alive => unclear(answer),
            Keep::Violated => Verdict::of(names(&answer.violations)),
            Keep::Malformed => Verdict::of(names(&answer.malformed)),
            Keep::Complains => {
                Verdict::of(answer.complaints.iter().map(|complaint| complaint.fingerprint.clone()).collect())
            }
            Keep::Differs => match other {
                None => Verdict::Unclear("nothing to compare with".into()),
                Some(other) if other.seen.is_none() => unclear(other),
                Some(other) => differs(answer, other, unclear),
            },
        }
    }
}

fn names(found: &[(String, String)]) -> Vec<String> {
    found.iter().map(|(name, _)| name.clone()).collect()
}

/// What differs: what only one of them has malformed, then the places of the conversation.
fn differs(one: &Answer, two: &Answer, unclear: impl Fn(&Answer) -> Verdict) -> Verdict {
    let odd = |one: &Answer, two: &Answer| {
        let names = names(&one.malformed).into_iter();
        names.filter(|name| two.malformed.iter().all(|(other, _)| other != name)).collect::<Vec<_>>()
    };
    let found = [odd(one, two), odd(two, one)].concat();
    if !found.is_empty() {
        return Verdict::Shows(found);
    }
    match (&one.text, &two.text) {
        (Some(first), Some(second)) => Verdict::of(difference_keys(first, second)),
        (None, _) => unclear(one),
        (_, None) => unclear(two),
    }
}
