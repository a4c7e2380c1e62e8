// SPDX-License-Identifier: BSD-2-Clause
//! The cell that the user means, among those of which a run kept files.

use std::path::Path;

use super::exit::CliError;
use crate::file::FileError;
use crate::report::{GuestFile, kept};

/// Files of these kinds in a report directory.
pub(super) fn kept_files(directory: &Path, kinds: &[&str]) -> Result<Vec<GuestFile>, CliError> {
    let mut all = Vec::new();
    for kind in kinds {
        all.extend(kept(directory, kind).map_err(|error| {
            FileError::whole(directory, format!("cannot be read: {error}"))
                .help("a report directory is what `nlproof test-matrix --report-dir DIR` leaves")
        })?);
    }
    all.sort();
    Ok(all)
}

/// The files of the cell that `wanted` names, or of the only one. `what` they are, and why there may be `none`, for
/// messages.
pub(super) fn of_cell(
    all: Vec<GuestFile>,
    wanted: Option<&str>,
    what: &str,
    none: &str,
) -> Result<Vec<GuestFile>, CliError> {
    let mut cells: Vec<_> = all.iter().map(|one| one.name.cell.clone()).collect();
    cells.dedup();
    let file_name = wanted.map(|cell| cell.replace('/', "-"));
    let cell = match (file_name, cells.as_slice()) {
        (_, []) => return Err(CliError::Usage(format!("no {what} was kept{none}"))),
        (None, [cell]) => cell.clone(),
        (Some(cell), known) if known.contains(&cell) => cell,
        (Some(_), known) => {
            let cell = wanted.unwrap_or_default();
            let text = format!("no {what} of {cell}\n  help: there are {}", known.join(", "));
            return Err(CliError::Usage(text));
        }
        (None, known) => {
            let text = format!("several {what}s were kept\n  help: name one of {}", known.join(", "));
            return Err(CliError::Usage(text));
        }
    };
    Ok(all.into_iter().filter(|one| one.name.cell == cell).collect())
}
