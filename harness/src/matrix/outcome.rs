// SPDX-License-Identifier: BSD-2-Clause
//! What became of a vector, of a cell, and of the run.

use std::time::Duration;

use super::cell::Cell;
use super::slice::Slice;
use crate::golden::Divergence;
use crate::target::{Loss, UNKEPT};

/// What became of one vector in one cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The trace equals the golden that holds.
    Passed,
    /// It does not.
    Failed(Divergence),
    /// The kernel trace breaks a rule that holds in every trace. Which, and the record that broke it.
    Violated(String),
    /// Something is missing from the trace: it says nothing about the kernel. The reason.
    Inconclusive(String),
    /// There is no golden to compare with.
    NoGolden,
    /// The vector does not apply to the cell, or the guest was lost before its turn. The reason.
    NotRun(String),
}

impl Outcome {
    /// The word in reports.
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Passed => "passed",
            Outcome::Failed(_) => "failed",
            Outcome::Violated(_) => "violated",
            Outcome::Inconclusive(_) => "inconclusive",
            Outcome::NoGolden => "no-golden",
            Outcome::NotRun(_) => "not-run",
        }
    }
}

/// One vector's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VectorResult {
    /// The vector's id.
    pub id: String,
    /// What became of it.
    pub outcome: Outcome,
    /// From its first record to its last, on the guest's clock.
    pub duration: Duration,
    /// Whether the golden was observed on this release (`Some(true)`) or not (`Some(false)`).
    pub observed: Option<bool>,
    /// The layer of the golden that was compared with.
    pub golden_layer: Option<String>,
}

impl VectorResult {
    /// Of a vector that was not compared with anything.
    pub fn without(id: &str, outcome: Outcome) -> Self {
        Self { id: id.to_owned(), outcome, duration: Duration::ZERO, observed: None, golden_layer: None }
    }
}

/// How many vectors met which fate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Equal to their golden.
    pub passed: usize,
    /// Different from it, or with a kernel trace that breaks a rule.
    pub failed: usize,
    /// Traces with a loss.
    pub inconclusive: usize,
    /// Without a golden.
    pub no_golden: usize,
    /// Not run.
    pub not_run: usize,
}

/// What became of a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CellStatus {
    /// Every vector that applies passed, and at least one did.
    Passed,
    /// A comparison failed, or there was nothing to compare with.
    Failed,
    /// The image or another part that the cell needs could not be built. The reason.
    BuildFailed(String),
    /// Verification rejects the module, and nothing was loaded. The reason.
    Refused(String),
    /// The guest's kernel did not take the module. What it said.
    LoadFailed(String),
    /// The vectors ran, but the module left something behind or was not asked. What is wrong.
    ModuleFailed(String),
    /// The guest failed. The reason.
    GuestFailed(String),
    /// The cell cannot run here: the reason, and the command that would make it run.
    NotRun {
        /// Why.
        reason: String,
        /// What to do about it.
        remedy: String,
    },
}

impl CellStatus {
    /// What failed besides a comparison, in a word and in its own words; `None` if nothing did.
    pub fn failure(&self) -> Option<(&'static str, &str)> {
        match self {
            CellStatus::BuildFailed(reason) => Some(("build", reason)),
            CellStatus::Refused(reason) => Some(("verification", reason)),
            CellStatus::LoadFailed(reason) => Some(("load", reason)),
            CellStatus::ModuleFailed(reason) => Some(("module", reason)),
            CellStatus::GuestFailed(reason) => Some(("guest", reason)),
            CellStatus::Passed | CellStatus::Failed | CellStatus::NotRun { .. } => None,
        }
    }
}

/// A guest that was lost while a cell ran in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostGuest {
    /// The vector that ran then, whose result is missing.
    pub vector: String,
    /// How.
    pub loss: Loss,
}

/// One cell's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellResult {
    /// The cell.
    pub cell: Cell,
    /// What became of it.
    pub status: CellStatus,
    /// How often a saved state could not be restored and the guest was booted instead.
    pub fallbacks: u32,
    /// Guests that were lost; the vectors that were left went on in fresh ones.
    pub losses: Vec<LostGuest>,
    /// What is known of the target: kernel, accelerator, image.
    pub facts: Vec<(String, String)>,
    /// The vectors, in their own order.
    pub vectors: Vec<VectorResult>,
    /// From opening the first target to the last vector, on this host's clock.
    pub duration: Duration,
    /// What its targets took together: longer than `duration` where several ran side by side.
    pub guest_time: Duration,
}

impl CellResult {
    /// How many vectors met which fate.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for vector in &self.vectors {
            *match vector.outcome {
                Outcome::Passed => &mut counts.passed,
                Outcome::Failed(_) | Outcome::Violated(_) => &mut counts.failed,
                Outcome::Inconclusive(_) => &mut counts.inconclusive,
                Outcome::NoGolden => &mut counts.no_golden,
                Outcome::NotRun(_) => &mut counts.not_run,
            } += 1;
        }
        counts
    }

    /// `observed` when every golden that was compared with was recorded from a stock kernel of this very
    /// release or profile, otherwise `predicted`; `None` when nothing was compared.
    pub fn origin(&self) -> Option<&'static str> {
        let mut compared = self.vectors.iter().filter_map(|vector| vector.observed).peekable();
        compared.peek()?;
        Some(if compared.all(|observed| observed) { "observed" } else { "predicted" })
    }

    /// What should have been kept beside the report and could not be written; `None` if everything was.
    pub fn unkept(&self) -> Option<&str> {
        self.facts.iter().find_map(|(name, why)| (name == UNKEPT).then_some(why.as_str()))
    }

    /// What to say about guests that were lost; `None` if none was.
    pub fn about_losses(&self) -> Option<String> {
        let each = self.losses.iter().map(|lost| {
            let first = lost.loss.text.lines().next().unwrap_or_default();
            format!("in {}: {} [{}]", lost.vector, first, lost.loss.fingerprint)
        });
        (!self.losses.is_empty()).then(|| each.collect::<Vec<_>>().join("; "))
    }

    /// The status that follows from the vectors of a cell that ran.
    pub fn status_of(vectors: &[VectorResult]) -> CellStatus {
        let bad = |vector: &VectorResult| {
            matches!(vector.outcome, Outcome::Failed(_) | Outcome::Violated(_) | Outcome::NoGolden)
        };
        let lost = |vector: &&VectorResult| matches!(vector.outcome, Outcome::Inconclusive(_));
        if vectors.iter().any(bad) {
            CellStatus::Failed
        } else if let Some(vector) = vectors.iter().find(lost) {
            CellStatus::GuestFailed(format!("the trace of {} is not whole", vector.id))
        } else if vectors.iter().any(|vector| vector.outcome == Outcome::Passed) {
            CellStatus::Passed
        } else {
            CellStatus::NotRun {
                reason: "no vector applies to this cell".into(),
                remedy: "nlproof test-matrix --list shows the vectors and what they need".into(),
            }
        }
    }
}

/// The whole run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunResult {
    /// The cells, in the matrix's order.
    pub cells: Vec<CellResult>,
    /// The run was interrupted: the cells that are not there did not run.
    pub interrupted: bool,
    /// Which vectors it was about.
    pub vectors: VectorsOfRun,
    /// Parts of a run of several jobs whose reports are not there, each in a few words; only where reports were
    /// joined.
    pub missing: Vec<String>,
}

/// Which vectors a run was about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VectorsOfRun {
    /// [`selection_digest`](super::selection_digest) of those that the user selected.
    pub selection: String,
    /// The slice of them that this run took; `None`: all.
    pub slice: Option<Slice>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(outcome: Outcome, observed: Option<bool>) -> VectorResult {
        VectorResult { id: "v".into(), outcome, duration: Duration::ZERO, observed, golden_layer: None }
    }

    #[test]
    fn a_cell_passes_only_if_something_passed_and_nothing_else_happened() {
        let passed = || vector(Outcome::Passed, Some(true));
        let not_run = || vector(Outcome::NotRun("needs linux".into()), None);
        assert_eq!(CellResult::status_of(&[passed(), not_run()]), CellStatus::Passed);
        assert!(matches!(CellResult::status_of(&[not_run()]), CellStatus::NotRun { .. }));
        assert!(matches!(CellResult::status_of(&[]), CellStatus::NotRun { .. }));
        assert_eq!(CellResult::status_of(&[passed(), vector(Outcome::NoGolden, None)]), CellStatus::Failed);
        let lossy = vector(Outcome::Inconclusive("drop".into()), None);
        assert!(matches!(CellResult::status_of(&[passed(), lossy]), CellStatus::GuestFailed(_)));
    }

    #[test]
    fn one_prediction_makes_the_cell_predicted() {
        let cell = |vectors| CellResult {
            cell: Cell {
                target: super::super::TargetKind::Sim,
                release: None,
                profile: iface_core::Profile::R15,
                module: super::super::ModuleKind::Stock,
                without: vec![],
                soft: false,
            },
            status: CellStatus::Passed,
            fallbacks: 0,
            losses: vec![],
            facts: vec![],
            vectors,
            duration: Duration::ZERO,
            guest_time: Duration::ZERO,
        };
        let passed = |observed| vector(Outcome::Passed, Some(observed));
        assert_eq!(cell(vec![passed(true), passed(true)]).origin(), Some("observed"));
        assert_eq!(cell(vec![passed(true), passed(false)]).origin(), Some("predicted"));
        assert_eq!(cell(vec![vector(Outcome::NoGolden, None)]).origin(), None);
    }
}
