// SPDX-License-Identifier: BSD-2-Clause
//! The cell of a command that takes one, and the release of a command that takes one.

use std::collections::BTreeSet;

use nlproof_image::Dists;

use super::args::CellArgs;
use super::exit::CliError;
use super::out::tell;
use super::project::Project;
use super::targets::Targets;
use crate::golden::{Origin, Standing};
use crate::matrix::Cell;
use crate::releases::{Age, newest_of};

/// The release that `wanted` names: the one of that name, or the newest one here of that branch, which is printed
/// on standard error. What names none is given back: looking for it says what there is.
pub(super) fn release_here(dists: &Dists, wanted: &str) -> String {
    let here = dists.list();
    let found = newest_of(wanted, here.iter().map(String::as_str)).unwrap_or(wanted);
    say_newest(wanted, found);
    found.to_owned()
}

/// Prints which release was taken for a branch.
fn say_newest(wanted: &str, found: &str) {
    if found != wanted {
        tell!("{wanted}: {found} is the newest here");
    }
}

/// The selected cell that a command about this vector takes if the user names no other: see [`default_of`].
pub(super) fn default_cell(
    project: &Project,
    targets: &Targets,
    args: &CellArgs,
    vector: &str,
) -> Result<Cell, CliError> {
    default_of(project.cells(args)?, project, targets, args, Some(vector))
}

/// The one of these cells that a command takes; there is at least one. Of those that can run here: of the simulator's
/// the newest whose kernel was observed, else of a named branch the newest release, which is said, else the newest
/// release that was observed. If none can run, the first, so that opening it says why.
pub(super) fn default_of(
    mut cells: Vec<Cell>,
    project: &Project,
    targets: &Targets,
    args: &CellArgs,
    vector: Option<&str>,
) -> Result<Cell, CliError> {
    let runs = |cell: &Cell| targets.unavailable_reason(cell).is_none();
    let Some(first) = cells.iter().position(runs) else { return Ok(cells.swap_remove(0)) };
    let alike =
        |cell: &&Cell| cell.target == cells[first].target && cell.module == cells[first].module && runs(cell);
    let here: Vec<&Cell> = cells.iter().filter(alike).collect();
    let found = match (&cells[first].release, &args.release[..]) {
        (Some(_), [wanted]) => {
            let newest = newest_of(wanted, here.iter().filter_map(|cell| cell.release.as_deref()));
            say_newest(wanted, newest.unwrap_or(wanted));
            here.iter().find(|cell| cell.release.as_deref() == newest).copied()
        }
        _ if here.len() > 1 => newest_observed(&here, project, vector)?,
        _ => None,
    };
    Ok(found.unwrap_or(&cells[first]).clone())
}

/// Of cells that differ in their releases or profiles, the newest whose kernel was observed; `None` if none was. The goldens
/// of the vector say so, and only if they name none of these kernels, all goldens do: there are thousands of them.
pub(super) fn newest_observed<'c>(
    cells: &[&'c Cell],
    project: &Project,
    vector: Option<&str>,
) -> Result<Option<&'c Cell>, CliError> {
    let goldens = project.goldens();
    if let Some(vector) = vector
        && let Some(cell) = newest_of_kernels(cells, goldens.kernels_of(vector)?)
    {
        return Ok(Some(cell));
    }
    Ok(newest_of_kernels(cells, goldens.kernels()?))
}

fn newest_of_kernels<'c>(cells: &[&'c Cell], kernels: BTreeSet<Origin>) -> Option<&'c Cell> {
    let kernels: Vec<_> = kernels.into_iter().collect();
    let observed = |cell: &&Cell| cell.standing(&kernels, None).0 == Standing::Observed;
    let age = |cell: &&Cell| (cell.profile, cell.release.as_deref().and_then(Age::of));
    cells.iter().copied().filter(observed).max_by_key(age)
}
