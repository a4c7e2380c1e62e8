// SPDX-License-Identifier: BSD-2-Clause
//! Files that a run kept of its guests beside the report: `NAME.KIND`, see [`GuestFileName`].

use std::io;
use std::path::{Path, PathBuf};

use crate::matrix::GuestFileName;

/// A file that was kept of one guest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GuestFile {
    /// The guest, by the file's name.
    pub name: GuestFileName,
    /// The file.
    pub path: PathBuf,
}

/// The files of a kind (`console`, `textdump`) in a report directory, by cell and guest.
///
/// # Errors
/// The directory cannot be read.
pub fn kept(directory: &Path, kind: &str) -> io::Result<Vec<GuestFile>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(kind)?.strip_suffix('.'));
        if let Some(Ok(name)) = stem.map(str::parse) {
            found.push(GuestFile { name, path: entry.path() });
        }
    }
    found.sort();
    Ok(found)
}

/// The kinds of files that [`kept`] finds.
pub const KINDS: [&str; 2] = ["console", "textdump"];

/// Removes what an earlier run has kept of these cells ([`GuestFileName::cell`]): consoles grow while a run goes on, and what another
/// run's guests said is not to stand before what this one's say.
///
/// # Errors
/// The directory cannot be read, or a file not removed.
pub fn forget(directory: &Path, cells: &[String]) -> io::Result<()> {
    for kind in KINDS {
        for old in kept(directory, kind)?.iter().filter(|old| cells.contains(&old.name.cell)) {
            std::fs::remove_file(&old.path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_of_one_cell_are_found_in_their_order() {
        let directory = tempfile::tempdir().unwrap();
        let names =
            ["b.console", "a.guest10.console", "a.guest2.console", "a.console", "a.guest2.textdump", "x"];
        for name in names {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        let found = |kind: &str| -> Vec<(String, usize)> {
            kept(directory.path(), kind)
                .unwrap()
                .into_iter()
                .map(|kept| (kept.name.cell, kept.name.guest))
                .collect()
        };
        assert_eq!(found("console"), [("a".into(), 1), ("a".into(), 2), ("a".into(), 10), ("b".into(), 1)]);
        assert_eq!(found("textdump"), [("a".into(), 2)]);
        assert!(kept(&directory.path().join("none"), "console").is_err());
    }

    #[test]
    fn what_an_earlier_run_kept_of_a_cell_goes_and_all_else_stays() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["a.console", "a.guest2.textdump", "a.ndjson", "b.console"] {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        forget(directory.path(), &["a".into()]).unwrap();
        let mut left: Vec<_> =
            std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["a.ndjson", "b.console"]);
        assert!(forget(&directory.path().join("none"), &[]).is_err());
    }
}
