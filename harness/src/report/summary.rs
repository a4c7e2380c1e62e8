// SPDX-License-Identifier: BSD-2-Clause
//! What a person reads at the end: one line a cell, then what went wrong.

use crate::matrix::{CellResult, CellStatus, Counts, Outcome, VectorResult};

/// One line about a finished cell: its name, its verdict, its numbers.
pub fn cell_line(result: &CellResult) -> String {
    let name = result.cell.name();
    let counts = numbers(&result.counts());
    let seconds = result.duration.as_secs_f64();
    match &result.status {
        CellStatus::Passed => {
            let origin = result.about_origin();
            format!("{name:<30} passed   {counts}; goldens {origin}; {seconds:.2} s")
        }
        CellStatus::Failed => format!("{name:<30} FAILED   {counts}; {seconds:.2} s"),
        CellStatus::BuildFailed(reason) => format!("{name:<30} BUILD FAILED   {reason}"),
        CellStatus::Refused(reason) => format!("{name:<30} REFUSED   {reason}"),
        CellStatus::LoadFailed(reason) => format!("{name:<30} LOAD FAILED   {reason}"),
        CellStatus::ModuleFailed(reason) => format!("{name:<30} MODULE FAILED   {counts}; {reason}"),
        CellStatus::GuestFailed(reason) => format!("{name:<30} GUEST FAILED   {counts}; {reason}"),
        CellStatus::NotRun { reason, remedy } => {
            format!("{name:<30} not run  {reason}\n{:<30}   to run it: {remedy}", "")
        }
    }
}

fn numbers(counts: &Counts) -> String {
    let mut parts = Vec::new();
    for (number, word) in [
        (counts.passed, "passed"),
        (counts.failed, "failed"),
        (counts.lost, "lost as stated"),
        (counts.inconclusive, "inconclusive"),
        (counts.no_golden, "without golden"),
        (counts.not_run, "not run"),
    ] {
        if number > 0 {
            parts.push(format!("{number} {word}"));
        }
    }
    if parts.is_empty() { "no vectors".into() } else { parts.join(", ") }
}

/// The vectors of a cell that ran and did not pass, in the order in which their problems are numbered.
pub fn troubled(result: &CellResult) -> impl Iterator<Item = &VectorResult> {
    let fine = |vector: &&VectorResult| {
        !matches!(vector.outcome, Outcome::Passed | Outcome::Lost(_) | Outcome::NotRun(_))
    };
    result.vectors.iter().filter(fine)
}

/// Every vector of a cell that did not pass, with what to know about it.
pub fn problems(result: &CellResult) -> Vec<String> {
    let cell = result.cell.name();
    troubled(result)
        .filter_map(|vector| match &vector.outcome {
            Outcome::Passed | Outcome::Lost(_) | Outcome::NotRun(_) => None,
            Outcome::Failed(divergence) => {
                let golden = vector.golden_layer.as_deref().unwrap_or("?");
                Some(format!("FAILED {cell} {} (golden: {golden})\n  {divergence}", vector.id))
            }
            Outcome::Violated(what) => Some(format!("VIOLATED {cell} {}\n  {what}", vector.id)),
            Outcome::Survived(what) => Some(format!("SURVIVED {cell} {}\n  {what}", vector.id)),
            Outcome::Inconclusive(reason) => Some(format!("INCONCLUSIVE {cell} {}: {reason}", vector.id)),
            Outcome::NoGolden => Some(format!(
                "NO GOLDEN {cell} {}\n  to make one: nlproof record --filter {}, then nlproof review",
                vector.id, vector.id
            )),
        })
        .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use iface_core::Profile;

    use super::*;
    use crate::golden::{Compared, compare};
    use crate::matrix::{Cell, ModuleKind, RunResult, TargetKind, VectorsOfRun};

    /// A failed cell with one vector of every outcome, some with bytes that XML forbids.
    pub(in crate::report) fn sample() -> CellResult {
        let divergence = compare(Compared::Wire, "step 0\n  a\n", "step 0\n  \u{1}<b>\n").unwrap();
        let vector = |id: &str, outcome, observed| VectorResult {
            id: id.into(),
            outcome,
            duration: Duration::from_millis(5),
            observed,
            golden_layer: observed.map(|_| "common".into()),
        };
        CellResult {
            cell: Cell {
                target: TargetKind::Freebsd,
                release: Some("14.0-STABLE".into()),
                profile: Profile::R14_0,
                module: ModuleKind::Stock,
                without: vec![],
                soft: false,
            },
            status: CellStatus::Failed,
            fallbacks: 0,
            losses: vec![],
            facts: vec![("kernel".into(), "GENERIC".into())],
            vectors: vec![
                vector("link/a", Outcome::Passed, Some(true)),
                vector("link/b", Outcome::Failed(divergence), Some(true)),
                vector("link/c", Outcome::Inconclusive("dropped".into()), None),
                vector("link/d", Outcome::NoGolden, None),
                vector("link/e", Outcome::NotRun("needs linux".into()), None),
                vector("link/f", Outcome::Lost("guest kernel panicked".into()), None),
                vector("link/g", Outcome::Survived("it was to be lost".into()), None),
            ],
            duration: Duration::from_secs(2),
            guest_time: Duration::from_secs(3),
        }
    }

    /// A run of that cell alone.
    pub(in crate::report) fn sample_run() -> RunResult {
        let vectors = VectorsOfRun { selection: "5e1ec7".into(), slice: None };
        RunResult { cells: vec![sample()], interrupted: false, vectors, missing: vec![] }
    }

    #[test]
    fn a_cell_line_has_every_number() {
        assert_eq!(
            cell_line(&sample()),
            "freebsd/14.0-STABLE/stock      FAILED   1 passed, 2 failed, 1 lost as stated, 1 inconclusive, \
             1 without golden, 1 not run; 2.00 s"
        );
    }

    #[test]
    fn every_problem_is_named_and_nothing_else() {
        let problems = problems(&sample());
        assert_eq!(problems.len(), 4);
        assert!(problems[0].starts_with("FAILED freebsd/14.0-STABLE/stock link/b (golden: common)"));
        assert!(problems[1].starts_with("INCONCLUSIVE"));
        assert!(problems[2].contains("nlproof record --filter link/d"));
        assert_eq!(problems[3], "SURVIVED freebsd/14.0-STABLE/stock link/g\n  it was to be lost");
    }
}
