// SPDX-License-Identifier: BSD-2-Clause
//! Running cells for a qualification.

use std::num::NonZeroUsize;
use std::path::Path;

use crate::cli::args::GuestArgs;
use crate::cli::directories::cache_directory;
use crate::cli::exit::CliError;
use crate::cli::interrupt;
use crate::cli::out::tell;
use crate::cli::project::Project;
use crate::cli::targets::Targets;
use crate::cli::test_matrix::{default_jobs, is_ci};
use crate::matrix::{Cell, Engine, RunRequest, RunResult, Timings, VectorsOfRun, selection_digest};
use crate::report::Screen;
use crate::targets::MEMORY_MIB;
use crate::vector::Vector;

/// Runs the vectors in the cells, with raw traces and consoles in `directory`.
pub(super) fn run_cells(
    project: &Project,
    targets: &Targets,
    (cells, vectors): (&[Cell], &[Vector]),
    directory: &Path,
    (jobs, guest): (Option<NonZeroUsize>, &GuestArgs),
) -> Result<RunResult, CliError> {
    let (goldens, divergences) = (project.goldens(), project.divergences()?);
    let mut timings = Timings::load(&cache_directory()?);
    let targets = targets.clone().keep_consoles_in(Some(directory));
    let engine = Engine {
        open: &|request, on_stage| targets.open_at(request, on_stage),
        goldens: &goldens,
        divergences: &divergences,
        timings: &timings,
        follow_stock: false,
        raw: Some(directory.to_owned()),
        jobs: jobs.unwrap_or_else(|| default_jobs(guest.memory.unwrap_or(MEMORY_MIB))),
        tasks: interrupt::tasks(),
    };
    let about = VectorsOfRun { selection: selection_digest(vectors), slice: None };
    let mut screen = Screen::new(is_ci());
    let run = engine.run(&RunRequest { cells, vectors, about }, &mut |event| screen.consume(event))?;
    screen.finish();
    if let Err(error) = timings.keep(&run.cells) {
        tell!("note: how long cells took is not kept: {error}");
    }
    if run.interrupted {
        return Err(CliError::Interrupted);
    }
    if let Some((cell, why)) = run.cells.iter().find_map(|cell| Some((cell, cell.unkept()?))) {
        let what = format!("the evidence of {}", cell.cell.name());
        return Err(CliError::Output { what, error: std::io::Error::other(why.to_owned()) });
    }
    Ok(run)
}
