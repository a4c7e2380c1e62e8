// SPDX-License-Identifier: BSD-2-Clause
//! The tests of a release: its `tests.txz`, and what of it is selected.

use std::path::PathBuf;
use std::sync::Arc;

use nlproof_image::{Found, ReleaseDir};

use crate::atf::{Selection, select};
use crate::cli::directories::places;
use crate::cli::exit::CliError;
use crate::cli::interrupt;
use crate::cli::project::Project;
use crate::matrix::Cell;

/// The distribution set.
const SET: &str = "tests.txz";
/// Where its files are.
pub(super) const ROOT: &str = "usr/tests";

/// What is to be run in a cell.
#[derive(Clone)]
pub(super) enum Suite {
    /// Nothing: the release has no tests.
    Missing { reason: String, remedy: String },
    /// This.
    There(Arc<Tests>),
}

/// The selected tests of an archive.
pub(super) struct Tests {
    pub(super) archive: PathBuf,
    pub(super) sha256: String,
    /// Bytes of all its files.
    pub(super) bytes: u64,
    pub(super) selection: Selection,
}

/// The release whose files a cell's guest has.
fn base<'c>(project: &'c Project, cell: &'c Cell) -> &'c str {
    let release = cell.release.as_deref().unwrap_or_default();
    let own = project.own.iter().find(|own| own.release.name.as_str() == release);
    own.map_or(release, |own| own.release.base.as_str())
}

/// The release directory of a cell; nothing if it is not here, or is a ready image.
fn directory(project: &Project, cell: &Cell) -> Result<Option<ReleaseDir>, CliError> {
    let (dists, _) = places()?;
    Ok(match dists.find_any(base(project, cell)) {
        Ok(Found::Sets(sets)) => Some(sets),
        Ok(Found::Image(_)) | Err(_) => None,
    })
}

/// Whether the release of a cell has tests here.
pub(super) fn has_tests(project: &Project, cell: &Cell) -> Result<bool, CliError> {
    Ok(directory(project, cell)?.is_some_and(|release| release.path.join(SET).is_file()))
}

impl Suite {
    /// Reads the Kyuafiles of the release, and selects what the words say.
    pub(super) fn of(project: &Project, cell: &Cell, words: &[String]) -> Result<Self, CliError> {
        let base = base(project, cell);
        let missing = |reason: String| Suite::Missing {
            reason,
            remedy: format!("nlproof image fetch --release {base} --sets {SET}"),
        };
        let Some(release) = directory(project, cell)? else {
            return Ok(missing(format!("no release directory {base} with distribution sets")));
        };
        let wanted = |path: &str| path.starts_with(ROOT) && path.ends_with("/Kyuafile");
        let cancel = interrupt::tasks().cancel();
        let set = release.set_files(SET, wanted, cancel).map_err(|error| match error {
            nlproof_image::ImageError::Cancelled => CliError::Interrupted,
            error => CliError::Usage(error.to_string()),
        })?;
        let Some(set) = set else { return Ok(missing(format!("{base} has no {SET}"))) };
        let read = |path: &str| {
            let file = set.files.get(&format!("{ROOT}/{}", path.trim_start_matches('/')))?;
            std::str::from_utf8(file).ok()
        };
        let selection = select(words, &read).map_err(|error| {
            CliError::Usage(format!(
                "{base}: {error}\n  help: nlproof atf --release {base} --list /usr/tests shows all"
            ))
        })?;
        let (archive, bytes) = (set.archive.clone(), set.bytes);
        Ok(Suite::There(Arc::new(Tests { archive, sha256: set.sha256.to_string(), bytes, selection })))
    }
}
