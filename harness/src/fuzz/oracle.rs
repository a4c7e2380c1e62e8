// SPDX-License-Identifier: BSD-2-Clause
//! What is wrong with answers, as far as can be said without a golden.

use std::fmt;

use nlproof_base::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::answer::{Answer, plain};
use super::comparable::{comparable, without_events};
use super::lane::{Code, Side};
use crate::golden::{Change, changes};
use crate::vector::LossCode;

/// Lines that are shown of a difference, and letters of each: what a kernel lets slip may be much of its memory.
const SHOWN: usize = 12;
const LETTERS: usize = 160;

/// How something is known to be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Oracle {
    /// The guest dies.
    Lost,
    /// The kernel complains on its console.
    Complaint,
    /// The kernel trace breaks a rule.
    Rule,
    /// An answer is not well-formed, or has what no table knows.
    Malformed,
    /// The same request is answered otherwise when other things went before: memory of the kernel, say.
    Unstable,
    /// An answer has no end.
    NoEnd,
    /// The stock code and the Rust-backed module differ.
    Module,
    /// The kernel and the simulator differ.
    Simulator,
}

impl Oracle {
    /// The word in names of files.
    pub fn word(self) -> &'static str {
        match self {
            Oracle::Lost => "lost",
            Oracle::Complaint => "complaint",
            Oracle::Rule => "rule",
            Oracle::Malformed => "malformed",
            Oracle::Unstable => "unstable",
            Oracle::NoEnd => "no-end",
            Oracle::Module => "module",
            Oracle::Simulator => "simulator",
        }
    }
}

impl fmt::Display for Oracle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Oracle::Lost => "the guest is lost",
            Oracle::Complaint => "the kernel complains",
            Oracle::Rule => "the kernel trace breaks a rule",
            Oracle::Malformed => "an answer is malformed",
            Oracle::Unstable => "the same request is answered otherwise the second time",
            Oracle::NoEnd => "an answer has no end",
            Oracle::Module => "stock code and module differ",
            Oracle::Simulator => "kernel and simulator differ",
        })
    }
}

/// Something that looks wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspicion {
    /// By what.
    pub oracle: Oracle,
    /// The side of which it is said, as its place.
    pub side: usize,
    /// The side that it was compared with.
    pub other: Option<usize>,
    /// What names it: equal for the same fault, whatever request shows it.
    pub key: String,
    /// All that is known, for people.
    pub text: String,
}

impl Suspicion {
    /// A short name for it, equal for the same fault in every release.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.oracle.word());
        hash.update([0]);
        hash.update(&self.key);
        hex(&hash.finalize()[..6])
    }

    /// The sides that have to run a request for it to be seen.
    pub fn sides(&self) -> Vec<usize> {
        [Some(self.side), self.other].into_iter().flatten().collect()
    }
}

/// What is wrong with the answers to one request: `answers` has one for each side that was asked, `again` those to the same
/// request at another time.
pub fn suspicions(sides: &[Side], answers: &[Option<&Answer>], again: &[Option<&Answer>]) -> Vec<Suspicion> {
    let mut found = Vec::new();
    let answer_of = |side: usize| answers.get(side).copied().flatten();
    for (place, side) in sides.iter().enumerate() {
        let Some(answer) = answer_of(place) else { continue };
        if side.code != Code::Sim || !answer.violations.is_empty() {
            alone(place, answer, &mut found);
        }
        if let Some(again) = again.get(place).copied().flatten() {
            differ(sides, Oracle::Unstable, (place, answer), (place, again), &mut found);
        }
    }
    for (place, side) in sides.iter().enumerate() {
        let Some(answer) = answer_of(place) else { continue };
        for (other_place, other) in sides.iter().enumerate() {
            let Some(other_answer) = answer_of(other_place) else { continue };
            if let Some(oracle) = compared(side, other, sides) {
                differ(sides, oracle, (place, answer), (other_place, other_answer), &mut found);
            }
        }
    }
    found
}

/// Whether the second side has to answer as the first one does.
fn compared(side: &Side, other: &Side, all: &[Side]) -> Option<Oracle> {
    let stock = Code::Kernel(LossCode::Stock);
    let rust = Code::Kernel(LossCode::Rust);
    let same_release = |other: &Side| side.release == other.release;
    let alike = side.profile == other.profile && side.layer == other.layer;
    if side.code == stock && other.code == rust && same_release(other) {
        return Some(Oracle::Module);
    }
    // The module is compared with the simulator where there is no stock code to be compared with.
    let stands_alone = !all.iter().any(|third| third.code == stock && same_release(third));
    let is_kernel = side.code == stock || (side.code == rust && stands_alone);
    (is_kernel && other.code == Code::Sim && alike).then_some(Oracle::Simulator)
}

/// What is wrong with an answer by itself.
fn alone(side: usize, answer: &Answer, found: &mut Vec<Suspicion>) {
    let mut say = |oracle, key: String, text: String| {
        found.push(Suspicion { oracle, side, other: None, key, text });
    };
    if let Some(loss) = &answer.loss {
        say(Oracle::Lost, loss.fingerprint.clone(), loss.text.clone());
    }
    for complaint in &answer.complaints {
        say(Oracle::Complaint, complaint.fingerprint.clone(), complaint.text.clone());
    }
    for (key, text) in &answer.violations {
        say(Oracle::Rule, key.clone(), text.clone());
    }
    for (key, text) in &answer.malformed {
        say(Oracle::Malformed, key.clone(), text.clone());
    }
    if let Some(step) = answer.unended {
        say(Oracle::NoEnd, "no end".into(), format!("nothing ends the answer of step {step}"));
    }
}

/// Compares two answers, if both are known and well-formed: what else a malformed one has is no other fault.
fn differ(
    sides: &[Side],
    oracle: Oracle,
    one: (usize, &Answer),
    two: (usize, &Answer),
    found: &mut Vec<Suspicion>,
) {
    let (Some(first), Some(second)) = (&one.1.text, &two.1.text) else { return };
    if first == second || !one.1.malformed.is_empty() || !two.1.malformed.is_empty() {
        return;
    }
    let several =
        [one.0, two.0].iter().any(|place| sides.get(*place).is_some_and(|side| side.several_processors));
    let text = |text: &str| match several {
        // Hardware addresses are numbered as they come: in what is left.
        true => comparable(&without_events(text)),
        false => comparable(text),
    };
    let (first, second) = (text(first), text(second));
    // What was sent is told otherwise, because an index is that of an interface here and not there.
    let Some(key) = difference_keys(&first, &second).into_iter().next() else { return };
    let diff = similar::TextDiff::from_lines(first.as_str(), second.as_str());
    let lines: Vec<String> = diff
        .iter_all_changes()
        .filter(|change| change.tag() != similar::ChangeTag::Equal)
        .map(|change| format!("{}{}", change.tag(), change.value().trim_end()))
        .map(|line| match line.char_indices().nth(LETTERS) {
            Some((end, _)) => format!("{}... ({} bytes)", &line[..end], line.len()),
            None => line,
        })
        .collect();
    let mut text = lines.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n");
    if lines.len() > SHOWN {
        text.push_str(&format!("\n({} lines more)", lines.len() - SHOWN));
    }
    let other = (one.0 != two.0).then_some(two.0);
    found.push(Suspicion { oracle, side: one.0, other, key, text });
}

/// What names each difference between two conversations, the first one first; without numbers.
pub fn difference_keys(first: &str, second: &str) -> Vec<String> {
    let changes = changes(first, second);
    let heard = |change: &&Change| !change.place.message.starts_with('>');
    let side = |text: &Option<String>| text.as_deref().map_or("nothing".into(), essence);
    let key = |change: &Change| {
        format!("{}: {} / {}", plain(&change.place.to_string()), side(&change.from), side(&change.to))
    };
    let mut keys: Vec<String> = Vec::new();
    for key in changes.iter().filter(heard).map(key) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    if keys.is_empty() {
        let heard =
            |text: &'_ str| text.lines().filter(|line| is_heard(line)).map(str::to_owned).collect::<Vec<_>>();
        let odd = heard(first).into_iter().zip(heard(second)).find(|(one, two)| one != two);
        keys.extend(odd.map(|(one, two)| format!("{} / {}", plain(&one), plain(&two))));
    }
    keys
}

/// Whether a line says what was heard and not what was sent.
fn is_heard(line: &str) -> bool {
    line.trim_start().starts_with(['<', '*', '!', '='])
}

/// What of a line or value names a fault: its words, and errors by name, but no numbers.
fn essence(text: &str) -> String {
    let error = text.split_whitespace().find(|word| word.starts_with("error="));
    error.map_or_else(|| plain(text), str::to_owned)
}

#[cfg(test)]
mod tests {
    use iface_core::Profile;

    use super::*;
    use crate::targets::{Complaint, Loss};

    fn side(name: &str, code: Code) -> Side {
        Side {
            name: name.into(),
            release: "r".into(),
            profile: Profile::R15,
            layer: None,
            code,
            several_processors: false,
        }
    }

    fn sides() -> [Side; 3] {
        [
            side("stock", Code::Kernel(LossCode::Stock)),
            side("rust", Code::Kernel(LossCode::Rust)),
            side("sim", Code::Sim),
        ]
    }

    fn said(text: &str) -> Answer {
        Answer { text: Some(format!("step 0\n  < {text}\n")), ..Answer::default() }
    }

    fn words(answers: [&Answer; 3], again: &[Option<&Answer>]) -> Vec<(Oracle, usize, String)> {
        let found = suspicions(&sides(), &answers.map(Some), again);
        found.into_iter().map(|found| (found.oracle, found.side, found.key)).collect()
    }

    #[test]
    fn who_differs_is_told_and_who_does_not_is_not() {
        let (fine, bad) = (said("error error=EINVAL seq=+0"), said("error error=EPERM seq=+0"));
        assert_eq!(words([&fine, &fine, &fine], &[Some(&fine), None, None]), []);
        let key = "< error: error=EINVAL / error=EPERM".to_owned();
        assert_eq!(words([&fine, &bad, &fine], &[]), [(Oracle::Module, 0, key.clone())]);
        assert_eq!(words([&fine, &fine, &bad], &[]), [(Oracle::Simulator, 0, key.clone())]);
        assert_eq!(words([&fine, &fine, &fine], &[None, Some(&bad)]), [(Oracle::Unstable, 1, key)]);
    }

    #[test]
    fn the_module_alone_is_compared_with_the_simulator() {
        let (fine, bad) = (said("error error=EINVAL"), said("error error=EPERM"));
        let sides = &sides()[1..];
        let found = suspicions(sides, &[Some(&fine), Some(&bad)], &[]);
        assert_eq!((found.len(), found[0].oracle), (1, Oracle::Simulator));
    }

    #[test]
    fn events_of_several_processors_are_not_compared_and_replies_are() {
        let told = |mtu: u32, reply: &str| {
            said(&format!("{reply}\n  * link: newlink seq=0\n      mtu {mtu}\n  * link: newlink seq=0"))
        };
        let found = |several_processors: bool, two: &Answer| {
            let one = told(1500, "error error=0");
            let sides = sides().map(|side| Side { several_processors, ..side });
            suspicions(&sides, &[Some(&one), Some(two), None], &[]).len()
        };
        let (later, wrong) = (told(1501, "error error=0"), told(1500, "error error=EPERM"));
        assert_eq!((found(false, &later), found(true, &later)), (1, 0));
        assert_eq!((found(false, &wrong), found(true, &wrong)), (1, 1));
    }

    #[test]
    fn numbers_do_not_make_another_fault_of_one() {
        let key = |text: &str| {
            let (none, some) = (said("newlink seq=+0"), said(&format!("newlink seq=+0\n      mtu {text}")));
            let found = suspicions(&sides(), &[Some(&none), Some(&some), None], &[]);
            (found[0].fingerprint(), found[0].key.clone())
        };
        assert_eq!(key("1500"), key("9000"));
        assert_eq!(key("1500").1, "< newlink mtu: nothing / N");
    }

    #[test]
    fn what_is_wrong_by_itself_is_told() {
        let mut bad = said("done");
        bad.complaints =
            vec![Complaint { text: "reversal of a and b".into(), fingerprint: "reversal".into() }];
        bad.violations = vec![("held".into(), "r1 is held".into())];
        bad.malformed = vec![("ack: length".into(), "length 4".into())];
        bad.unended = Some(2);
        bad.loss = Some(Loss {
            kind: "panicked".into(),
            fingerprint: "page fault | f".into(),
            calls: vec![],
            text: "panic".into(),
        });
        let found = suspicions(&sides(), &[Some(&bad), None, None], &[]);
        let oracles: Vec<_> = found.iter().map(|found| found.oracle).collect();
        let all = [Oracle::Lost, Oracle::Complaint, Oracle::Rule, Oracle::Malformed, Oracle::NoEnd];
        assert_eq!(oracles, all);
        // Of the simulator only its trace is judged: that it differs from a kernel is told by comparison.
        let found = suspicions(&sides(), &[None, None, Some(&bad)], &[]);
        assert!(found.iter().any(|found| found.oracle == Oracle::Rule));
    }
}
