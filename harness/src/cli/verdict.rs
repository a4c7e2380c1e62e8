// SPDX-License-Identifier: BSD-2-Clause
//! A run in one line and in one exit code.

use nlproof_base::counted;

use super::atf::verdict as atf;
use super::exit::ExitCode;
use crate::matrix::{CellResult, CellStatus, RunResult, Soft};

/// The run in one line.
pub(super) fn closing_line(result: &RunResult) -> String {
    let mut passed = 0;
    let mut bad = 0;
    for counts in result.cells.iter().map(|cell| cell.counts()) {
        passed += counts.passed;
        bad += counts.failed + counts.inconclusive + counts.no_golden;
    }
    let forgiven = |soft| result.cells.iter().filter(|cell| cell.forgiven() == Some(soft)).count();
    let tried = match forgiven(Soft::Tried) {
        0 => String::new(),
        number => {
            format!("; {} failed, which is not counted", counted(number, "soft cell"))
        }
    };
    let unseen = match forgiven(Soft::NeverObserved) {
        0 => String::new(),
        1 => "; 1 cell differs whose release was never observed, which is not counted".into(),
        count => format!("; {count} cells differ whose releases were never observed, which is not counted"),
    };
    let not_run = |status: &CellStatus| matches!(status, CellStatus::NotRun { .. });
    let ran = result.cells.iter().filter(|cell| !not_run(&cell.status)).count();
    let skipped = result.cells.len() - ran;
    let broken = |status: &CellStatus| status.failure().is_some();
    let lost = match result.cells.iter().filter(|cell| broken(&cell.status)).count() {
        0 => String::new(),
        number => {
            format!("; {} lost with guest, image or module", counted(number, "cell").verb("was", "were"))
        }
    };
    let missing = match result.missing.len() {
        0 => String::new(),
        number => format!("; {} missing", counted(number, "part")),
    };
    let fallbacks = match result.cells.iter().map(|cell| cell.fallbacks).sum::<u32>() {
        0 => String::new(),
        number => {
            format!("; {} not restored but booted", counted(number, "saved guest").verb("was", "were"))
        }
    };
    let unkept = match result.cells.iter().filter(|cell| cell.unkept().is_some()).count() {
        0 => String::new(),
        number => format!("; of {} not all could be kept beside the report", counted(number, "cell")),
    };
    let interrupted = if result.interrupted { "; interrupted" } else { "" };
    let [passed, ran, skipped] =
        [(passed, "vector"), (ran, "cell"), (skipped, "cell")].map(|(number, noun)| counted(number, noun));
    let tests = atf::line(&result.atf);
    if result.cells.is_empty() && !tests.is_empty() {
        return tests;
    }
    let tests = if tests.is_empty() { tests } else { format!("; {tests}") };
    format!(
        "{passed} passed, {bad} did not, in {ran}; {skipped} not run{missing}{lost}{tried}{unseen}{fallbacks}{unkept}{interrupted}{tests}"
    )
}

/// The worst of what happened decides: a lost guest hides comparisons, so it comes before them.
pub(super) fn exit_code(result: &RunResult, require_all: bool) -> ExitCode {
    // A report of FreeBSD's own tests alone has no cells, and lacks none.
    match result.cells.is_empty() && !result.atf.is_empty() {
        true => atf::code(&result.atf),
        false => code_of_cells(result, require_all).or(atf::code(&result.atf)),
    }
}

fn code_of_cells(result: &RunResult, require_all: bool) -> ExitCode {
    let counts = |cell: &&CellResult| cell.forgiven().is_none();
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
    use super::*;
    use crate::matrix::VectorsOfRun;
    use crate::matrix::tests::{cell, cell_result};
    use crate::targets::Fact;

    fn run(statuses: Vec<CellStatus>, interrupted: bool) -> RunResult {
        let cell = cell(None, iface_core::Profile::R15);
        let result = |status| cell_result(cell.clone(), status);
        RunResult {
            cells: statuses.into_iter().map(result).collect(),
            interrupted,
            vectors: VectorsOfRun::default(),
            missing: vec![],
            atf: vec![],
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
            closing_line(&joined).ends_with("0 cells not run; 1 part missing"),
            "{}",
            closing_line(&joined)
        );
        assert_eq!(exit_code(&run(vec![passed()], true), false), ExitCode::INTERRUPTED);
    }

    #[test]
    fn what_could_not_be_kept_hides_no_failure() {
        let unkept = |status| {
            let mut result = run(vec![status], false);
            result.cells[0].facts.push(Fact::Unkept("no space".into()));
            result
        };
        let passed = unkept(CellStatus::Passed);
        assert_eq!(exit_code(&passed, false), ExitCode::UNWRITTEN);
        assert!(closing_line(&passed).ends_with("; of 1 cell not all could be kept beside the report"));
        assert_eq!(exit_code(&unkept(CellStatus::Failed), false), ExitCode::COMPARISON);
    }

    #[test]
    fn a_cell_that_is_only_tried_is_told_and_fails_nothing() {
        let mut result = run(vec![CellStatus::Passed, CellStatus::GuestFailed("x".into())], false);
        assert_eq!(exit_code(&result, false), ExitCode::GUEST);
        result.cells[1].cell.soft = Some(Soft::Tried);
        assert_eq!(exit_code(&result, false), ExitCode::OK);
        assert!(closing_line(&result).ends_with("; 1 soft cell failed, which is not counted"));
        result.cells.remove(0);
        assert_eq!(exit_code(&result, false), ExitCode::OK, "it ran");
        result.cells[0].status = CellStatus::NotRun { reason: "r".into(), remedy: "m".into() };
        assert_eq!(exit_code(&result, false), ExitCode::NOTHING_RAN);
    }

    #[test]
    fn a_release_that_was_never_observed_fails_nothing_by_its_answers() {
        let mut result = run(vec![CellStatus::Passed, CellStatus::Failed], false);
        assert_eq!(exit_code(&result, false), ExitCode::COMPARISON);
        result.cells[1].cell.soft = Some(Soft::NeverObserved);
        assert_eq!(exit_code(&result, false), ExitCode::OK);
        let said = closing_line(&result);
        assert!(
            said.ends_with("; 1 cell differs whose release was never observed, which is not counted"),
            "{said}"
        );
        result.cells.remove(0);
        assert_eq!(exit_code(&result, true), ExitCode::OK, "it ran");
        // A panic needs no golden.
        result.cells[0].status = CellStatus::GuestFailed("panicked".into());
        assert_eq!(exit_code(&result, false), ExitCode::GUEST);
    }
}
