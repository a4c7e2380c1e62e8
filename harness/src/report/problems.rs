// SPDX-License-Identifier: BSD-2-Clause
//! Problems of a run, each difference told once: the first vector that shows it in full, the others by name below.

use std::fmt::{self, Write as _};

use crate::golden::Standing;
use crate::matrix::{CellResult, ModuleKind, Outcome, RunResult, VectorResult};

/// Number of vectors of a cell that are named below a problem; the report has all of them.
const NAMED: usize = 30;

/// One difference or other failure, with all vectors that show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem<'r> {
    first: Shown<'r>,
    /// Other vectors with the same problem, in the report's order.
    more: Vec<Shown<'r>>,
}

/// A vector that shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shown<'r> {
    /// The number that `repro REPORT#N` takes, from 1.
    number: usize,
    cell: &'r CellResult,
    vector: &'r VectorResult,
}

/// The vectors of a cell that ran and did not pass, in the order in which their problems are numbered.
pub fn troubled(result: &CellResult) -> impl Iterator<Item = &VectorResult> {
    result.vectors.iter().filter(|vector| is_trouble(&vector.outcome))
}

/// Whether a vector ran and did not pass.
pub(super) fn is_trouble(outcome: &Outcome) -> bool {
    !matches!(outcome, Outcome::Passed | Outcome::Lost(_) | Outcome::NotRun(_))
}

/// The problems of a run, in the order in which they were first seen.
pub fn problems(run: &RunResult) -> Vec<Problem<'_>> {
    let all = run.cells.iter().flat_map(|cell| troubled(cell).map(move |vector| (cell, vector)));
    let mut problems: Vec<Problem<'_>> = Vec::new();
    for (number, (cell, vector)) in (1..).zip(all) {
        let shown = Shown { number, cell, vector };
        match problems.iter_mut().find(|problem| same(&problem.first.vector.outcome, &vector.outcome)) {
            Some(problem) => problem.more.push(shown),
            None => problems.push(Problem { first: shown, more: Vec::new() }),
        }
    }
    problems
}

/// Whether two vectors show the same.
fn same(one: &Outcome, other: &Outcome) -> bool {
    match (one, other) {
        // Reports of old have no fingerprints: what cannot be compared is told each for itself.
        (Outcome::Failed(one), Outcome::Failed(other)) => {
            !one.fingerprint.is_empty()
                && (one.compared, &one.fingerprint) == (other.compared, &other.fingerprint)
        }
        (Outcome::Violated(one), Outcome::Violated(other))
        | (Outcome::Survived(one), Outcome::Survived(other))
        | (Outcome::Inconclusive(one), Outcome::Inconclusive(other)) => one == other,
        (Outcome::NoGolden, Outcome::NoGolden) => true,
        _ => false,
    }
}

impl<'r> Problem<'r> {
    /// Everything that shows it: its number, its cell, and the vector's id.
    pub fn shown(&self) -> impl Iterator<Item = (usize, String, &'r str)> {
        let all = std::iter::once(&self.first).chain(&self.more);
        all.map(|shown| (shown.number, shown.cell.cell.name(), shown.vector.id.as_str()))
    }

    /// The same, each vector with its number.
    pub fn numbered(&self) -> String {
        format!("#{} {}", self.first.number, self.text(true))
    }

    /// The first vector that shows it, with all there is to know.
    pub fn told(&self) -> String {
        let Shown { cell, vector, .. } = self.first;
        let (name, id) = (cell.cell.name(), &vector.id);
        match &vector.outcome {
            Outcome::Failed(divergence) => {
                let golden = vector.golden_layer.as_deref().unwrap_or("?");
                let standing = vector.standing.map_or(String::new(), |standing| format!(", {standing}"));
                let doubt = match (vector.standing, cell.cell.module) {
                    (Some(Standing::ThisKernel), ModuleKind::Stock) => {
                        "\n  this very kernel gave the golden: either it does not always answer so, or the vector, \
                         nlproof or the golden has changed since"
                    }
                    _ => "",
                };
                format!("FAILED {name} {id} (golden: {golden}{standing})\n  {divergence}{doubt}")
            }
            Outcome::Violated(what) => format!("VIOLATED {name} {id}\n  {what}"),
            Outcome::Survived(what) => format!("SURVIVED {name} {id}\n  {what}"),
            Outcome::Inconclusive(reason) => format!("INCONCLUSIVE {name} {id}: {reason}"),
            Outcome::NoGolden => format!(
                "NO GOLDEN {name} {id}\n  to make one: nlproof record --filter {id}, then nlproof review"
            ),
            // No problem has one of these.
            Outcome::Passed | Outcome::Lost(_) | Outcome::NotRun(_) => String::new(),
        }
    }

    fn text(&self, numbers: bool) -> String {
        let Shown { cell, vector, .. } = self.first;
        let mut text = self.told();
        if !self.more.is_empty() {
            let what = match vector.outcome {
                Outcome::Failed(_) => "the same difference",
                _ => "the same",
            };
            // Writing to a String cannot fail.
            write!(text, "\n  {what} in {} more:", self.more.len()).unwrap_or_default();
        }
        for of_cell in self.more.chunk_by(|one, next| std::ptr::eq(one.cell, next.cell)) {
            let Some(first) = of_cell.first() else { continue };
            let other = if std::ptr::eq(first.cell, cell) {
                String::new()
            } else {
                format!("{}: ", first.cell.cell.name())
            };
            write!(text, "\n    {other}{}", named(of_cell, numbers)).unwrap_or_default();
        }
        text
    }
}

fn named(shown: &[Shown<'_>], numbers: bool) -> String {
    let one = |shown: &Shown<'_>| {
        if numbers { format!("#{} {}", shown.number, shown.vector.id) } else { shown.vector.id.clone() }
    };
    let mut names: Vec<_> = shown.iter().take(NAMED).map(one).collect();
    if shown.len() > NAMED {
        names.push(format!("and {} more", shown.len() - NAMED));
    }
    names.join(", ")
}

impl fmt::Display for Problem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{Compared, Golden, Origin, compare};
    use crate::matrix::Cell;
    use crate::report::summary::tests::{sample, sample_run};

    #[test]
    fn every_problem_is_named_and_nothing_else() {
        let run = sample_run();
        let problems: Vec<_> = problems(&run).iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), 4);
        let failed =
            "FAILED freebsd/14.0-STABLE/stock link/b (golden: common, from another build of this release)";
        assert!(problems[0].starts_with(failed), "{}", problems[0]);
        assert!(problems[1].starts_with("INCONCLUSIVE"));
        assert!(problems[2].contains("nlproof record --filter link/d"));
        assert_eq!(problems[3], "SURVIVED freebsd/14.0-STABLE/stock link/g\n  it was to be lost");
        assert!(!problems.iter().any(|problem| problem.contains("more:")), "{problems:?}");
    }

    fn predicted(text: &str) -> Golden {
        Golden::new("link/a", Origin::predicted("15"), text)
    }

    /// A run of a stock and a rust cell with these vectors each: what a golden said, and what was seen.
    fn run_of(vectors: &[(&str, &str, &str)]) -> RunResult {
        let results = vectors.iter().map(|(id, golden, seen)| VectorResult {
            id: (*id).to_owned(),
            outcome: Outcome::Failed(compare(Compared::Wire, &predicted(golden), seen).unwrap()),
            ..sample().vectors[1].clone()
        });
        let stock = CellResult { vectors: results.collect(), ..sample() };
        let rust =
            CellResult { cell: Cell { module: ModuleKind::Rust, ..stock.cell.clone() }, ..stock.clone() };
        RunResult { cells: vec![stock, rust], ..sample_run() }
    }

    #[test]
    fn one_difference_in_many_vectors_and_cells_is_told_once() {
        const CAPS: [&str; 2] =
            ["step 0\n  < newlink\n      caps 1\n", "step 0\n  < newlink\n      caps 2\n"];
        let deeper = CAPS.map(|text| text.replace("step 0\n", "step 0\n  < error\nstep 1\n"));
        let other = CAPS[1].replace("caps 2", "caps 3");
        let run = run_of(&[
            ("link/a", CAPS[0], CAPS[1]),
            ("link/b", CAPS[0], &other),
            ("link/c", &deeper[0], &deeper[1]),
        ]);
        let problems = problems(&run);
        assert_eq!(problems.len(), 2, "{problems:?}");
        let shown = problems[0].to_string();
        let below =
            "  the same difference in 3 more:\n    link/c\n    freebsd/14.0-STABLE/rust: link/a, link/c";
        assert!(shown.ends_with(below), "{shown}");
        assert_eq!(shown.matches("+       caps 2").count(), 1, "{shown}");
        let numbered = problems[1].numbered();
        assert!(numbered.starts_with("#2 FAILED freebsd/14.0-STABLE/stock link/b "), "{numbered}");
        assert!(numbered.ends_with("in 1 more:\n    freebsd/14.0-STABLE/rust: #5 link/b"), "{numbered}");
    }

    #[test]
    fn a_kernel_that_contradicts_itself_is_told_so_and_a_module_that_contradicts_it_is_not() {
        let mut run = run_of(&[("link/a", "x\n", "y\n")]);
        let doubt = "this very kernel gave the golden: either";
        assert!(!problems(&run)[0].told().contains(doubt));
        for vector in run.cells.iter_mut().flat_map(|cell| &mut cell.vectors) {
            vector.standing = Some(Standing::ThisKernel);
        }
        assert!(problems(&run)[0].told().contains(doubt));
        run.cells.remove(0);
        assert!(!problems(&run)[0].told().contains(doubt));
    }

    #[test]
    fn what_an_old_report_does_not_tell_apart_is_told_each_for_itself() {
        let mut run = run_of(&[("link/a", "x\n", "y\n"), ("link/b", "x\n", "y\n")]);
        assert_eq!(problems(&run).len(), 1);
        for vector in run.cells.iter_mut().flat_map(|cell| &mut cell.vectors) {
            let Outcome::Failed(divergence) = &mut vector.outcome else { unreachable!() };
            divergence.fingerprint.clear();
        }
        assert_eq!(problems(&run).len(), 4);
    }

    #[test]
    fn many_vectors_are_named_in_part() {
        let ids: Vec<_> = (0..100).map(|number| format!("link/{number}")).collect();
        let vectors: Vec<_> = ids.iter().map(|id| (id.as_str(), "x\n", "y\n")).collect();
        let run = run_of(&vectors);
        let text = problems(&run)[0].to_string();
        assert!(text.contains("link/30, and 69 more\n"), "{text}");
        assert!(text.ends_with("link/29, and 70 more"), "{text}");
    }
}
