// SPDX-License-Identifier: BSD-2-Clause
//! Problems as a CI system's annotations: GitHub Actions' workflow commands
//! (`::error file=F,line=N,title=T::MESSAGE`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nlproof_base::counted;

use crate::golden::Compared;
use crate::matrix::{CellResult, CellStatus, Outcome, RunResult, VectorResult};

/// The number of annotations of a kind that GitHub shows of one step (docs.github.com, "Workflow commands"); it drops the rest
/// without a word.
const SHOWN: usize = 10;

/// Paths of a project's files in its repository.
#[derive(Debug, Clone)]
pub struct Places<'a> {
    /// The project's `tests` directory as seen from the repository's root.
    pub tests: &'a Path,
    /// The line of each cell in matrix.yaml, by the cell's name.
    pub cells: BTreeMap<String, u64>,
}

/// The problems of the run as lines to be printed in a job of GitHub Actions, each at a file and line: a failed comparison
/// at that of the golden, other problems of a vector at the vector, those of a cell at its row in matrix.yaml. Of more
/// than GitHub shows the rest is one annotation with their numbers.
pub fn annotations(run: &RunResult, places: &Places<'_>) -> Vec<String> {
    let mut all: Vec<_> = run.missing.iter().map(|part| of_missing(part, places)).collect();
    all.extend(run.cells.iter().filter_map(|result| of_cell(result, places)));
    for result in &run.cells {
        all.extend(result.vectors.iter().filter_map(|vector| of_vector(result, vector, places)));
    }
    let (errors, notices): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.kind == Kind::Error);
    [errors, notices].into_iter().flat_map(|of_kind| shown(of_kind, places)).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Error,
    Notice,
}

struct Annotation {
    kind: Kind,
    file: PathBuf,
    line: u64,
    /// The subject of the problem: a cell, or a part of the run that is missing.
    part: String,
    title: String,
    message: String,
}

fn of_missing(part: &str, places: &Places<'_>) -> Annotation {
    // `slice 2/2 of sim/15` is of that cell.
    let cell = part.rsplit(' ').next().unwrap_or(part);
    Annotation {
        kind: Kind::Error,
        file: places.tests.join("matrix.yaml"),
        line: places.line_of(cell),
        part: cell.to_owned(),
        title: format!("{part}: no report"),
        message: "the job that should have run it left none".into(),
    }
}

fn of_cell(result: &CellResult, places: &Places<'_>) -> Option<Annotation> {
    let cell = result.cell.name();
    let (kind, title, message) = match (result.status.failure(), &result.status) {
        (Some((word, reason)), _) => (Kind::Error, format!("{cell}: {word} failed"), reason.to_owned()),
        (None, CellStatus::NotRun { reason, remedy }) => {
            (Kind::Notice, format!("{cell}: not run"), format!("{reason}\nto run it: {remedy}"))
        }
        _ => return None,
    };
    let (file, line) = (places.tests.join("matrix.yaml"), places.line_of(&cell));
    Some(Annotation { kind, file, line, part: cell, title, message })
}

fn of_vector(result: &CellResult, vector: &VectorResult, places: &Places<'_>) -> Option<Annotation> {
    let cell = result.cell.name();
    let title = format!("{cell} {}", vector.id);
    let own_file = places.tests.join("vectors").join(format!("{}.yaml", vector.id));
    let (file, line, title, message) = match &vector.outcome {
        Outcome::Passed | Outcome::Lost(_) | Outcome::NotRun(_) => return None,
        Outcome::Failed(divergence) => {
            let suffix = match divergence.compared {
                Compared::Wire => "trace",
                Compared::Kernel => "ktrace",
            };
            // A layer may be named with what was applied to it: `common, with divergences.yaml`.
            let layer =
                vector.golden_layer.as_deref().and_then(|layer| layer.split(',').next()).unwrap_or_default();
            let golden = places.tests.join("golden").join(layer).join(format!("{}.{suffix}", vector.id));
            (golden, divergence.line as u64, title, divergence.to_string())
        }
        Outcome::Violated(what) => (own_file, 1, format!("{title}: violated"), what.clone()),
        Outcome::Survived(what) => (own_file, 1, format!("{title}: survived"), what.clone()),
        Outcome::Inconclusive(reason) => (own_file, 1, format!("{title}: inconclusive"), reason.clone()),
        Outcome::NoGolden => (own_file, 1, title, "there is no golden to compare with".into()),
    };
    Some(Annotation { kind: Kind::Error, file, line, part: cell, title, message })
}

/// The annotations of one kind; if there are too many, the last one sums up the rest.
fn shown(of_kind: Vec<Annotation>, places: &Places<'_>) -> Vec<String> {
    if of_kind.len() <= SHOWN {
        return of_kind.iter().map(Annotation::command).collect();
    }
    let (first, rest) = of_kind.split_at(SHOWN - 1);
    let mut parts: Vec<(&str, usize)> = Vec::new();
    for one in rest {
        match parts.iter_mut().find(|(part, _)| *part == one.part) {
            Some((_, number)) => *number += 1,
            None => parts.push((&one.part, 1)),
        }
    }
    let by_part: Vec<_> = parts.iter().map(|(part, number)| format!("{part}: {number}")).collect();
    let kind = rest[0].kind;
    let noun = match kind {
        Kind::Error => "more problem",
        Kind::Notice => "more notice",
    };
    let sum = Annotation {
        kind,
        file: places.tests.join("matrix.yaml"),
        line: 1,
        part: String::new(),
        title: counted(rest.len(), noun).to_string(),
        message: format!("{}\nthe report has them all: nlproof report show DIR", by_part.join("\n")),
    };
    first.iter().chain([&sum]).map(Annotation::command).collect()
}

impl Places<'_> {
    fn line_of(&self, cell: &str) -> u64 {
        self.cells.get(cell).copied().unwrap_or(1)
    }
}

impl Annotation {
    fn command(&self) -> String {
        let kind = match self.kind {
            Kind::Error => "error",
            Kind::Notice => "notice",
        };
        let file = property(&self.file.display().to_string());
        format!(
            "::{kind} file={file},line={},title={}::{}",
            self.line,
            property(&self.title),
            data(&self.message)
        )
    }
}

/// What a workflow command's message may not hold as it is: it ends at a line's end.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property ends at a comma or colon too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::summary::tests::sample_run;

    fn places() -> Places<'static> {
        Places { tests: Path::new("tests"), cells: BTreeMap::from([("sim/15".to_owned(), 7)]) }
    }

    #[test]
    fn every_problem_is_one_line_with_file_and_line_that_cannot_be_broken_out_of() {
        let mut run = sample_run();
        run.missing = vec!["slice 2/2 of sim/15".into()];
        run.cells[0].status = CellStatus::GuestFailed("panic: 100 %\n::error::not mine".into());
        let lines = annotations(&run, &places());
        assert_eq!(lines.len(), 6, "{lines:#?}");
        assert!(lines.iter().all(|line| !line.contains('\n')), "{lines:#?}");
        for (line, begin) in lines.iter().zip([
            "::error file=tests/matrix.yaml,line=7,title=slice 2/2 of sim/15%3A no report::",
            "::error file=tests/matrix.yaml,line=1,title=freebsd/14.0-STABLE/stock%3A ",
            "::error file=tests/golden/common/link/b.trace,line=5,title=freebsd/14.0-STABLE/stock link/b::first",
            "::error file=tests/vectors/link/c.yaml,line=1,title=freebsd/14.0-STABLE/stock link/c%3A inconclusive::",
            "::error file=tests/vectors/link/d.yaml,line=1,",
        ]) {
            assert!(line.starts_with(begin), "{line}");
        }
        assert!(lines[1].ends_with("::panic: 100 %25%0A::error::not mine"), "{}", lines[1]);
    }

    #[test]
    fn a_run_without_problems_has_no_annotations() {
        let mut run = sample_run();
        run.cells[0].vectors.truncate(1);
        run.cells[0].status = CellStatus::Passed;
        assert!(annotations(&run, &places()).is_empty());
    }

    #[test]
    fn more_than_are_shown_are_summed_up_by_cell() {
        let mut run = sample_run();
        let failed = run.cells[0].vectors[1].clone();
        run.cells[0].vectors = vec![failed.clone(); 9];
        let mut other = run.cells[0].clone();
        (other.cell.release, other.vectors) = (None, vec![failed; 3]);
        run.cells.push(other);
        let lines = annotations(&run, &places());
        assert_eq!(lines.len(), 10, "{lines:#?}");
        let last = lines.last().unwrap();
        assert!(
            last.starts_with(
                "::error file=tests/matrix.yaml,line=1,title=3 more problems::freebsd/14.0: 3%0A"
            ),
            "{last}"
        );
        run.cells[1].vectors.truncate(1);
        assert_eq!(annotations(&run, &places()).len(), 10, "ten are all shown");
        assert!(!annotations(&run, &places()).iter().any(|line| line.contains("more problem")));
        let not_run = CellStatus::NotRun { reason: "r".into(), remedy: "m".into() };
        let idle = CellResult { status: not_run, vectors: vec![], ..run.cells[0].clone() };
        run.cells = vec![idle; 20];
        let lines = annotations(&run, &places());
        assert_eq!(lines.len(), 10, "{lines:#?}");
        assert!(
            lines[9].starts_with("::notice ") && lines[9].contains("title=11 more notices::"),
            "{}",
            lines[9]
        );
    }
}
