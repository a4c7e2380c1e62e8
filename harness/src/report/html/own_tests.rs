// SPDX-License-Identifier: BSD-2-Clause
//! FreeBSD's own tests on the page: the cells beside each other, what differs, and every case that is worth a look.

use serde::Serialize;

use crate::atf::{Comparison, Outcome, Run, comparisons, is_counted};

/// The section.
#[derive(Serialize)]
pub(super) struct OwnTests {
    cells: Vec<CellShown>,
    compared: Vec<ComparedShown>,
}

#[derive(Serialize)]
struct CellShown {
    name: String,
    line: String,
    class: &'static str,
    failure: Option<String>,
    complaints: Vec<String>,
    /// What passed, in groups of one program each.
    passed: Vec<(String, Vec<String>)>,
    others: Vec<CaseShown>,
}

#[derive(Serialize)]
struct CaseShown {
    name: String,
    word: &'static str,
    class: &'static str,
    reason: String,
    said: String,
    /// The release's own code and the module came to it alike.
    both: bool,
}

#[derive(Serialize)]
struct ComparedShown {
    class: &'static str,
    line: String,
    found: Comparison,
}

fn class(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "good",
        Outcome::ExpectedFailure(_) => "stated",
        Outcome::Skipped(_) | Outcome::NotRun(_) => "idle",
        Outcome::Failed(_) | Outcome::Broken(_) | Outcome::GuestLost(_) => "bad",
    }
}

impl OwnTests {
    /// The section of these runs; nothing if there are none.
    pub(super) fn of(runs: &[Run]) -> Option<Self> {
        let compared = comparisons(runs).into_iter().map(|found| ComparedShown {
            class: if found.is_alike() { "good" } else { "bad" },
            line: format!("{}: {}", found.release, found.line()),
            found,
        });
        let compared = compared.collect();
        (!runs.is_empty())
            .then(|| Self { cells: runs.iter().map(|run| shown(run, runs)).collect(), compared })
    }
}

fn shown(run: &Run, all: &[Run]) -> CellShown {
    let mut passed: Vec<(String, Vec<String>)> = Vec::new();
    let mut others = Vec::new();
    for case in &run.cases {
        if case.outcome == Outcome::Passed {
            let (program, name) = case.name.split_once(':').unwrap_or((&case.name, ""));
            match passed.last_mut() {
                Some((known, cases)) if known == program => cases.push(name.to_owned()),
                _ => passed.push((program.to_owned(), vec![name.to_owned()])),
            }
            continue;
        }
        others.push(CaseShown {
            name: case.name.clone(),
            word: case.outcome.word(),
            class: class(&case.outcome),
            reason: case.outcome.reason().to_owned(),
            said: case.said.clone(),
            both: case.outcome.is_bad() && !is_counted(case, run, all),
        });
    }
    let is_bad = run.failure.is_some() || run.cases.iter().any(|case| is_counted(case, run, all));
    CellShown {
        name: run.cell.clone(),
        line: run.line(),
        class: if is_bad { "bad" } else { "good" },
        failure: run.failure.as_ref().map(|failure| failure.reason().to_owned()),
        complaints: run.complaints.iter().map(|one| one.text.clone()).collect(),
        passed,
        others,
    }
}
