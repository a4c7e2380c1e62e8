// SPDX-License-Identifier: BSD-2-Clause
//! What came of one request in one place, as far as it is judged.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use nlproof_agent::{Body, Record};
use nlproof_wire::strict::{self, Options};
use sha2::{Digest as _, Sha256};

use super::world::OS;
use crate::matrix::VectorRun;
use crate::targets::{Complaint, Loss, complaints_in};
use crate::trace::{Lossy, messages};

/// What came of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The normalised trace; `None`: there is none, or it has a hole.
    pub text: Option<String>,
    /// The normalised trace, even if it has a hole; `None`: the request was not made, or the guest was lost.
    pub seen: Option<String>,
    /// What is in it, without values: a number for each kind of message.
    pub shapes: BTreeSet<u64>,
    /// Blocks that ran for the first time in this guest.
    pub blocks: Vec<u64>,
    /// Rules that the kernel trace breaks: what names them, and all that is known.
    pub violations: Vec<(String, String)>,
    /// What is wrong with the form of what was answered: what names it, and all that is known.
    pub malformed: Vec<(String, String)>,
    /// The step whose answer has no end.
    pub unended: Option<u32>,
    /// What the kernel complained of meanwhile.
    pub complaints: Vec<Complaint>,
    /// How the guest was lost.
    pub loss: Option<Loss>,
    /// Why nothing is known, if so: the request does not apply there, or the trace has another hole.
    pub hole: Option<String>,
}

impl Answer {
    /// Of a request that has run.
    pub fn of(run: &VectorRun<'_>) -> Answer {
        let lost = run.trace.loss();
        let seen = run.trace.to_text();
        let text = lost.is_none().then(|| seen.clone());
        Answer {
            seen: Some(seen),
            shapes: text.as_deref().map(shapes).unwrap_or_default(),
            text,
            blocks: Vec::new(),
            // Without a trace there is nothing that rules could be held against.
            violations: run
                .violations
                .iter()
                .filter(|_| run.kernel.present)
                .map(|violation| {
                    let probe = violation.probe.map_or("", |probe| probe.name.as_str());
                    (format!("{} ({probe})", violation.rule), violation.to_string())
                })
                .collect(),
            malformed: malformed(&run.records),
            unended: match lost {
                Some((step, Lossy::Timeout)) => step,
                _ => None,
            },
            complaints: complaints_in(&run.vector.id, &run.records),
            loss: None,
            hole: lost.map(|(_, lossy)| lossy.to_string()),
        }
    }

    /// Of a guest that was lost in it.
    pub fn lost(loss: Loss) -> Answer {
        Answer { loss: Some(loss), ..Answer::default() }
    }

    /// Of a request that was not made.
    pub fn without(why: String) -> Answer {
        Answer { hole: Some(why), ..Answer::default() }
    }
}

/// A word or value without what differs between two requests of one kind: numbers, names, texts.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut quoted = false;
    let mut digits = false;
    for c in text.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                plain.push(c);
                digits = false;
            }
            _ if quoted => {}
            '0'..='9' => {
                if !digits {
                    plain.push('N');
                }
                digits = true;
            }
            // The rest of a number in hex.
            'a'..='f' | 'x' if digits => {}
            c => {
                plain.push(c);
                digits = false;
            }
        }
    }
    plain
}

/// What is in a trace: a number for each kind of message that was heard, with its attributes and the error's own words.
fn shapes(text: &str) -> BTreeSet<u64> {
    let heard = messages(text).into_iter().filter(|message| message.head.starts_with(['<', '*']));
    let shape = |message: crate::trace::Message<'_>| {
        let mut hash = Sha256::new();
        hash.update(plain(message.head));
        let mut attrs: Vec<_> = message
            .attrs
            .iter()
            .map(|(path, value)| match path.as_str() {
                // What the kernel says of itself is another way through it.
                "msg" => format!("{path} {}", plain(&value.replace('"', "'"))),
                "request" => format!("{path} {}", value.split(' ').next().unwrap_or_default()),
                _ => path.clone(),
            })
            .collect();
        attrs.sort();
        attrs.dedup();
        for attr in attrs {
            hash.update([0]);
            hash.update(attr);
        }
        let digest = hash.finalize();
        digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    heard.map(shape).collect()
}

/// What is wrong with the form of answers and events.
fn malformed(records: &[Record]) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for record in records {
        let (Body::Reply { data, .. } | Body::Event { data, .. } | Body::Race { data, .. }) = &record.body
        else {
            continue;
        };
        strict::faults(OS, data, Options { unknown: true }, &mut |fault| {
            let text = fault.to_string();
            let place = [fault.message, fault.attr].map(Option::unwrap_or_default).join(" ");
            let kind = plain(&fault.what.to_string());
            let key = format!("{}: {kind}", place.trim());
            if found.iter().all(|(known, _)| *known != key) {
                found.push((key, text));
            }
            ControlFlow::Continue(())
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_between_two_requests_of_a_kind_is_no_shape() {
        let one = "step 0\n  > newlink\n  < error seq=+0 error=EINVAL\n      msg \"bad mtu 7\"\n";
        let same = "step 1\n  < error seq=+1 error=EINVAL\n      msg \"bad mtu 12\"\n";
        let other = "step 0\n  < error seq=+0 error=EPERM\n      msg \"bad mtu 7\"\n";
        let more = "step 0\n  < error seq=+0 error=EINVAL\n      msg \"bad mtu 7\"\n      offset 4\n";
        assert_eq!(shapes(one), shapes(same));
        assert_eq!(shapes(one).len(), 1);
        assert_ne!(shapes(one), shapes(other));
        assert_ne!(shapes(one), shapes(more));
    }

    #[test]
    fn numbers_and_texts_are_not_plain() {
        assert_eq!(plain("mtu 1500 name \"lo10\" 0xfe12 x"), "mtu N name \"\" N x");
    }
}
