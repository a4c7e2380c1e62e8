// SPDX-License-Identifier: BSD-2-Clause
//! The tests in a report directory, beside what a run of the vectors left there.

use std::path::Path;

use crate::atf::Run;
use crate::cli::args::VectorArgs;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::project::Project;
use crate::cli::report::directory::write_reports;
use crate::cli::report::html;
use crate::matrix::{RunResult, VectorsOfRun};
use crate::report::read_report;

/// Adds the runs to the report of a directory; an earlier run of the same cell is replaced.
pub(super) fn add(project: &Project, directory: &Path, runs: &[Run]) -> Result<ExitCode, CliError> {
    let mut result = match directory.join("report.json").exists() {
        true => read_report(directory)?,
        false => RunResult {
            cells: Vec::new(),
            interrupted: false,
            vectors: VectorsOfRun::default(),
            missing: Vec::new(),
            atf: Vec::new(),
        },
    };
    result.atf.retain(|known| runs.iter().all(|run| run.cell != known.cell));
    result.atf.extend_from_slice(runs);
    let vectors = project.vectors(&VectorArgs::default())?;
    Ok(write_reports(directory, &result).or(html::beside(project, &vectors, directory, &result, None)))
}
