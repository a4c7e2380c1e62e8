// SPDX-License-Identifier: BSD-2-Clause
//! Problems as a CI system's annotations: GitHub Actions' workflow commands
//! (`::error file=F,line=N,title=T::MESSAGE`).

use std::path::Path;

use crate::golden::Compared;
use crate::matrix::{CellStatus, Outcome, RunResult};

/// One line for every problem of the run, to be printed in a job of GitHub Actions. `tests` is the project's `tests`
/// directory as seen from the repository's root: a failed comparison is shown at the golden's line.
pub fn annotations(run: &RunResult, tests: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for part in &run.missing {
        lines.push(command(
            "error",
            None,
            &format!("{part}: no report"),
            "the job that should have run it left none",
        ));
    }
    for result in &run.cells {
        let cell = result.cell.name();
        if let Some((word, reason)) = result.status.failure() {
            lines.push(command("error", None, &format!("{cell}: {word} failed"), reason));
        }
        if let CellStatus::NotRun { reason, remedy } = &result.status {
            lines.push(command(
                "notice",
                None,
                &format!("{cell}: not run"),
                &format!("{reason}\nto run it: {remedy}"),
            ));
        }
        for vector in &result.vectors {
            let title = format!("{cell} {}", vector.id);
            let own_file = tests.join("vectors").join(format!("{}.yaml", vector.id));
            match &vector.outcome {
                Outcome::Passed | Outcome::Lost(_) | Outcome::NotRun(_) => {}
                Outcome::Failed(divergence) => {
                    let suffix = match divergence.compared {
                        Compared::Wire => "trace",
                        Compared::Kernel => "ktrace",
                    };
                    let layer = vector.golden_layer.as_deref().unwrap_or_default();
                    let golden = tests.join("golden").join(layer).join(format!("{}.{suffix}", vector.id));
                    // The line is one of the golden's body: its header makes it a hint, not a place.
                    lines.push(command("error", Some(&golden), &title, &divergence.to_string()));
                }
                Outcome::Violated(what) => {
                    let title = format!("{title}: violated");
                    lines.push(command("error", Some(&own_file), &title, what));
                }
                Outcome::Survived(what) => {
                    let title = format!("{title}: survived");
                    lines.push(command("error", Some(&own_file), &title, what));
                }
                Outcome::Inconclusive(reason) => {
                    lines.push(command("error", Some(&own_file), &format!("{title}: inconclusive"), reason));
                }
                Outcome::NoGolden => {
                    lines.push(command(
                        "error",
                        Some(&own_file),
                        &title,
                        "there is no golden to compare with",
                    ));
                }
            }
        }
    }
    lines
}

fn command(kind: &str, file: Option<&Path>, title: &str, message: &str) -> String {
    let file =
        file.map(|path| format!("file={},", property(&path.display().to_string()))).unwrap_or_default();
    format!("::{kind} {file}title={}::{}", property(title), data(message))
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

    #[test]
    fn every_problem_is_one_line_that_cannot_be_broken_out_of() {
        let mut run = sample_run();
        run.missing = vec!["slice 2/2 of sim/15".into()];
        run.cells[0].status = CellStatus::GuestFailed("panic: 100 %\n::error::not mine".into());
        let lines = annotations(&run, Path::new("tests"));
        assert_eq!(lines.len(), 6, "{lines:#?}");
        assert!(lines.iter().all(|line| !line.contains('\n')), "{lines:#?}");
        assert!(lines[0].starts_with("::error title=slice 2/2 of sim/15%3A no report::"), "{}", lines[0]);
        assert!(lines[1].ends_with("::panic: 100 %25%0A::error::not mine"), "{}", lines[1]);
        let golden =
            "::error file=tests/golden/common/link/b.trace,title=freebsd/14.0-STABLE/stock link/b::first";
        assert!(lines[2].starts_with(golden), "{}", lines[2]);
        assert!(lines[3].contains("tests/vectors/link/c.yaml"), "{}", lines[3]);
        let mut quiet = sample_run();
        quiet.cells[0].vectors.truncate(1);
        quiet.cells[0].status = CellStatus::Passed;
        assert_eq!(annotations(&quiet, Path::new("tests")), [""; 0]);
    }
}
