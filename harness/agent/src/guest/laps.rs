// SPDX-License-Identifier: BSD-2-Clause
//! A stopwatch that gives all of the time to phases.

use alloc::vec::Vec;

use nlproof_agent::{Body, Phase};

use crate::sys::clock;

/// The time of one process on one program.
pub(crate) struct Laps {
    since: u64,
    spent: [u64; Phase::ALL.len()],
}

impl Laps {
    /// A stopwatch that runs.
    pub(crate) fn begin() -> Self {
        Self { since: clock::now(), spent: [0; _] }
    }

    /// Gives the time since the last call to a phase.
    pub(crate) fn lap(&mut self, phase: Phase) {
        let now = clock::now();
        self.spent[phase as usize] += now.saturating_sub(self.since);
        self.since = now;
    }

    /// Gives the time up to then, of CLOCK_MONOTONIC in nanoseconds, to nobody.
    pub(crate) fn skip_to(&mut self, then: u64) {
        self.since = then;
    }

    /// What has come together.
    pub(crate) fn told(&self) -> Body {
        let all: Vec<_> = Phase::ALL.into_iter().zip(self.spent).filter(|(_, spent)| *spent > 0).collect();
        Body::Spent(all)
    }
}
