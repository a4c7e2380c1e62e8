// SPDX-License-Identifier: BSD-2-Clause
//! One line about a cell that is over.

use crate::golden::Standing;
use crate::matrix::{CellResult, CellStatus, Counts, Soft};
use crate::targets::Fact;

/// One line about a finished cell: its name, its verdict, its numbers.
pub fn cell_line(result: &CellResult) -> String {
    let name = result.cell.name();
    let counts = numbers(&result.counts());
    let seconds = result.duration.as_secs_f64();
    let goldens = goldens(result).map_or(String::new(), |goldens| format!("; goldens {goldens}"));
    let forgiven = match result.forgiven() {
        Some(Soft::NeverObserved) => {
            let release = result.cell.release_or_profile();
            format!(
                "; not counted: {release} was never observed\n{:<30}   to observe it: nlproof record --release {release}",
                ""
            )
        }
        Some(soft) => format!("; not counted: {soft}"),
        None => String::new(),
    };
    match &result.status {
        CellStatus::Passed => format!("{name:<30} passed   {counts}{goldens}; {seconds:.2} s"),
        CellStatus::Failed => format!("{name:<30} FAILED   {counts}{goldens}; {seconds:.2} s{forgiven}"),
        CellStatus::BuildFailed(reason) => format!("{name:<30} BUILD FAILED   {reason}{forgiven}"),
        CellStatus::Refused(reason) => format!("{name:<30} REFUSED   {reason}{forgiven}"),
        CellStatus::LoadFailed(reason) => format!("{name:<30} LOAD FAILED   {reason}{forgiven}"),
        CellStatus::ModuleFailed(reason) => {
            format!("{name:<30} MODULE FAILED   {counts}; {reason}{forgiven}")
        }
        CellStatus::GuestFailed(reason) => format!("{name:<30} GUEST FAILED   {counts}; {reason}{forgiven}"),
        CellStatus::NotRun { reason, remedy } => {
            format!("{name:<30} not run  {reason}\n{:<30}   to run it: {remedy}", "")
        }
    }
}

/// How many vectors met which fate, in words.
pub(super) fn numbers(counts: &Counts) -> String {
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

/// The origin of the goldens that a cell was compared with: for a kernel their standing, for the simulator the releases
/// observed. `None` when nothing was compared.
pub fn goldens(result: &CellResult) -> Option<String> {
    let own = Fact::kernel_sha256(&result.facts);
    let one = |standing: Standing| standing.told(&result.recorded, own);
    match result.standings().as_slice() {
        [] => None,
        [(standing, _)] => Some(one(*standing)),
        several => {
            let parts = several.iter().map(|(standing, count)| format!("{count} {}", one(*standing)));
            Some(parts.collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use iface_core::Profile;

    use super::*;
    use crate::golden::{Compared, Golden, Origin, compare};
    use crate::matrix::tests::{self, cell, cell_result};
    use crate::matrix::{Outcome, RunResult, VectorResult, VectorsOfRun};

    fn kernel(release: &str, digit: &str) -> Origin {
        tests::kernel(release, 1_400_507, digit)
    }

    /// A failed cell with one vector of every outcome, some with bytes that XML forbids.
    pub(in crate::report) fn sample() -> CellResult {
        let origin = Origin::predicted("14.0");
        let golden = Golden::new("link/b", origin, "step 0\n  a\n");
        let divergence = compare(Compared::Wire, &golden, "step 0\n  \u{1}<b>\n").unwrap();
        let vector = |id: &str, outcome, standing: Option<Standing>| VectorResult {
            id: id.into(),
            outcome,
            duration: Duration::from_millis(5),
            standing,
            golden_layer: standing.map(|_| "common".into()),
        };
        CellResult {
            facts: vec![Fact::Kernel("GENERIC".into())],
            vectors: vec![
                vector("link/a", Outcome::Passed, Some(Standing::ThisKernel)),
                vector("link/b", Outcome::Failed(divergence), Some(Standing::OtherBuild)),
                vector("link/c", Outcome::Inconclusive("dropped".into()), None),
                vector("link/d", Outcome::NoGolden, None),
                vector("link/e", Outcome::NotRun("needs linux".into()), None),
                vector("link/f", Outcome::Lost("guest kernel panicked".into()), None),
                vector("link/g", Outcome::Survived("it was to be lost".into()), None),
            ],
            recorded: vec![kernel("14.0-STABLE", "a")],
            duration: Duration::from_secs(2),
            guest_time: Duration::from_secs(3),
            ..cell_result(cell(Some("14.0-STABLE"), Profile::R14_0), CellStatus::Failed)
        }
    }

    /// A run of that cell alone.
    pub(in crate::report) fn sample_run() -> RunResult {
        let vectors = VectorsOfRun { selection: "5e1ec7".into(), slice: None };
        RunResult { cells: vec![sample()], interrupted: false, vectors, missing: vec![], atf: vec![] }
    }

    #[test]
    fn a_cell_line_has_every_number() {
        assert_eq!(
            cell_line(&sample()),
            "freebsd/14.0-STABLE/stock      FAILED   1 passed, 2 failed, 1 lost as stated, 1 inconclusive, \
             1 without golden, 1 not run; \
             goldens 1 recorded from this very kernel, 1 from another build of this release (kernel aaaaaaaaaaaa); 2.00 s"
        );
    }

    #[test]
    fn goldens_are_told_in_three_words_and_the_simulators_by_their_release() {
        let of = |standings: &[Standing], release: Option<&str>, recorded: &[Origin]| {
            let mut result = sample();
            result.cell.release = release.map(|name| name.parse().unwrap());
            result.recorded = recorded.to_vec();
            result.vectors.truncate(1);
            result.vectors = standings
                .iter()
                .map(|standing| VectorResult { standing: Some(*standing), ..result.vectors[0].clone() })
                .collect();
            goldens(&result)
        };
        let [this, other, observed, predicted] = Standing::ALL;
        let (a, b) = (kernel("14.0-STABLE", "a"), kernel("14.0-STABLE", "b"));
        let here = Some("14.0-STABLE");
        assert_eq!(
            of(&[this, this], here, std::slice::from_ref(&a)).unwrap(),
            "recorded from this very kernel"
        );
        let two = [a.clone(), b];
        assert_eq!(
            of(&[other], here, &two).unwrap(),
            "from another build of this release (kernel aaaaaaaaaaaa, bbbbbbbbbbbb)"
        );
        assert_eq!(of(&[observed], None, &two).unwrap(), "observed on 14.0-STABLE");
        assert_eq!(of(&[predicted], None, &[]).unwrap(), "predicted");
        assert_eq!(
            of(&[predicted, observed, observed], None, &[a]).unwrap(),
            "2 observed on 14.0-STABLE, 1 predicted"
        );
        // As a report of schema 1 is read.
        assert_eq!(of(&[observed], here, &[]).unwrap(), "observed");
        assert_eq!(of(&[], None, &[]), None);
    }

    #[test]
    fn a_cell_that_fails_softly_says_why_and_what_to_do() {
        let mut result = sample();
        result.cell.soft = Some(Soft::NeverObserved);
        let line = cell_line(&result);
        assert!(line.contains("2.00 s; not counted: 14.0-STABLE was never observed\n"), "{line}");
        assert!(line.ends_with("to observe it: nlproof record --release 14.0-STABLE"), "{line}");
        result.cell.soft = Some(Soft::Tried);
        result.status = CellStatus::GuestFailed("panicked".into());
        assert!(cell_line(&result).ends_with("; panicked; not counted: its release is soft"));
        result.cell.soft = Some(Soft::NeverObserved);
        assert!(cell_line(&result).ends_with("; panicked"), "a lost guest counts");
    }
}
