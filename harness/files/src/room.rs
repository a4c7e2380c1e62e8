// SPDX-License-Identifier: BSD-2-Clause
//! Whether there is room for what is about to be written.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// There is no room, or its amount is unknown.
#[derive(Debug, thiserror::Error)]
pub enum RoomError {
    /// The file system is too small.
    #[error(
        "{}: not enough space: about {needed} bytes needed, {free} bytes free; {remedy}",
        path.display()
    )]
    TooSmall {
        /// The directory that was to be written to.
        path: PathBuf,
        /// Bytes that are needed there.
        needed: u64,
        /// Bytes that an ordinary user may still write there.
        free: u64,
        /// What to do about it: a clause without a full stop.
        remedy: String,
    },
    /// The file system does not say how much room it has.
    #[error("{}: cannot be asked for its free space: {source}", path.display())]
    Unknown {
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Bytes that an ordinary user may still write to the file system of `directory`.
///
/// # Errors
/// The directory is not there, or its file system does not answer.
pub fn free_bytes(directory: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(directory)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Bytes on the disk of everything below a directory: blocks count, not lengths, because disks and memories have holes.
pub fn bytes_below(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => bytes_below(&entry.path()),
        _ => entry.metadata().map_or(0, |data| data.blocks() * 512),
    };
    entries.map(size).sum()
}

/// Demands that `needed` bytes are free in `directory`. `remedy` completes the sentence of the error.
///
/// # Errors
/// Fewer are, or nobody can tell.
pub fn require(directory: &Path, needed: u64, remedy: &str) -> Result<(), RoomError> {
    let path = || directory.to_owned();
    let free = free_bytes(directory).map_err(|source| RoomError::Unknown { path: path(), source })?;
    if free < needed {
        return Err(RoomError::TooSmall { path: path(), needed, free, remedy: remedy.to_owned() });
    }
    Ok(())
}

/// Whether an error comes from a full file system or an exhausted quota.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_need_beyond_what_is_free_is_told_with_place_numbers_and_remedy() {
        let directory = tempfile::tempdir().unwrap();
        require(directory.path(), 1, "make room").unwrap();
        let error = require(directory.path(), u64::MAX, "make room").unwrap_err().to_string();
        let place = directory.path().display().to_string();
        for part in [&place, &format!("about {} bytes needed", u64::MAX), "bytes free; make room"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        let error = require(&directory.path().join("absent"), 1, "make room").unwrap_err();
        assert!(matches!(error, RoomError::Unknown { .. }), "{error}");
    }

    #[test]
    fn blocks_of_all_files_below_are_counted_and_holes_are_not() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(bytes_below(directory.path()), 0);
        assert_eq!(bytes_below(&directory.path().join("absent")), 0);
        fs::create_dir(directory.path().join("a")).unwrap();
        fs::write(directory.path().join("a/b"), [1; 100_000]).unwrap();
        fs::File::create(directory.path().join("hole")).unwrap().set_len(1 << 30).unwrap();
        let bytes = bytes_below(directory.path());
        assert!((100_000..1 << 20).contains(&bytes), "{bytes}");
    }

    #[test]
    fn a_full_disk_is_told_from_other_errors() {
        assert!(is_full(&io::ErrorKind::StorageFull.into()));
        assert!(is_full(&io::ErrorKind::QuotaExceeded.into()));
        assert!(!is_full(&io::ErrorKind::PermissionDenied.into()));
    }
}
