// SPDX-License-Identifier: BSD-2-Clause
//! What `--baseline` and `--candidate` name.

use std::path::{Path, PathBuf};

use nlproof_base::counted;

use crate::cli::default_cell::release_here;
use crate::cli::directories::places;
use crate::cli::exit::CliError;
use crate::cli::project::Project;
use crate::cli::report::directory::directory_of;
use crate::matrix::{Cell, CellResult, ModuleKind, RunResult};
use crate::report::read_report;

/// One side of a qualification.
#[derive(Debug)]
pub(super) enum Side {
    /// A release, a branch, or a cell.
    Named(String),
    /// A kernel of one's own.
    Kernel(String),
    /// A source tree.
    Source(String),
    /// A report of an earlier run.
    Report {
        /// Where it stands.
        directory: PathBuf,
        /// What it says.
        run: Box<RunResult>,
        /// The cell that is meant, if the user names one.
        cell: Option<String>,
    },
}

impl Side {
    /// What a text names: a report, a source tree or a kernel if there is such a file, else a release or a cell.
    pub(super) fn parse(text: &str) -> Result<Side, CliError> {
        let (path, cell) = match text.split_once('@') {
            Some((path, cell)) if !Path::new(text).exists() => (path, Some(cell.to_owned())),
            _ => (text, None),
        };
        let path = Path::new(path);
        let is_report = path.join("report.json").is_file()
            || (path.is_file() && path.extension().is_some_and(|extension| extension == "json"));
        if is_report || cell.is_some() {
            let run = Box::new(read_report(path)?);
            return Ok(Side::Report { directory: directory_of(path), run, cell });
        }
        let (_, named) = text.split_once('=').filter(|_| !path.exists()).unwrap_or(("", text));
        let named = Path::new(named);
        Ok(match () {
            () if !named.exists() => Side::Named(text.to_owned()),
            () if named.join("sys/conf/newvers.sh").is_file() => Side::Source(text.to_owned()),
            () => Side::Kernel(text.to_owned()),
        })
    }
}

/// The stock cell of a report that is meant.
pub(super) fn of_report<'r>(
    run: &'r RunResult,
    cell: Option<&str>,
    directory: &Path,
) -> Result<&'r CellResult, CliError> {
    let names = || run.cells.iter().map(|result| result.cell.name()).collect::<Vec<_>>().join(", ");
    let none = |what: String| {
        let help = format!("it has {}; name one: {}@CELL", names(), directory.display());
        Err(CliError::Usage(format!("{}: {what}\n  help: {help}", directory.display())))
    };
    if let Some(cell) = cell {
        let found = run.cells.iter().find(|result| result.cell.name() == cell);
        return found.map_or_else(|| none(format!("has no cell {cell}")), Ok);
    }
    let mut stock = run.cells.iter().filter(|result| result.cell.module == ModuleKind::Stock);
    match (stock.next(), stock.count()) {
        (Some(result), 0) => Ok(result),
        (None, _) => none("has no cell with a kernel's own code".into()),
        (Some(_), more) => none(format!("has {}", counted(more + 1, "cell"))),
    }
}

/// The cell of a release, branch or cell that the user names.
pub(super) fn cell_named(project: &Project, text: &str) -> Result<Cell, CliError> {
    let unknown = || {
        let cells = project.matrix().map(|matrix| matrix.cells).unwrap_or_default();
        let names: Vec<_> = cells.iter().map(Cell::name).collect();
        CliError::Usage(format!(
            "no release, cell, kernel or report `{}`\n  help: the cells are: {}",
            text.escape_debug(),
            names.join(", ")
        ))
    };
    if text.contains('/') {
        return project.cell_named(text)?.ok_or_else(unknown);
    }
    let (dists, _) = places()?;
    let release = release_here(&dists, text);
    let stock = format!("freebsd/{release}/{}", ModuleKind::Stock);
    project.cell_named(&stock)?.ok_or_else(unknown)
}
