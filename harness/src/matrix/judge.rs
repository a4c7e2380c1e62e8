// SPDX-License-Identifier: BSD-2-Clause
//! The judgement on a vector that has run.

use nlproof_base::counted;

use super::cell::{Cell, Stated};
use super::outcome::{Outcome, VectorResult};
use super::vector_run::VectorRun;
use crate::golden::{Compared, Found, Origin, compare, compare_part};
use crate::ktrace::{comparable, comparable_places, has_golden};
use crate::targets::Loss;
use crate::vector::{LossKind, StatedLoss, Vector};

/// The loss that a vector states for this cell, if a guest was lost so.
pub fn stated<'v>(cell: &Cell, vector: &'v Vector, loss: &Loss) -> Option<Stated<'v>> {
    cell.losses(vector).into_iter().find(|stated| is_stated(stated.loss, loss))
}

/// The hang of this cell's guest that a vector states.
pub fn stated_hang<'v>(cell: &Cell, vector: &'v Vector) -> Option<&'v StatedLoss> {
    cell.losses(vector).into_iter().map(|stated| stated.loss).find(|loss| loss.kind == LossKind::Hung)
}

/// Whether a guest was lost in the way that its vector states. Where a kernel hangs cannot be told without its file, which a
/// ready image does not come with: then it is enough that it hangs.
pub fn is_stated(stated: &StatedLoss, loss: &Loss) -> bool {
    let said = loss.fingerprint.split(" | ").next();
    let untold = stated.kind == LossKind::Hung && loss.calls.is_empty();
    stated.kind.word() == loss.kind
        && stated.says.as_deref().is_none_or(|says| Some(says) == said)
        && (untold || loss.calls.windows(stated.calls.len()).any(|calls| calls == stated.calls))
}

/// Outcome of a vector that ran to its end although a loss is stated; `said` is its outcome otherwise.
fn survived(stated: &StatedLoss, said: &Outcome) -> Outcome {
    let said = match said {
        Outcome::Passed => "equals its golden".to_owned(),
        Outcome::Failed(divergence) => format!("differs from its golden\n  {divergence}"),
        other => format!("is {}", other.word()),
    };
    Outcome::Survived(format!(
        "the guest was to be lost in it ({stated}), and lives; what was said {said}\n  \
         if the kernel was mended: take the release out of `loses` in the vector"
    ))
}

/// Who answers.
pub(super) struct Answerer<'a> {
    /// In which cell.
    pub(super) cell: &'a Cell,
    /// SHA-256 of the kernel that runs, in hex, if one does.
    pub(super) kernel: Option<&'a str>,
    /// The major of the stock code whose kernel trace dtrace(1) told, if it did.
    pub(super) stock: Option<u32>,
}

/// Outcome of a vector, and the kernels from which the goldens it was compared with were recorded.
pub(super) struct Judged {
    pub(super) result: VectorResult,
    pub(super) recorded: Vec<Origin>,
}

/// Compares a vector's trace with the golden that holds for it, and the kernel's part, where there is one, with its own:
/// if that is stock code's, as far as both can tell it.
pub(super) fn judge(
    answerer: &Answerer<'_>,
    vector_run: &VectorRun<'_>,
    golden: Option<Found>,
    kernel: Option<Found>,
) -> Judged {
    let result = VectorResult {
        id: vector_run.vector.id.clone(),
        outcome: Outcome::NoGolden,
        duration: vector_run.duration,
        standing: None,
        golden_layer: None,
    };
    let mut judged = Judged { result, recorded: Vec::new() };
    let result = &mut judged.result;
    if let Some((step, lossy)) = vector_run.trace.loss() {
        let place = step.map_or(String::new(), |step| format!("step {step}: "));
        result.outcome = Outcome::Inconclusive(format!("{place}{lossy}"));
    } else if vector_run.kernel.lost > 0 {
        let lost = vector_run.kernel.lost;
        result.outcome = Outcome::Inconclusive(format!(
            "{} lost of the kernel trace",
            counted(lost, "record").verb("was", "were")
        ));
    } else if let Some(found) = golden {
        let seen = vector_run.trace.to_text();
        result.outcome = match compare(Compared::Wire, &found.golden, &seen) {
            None => Outcome::Passed,
            Some(divergence) => Outcome::Failed(divergence),
        };
        result.golden_layer = Some(found.layer);
        judged.vouched(answerer, &found.golden.origins);
    }
    if matches!(judged.result.outcome, Outcome::Passed | Outcome::NoGolden) && vector_run.kernel.present {
        judge_kernel(answerer, vector_run, kernel, &mut judged);
    }
    // A loss that is stated of its kin is a guess about this kernel.
    if let Some(stated) = answerer.cell.losses(vector_run.vector).iter().find(|stated| stated.of.is_none()) {
        judged.result.outcome = survived(stated.loss, &judged.result.outcome);
    }
    judged
}

impl Judged {
    /// A golden of these origins was compared with.
    fn vouched(&mut self, answerer: &Answerer<'_>, origins: &[Origin]) {
        let (standing, by) = answerer.cell.standing(origins, answerer.kernel);
        self.result.standing = self.result.standing.max(Some(standing));
        self.recorded.extend(by.into_iter().cloned());
    }
}

/// Judges the kernel's part of a vector whose messages are right.
fn judge_kernel(
    answerer: &Answerer<'_>,
    vector_run: &VectorRun<'_>,
    golden: Option<Found>,
    judged: &mut Judged,
) {
    let result = &mut judged.result;
    if let Some(violation) = vector_run.violations.first() {
        let others = match vector_run.violations.len() - 1 {
            0 => String::new(),
            more => format!("\n  and {more} more"),
        };
        result.outcome = Outcome::Violated(format!("{violation}{others}"));
    } else if result.outcome == Outcome::Passed && has_golden(&vector_run.vector.id) {
        let Some(found) = golden else {
            result.outcome = Outcome::NoGolden;
            return;
        };
        let seen = vector_run.kernel.to_text();
        let divergence = match answerer.stock {
            None => compare(Compared::Kernel, &found.golden, &seen),
            Some(major) => {
                let places = comparable_places(&found.golden.body, major);
                let [part, seen] = [&found.golden.body, &seen].map(|text| comparable(text, major));
                compare_part(Compared::Kernel, &found.golden, &part, &places, &seen)
            }
        };
        if let Some(divergence) = divergence {
            result.outcome = Outcome::Failed(divergence);
            result.golden_layer = Some(found.layer);
        }
        judged.vouched(answerer, &found.golden.origins);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::path::Path;

    use iface_core::Profile;
    use nlproof_agent::{Batch, Record};
    use nlproof_guest::Tasks;

    use super::super::cell::tests::cell;
    use super::super::{CellResult, CellStatus, Engine, RunRequest, Soft, Timings, VectorsOfRun};
    use super::*;
    use crate::golden::{Divergences, Standing, Store};
    use crate::targets::{Facts, Kernel, SimTarget, Target, TargetError};
    use crate::vector::load_vector;

    /// The kernel of the fixture from which `common/link/create-lo` was recorded.
    const RECORDED: char = 'a';

    /// The simulator, posing as a kernel with this digest.
    struct Posing {
        sim: SimTarget,
        facts: Facts,
    }

    impl Posing {
        fn new(cell: &Cell, digit: char) -> Self {
            let sim = SimTarget::new(cell.profile);
            let kernel = Kernel {
                release: cell.release_or_profile(),
                osreldate: 1_400_507,
                sha256: digit.to_string().repeat(64),
                build: None,
            };
            let facts = Facts { kernel: Some(kernel), ..sim.facts().clone() };
            Self { sim, facts }
        }
    }

    impl Target for Posing {
        fn facts(&self) -> &Facts {
            &self.facts
        }

        fn run(&mut self, batch: &Batch, on_record: &mut dyn FnMut(Record)) -> Result<(), TargetError> {
            self.sim.run(batch, on_record)
        }
    }

    /// What becomes of one vector, where its golden was recorded from 14.0-STABLE with the profile's own answer, or
    /// another one.
    fn run(cell: &Cell, digit: char, spoiled: bool) -> CellResult {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
        let vectors =
            [load_vector(&tests.join("vectors"), &tests.join("vectors/link/create-lo.yaml")).unwrap()];
        let directory = tempfile::tempdir().unwrap();
        let goldens = Store::new(directory.path());
        let own = Store::new(&tests.join("golden")).find(&cell.layers(), "link/create-lo").unwrap().unwrap();
        let mut golden = own.golden;
        golden.origins = vec![Origin::Observed {
            release: "14.0-STABLE".into(),
            osreldate: 1_400_507,
            kernel_sha256: RECORDED.to_string().repeat(64),
            module: None,
            build: None,
        }];
        if spoiled {
            golden.body.push_str("  ! and no more\n");
        }
        goldens.write_new("common", &golden).unwrap();
        goldens.accept(&goldens.pending().unwrap()[0]).unwrap();
        let engine = Engine {
            open: &|request, _| Ok(Box::new(Posing::new(request.cell, digit))),
            goldens: &goldens,
            divergences: &Divergences::default(),
            timings: &Timings::default(),
            follow_stock: false,
            raw: None,
            jobs: NonZeroUsize::MIN,
            tasks: &Tasks::start().unwrap(),
        };
        let cells = std::slice::from_ref(cell);
        let request = RunRequest { cells, vectors: &vectors, about: VectorsOfRun::default() };
        engine.run(&request, &mut |_| ()).unwrap().cells.remove(0)
    }

    #[test]
    fn the_kernel_that_ran_decides_what_its_golden_is() {
        let own = cell(Some("14.0-STABLE"), Profile::R14_0);
        let other = cell(Some("14.1-RELEASE"), Profile::R14_0);
        for (cell, digit, standing, recorded) in [
            (&own, RECORDED, Standing::ThisKernel, 1),
            (&own, 'b', Standing::OtherBuild, 1),
            (&other, 'b', Standing::Predicted, 0),
            (&other, RECORDED, Standing::ThisKernel, 1),
        ] {
            let result = run(cell, digit, false);
            assert_eq!(result.status, CellStatus::Passed, "{:?}", result.vectors);
            assert_eq!((result.standing(), result.recorded.len()), (Some(standing), recorded), "{digit}");
        }
    }

    #[test]
    fn what_differs_from_a_prediction_is_forgiven_unless_this_very_kernel_was_recorded() {
        let unseen = Cell { soft: Some(Soft::NeverObserved), ..cell(Some("14.1-RELEASE"), Profile::R14_0) };
        let differs = run(&unseen, 'b', true);
        assert_eq!((&differs.status, differs.forgiven()), (&CellStatus::Failed, Some(Soft::NeverObserved)));
        let recorded = run(&unseen, RECORDED, true);
        assert_eq!((&recorded.status, recorded.forgiven()), (&CellStatus::Failed, None));
    }

    #[test]
    fn a_loss_is_the_stated_one_by_kind_words_and_calls() {
        let words = |words: &str| -> Vec<String> { words.split_whitespace().map(str::to_owned).collect() };
        let stated = |kind, says: Option<&str>| StatedLoss {
            kernels: words("14.0-STABLE"),
            code: None,
            kind,
            says: says.map(str::to_owned),
            calls: words("b c"),
            because: "x".into(),
        };
        let loss = |kind: &str, says: &str, calls: &str| Loss {
            kind: kind.into(),
            fingerprint: format!("{says} | a"),
            calls: words(calls),
            text: String::new(),
        };
        let panics = stated(LossKind::Panicked, Some("page fault"));
        assert!(is_stated(&panics, &loss("panicked", "page fault", "a b c d")));
        assert!(is_stated(&stated(LossKind::Panicked, None), &loss("panicked", "other", "b c")));
        for other in [
            loss("hung", "page fault", "a b c"),
            loss("panicked", "double fault", "a b c"),
            loss("panicked", "page fault", "b a c"),
            loss("panicked", "page fault", ""),
        ] {
            assert!(!is_stated(&panics, &other), "{other:?}");
        }
        let hangs = stated(LossKind::Hung, None);
        assert!(is_stated(&hangs, &loss("hung", "busy", "b c")));
        assert!(is_stated(&hangs, &loss("hung", "busy", "")), "nobody can tell where");
        assert!(!is_stated(&hangs, &loss("hung", "busy", "c d")));
    }
}
