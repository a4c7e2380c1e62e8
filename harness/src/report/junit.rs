// SPDX-License-Identifier: BSD-2-Clause
//! `junit.xml`: one test suite a cell, one test case a vector. The writer escapes what XML forbids, so the
//! file is valid whatever bytes a message held.

use std::io;
use std::path::Path;
use std::time::Duration;

use nlproof_files::write_whole;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::summary::goldens;
use crate::atf;
use crate::golden::Compared;
use crate::matrix::{CellResult, CellStatus, Outcome, RunResult, Soft, VectorResult};

/// Writes `junit.xml`; it appears whole or not at all.
///
/// # Errors
/// The file cannot be written.
pub fn write_junit(path: &Path, run: &RunResult) -> io::Result<()> {
    let mut report = Report::new("nlproof");
    report.add_test_suites(run.cells.iter().map(suite));
    if !run.missing.is_empty() {
        let mut suite = TestSuite::new("missing");
        suite.add_test_cases(
            run.missing.iter().map(|part| {
                TestCase::new(part.clone(), broken("missing", "there is no report of this part"))
            }),
        );
        report.add_test_suite(suite);
    }
    report.add_test_suites(run.atf.iter().map(|one| own_tests(one, &run.atf)));
    let mut text = Vec::new();
    report.serialize(&mut text).map_err(io::Error::other)?;
    write_whole(path, &text)
}

fn suite(result: &CellResult) -> TestSuite {
    let name = result.cell.name();
    let mut suite = TestSuite::new(name.clone());
    suite.set_time(result.duration);
    let soft = result.cell.soft;
    if let Some(soft) = soft {
        let why = format!("what fails in this cell does not fail the run: {soft}");
        suite.add_property(("soft", why.as_str()));
    }
    if let Some(goldens) = goldens(result) {
        suite.add_property(("goldens", goldens.as_str()));
    }
    for origin in &result.recorded {
        suite.add_property(("golden", origin.line().as_str()));
    }
    for fact in &result.facts {
        suite.add_property((fact.label(), fact.text().as_str()));
    }
    // A cell that has no vectors to show for itself is a test case of its own, so that it is not lost.
    let whole = match &result.status {
        CellStatus::NotRun { reason, .. } => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason.as_str());
            Some(status)
        }
        other => other.failure().map(|(word, reason)| broken(word, reason)),
    };
    if let Some(status) = whole {
        let status = if soft == Some(Soft::Tried) { softened(status, Soft::Tried) } else { status };
        let mut case = TestCase::new("cell", status);
        case.set_classname(name.clone());
        suite.add_test_case(case);
    }
    for vector in &result.vectors {
        let status = match soft {
            Some(soft) if forgives(soft, &vector.outcome) => softened(status(vector), soft),
            _ => status(vector),
        };
        let mut case = TestCase::new(vector.id.clone(), status);
        case.set_classname(name.clone()).set_time(vector.duration);
        if let Outcome::Lost(how) = &vector.outcome {
            case.set_system_out(format!("the guest was lost, as the vector states: {how}"));
        }
        suite.add_test_case(case);
    }
    suite
}

/// FreeBSD's own tests in one cell. What the release's own code does not pass either is skipped, as the exit code does not
/// count it.
fn own_tests(run: &atf::Run, all: &[atf::Run]) -> TestSuite {
    let name = format!("FreeBSD's own tests: {}", run.cell);
    let mut suite = TestSuite::new(name.clone());
    let failure = run.failure.as_ref().map(|failure| broken("cell", failure.reason()));
    let complaints = run.complaints.iter().map(|one| broken("complaint", &one.text));
    for status in failure.into_iter().chain(complaints) {
        suite.add_test_case(TestCase::new("cell", status));
    }
    for case in &run.cases {
        let reason = case.outcome.reason();
        let mut skipped = TestCaseStatus::skipped();
        let status = match &case.outcome {
            atf::Outcome::Passed | atf::Outcome::ExpectedFailure(_) => TestCaseStatus::success(),
            bad if bad.is_bad() && !atf::is_counted(case, run, all) => {
                let word = case.outcome.word();
                skipped.set_message(format!("not counted, with both: {word}: {reason}"));
                skipped
            }
            atf::Outcome::Skipped(_) | atf::Outcome::NotRun(_) => {
                skipped.set_message(reason);
                skipped
            }
            atf::Outcome::Failed(_) => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_type(case.outcome.word()).set_message(reason).set_description(case.said.clone());
                status
            }
            atf::Outcome::Broken(_) | atf::Outcome::GuestLost(_) => broken(case.outcome.word(), reason),
        };
        let mut test = TestCase::new(case.name.clone(), status);
        test.set_classname(name.clone()).set_time(Duration::from_millis(case.duration_ms));
        suite.add_test_case(test);
    }
    suite
}

/// Whether an outcome is forgiven, by the rule of [`CellResult::forgiven`].
fn forgives(soft: Soft, outcome: &Outcome) -> bool {
    match soft {
        Soft::Tried => true,
        Soft::NeverObserved => matches!(outcome, Outcome::Failed(_) | Outcome::NoGolden),
    }
}

fn status(vector: &VectorResult) -> TestCaseStatus {
    match &vector.outcome {
        Outcome::Passed | Outcome::Lost(_) => TestCaseStatus::success(),
        Outcome::Survived(what) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type("survived").set_message("the guest lives, and the vector states that it is lost");
            status.set_description(what.clone());
            status
        }
        Outcome::Failed(divergence) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let what = match divergence.compared {
                Compared::Wire => "differs from its golden",
                Compared::Kernel => "the kernel trace differs",
            };
            let golden = vector.standing.map_or(String::new(), |standing| format!(" (golden {standing})"));
            status.set_type("comparison").set_message(format!("{what} in {}{golden}", divergence.step));
            status.set_description(divergence.to_string());
            status
        }
        Outcome::Violated(what) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type("violation").set_message("the kernel trace breaks a rule");
            status.set_description(what.clone());
            status
        }
        Outcome::NoGolden => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type("no-golden").set_message("there is no golden to compare with");
            status
        }
        Outcome::Inconclusive(reason) => broken("inconclusive", reason),
        Outcome::NotRun(reason) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason.as_str());
            status
        }
    }
}

/// The exit code does not count what fails in a soft cell, and whoever reads only this file shall come to the same end:
/// there it is skipped, and says what it was.
fn softened(status: TestCaseStatus, soft: Soft) -> TestCaseStatus {
    let TestCaseStatus::NonSuccess { message, ty, description, .. } = status else { return status };
    let mut skipped = TestCaseStatus::skipped();
    let message = message.as_ref().map_or("failed", |message| message.as_str());
    skipped.set_message(format!("not counted, {soft}: {message}"));
    if let Some(ty) = ty {
        skipped.set_type(ty);
    }
    if let Some(description) = description {
        skipped.set_description(description);
    }
    skipped
}

fn broken(kind: &str, reason: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_type(kind).set_message(reason);
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::summary::tests::sample_run;

    #[test]
    fn of_freebsds_own_tests_only_what_the_module_does_otherwise_fails() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("junit.xml");
        let failed = || atf::Outcome::Failed("no".into());
        let of = |module: &str, second| {
            atf::tests::run_of("14.0-STABLE", module, &[("a:alike", failed()), ("a:other", second)])
        };
        let atf = vec![of("stock", atf::Outcome::Passed), of("rust", failed())];
        write_junit(&path, &RunResult { cells: vec![], atf, ..sample_run() }).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches("<failure ").count(), 1, "{text}");
        assert!(text.contains("tests=\"4\"") && !text.contains("<error "), "{text}");
        assert_eq!(text.matches("not counted, with both: failed: no").count(), 2, "{text}");
    }

    #[test]
    fn the_file_is_xml_without_forbidden_bytes_and_a_soft_cell_fails_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("junit.xml");
        write_junit(&path, &sample_run()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("tests=\"7\""), "{text}");
        assert!(text.contains("failures=\"3\""), "{text}");
        assert!(text.contains("errors=\"1\""), "{text}");
        assert!(text.contains("the guest was lost, as the vector states: guest kernel panicked"), "{text}");
        assert!(text.contains("skipped") || text.contains("disabled"), "{text}");
        let mut soft = sample_run();
        soft.cells[0].cell.soft = Some(Soft::Tried);
        write_junit(&path, &soft).unwrap();
        let softened = std::fs::read_to_string(&path).unwrap();
        assert!(softened.contains("failures=\"0\"") && softened.contains("errors=\"0\""), "{softened}");
        let message = "not counted, its release is soft: differs from its golden in step 0";
        assert!(softened.contains(message) && softened.contains("name=\"soft\""), "{softened}");
        let goldens = "name=\"goldens\" value=\"1 recorded from this very kernel, 1 from another build";
        assert!(text.contains(goldens) && text.contains("name=\"golden\" value=\"observed: 14.0"), "{text}");
        assert!(text.contains("in step 0 (golden from another build of this release)"), "{text}");
        soft.cells[0].cell.soft = Some(Soft::NeverObserved);
        write_junit(&path, &soft).unwrap();
        let unseen = std::fs::read_to_string(&path).unwrap();
        // What is missing from a trace is not the golden's fault.
        // Nor is a guest that lives where the vector states its loss.
        assert!(unseen.contains("failures=\"1\"") && unseen.contains("errors=\"1\""), "{unseen}");
        assert!(unseen.contains("not counted, its release was never observed: differs"), "{unseen}");
        let forbidden = |c: char| c.is_control() && !matches!(c, '\n' | '\t' | '\r');
        assert!(!text.contains(forbidden), "{text:?}");
    }
}
