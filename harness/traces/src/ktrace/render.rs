// SPDX-License-Identifier: BSD-2-Clause
//! A kernel trace as text, which goldens hold: steps, in each its threads, in each what it passed, one level deeper
//! inside each span.
//!
//! ```text
//! step 0
//!   T0
//!     request-in message=getlink flags=request seq=+0 pid=$self len=32
//!       request-parsed message=getlink index=$lo0 name=-
//!       ...
//!     request-out message=getlink seq=+0 errno=0
//! ```
//! The order within one thread is the kernel's; threads of a step stand one after the other, because nothing promises
//! an order between them.

use std::collections::HashMap;

use super::event::KernelTrace;
use super::passes::of_the_vector;
use super::table::{Probe, Span};

impl KernelTrace {
    /// The trace as text: what belongs to the vector.
    ///
    /// Threads are named within a step alone, requests' first: which of the kernel's threads does something the next
    /// time is chance, and so is which of two is first.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut depths: HashMap<u32, Open> = HashMap::new();
        let all = of_the_vector(self);
        let mut steps: Vec<Option<u32>> = all.iter().map(|event| event.step).collect();
        steps.sort_unstable();
        steps.dedup();
        for step in steps {
            let events = || all.iter().filter(|event| event.step == step);
            match step {
                Some(number) => text.push_str(&format!("step {number}\n")),
                None => text.push_str("outside any step\n"),
            }
            let mut threads: Vec<u32> = events().map(|event| event.tid).collect();
            threads.sort_unstable();
            threads.dedup();
            let mut blocks: Vec<(bool, String)> = Vec::new();
            for thread in threads {
                let mut block = String::new();
                let depth = depths.entry(thread).or_default();
                let of_thread = || events().filter(|event| event.tid == thread);
                for event in of_thread() {
                    let level = level(event.probe, depth);
                    block.push_str(&format!("{}{}\n", "  ".repeat(2 + level), event.text()));
                }
                blocks.push((!of_thread().any(|event| event.probe.name == "request-in"), block));
            }
            blocks.sort();
            for (number, (_, block)) in blocks.iter().enumerate() {
                text.push_str(&format!("  T{number}\n{block}"));
            }
        }
        text
    }
}

/// The spans that a thread is inside of.
pub(super) type Open = Vec<&'static str>;

/// The level of a firing of the probe. An end without a beginning, of a span whose beginning nobody tells, ends
/// nothing.
pub(super) fn level(probe: &'static Probe, open: &mut Open) -> usize {
    match &probe.span {
        Some(Span::Opens(span)) => {
            open.push(span);
            open.len() - 1
        }
        Some(Span::Closes(span)) => {
            if let Some(place) = open.iter().rposition(|name| name == span) {
                open.truncate(place);
            }
            open.len()
        }
        None => open.len(),
    }
}

#[cfg(test)]
mod tests {
    use iface_core::Probe;

    use super::super::event::tests::record;
    use super::*;

    #[test]
    fn spans_indent_and_threads_stand_apart() {
        let enter = |step, t_ns, tid| record(step, t_ns, tid, Probe::EpochEnter { depth: 1 });
        let exit = |step, t_ns, tid| record(step, t_ns, tid, Probe::EpochExit { depth: 1 });
        let end = |t_ns| record(0, t_ns, 0, Probe::HandBack { errno: 0 });
        let records = [enter(0, 1, 0), enter(0, 2, 1), end(3), exit(0, 4, 1), exit(0, 5, 0), enter(1, 6, 0)];
        assert_eq!(
            KernelTrace::from_records(&records).to_text(),
            "step 0\n  T0\n    epoch-enter depth=1\n      hand-back errno=0\n    epoch-exit depth=1\n  \
             T1\n    epoch-enter depth=1\n    epoch-exit depth=1\nstep 1\n  T0\n    epoch-enter depth=1\n"
        );
    }

    #[test]
    fn which_thread_it_was_and_which_of_two_came_first_is_no_difference() {
        let request = |t_ns, tid| {
            record(0, t_ns, tid, Probe::RequestIn { message: 18, flags: 1, seq: 0, pid: 0, len: 16 })
        };
        let back = |t_ns, tid, errno| record(0, t_ns, tid, Probe::HandBack { errno });
        let text = |records: &[_]| {
            let mut trace = KernelTrace::from_records(records);
            super::super::normalise(&mut trace, &super::super::Program::default(), |_| 0);
            trace.to_text()
        };
        let one = text(&[back(1, 40, 2), back(2, 50, 1), request(3, 60)]);
        let other = text(&[request(1, 9), back(2, 8, 1), back(3, 7, 2)]);
        assert_eq!(one, other);
        assert!(one.starts_with("step 0\n  T0\n    request-in"), "{one}");
        assert_ne!(one, text(&[request(1, 9), back(2, 8, 1), back(3, 8, 2)]));
    }
}
