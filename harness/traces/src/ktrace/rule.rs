// SPDX-License-Identifier: BSD-2-Clause
//! The rules of kernel traces, and the message about a broken one.

use std::fmt;

use super::table::Probe;

/// A rule was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which rule.
    pub rule: Rule,
    /// The step of the culprit.
    pub step: Option<u32>,
    /// The probe of the record that broke it; `None` if that is no record of the kernel's.
    pub probe: Option<&'static Probe>,
    /// The record that broke it, or the last one.
    pub culprit: String,
    /// The request or event that it belongs to, if any.
    pub within: Option<String>,
}

/// The rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Each reference that a request takes is released before it ends.
    ReferenceReleased,
    /// No reference is released that was not taken.
    ReferenceTaken,
    /// The epoch is left as often as it is entered.
    EpochBalance,
    /// Nothing that may sleep happens inside the epoch.
    NoSleepInEpoch,
    /// Spans end in the reverse order in which they began.
    Nesting,
    /// Every request ends in exactly one of reply, error or dump end (or is carried out, and acknowledged).
    OneEnd,
    /// What the kernel says to a request is what the socket hears.
    EndIsHeard,
    /// Every event has a cause: something that the kernel told, in a step that asked for something.
    EventHasCause,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rule::ReferenceReleased => "a reference was taken and not released",
            Rule::ReferenceTaken => "a reference was released that was not taken",
            Rule::EpochBalance => "the epoch is not left as often as it is entered",
            Rule::NoSleepInEpoch => "what may sleep happens inside the epoch",
            Rule::Nesting => "a span ends that is not the last that began",
            Rule::OneEnd => "a request does not end in exactly one of reply, error or dump end",
            Rule::EndIsHeard => "the socket did not hear how its request ended",
            Rule::EventHasCause => "an event has no cause",
        })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = self.step.map_or("outside any step".to_owned(), |step| format!("step {step}"));
        write!(f, "{}: {step}: {}", self.rule, self.culprit)?;
        match &self.within {
            Some(within) => write!(f, "\n    in {within}"),
            None => Ok(()),
        }
    }
}
