// SPDX-License-Identifier: BSD-2-Clause
//! `report`: report directories of runs, shown, annotated and joined.

pub(super) mod directory;
pub(super) mod html;
mod raw;
pub(super) mod serve;
mod trend;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use self::directory::{directory_of, same_directory, write_reports};
use crate::cli::args::{ProjectArgs, ReportArgs, ReportCommand, VectorArgs};
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::out::{say, tell};
use crate::cli::project::Project;
use crate::cli::verdict::{closing_line, exit_code};
use crate::file::{FileError, Limit, parse_json, read_any};
use crate::matrix::{GuestFileName, RunResult};
use crate::report::{
    KINDS, Part, Places, annotations, cell_line, kept, merge, problems, read_report, troubled,
};

pub(super) fn main(project: &ProjectArgs, args: &ReportArgs) -> Result<ExitCode, CliError> {
    match &args.command {
        ReportCommand::Show { report } => {
            let run = read_report(report)?;
            show(&run);
            if run.cells.iter().any(|cell| troubled(cell).next().is_some()) {
                say!("to repeat the first problem: nlproof repro '{}#1'", report.display());
            }
            Ok(exit_code(&run, false))
        }
        ReportCommand::Html(args) => html::main(&Project::find(project)?, args),
        ReportCommand::Serve { report, baseline, serve } => {
            let project = Project::find(project)?;
            serve::main(&project, report, baseline.as_deref(), serve)
        }
        ReportCommand::Trend { reports, factor, json, output } => {
            trend::main(reports, *factor, *json, output.as_deref())
        }
        ReportCommand::Annotate { report } => {
            let run = read_report(report)?;
            let project = Project::find(project)?;
            let places = Places { tests: &project.relative_root(), cells: project.matrix()?.lines() };
            for line in annotations(&run, &places) {
                say!("{line}");
            }
            Ok(ExitCode::OK)
        }
        ReportCommand::Raw { report, cell, vector } => raw::main(report, cell.as_deref(), vector.as_deref()),
        ReportCommand::Merge { reports, into, expect } => {
            // A job that only joins may have no tests beside it.
            let project = Project::find(project).ok();
            join(project.as_ref(), reports, into, expect.as_deref())
        }
    }
}

fn show(run: &RunResult) {
    for part in &run.missing {
        say!("{part:<30} MISSING  there is no report of it");
    }
    for cell in &run.cells {
        say!("{}", cell_line(cell));
    }
    for problem in problems(run) {
        say!("\n{}", problem.numbered());
    }
    say!("report: {}", closing_line(run));
}

fn join(
    project: Option<&Project>,
    reports: &[PathBuf],
    into: &Path,
    expect: Option<&Path>,
) -> Result<ExitCode, CliError> {
    let mut parts = Vec::new();
    let mut errors = Vec::new();
    for path in reports {
        match read_report(path) {
            Ok(run) => parts.push(Part { path: path.clone(), run }),
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(CliError::Files(errors));
    }
    let expected = expect.map(expected_cells).transpose()?;
    if expected.is_none() && parts.iter().all(|part| part.run.vectors.slice.is_none()) {
        tell!("note: without --expect a cell that no report has is not missed");
    }
    let run = merge(&parts, expected.as_deref()).map_err(|error| CliError::Usage(error.to_string()))?;
    fs::create_dir_all(into).map_err(CliError::unwritten(into))?;
    for part in &parts {
        if same_directory(&directory_of(&part.path), into) {
            return Err(CliError::Usage(format!(
                "{} is one of the reports: joining would overwrite it\n  help: give --into another directory",
                into.display()
            )));
        }
    }
    // What cannot be kept beside it costs neither the report nor what it says.
    let kept = keep_files(&parts, into).map_or_else(CliError::told, |()| ExitCode::OK);
    let mut written = write_reports(into, &run);
    if let Some(project) = project {
        let vectors = project.vectors(&VectorArgs::default())?;
        written = written.or(html::beside(project, &vectors, into, &run, None));
    }
    show(&run);
    Ok(exit_code(&run, false).or(written).or(kept))
}

/// The cells of `matrix --json`.
fn expected_cells(path: &Path) -> Result<Vec<String>, FileError> {
    #[derive(Deserialize)]
    struct Jobs {
        include: Vec<Job>,
    }
    #[derive(Deserialize)]
    struct Job {
        cell: String,
    }
    let jobs: Jobs = parse_json(path, &read_any(path, Limit::REPORT)?)
        .map_err(|error| error.help("`nlproof matrix --json` writes such a file"))?;
    Ok(jobs.include.into_iter().map(|job| job.cell).collect())
}

/// Raw traces of the slices one after the other, consoles and textdumps under their slices' names.
fn keep_files(parts: &[Part], into: &Path) -> Result<(), CliError> {
    let mut ordered: Vec<_> = parts.iter().collect();
    ordered.sort_by_key(|part| part.run.vectors.slice);
    raw::join(&ordered, into)?;
    for part in ordered {
        keep_consoles(part, into).map_err(CliError::unwritten(into))?;
    }
    Ok(())
}

fn keep_consoles(part: &Part, into: &Path) -> io::Result<()> {
    let slice = part.run.vectors.slice.map(|slice| format!(".{}-{}", slice.index, slice.of));
    let directory = directory_of(&part.path);
    for cell in part.run.cells.iter().map(|result| result.cell.file_name()) {
        for kind in KINDS {
            for one in kept(&directory, kind)?.iter().filter(|one| one.name.cell == cell) {
                let cell = format!("{cell}{}", slice.as_deref().unwrap_or_default());
                let name = GuestFileName { cell, guest: one.name.guest };
                io::copy(
                    &mut nlproof_base::open(&one.path)?,
                    &mut File::create(into.join(format!("{name}.{kind}")))?,
                )?;
            }
        }
    }
    Ok(())
}
