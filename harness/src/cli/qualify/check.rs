// SPDX-License-Identifier: BSD-2-Clause
//! `qualify check`.

use std::path::PathBuf;

use super::run::run_cells;
use super::{Loaded, code_of, show, shown};
use crate::cli::args::{CheckArgs, ProjectArgs};
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::interrupt;
use crate::cli::out::{say, tell};
use crate::cli::project::Project;
use crate::cli::targets::Targets;
use crate::matrix::{Cell, CellResult};
use crate::qualify::{BundleLimits, Checker, Reports, Signers, Told, answered_otherwise, digests_of_tests};
use crate::vector::Vector;

pub(super) fn main(project: &ProjectArgs, args: &CheckArgs) -> Result<ExitCode, CliError> {
    let project = Project::find(project)?.with_modules(&args.guest.kmod);
    let signers = match &args.signers {
        Some(path) => Signers::read(path)?,
        None => std::env::home_dir().map(|home| Signers::of_user(&home)).unwrap_or_default(),
    };
    let loaded = Loaded::of(&project)?;
    let own = digests_of_tests(&project.root)?;
    let work = tempfile::tempdir().map_err(CliError::unwritten(&std::env::temp_dir()))?;
    let checker =
        Checker { tests: loaded.tests(), own: &own, signers: &signers, limits: BundleLimits::DEFAULT };
    let checked = match checker.check(&args.file, work.path()) {
        Ok(checked) => checked,
        // A disk that is full, or a file that is not there, says nothing about the bundle.
        Err(error) if error.unwritable || !args.file.exists() => return Err(error.into()),
        Err(error) => {
            say!("REJECTED: {}", shown(&error.to_string()));
            return Ok(ExitCode::REFUSED);
        }
    };
    for line in &checked.right {
        say!("right: {}", shown(line));
    }
    for line in &checked.notes {
        say!("note: {}", shown(line));
    }
    for line in &checked.problems {
        say!("REJECTED: {}", shown(line));
    }
    let Some((found, reports)) = checked.found.zip(checked.reports) else { return Ok(ExitCode::REFUSED) };
    if !checked.problems.is_empty() {
        say!("the raw traces give: {}", shown(&found.closing()));
        return Ok(ExitCode::REFUSED);
    }
    show(&found);
    let code = code_of(&found);
    if !args.rerun {
        return Ok(code);
    }
    Ok(code.or(rerun(&project, args, &reports, loaded.vectors)?))
}

/// Runs everything again, and says what comes out differently.
fn rerun(
    project: &Project,
    args: &CheckArgs,
    reports: &Reports,
    vectors: Vec<Vector>,
) -> Result<ExitCode, CliError> {
    let targets = Targets::new(&args.guest, project)?;
    interrupt::tasks();
    let mut wanted: Vec<&(CellResult, PathBuf)> = vec![&reports.baseline, &reports.candidate];
    wanted.extend(&reports.module);
    let mut cells: Vec<Cell> = Vec::new();
    for (result, _) in &wanted {
        let name = result.cell.name();
        let cell = project.cell_named(&name)?.ok_or_else(|| {
            CliError::NothingRan(format!(
                "{name} cannot be run here: no release of that name is here, nor in the matrix\n  help: a kernel of \
                 somebody's own is qualified again by nlproof qualify --candidate KERNEL"
            ))
        })?;
        if !cells.iter().any(|other| other.name() == name) {
            cells.push(cell);
        }
    }
    let of_them = |vector: &Vector| {
        wanted.iter().any(|(result, _)| result.vectors.iter().any(|one| one.id == vector.id))
    };
    let vectors: Vec<Vector> = vectors.into_iter().filter(of_them).collect();
    let work = tempfile::tempdir().map_err(CliError::unwritten(&std::env::temp_dir()))?;
    let run = run_cells(project, &targets, (&cells, &vectors), work.path(), (None, &args.guest))?;
    let mut count = 0;
    for (result, directory) in wanted {
        let Some(again) = run.cells.iter().find(|again| again.cell.name() == result.cell.name()) else {
            continue;
        };
        let old = Told { result, directory };
        for line in answered_otherwise(old, Told { result: again, directory: work.path() }, &vectors)? {
            say!("otherwise here: {}", shown(&line));
            count += 1;
        }
    }
    tell!("ran again: {}", nlproof_base::counted(cells.len(), "cell"));
    match count {
        0 => say!("rerun: everything comes out as in the bundle"),
        _ => say!(
            "rerun: {} here",
            nlproof_base::counted(count, "thing").verb("is otherwise", "are otherwise")
        ),
    }
    Ok(if count == 0 { ExitCode::OK } else { ExitCode::COMPARISON })
}
