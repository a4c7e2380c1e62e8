// SPDX-License-Identifier: BSD-2-Clause
//! Programs of the agent that run in the guest's own network stack, and their results.

use std::time::Duration;

use nlproof_agent::{Batch, Body, Counted, Program, Record, Step};
use nlproof_base::counted;

use super::guest_target::FreebsdTarget;
use super::host_stack::in_host_stack;
use crate::targets::TargetError;
use crate::vm::Wait;

/// Results of steps in the guest's own network stack.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The counts of each [`Step::Count`], in order.
    pub(crate) counted: Vec<Counted>,
    /// Standard output of the commands, one after the other.
    pub(crate) output: String,
    /// Faults found.
    pub(crate) failed: Vec<String>,
    /// When the kernel's records were made, if it was traced: how many, the first and the last.
    pub(crate) traced: Traced,
}

/// What a traced kernel recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Traced {
    /// Records that were read.
    pub(crate) read: u64,
    /// Records that found no room; `None`: the kernel was not traced.
    pub(crate) lost: Option<u64>,
    /// When the first one was made, in nanoseconds of the guest's clock.
    pub(crate) first_ns: Option<u64>,
    /// When the last one was made.
    pub(crate) last_ns: u64,
}

impl FreebsdTarget {
    /// Runs steps in the guest's own network stack, as root.
    ///
    /// # Errors
    /// The guest was lost.
    pub(crate) fn in_host_stack(
        &mut self,
        what: &str,
        steps: Vec<Step>,
        groups: Vec<u32>,
        limit: Duration,
    ) -> Result<Outcome, TargetError> {
        self.run_outside(what, steps, groups, limit, false, &mut || ())
    }

    /// The same; `on_counted` is told when a [`Step::Count`] has ended.
    ///
    /// # Errors
    /// The guest was lost.
    pub(crate) fn in_host_stack_shown(
        &mut self,
        what: &str,
        steps: Vec<Step>,
        groups: Vec<u32>,
        limit: Duration,
        on_counted: &mut dyn FnMut(),
    ) -> Result<Outcome, TargetError> {
        self.run_outside(what, steps, groups, limit, false, on_counted)
    }

    /// The same, with the module's probes recorded and read after each step.
    ///
    /// # Errors
    /// The guest was lost.
    pub(crate) fn in_host_stack_traced(
        &mut self,
        what: &str,
        steps: Vec<Step>,
        limit: Duration,
    ) -> Result<Outcome, TargetError> {
        self.run_outside(what, steps, Vec::new(), limit, true, &mut || ())
    }

    fn run_outside(
        &mut self,
        what: &str,
        steps: Vec<Step>,
        groups: Vec<u32>,
        limit: Duration,
        kernel_trace: bool,
        on_counted: &mut dyn FnMut(),
    ) -> Result<Outcome, TargetError> {
        let program = Program { groups, kernel_trace, ..in_host_stack(what, steps) };
        let mut outcome = Outcome::default();
        let wait = Wait::new(format!("the end of {what}"), limit);
        let batch = Batch { programs: vec![program] };
        let mut on_record = |record: Record| {
            outcome.add(&record);
            if matches!(record.body, Body::Counted(_)) {
                on_counted();
            }
        };
        match self.tasks.drive(self.link.run(&batch, &wait, &mut self.vm, &mut on_record)) {
            Ok(()) => Ok(outcome),
            Err(error) => Err(self.lost(error)),
        }
    }
}

impl Outcome {
    fn add(&mut self, record: &Record) {
        match &record.body {
            Body::Counted(sum) => {
                if sum.answered != sum.asked {
                    let missing = counted(sum.asked - sum.answered, "request").verb("was", "were");
                    self.failed.push(format!("{missing} not answered, of {}", sum.asked));
                }
                self.counted.push(*sum);
            }
            Body::Exec { status, stdout, stderr } => {
                self.output.push_str(&String::from_utf8_lossy(stdout));
                let stderr = String::from_utf8_lossy(stderr);
                // A command that was to run until the requests end is killed.
                if !matches!(status, 0 | 137) || !stderr.trim().is_empty() {
                    self.failed.push(format!("a command ended with {status}: {}", stderr.trim()));
                }
            }
            Body::Kernel(_) => {
                self.traced.read += 1;
                self.traced.first_ns.get_or_insert(record.t_ns);
                self.traced.last_ns = self.traced.last_ns.max(record.t_ns);
            }
            Body::KernelLost { count } => {
                self.traced.lost = Some(self.traced.lost.unwrap_or(0).saturating_add(*count));
            }
            Body::Drop { .. } => self.failed.push("the kernel dropped messages for want of room".into()),
            Body::Timeout => self.failed.push("a request was not answered in time".into()),
            Body::Error { errno, text, .. } => self.failed.push(format!("{text} (errno {errno})")),
            Body::End { died: Some(status) } => {
                self.failed.push(format!("the agent's child died ({status})"))
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_answered_or_says_something_is_a_failure() {
        let record = |body| Record { program: 0, step: 0, t_ns: 0, body };
        let failed = |body| {
            let mut outcome = Outcome::default();
            outcome.add(&record(body));
            outcome.failed
        };
        let counted = Counted { asked: 5, answered: 5, ..Counted::default() };
        assert_eq!(failed(Body::Counted(counted)), [""; 0]);
        assert_eq!(
            failed(Body::Counted(Counted { answered: 3, ..counted })),
            ["2 requests were not answered, of 5"]
        );
        let exec = |status, stderr: &[u8]| Body::Exec { status, stdout: vec![], stderr: stderr.to_vec() };
        assert_eq!(failed(exec(0, b"")), [""; 0]);
        assert_eq!(failed(exec(137, b"")), [""; 0]);
        assert_eq!(failed(exec(1, b"no\n")), ["a command ended with 1: no"]);
        assert_eq!(failed(exec(0, b"hm")), ["a command ended with 0: hm"]);
        assert_eq!(failed(Body::End { died: Some(137) }).len(), 1);
    }
}
