// SPDX-License-Identifier: BSD-2-Clause
//! `matrix`: the cells, for people and for the CI engine that spreads them over machines.

use serde::Serialize;

use super::args::{MatrixArgs, ProjectArgs};
use super::exit::{CliError, ExitCode};
use super::out::say;
use super::project::Project;
use crate::matrix::{Cell, ModuleKind, TargetKind};

/// A job matrix as GitHub Actions' `strategy.matrix` takes it: one job for each element of `include`.
#[derive(Serialize)]
struct Jobs {
    include: Vec<Job>,
}

#[derive(Serialize)]
struct Job {
    /// The cell's name.
    cell: String,
    target: String,
    /// Null for the simulator.
    release: Option<String>,
    profile: String,
    module: String,
    /// What selects this cell alone: `nlproof test-matrix ARGS`.
    args: String,
    /// Part of a file's name: for artifacts.
    file: String,
    /// What the job's machine needs, as an argument of `ci/install-debian`.
    needs: &'static str,
}

pub(super) fn main(project: &ProjectArgs, args: &MatrixArgs) -> Result<ExitCode, CliError> {
    let project = Project::find(project)?.with_kernels(&args.cells.kernel, &args.cells.release)?;
    let cells = project.all_cells(&args.cells)?;
    if args.needs {
        let mut parts: Vec<_> = cells.iter().map(needs).collect();
        parts.sort_unstable();
        parts.dedup();
        say!("{}", parts.join(" "));
    } else if args.json {
        let jobs = Jobs { include: cells.iter().map(job).collect() };
        let text = serde_json::to_string(&jobs)
            .map_err(|error| CliError::Output { what: "the job matrix".into(), error: error.into() })?;
        say!("{text}");
    } else {
        for cell in &cells {
            say!("{:<34} profile {:<5} {}", cell.name(), cell.profile.to_string(), selecting(cell));
        }
    }
    Ok(ExitCode::OK)
}

fn job(cell: &Cell) -> Job {
    Job {
        cell: cell.name(),
        target: cell.target.to_string(),
        release: cell.release.as_deref().map(str::to_owned),
        profile: cell.profile.to_string(),
        module: cell.module.to_string(),
        args: selecting(cell),
        file: cell.file_name(),
        needs: needs(cell),
    }
}

/// The part of `ci/install-debian` with the packages for the cell's target.
fn needs(cell: &Cell) -> &'static str {
    match (cell.target, cell.module) {
        (TargetKind::Freebsd, ModuleKind::Rust) => "module",
        (TargetKind::Freebsd, ModuleKind::Stock) => "guest",
        _ => "sim",
    }
}

/// The arguments that select the cell alone. A whole name of a cell is no beginning of another's.
fn selecting(cell: &Cell) -> String {
    let module = match (cell.target, cell.module) {
        (TargetKind::Sim, ModuleKind::Stock) => String::new(),
        (_, ModuleKind::Stock) => " --module stock".to_owned(),
        (_, ModuleKind::Rust) => format!(" --module rust --load {}", cell.load),
    };
    format!("--target {} --release {}{module}", cell.target, cell.release_or_profile())
}
