// SPDX-License-Identifier: BSD-2-Clause
//! The wait for a replay: how long, and how far it is.

use super::interrupt;
use super::out::tell;
use crate::vm::{AcceleratorKind, Patience};

/// How far a replay is, told at each quarter.
pub(super) struct Progress {
    what: String,
    to: u64,
    quarter: u64,
}

impl Progress {
    /// Tells that it begins.
    pub(super) fn new(what: String, to: u64) -> Self {
        tell!("{what}: from the boot to instruction {to}");
        Self { what, to, quarter: 0 }
    }

    /// Hears that so many instructions have been run.
    pub(super) fn at(&mut self, now: u64) {
        let quarter = now.saturating_mul(4).checked_div(self.to).unwrap_or_default();
        if quarter > self.quarter && quarter < 4 {
            self.quarter = quarter;
            tell!("{}: {} %", self.what, quarter * 25);
        }
    }
}

/// How long to wait for what happens in a replay.
pub(super) fn patience(factor: f64) -> Patience {
    Patience::new(AcceleratorKind::Tcg, factor).with_cancel(interrupt::tasks().cancel().clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_tells_each_quarter_once() {
        let mut progress = Progress::new("replay".into(), 100);
        let quarters: Vec<u64> = [1, 25, 26, 80, 99, 100, 200]
            .into_iter()
            .map(|now| {
                progress.at(now);
                progress.quarter
            })
            .collect();
        assert_eq!(quarters, [0, 1, 1, 3, 3, 3, 3]);
    }
}
