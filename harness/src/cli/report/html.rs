// SPDX-License-Identifier: BSD-2-Clause
//! `report html`, and the page that a run leaves beside its report.

use std::path::Path;

use super::directory::directory_of;
use crate::cli::args::{HtmlArgs, VectorArgs};
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::out::tell;
use crate::cli::project::Project;
use crate::cli::verdict::{closing_line, exit_code};
use crate::file::FileError;
use crate::golden::Store;
use crate::matrix::RunResult;
use crate::report::{BlockFiles, HtmlError, HtmlReport, read_report};
use crate::vector::Vector;

/// The page's name in a report directory.
const NAME: &str = "report.html";

/// Writes the page of a report.
pub(super) fn main(project: &Project, args: &HtmlArgs) -> Result<ExitCode, CliError> {
    let HtmlArgs { report, output, baseline, blocks, source } = args;
    let run = read_report(report)?;
    let baseline = baseline.as_deref().map(read_baseline).transpose()?;
    let directory = directory_of(report);
    let file = output.clone().unwrap_or_else(|| directory.join(NAME));
    let vectors = project.vectors(&VectorArgs::default())?;
    let blocks = BlockFiles { file: blocks.as_deref(), tests: &project.root, source: source.as_deref() };
    write(project, &vectors, &directory, &file, (&run, baseline.as_ref(), blocks))?;
    tell!("page: {}", file.display());
    Ok(exit_code(&run, false))
}

/// A baseline with the name that people know it by: that of its directory.
pub(in crate::cli) fn read_baseline(path: &Path) -> Result<(String, RunResult), FileError> {
    let run = read_report(path)?;
    let directory = directory_of(path);
    let directory = directory.canonicalize().unwrap_or(directory);
    let name = directory
        .file_name()
        .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into());
    Ok((name, run))
}

/// Writes the page beside a report. What goes wrong is told, and costs the page only.
pub(in crate::cli) fn beside(
    project: &Project,
    vectors: &[Vector],
    directory: &Path,
    run: &RunResult,
    baseline: Option<&(String, RunResult)>,
) -> ExitCode {
    let blocks = BlockFiles { file: None, tests: &project.root, source: None };
    match write(project, vectors, directory, &directory.join(NAME), (run, baseline, blocks)) {
        Ok(()) => ExitCode::OK,
        Err(error) => error.told(),
    }
}

/// A page of a run, without its raw traces.
pub(in crate::cli) fn report<'r>(
    run: &'r RunResult,
    closing: &'r str,
    vectors: &'r [Vector],
    goldens: &'r Store,
    baseline: Option<&'r (String, RunResult)>,
) -> HtmlReport<'r> {
    HtmlReport {
        run,
        closing,
        passed: exit_code(run, false) == ExitCode::OK,
        vectors,
        goldens,
        directory: None,
        baseline: baseline.map(|(name, run)| (name.as_str(), run)),
        blocks: None,
        follows: None,
    }
}

/// Why a page was not made; `file` is what it was for.
pub(in crate::cli) fn unmade(file: &Path, error: HtmlError) -> CliError {
    let output = |error| CliError::Output { what: file.display().to_string(), error };
    match error {
        HtmlError::Input(error) => CliError::from(error),
        HtmlError::Output(error) => output(error),
        bug @ HtmlError::Template(_) => output(std::io::Error::other(bug)),
    }
}

fn write(
    project: &Project,
    vectors: &[Vector],
    directory: &Path,
    file: &Path,
    (run, baseline, blocks): (&RunResult, Option<&(String, RunResult)>, BlockFiles<'_>),
) -> Result<(), CliError> {
    let (closing, goldens) = (closing_line(run), project.goldens());
    let page = HtmlReport {
        directory: Some(directory),
        blocks: Some(blocks),
        ..report(run, &closing, vectors, &goldens, baseline)
    };
    let notes = page.write(file).map_err(|error| unmade(file, error))?;
    for note in notes {
        tell!("warning: {note}");
    }
    Ok(())
}
