// SPDX-License-Identifier: BSD-2-Clause
//! What a run kept of its guests beside the report: `CELL.KIND` of a cell's first guest, `CELL.guest2.KIND` and so on of those
//! that ran beside it.

use std::io;
use std::path::{Path, PathBuf};

/// A file that was kept of one guest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GuestFile {
    /// What stands for the cell in the file's name: [`Cell::file_name`](crate::matrix::Cell::file_name), in a joined report
    /// with the slice.
    pub cell: String,
    /// The guest's number, from 1.
    pub guest: usize,
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
        if let Some(stem) = stem {
            let (cell, guest) = of_guest(stem);
            found.push(GuestFile { cell: cell.to_owned(), guest, path: entry.path() });
        }
    }
    found.sort();
    Ok(found)
}

/// The kinds of files that [`kept`] finds.
pub const KINDS: [&str; 2] = ["console", "textdump"];

/// Removes what an earlier run has kept of these cells ([`GuestFile::cell`]): consoles grow while a run goes on, and what another
/// run's guests said is not to stand before what this one's say.
///
/// # Errors
/// The directory cannot be read, or a file not removed.
pub fn forget(directory: &Path, cells: &[String]) -> io::Result<()> {
    for kind in KINDS {
        for old in kept(directory, kind)?.iter().filter(|old| cells.contains(&old.cell)) {
            std::fs::remove_file(&old.path)?;
        }
    }
    Ok(())
}

fn of_guest(stem: &str) -> (&str, usize) {
    let numbered = stem.rsplit_once(".guest").and_then(|(cell, number)| Some((cell, number.parse().ok()?)));
    numbered.filter(|(_, guest)| *guest > 1).unwrap_or((stem, 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::guest_suffix;

    #[test]
    fn guests_of_one_cell_are_found_in_their_order() {
        let directory = tempfile::tempdir().unwrap();
        let names =
            ["b.console", "a.guest10.console", "a.guest2.console", "a.console", "a.guest2.textdump", "x"];
        for name in names {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        let found = |kind: &str| -> Vec<(String, usize)> {
            kept(directory.path(), kind).unwrap().into_iter().map(|kept| (kept.cell, kept.guest)).collect()
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

    #[test]
    fn only_a_number_names_a_guest() {
        for (stem, expected) in [
            ("freebsd-14.0-STABLE-stock", ("freebsd-14.0-STABLE-stock", 1)),
            ("freebsd-14.0-STABLE-stock.1-4.guest3", ("freebsd-14.0-STABLE-stock.1-4", 3)),
            ("freebsd-x.guests-stock", ("freebsd-x.guests-stock", 1)),
            ("a.guest1", ("a.guest1", 1)),
        ] {
            assert_eq!(of_guest(stem), expected);
        }
        assert_eq!(guest_suffix(1), "");
        assert_eq!(of_guest(&format!("a{}", guest_suffix(2))), ("a", 2));
    }
}
