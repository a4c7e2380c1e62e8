// SPDX-License-Identifier: BSD-2-Clause
//! The cost of an answer of the module as a ratio to the stock code's: both in one guest, in turn, on a clock that
//! counts instructions.

use std::time::Duration;

use nlproof_agent::{NO_LIMIT_MS, Send, Step, Until};
use nlproof_base::counted;

use super::requests::{add_address, count, create, dump_addresses, dump_links, get_link, set_link};
use crate::targets::FreebsdTarget;
use crate::targets::TargetError;
use crate::targets::freebsd::host_stack::shell;

/// Limit for each turn of one kind of question. Under hardware virtualisation, which nobody uses for this.
const LIMIT: Duration = Duration::from_secs(120);
/// Limit for each interface and address made for it.
const REQUEST: Duration = Duration::from_millis(50);
/// The interface that has the addresses.
const OF_ADDRESSES: &str = "lo20000";

/// First address of the range for tests, 100.64.0.0 of RFC 6598. Not in 10.0.0.0/8: 10.0.2.2 is this host for a guest
/// of QEMU, which has lost it when it gives itself that address.
const ADDRESSES: u32 = 0x6440_0000;
/// Requests of one part of the preparation. The agent reports a part when it has ended.
const PART: usize = 500;

/// One kind of question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// RTM_GETADDR dump of this many addresses of an interface.
    Addresses(u32),
    /// RTM_GETLINK dump of this many interfaces besides the guest's own.
    Links(u32),
    /// RTM_GETLINK of one interface, this often.
    Link(u32),
}

/// The cost of one kind of question on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speed {
    /// The question.
    pub question: Question,
    /// Messages of an answer.
    pub messages: u64,
    /// Ticks of the stock code for each turn.
    pub stock: Vec<u64>,
    /// Ticks of the module for each turn.
    pub rust: Vec<u64>,
    /// Faults found.
    pub failed: Vec<String>,
}

impl Question {
    /// Name of the question in reports.
    pub fn name(self) -> String {
        match self {
            Self::Addresses(number) => format!("RTM_GETADDR dump of {}", counted(number, "address")),
            Self::Links(number) => format!("RTM_GETLINK dump of {}", counted(number, "interface")),
            Self::Link(number) => format!("RTM_GETLINK of one, {}", counted(number, "time")),
        }
    }

    /// Whether the answer has many messages. Of one message the way of the request to its handler is a large part.
    pub fn is_dump(self) -> bool {
        !matches!(self, Self::Link(_))
    }

    fn request(self) -> Send {
        match self {
            Self::Addresses(_) => dump_addresses(),
            Self::Links(_) => dump_links(),
            Self::Link(_) => get_link("lo0"),
        }
    }

    fn times(self) -> u32 {
        match self {
            Self::Addresses(_) | Self::Links(_) => 1,
            Self::Link(times) => times,
        }
    }

    /// Interfaces and addresses to make before this question, beyond those of earlier ones.
    fn preparation(self, links_before: u32) -> Vec<Send> {
        match self {
            Self::Addresses(addresses) => {
                let inet = |number: u32| add_address(OF_ADDRESSES, (ADDRESSES + number).to_be_bytes());
                let first = [create(OF_ADDRESSES), set_link(OF_ADDRESSES, true, 16_384)];
                first.into_iter().chain((1..=addresses).map(inet)).collect()
            }
            Self::Links(links) => {
                (links_before + 1..=links).map(|number| create(&format!("lo{number}"))).collect()
            }
            Self::Link(_) => Vec::new(),
        }
    }
}

impl Speed {
    /// Ticks of the module over those of the stock code: of the middle turn of each.
    pub fn ratio(&self) -> Option<f64> {
        ratio(&self.stock, &self.rust)
    }

    /// How far the turns of one side are apart, as a part of the middle one: the larger of both sides.
    pub fn spread(&self) -> f64 {
        let of = |ticks: &[u64]| -> f64 {
            let (Some(low), Some(high), Some(middle)) =
                (ticks.iter().min(), ticks.iter().max(), middle(ticks))
            else {
                return 0.0;
            };
            (high - low) as f64 / middle.max(1) as f64
        };
        of(&self.stock).max(of(&self.rust))
    }
}

/// Ticks of `other` over those of `base`: of the middle turn of each.
pub(super) fn ratio(base: &[u64], other: &[u64]) -> Option<f64> {
    let (base, other) = (middle(base)?, middle(other)?);
    (base > 0).then(|| other as f64 / base as f64)
}

/// The one in the middle.
pub fn middle(ticks: &[u64]) -> Option<u64> {
    let mut sorted = ticks.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

impl FreebsdTarget {
    /// Asks one kind of question in turn of the stock code and of the module, which is unloaded and loaded
    /// in between. `links_before`: so many interfaces an earlier question has made. `on_part` is told whenever a part of
    /// the preparation or a question has ended.
    ///
    /// # Errors
    /// The guest was lost.
    pub fn compare(
        &mut self,
        question: Question,
        turns: u32,
        links_before: u32,
        on_part: &mut dyn FnMut(),
    ) -> Result<Speed, TargetError> {
        let exec = |script: &str| Step::Exec { argv: shell(script), limit_ms: NO_LIMIT_MS };
        let ask = |times| count(vec![vec![question.request()]], Until::Requests(times), Vec::new(), 0);
        let mut steps = Vec::new();
        let preparation = question.preparation(links_before);
        let parts = preparation.chunks(PART);
        let prepared = parts.len();
        let requests = u32::try_from(preparation.len()).unwrap_or(u32::MAX);
        steps.extend(parts.map(|part| {
            let requests = u32::try_from(part.len()).unwrap_or(u32::MAX);
            count(vec![part.to_vec()], Until::Requests(requests), Vec::new(), 0)
        }));
        for _ in 0..turns {
            // The first answer after a change of code finds caches cold, and is not counted.
            steps.extend([exec("kldunload nlproof_iface"), ask(1), ask(question.times())]);
            steps.extend([exec("kldload /tmp/nlproof_iface.ko"), ask(1), ask(question.times())]);
        }
        let limit = LIMIT.saturating_mul(turns.max(1)) + REQUEST.saturating_mul(requests);
        let outcome = self.in_host_stack_shown(&question.name(), steps, Vec::new(), limit, on_part)?;
        let mut speed =
            Speed { question, messages: 0, stock: Vec::new(), rust: Vec::new(), failed: outcome.failed };
        let (preparation, turns_of) =
            outcome.counted.split_at_checked(prepared).unwrap_or((&outcome.counted, &[]));
        if preparation.iter().any(|part| part.errors > 0) {
            speed.failed.push("what the question needs could not be made".into());
        }
        let mut answers = Vec::new();
        for turn in turns_of.chunks_exact(4) {
            let [_, stock, _, rust] = turn else { continue };
            speed.stock.push(stock.ticks);
            speed.rust.push(rust.ticks);
            answers.extend([stock, rust].map(|counted| (counted.messages, counted.bytes)));
            if stock.errors + rust.errors > 0 {
                speed.failed.push("an answer was an error".into());
            }
        }
        if speed.rust.len() < turns as usize {
            speed.failed.push(format!(
                "only {} of {} came to the end",
                speed.rust.len(),
                counted(turns, "turn")
            ));
        }
        answers.dedup();
        speed.messages = answers.first().map_or(0, |(messages, _)| *messages);
        if answers.len() > 1 {
            speed.failed.push(format!("answers differ in messages or bytes: {answers:?}"));
        }
        Ok(speed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speed(stock: &[u64], rust: &[u64]) -> Speed {
        Speed {
            question: Question::Links(3),
            messages: 4,
            stock: stock.to_vec(),
            rust: rust.to_vec(),
            failed: Vec::new(),
        }
    }

    #[test]
    fn the_ratio_is_of_the_middle_turns() {
        assert_eq!(speed(&[100, 900, 200], &[100, 90, 10]).ratio(), Some(0.45));
        assert_eq!(speed(&[], &[]).ratio(), None);
        assert_eq!(speed(&[0], &[1]).ratio(), None);
        assert!((speed(&[100, 110, 100], &[50, 50, 50]).spread() - 0.1).abs() < 1e-9);
    }

    #[test]
    fn a_question_brings_what_it_asks_for() {
        assert_eq!(Question::Links(1000).preparation(0).len(), 1000);
        assert_eq!(Question::Links(10_000).preparation(1000).len(), 9000);
        assert_eq!(Question::Addresses(10).preparation(0).len(), 12);
        let last = Question::Addresses(1_000_000).preparation(0).pop().unwrap();
        assert!(last.data.windows(4).any(|bytes| bytes == [100, 79, 66, 64]), "{last:?}");
        assert!(Question::Link(5).preparation(0).is_empty());
        assert_eq!(Question::Link(5).times(), 5);
    }
}
