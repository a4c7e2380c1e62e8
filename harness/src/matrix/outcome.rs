// SPDX-License-Identifier: BSD-2-Clause
//! Outcomes of a vector, a cell, and a run.

use std::time::Duration;

use super::cell::{Cell, Soft};
use super::slice::Slice;
use crate::golden::{Divergence, Origin, Standing};
use crate::targets::{Complaint, Fact, Loss};

/// Outcome of one vector in one cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The trace equals the golden that holds.
    Passed,
    /// The trace differs from the golden.
    Failed(Divergence),
    /// The kernel trace breaks a rule that holds in every trace. Which, and the record that broke it.
    Violated(String),
    /// Something is missing from the trace: it says nothing about the kernel. The reason.
    Inconclusive(String),
    /// The guest was lost in it, as the vector states. How.
    Lost(String),
    /// The vector states that the guest is lost in it, and the guest survived. What was to happen, and what it said
    /// instead.
    Survived(String),
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
            Outcome::Lost(_) => "lost",
            Outcome::Survived(_) => "survived",
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
    /// Time from its first record to its last, on the guest's clock.
    pub duration: Duration,
    /// What the golden is to whoever answered; the weaker of two where the kernel's part was compared too.
    pub standing: Option<Standing>,
    /// The layer of the golden that was compared with.
    pub golden_layer: Option<String>,
}

impl VectorResult {
    /// Why the vector was not compared with anything.
    pub fn without(id: &str, outcome: Outcome) -> Self {
        Self { id: id.to_owned(), outcome, duration: Duration::ZERO, standing: None, golden_layer: None }
    }
}

/// Number of vectors by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Equal to their golden.
    pub passed: usize,
    /// Different from it, or with a kernel trace that breaks a rule, or survived where a loss is stated.
    pub failed: usize,
    /// The guest was lost, as the vector states.
    pub lost: usize,
    /// Traces with a loss.
    pub inconclusive: usize,
    /// Without a golden.
    pub no_golden: usize,
    /// Vectors that did not run.
    pub not_run: usize,
}

/// What became of a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CellStatus {
    /// Every vector that applies passed, or lost its guest as it states, and at least one did.
    Passed,
    /// A comparison failed, or there was nothing to compare with.
    Failed,
    /// The image or another part that the cell needs could not be built. The reason.
    BuildFailed(String),
    /// Verification rejects the module, and nothing was loaded. The reason.
    Refused(String),
    /// The guest's kernel did not take the module. What it said.
    LoadFailed(String),
    /// The vectors ran, but the module left something behind or was not asked, or its kernel complained of something of
    /// which the stock code's does not. What is wrong.
    ModuleFailed(String),
    /// The guest failed: it was lost, or its kernel complained of something that is not known to be the module's. The
    /// reason.
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
    /// The failure other than a comparison, as a word and in its own text; `None` if there is none.
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
    /// The vector that was running, whose result is missing.
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
    /// What the kernels of its guests complained of on their consoles.
    pub complaints: Vec<Complaint>,
    /// What is known of the target: kernel, accelerator, image.
    pub facts: Vec<Fact>,
    /// The vectors, in their own order.
    pub vectors: Vec<VectorResult>,
    /// The kernels that goldens were recorded from, of those that vouch for them here: sorted, each once.
    pub recorded: Vec<Origin>,
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
                Outcome::Failed(_) | Outcome::Violated(_) | Outcome::Survived(_) => &mut counts.failed,
                Outcome::Lost(_) => &mut counts.lost,
                Outcome::Inconclusive(_) => &mut counts.inconclusive,
                Outcome::NoGolden => &mut counts.no_golden,
                Outcome::NotRun(_) => &mut counts.not_run,
            } += 1;
        }
        counts
    }

    /// The weakest standing of a golden that was compared with; `None` when nothing was compared.
    pub fn standing(&self) -> Option<Standing> {
        self.vectors.iter().filter_map(|vector| vector.standing).max()
    }

    /// How many goldens of which standing were compared with, the strongest first.
    pub fn standings(&self) -> Vec<(Standing, usize)> {
        let count = |wanted| self.vectors.iter().filter(|vector| vector.standing == Some(wanted)).count();
        let all = Standing::ALL.into_iter().map(|standing| (standing, count(standing)));
        all.filter(|(_, count)| *count > 0).collect()
    }

    /// Why what failed does not fail the run, if something did and that is so.
    pub fn forgiven(&self) -> Option<Soft> {
        let fails = !matches!(self.status, CellStatus::Passed | CellStatus::NotRun { .. });
        let soft = self.cell.soft.filter(|_| fails)?;
        let forgiven = match soft {
            Soft::Tried => true,
            Soft::NeverObserved => {
                let broken = |vector: &VectorResult| matches!(vector.outcome, Outcome::Violated(_));
                self.status == CellStatus::Failed && !self.vectors.iter().any(broken)
            }
        };
        forgiven.then_some(soft)
    }

    /// A note about files that could not be written beside the report; `None` if all were.
    pub fn unkept(&self) -> Option<&str> {
        self.facts
            .iter()
            .find_map(|fact| if let Fact::Unkept(why) = fact { Some(why.as_str()) } else { None })
    }

    /// A note about lost guests; `None` if none was lost.
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
            matches!(
                vector.outcome,
                Outcome::Failed(_) | Outcome::Violated(_) | Outcome::Survived(_) | Outcome::NoGolden
            )
        };
        let good = |vector: &VectorResult| matches!(vector.outcome, Outcome::Passed | Outcome::Lost(_));
        let lost = |vector: &&VectorResult| matches!(vector.outcome, Outcome::Inconclusive(_));
        if vectors.iter().any(bad) {
            CellStatus::Failed
        } else if let Some(vector) = vectors.iter().find(lost) {
            CellStatus::GuestFailed(format!("the trace of {} is not whole", vector.id))
        } else if vectors.iter().any(good) {
            CellStatus::Passed
        } else {
            CellStatus::NotRun {
                reason: "no vector applies to this cell".into(),
                remedy: "nlproof run VECTOR, with this release and module, says what one needs".into(),
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
    /// FreeBSD's own tests, a run a cell; those that were added to the report of a run.
    pub atf: Vec<crate::atf::Run>,
}

/// The vectors that a run was about.
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
    use crate::golden::{Compared, Golden, compare};
    use crate::matrix::tests::{cell, cell_result};

    fn vector(outcome: Outcome, standing: Option<Standing>) -> VectorResult {
        VectorResult { id: "v".into(), outcome, duration: Duration::ZERO, standing, golden_layer: None }
    }

    fn result(status: CellStatus, vectors: Vec<VectorResult>) -> CellResult {
        CellResult { vectors, ..cell_result(cell(Some("15.0-RELEASE"), iface_core::Profile::R15), status) }
    }

    #[test]
    fn a_cell_passes_only_if_something_passed_and_nothing_else_happened() {
        let passed = || vector(Outcome::Passed, Some(Standing::ThisKernel));
        let not_run = || vector(Outcome::NotRun("needs linux".into()), None);
        assert_eq!(CellResult::status_of(&[passed(), not_run()]), CellStatus::Passed);
        assert!(matches!(CellResult::status_of(&[not_run()]), CellStatus::NotRun { .. }));
        assert!(matches!(CellResult::status_of(&[]), CellStatus::NotRun { .. }));
        assert_eq!(CellResult::status_of(&[passed(), vector(Outcome::NoGolden, None)]), CellStatus::Failed);
        let lossy = vector(Outcome::Inconclusive("drop".into()), None);
        assert!(matches!(CellResult::status_of(&[passed(), lossy]), CellStatus::GuestFailed(_)));
    }

    #[test]
    fn the_weakest_golden_is_the_cells_and_all_are_counted() {
        let cell = |standings: &[Standing]| {
            let passed = |standing: &Standing| vector(Outcome::Passed, Some(*standing));
            result(CellStatus::Passed, standings.iter().map(passed).collect())
        };
        let [this, other, _, predicted] = Standing::ALL;
        assert_eq!(cell(&[this, this]).standing(), Some(this));
        assert_eq!(cell(&[this, predicted, other]).standing(), Some(predicted));
        assert_eq!(cell(&[predicted, this, this]).standings(), [(this, 2), (predicted, 1)]);
        let nothing = result(CellStatus::Failed, vec![vector(Outcome::NoGolden, None)]);
        assert_eq!((nothing.standing(), nothing.standings()), (None, vec![]));
    }

    #[test]
    fn a_release_that_was_never_observed_is_forgiven_what_only_predictions_say() {
        let differs = || {
            let golden = Golden::new("v", Origin::predicted("15"), "a\n");
            let divergence = compare(Compared::Wire, &golden, "b\n").unwrap();
            vector(Outcome::Failed(divergence), Some(Standing::Predicted))
        };
        let of = |soft, status: &CellStatus, vectors: Vec<VectorResult>| {
            let mut result = result(status.clone(), vectors);
            result.cell.soft = soft;
            result.forgiven()
        };
        let (tried, never) = (Some(Soft::Tried), Some(Soft::NeverObserved));
        assert_eq!(of(never, &CellStatus::Failed, vec![differs()]), never);
        assert_eq!(of(tried, &CellStatus::Failed, vec![differs()]), tried);
        assert_eq!(of(None, &CellStatus::Failed, vec![differs()]), None);
        assert_eq!(of(never, &CellStatus::Passed, vec![]), None, "there is nothing to forgive");
        let violated = || vec![differs(), vector(Outcome::Violated("a rule".into()), None)];
        assert_eq!(of(never, &CellStatus::Failed, violated()), None);
        assert_eq!(of(tried, &CellStatus::Failed, violated()), tried);
        let lost = CellStatus::GuestFailed("panicked".into());
        assert_eq!(of(never, &lost, vec![differs()]), None);
        assert_eq!(of(tried, &lost, vec![differs()]), tried);
    }
}
