// SPDX-License-Identifier: BSD-2-Clause
//! A run in one line and in one exit code.

use super::exit::ExitCode;
use crate::matrix::{CellResult, CellStatus, RunResult};

/// The run in one line.
pub(super) fn closing_line(result: &RunResult) -> String {
    let mut passed = 0;
    let mut bad = 0;
    for counts in result.cells.iter().map(|cell| cell.counts()) {
        passed += counts.passed;
        bad += counts.failed + counts.inconclusive + counts.no_golden;
    }
    let soft = result.cells.iter().filter(|cell| cell.cell.soft && fails(&cell.status)).count();
    let soft = match soft {
        0 => String::new(),
        count => format!("; {count} cells failed whose releases are only tried"),
    };
    let not_run = |status: &CellStatus| matches!(status, CellStatus::NotRun { .. });
    let ran = result.cells.iter().filter(|cell| !not_run(&cell.status)).count();
    let skipped = result.cells.len() - ran;
    let broken = |status: &CellStatus| status.failure().is_some();
    let lost = match result.cells.iter().filter(|cell| broken(&cell.status)).count() {
        0 => String::new(),
        count => format!("; {count} cells lost their guest, image or module"),
    };
    let missing = match result.missing.len() {
        0 => String::new(),
        count => format!("; {count} parts missing"),
    };
    let fallbacks = match result.cells.iter().map(|cell| cell.fallbacks).sum::<u32>() {
        0 => String::new(),
        count => format!("; {count} saved guests could not be restored and were booted instead"),
    };
    let unkept = match result.cells.iter().filter(|cell| cell.unkept().is_some()).count() {
        0 => String::new(),
        count => format!("; of {count} cells not all could be kept beside the report"),
    };
    let interrupted = if result.interrupted { "; interrupted" } else { "" };
    format!(
        "{passed} vectors passed, {bad} did not, in {ran} cells; {skipped} cells not run{missing}{lost}{soft}{fallbacks}{unkept}{interrupted}"
    )
}

/// Whether a cell ran, or was to run, and it did not come to a good end.
fn fails(status: &CellStatus) -> bool {
    !matches!(status, CellStatus::Passed | CellStatus::NotRun { .. })
}

/// The worst of what happened decides: a lost guest hides comparisons, so it comes before them.
pub(super) fn exit_code(result: &RunResult, require_all: bool) -> ExitCode {
    let counts = |cell: &&CellResult| !(cell.cell.soft && fails(&cell.status));
    let any =
        |wanted: fn(&CellStatus) -> bool| result.cells.iter().filter(counts).any(|cell| wanted(&cell.status));
    // A cell that failed softly ran all the same.
    let ran =
        any(|status| matches!(status, CellStatus::Passed)) || !result.cells.iter().all(|cell| counts(&cell));
    if result.interrupted {
        ExitCode::INTERRUPTED
    } else if any(|status| matches!(status, CellStatus::BuildFailed(_))) {
        ExitCode::BUILD
    } else if any(|status| matches!(status, CellStatus::Refused(_))) {
        ExitCode::REFUSED
    } else if any(|status| {
        matches!(status, CellStatus::GuestFailed(_) | CellStatus::LoadFailed(_) | CellStatus::ModuleFailed(_))
    }) {
        ExitCode::GUEST
    } else if any(|status| matches!(status, CellStatus::Failed)) {
        ExitCode::COMPARISON
    } else if !ran
        || !result.missing.is_empty()
        || (require_all && any(|status| matches!(status, CellStatus::NotRun { .. })))
    {
        ExitCode::NOTHING_RAN
    } else if result.cells.iter().any(|cell| cell.unkept().is_some()) {
        ExitCode::UNWRITTEN
    } else {
        ExitCode::OK
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::matrix::{Cell, ModuleKind, TargetKind, VectorsOfRun};
    use crate::target::UNKEPT;

    fn run(statuses: Vec<CellStatus>, interrupted: bool) -> RunResult {
        let cell = Cell {
            target: TargetKind::Sim,
            release: None,
            profile: iface_core::Profile::R15,
            module: ModuleKind::Stock,
            without: vec![],
            soft: false,
        };
        let result = |status| CellResult {
            cell: cell.clone(),
            status,
            fallbacks: 0,
            losses: vec![],
            facts: vec![],
            vectors: vec![],
            duration: Duration::ZERO,
            guest_time: Duration::ZERO,
        };
        RunResult {
            cells: statuses.into_iter().map(result).collect(),
            interrupted,
            vectors: VectorsOfRun::default(),
            missing: vec![],
        }
    }

    #[test]
    fn the_worst_decides_the_exit_code() {
        let not_run = || CellStatus::NotRun { reason: "r".into(), remedy: "m".into() };
        let passed = || CellStatus::Passed;
        let cases = [
            (vec![passed(), not_run()], false, ExitCode::OK),
            (vec![passed(), not_run()], true, ExitCode::NOTHING_RAN),
            (vec![passed()], true, ExitCode::OK),
            (vec![not_run()], false, ExitCode::NOTHING_RAN),
            (vec![], false, ExitCode::NOTHING_RAN),
            (vec![passed(), CellStatus::Failed], false, ExitCode::COMPARISON),
            (vec![CellStatus::GuestFailed("x".into()), CellStatus::Failed], false, ExitCode::GUEST),
            (vec![CellStatus::BuildFailed("x".into()), passed()], false, ExitCode::BUILD),
            (
                vec![CellStatus::GuestFailed("x".into()), CellStatus::Refused("x".into())],
                false,
                ExitCode::REFUSED,
            ),
            (vec![passed(), CellStatus::LoadFailed("x".into())], false, ExitCode::GUEST),
            (vec![CellStatus::Failed, CellStatus::ModuleFailed("x".into())], false, ExitCode::GUEST),
        ];
        for (statuses, require_all, expected) in cases {
            let result = run(statuses, false);
            assert_eq!(exit_code(&result, require_all), expected, "{result:?}");
        }
        let mut joined = run(vec![passed()], false);
        joined.missing.push("slice 2/2 of sim/15".into());
        assert_eq!(exit_code(&joined, false), ExitCode::NOTHING_RAN);
        assert!(
            closing_line(&joined).ends_with("0 cells not run; 1 parts missing"),
            "{}",
            closing_line(&joined)
        );
        assert_eq!(exit_code(&run(vec![passed()], true), false), ExitCode::INTERRUPTED);
    }

    #[test]
    fn what_could_not_be_kept_hides_no_failure() {
        let unkept = |status| {
            let mut result = run(vec![status], false);
            result.cells[0].facts.push((UNKEPT.into(), "no space".into()));
            result
        };
        let passed = unkept(CellStatus::Passed);
        assert_eq!(exit_code(&passed, false), ExitCode::UNWRITTEN);
        assert!(closing_line(&passed).ends_with("; of 1 cells not all could be kept beside the report"));
        assert_eq!(exit_code(&unkept(CellStatus::Failed), false), ExitCode::COMPARISON);
    }

    #[test]
    fn a_cell_that_is_only_tried_is_told_and_fails_nothing() {
        let mut result = run(vec![CellStatus::Passed, CellStatus::GuestFailed("x".into())], false);
        assert_eq!(exit_code(&result, false), ExitCode::GUEST);
        result.cells[1].cell.soft = true;
        assert_eq!(exit_code(&result, false), ExitCode::OK);
        assert!(closing_line(&result).ends_with("1 cells failed whose releases are only tried"));
        result.cells.remove(0);
        assert_eq!(exit_code(&result, false), ExitCode::OK, "it ran");
        result.cells[0].status = CellStatus::NotRun { reason: "r".into(), remedy: "m".into() };
        assert_eq!(exit_code(&result, false), ExitCode::NOTHING_RAN);
    }
}
