// SPDX-License-Identifier: BSD-2-Clause
//! FreeBSD's own tests in one line and in one exit code.

use crate::atf::{Failure, Outcome, Run, comparisons, is_counted};
use crate::cli::exit::ExitCode;

/// The tests in one line; empty if there are none.
pub(in crate::cli) fn line(runs: &[Run]) -> String {
    let found = comparisons(runs);
    let alone = runs.iter().filter(|run| found.iter().all(|one| one.release != run.release));
    let both = found.iter().map(|one| format!("{}: {}", one.release, one.line()));
    let all: Vec<_> = both.chain(alone.map(|run| format!("{}: {}", run.cell, run.line()))).collect();
    if all.is_empty() { String::new() } else { format!("FreeBSD's own tests: {}", all.join("; ")) }
}

fn code_of(failure: &Failure) -> ExitCode {
    match failure {
        Failure::Build(_) => ExitCode::BUILD,
        Failure::Verification(_) => ExitCode::REFUSED,
        Failure::Guest(_) => ExitCode::GUEST,
        Failure::NotRun(_) => ExitCode::NOTHING_RAN,
    }
}

/// The worst of what happened decides, in the order of `test-matrix`.
pub(in crate::cli) fn code(runs: &[Run]) -> ExitCode {
    let found = &comparisons(runs);
    let failed =
        runs.iter().filter_map(|run| run.failure.as_ref()).map(code_of).fold(ExitCode::OK, ExitCode::or);
    let alone = |run: &&Run| found.iter().all(|one| one.release != run.release);
    let complained = found.iter().any(|one| !one.complaints.is_empty())
        || runs.iter().filter(alone).any(|run| !run.complaints.is_empty());
    let counted = |wanted: fn(&Outcome) -> bool| {
        runs.iter()
            .any(|run| run.cases.iter().any(|case| wanted(&case.outcome) && is_counted(case, run, runs)))
    };
    if runs.iter().any(|run| run.interrupted) {
        ExitCode::INTERRUPTED
    } else if failed != ExitCode::OK && failed != ExitCode::NOTHING_RAN {
        failed
    } else if complained || counted(|outcome| matches!(outcome, Outcome::GuestLost(_))) {
        ExitCode::GUEST
    } else if found.iter().any(|one| !one.differing.is_empty())
        || runs.iter().filter(alone).any(|run| run.cases.iter().any(|case| case.outcome.is_bad()))
    {
        ExitCode::COMPARISON
    } else if failed == ExitCode::NOTHING_RAN
        || !(runs.is_empty() || runs.iter().any(Run::has_answers))
        || found.iter().any(|one| !one.is_alike())
    {
        ExitCode::NOTHING_RAN
    } else {
        ExitCode::OK
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atf::Complained;
    use crate::atf::tests::run_of;

    fn run(module: &str, outcomes: &[Outcome]) -> Run {
        let names: Vec<_> = (0..outcomes.len()).map(|number| format!("sys/net/a:{number}")).collect();
        let cases: Vec<_> = names.iter().map(String::as_str).zip(outcomes.iter().cloned()).collect();
        Run { asked: (module == "rust").then_some(3), ..run_of("15.1-RELEASE", module, &cases) }
    }

    fn of(runs: &[Run]) -> u8 {
        code(runs).number()
    }

    #[test]
    fn what_happened_decides() {
        let (passed, failed) = ([Outcome::Passed], [Outcome::Failed("x".into())]);
        let lost = [Outcome::GuestLost("panicked".into())];
        let both = |stock: &[Outcome], rust: &[Outcome]| of(&[run("stock", stock), run("rust", rust)]);
        assert_eq!(both(&passed, &passed), 0);
        assert_eq!(both(&failed, &failed), 0, "the stock code is the measure");
        assert_eq!(both(&passed, &failed), 100);
        assert_eq!(both(&failed, &passed), 100);
        assert_eq!(both(&passed, &lost), 103);
        assert_eq!(of(&[run("stock", &failed)]), 100);
        assert_eq!(of(&[run("stock", &passed)]), 0);
        assert_eq!(of(&[run("stock", &[Outcome::NotRun("x".into())])]), 104);
        let rejected = Run { failure: Some(Failure::Verification("no".into())), ..run("rust", &[]) };
        assert_eq!(of(&[run("stock", &passed), rejected]), 102);
        let none = Run { failure: Some(Failure::NotRun("no tests.txz".into())), ..run("stock", &[]) };
        assert_eq!(of(&[none]), 104);
        assert_eq!(of(&[]), 0, "nobody asked for them");
    }

    #[test]
    fn complaints_interruptions_and_a_module_that_nobody_asked_are_told_apart() {
        let mut rust = run("rust", &[Outcome::Passed]);
        rust.complaints.push(Complained { text: "leak".into(), fingerprint: "leak".into() });
        assert_eq!(of(&[run("stock", &[Outcome::Passed]), rust.clone()]), 103);
        rust.interrupted = true;
        assert_eq!(of(&[run("stock", &[Outcome::Passed]), rust]), 130);
        let unasked = Run { asked: Some(0), ..run("rust", &[Outcome::Passed]) };
        assert_eq!(of(&[run("stock", &[Outcome::Passed]), unasked]), 104);
    }
}
