// SPDX-License-Identifier: BSD-2-Clause
//! The directory that one running VM has for its sockets and logs.
//!
//! It is short-lived and has a short path: a Unix socket's path has at most 107 bytes (sun_path in
//! unix(7), less the final NUL). Whoever uses it holds a shared lock on the file `lock` inside; a directory
//! whose lock nobody holds is a left-over of a machine that lost power or of a `kill -9` of everybody.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nlproof_files::require;

use super::hostdisk::TEMPORARY_REMEDY;

/// What every run directory's name begins with.
const PREFIX: &str = "nlproof-vm-";
const LOCK: &str = "lock";
/// Bytes of a Unix socket's path, without the NUL.
const MAX_SOCKET_PATH: usize = 107;
/// Bytes for the log of a console that is not kept elsewhere, for QEMU's words, and for keys.
const ROOM: u64 = 4 * 1024 * 1024;
/// A directory younger than this may belong to somebody who is about to lock it.
const SETTLED: Duration = Duration::from_secs(60);

/// A run directory; removed when dropped, whoever was last to use it.
#[derive(Debug)]
pub struct RunDir {
    dir: tempfile::TempDir,
    _lock: File,
}

impl RunDir {
    /// Makes a directory under `$XDG_RUNTIME_DIR`, or under the system's directory for temporary files
    /// where that is not set, not writable or too long. Left-overs that are found there are removed.
    ///
    /// # Errors
    /// None of the places can be written to, or has room: why, of each.
    pub fn create() -> io::Result<Self> {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute());
        Self::create_below(runtime)
    }

    /// The same with this place in front, in place of `$XDG_RUNTIME_DIR`, which may be memory.
    ///
    /// # Errors
    /// Same as [`create`](Self::create).
    pub(super) fn create_below(first: Option<PathBuf>) -> io::Result<Self> {
        let mut reasons = Vec::new();
        for base in first.into_iter().chain([std::env::temp_dir(), PathBuf::from("/tmp")]) {
            match Self::create_in(&base) {
                Ok(dir) => return Ok(dir),
                Err(reason) if reasons.contains(&reason) => {}
                Err(reason) => reasons.push(reason),
            }
        }
        Err(io::Error::other(reasons.join("; ")))
    }

    fn create_in(base: &Path) -> Result<Self, String> {
        if base.join(PREFIX).as_os_str().len() + "XXXXXX/qmp.sock".len() > MAX_SOCKET_PATH {
            return Err(format!("{}: too long for a socket", base.display()));
        }
        // Before it is asked for room: they may have taken it.
        remove_leftovers(base);
        require(base, ROOM, TEMPORARY_REMEDY).map_err(|error| error.to_string())?;
        let cannot = |error: io::Error| format!("{}: {error}", base.display());
        // tempfile makes it with mode 0700: nobody else may talk to our QEMU.
        let dir = tempfile::Builder::new().prefix(PREFIX).tempdir_in(base).map_err(cannot)?;
        let lock = File::create_new(dir.path().join(LOCK)).map_err(cannot)?;
        lock.lock_shared().map_err(cannot)?;
        Ok(Self { dir, _lock: lock })
    }

    /// Path of the directory.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Where QEMU listens for QMP.
    pub fn qmp_socket(&self) -> PathBuf {
        self.path().join("qmp.sock")
    }

    /// Where QEMU listens for a state that it is to go on from.
    pub(super) fn state_socket(&self) -> PathBuf {
        self.path().join("in.sock")
    }

    /// The serial log of a VM whose log is not kept elsewhere.
    pub fn serial_log(&self) -> PathBuf {
        self.path().join("serial.log")
    }

    /// Standard error of supervisor and QEMU.
    pub fn stderr(&self) -> PathBuf {
        self.path().join("qemu.stderr")
    }
}

/// The supervisor's share in a run directory.
#[derive(Debug)]
pub(super) struct Share {
    path: PathBuf,
    _lock: File,
}

impl Share {
    /// Takes a share.
    ///
    /// # Errors
    /// This is no run directory: it would be removed in the end, so its name and its lock are looked at.
    pub(super) fn take(path: &Path) -> io::Result<Self> {
        let named_like_one =
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(PREFIX));
        if !named_like_one {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{}: not a run directory", path.display()),
            ));
        }
        let lock = File::open(path.join(LOCK))?;
        lock.lock_shared()?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Removes the directory; no error if it is gone already.
    pub(super) fn remove(self) -> io::Result<()> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Removes run directories that are not in use. Errors are no reason to stop: the next run tries again.
fn remove_leftovers(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)) && abandoned(&entry.path())
        {
            // A directory that cannot be removed is somebody else's (sticky /tmp).
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

fn abandoned(dir: &Path) -> bool {
    let settled = fs::symlink_metadata(dir)
        .and_then(|meta| meta.modified())
        .is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > SETTLED));
    settled
        && match File::open(dir.join(LOCK)) {
            Ok(lock) => match lock.try_lock() {
                Ok(()) => true,
                Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
            },
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn age(dir: &Path) {
        let long_ago = SystemTime::now() - Duration::from_secs(3600);
        File::open(dir).unwrap().set_modified(long_ago).unwrap();
    }

    #[test]
    fn the_socket_path_fits_and_the_directory_goes_with_its_owner() {
        let dir = RunDir::create().unwrap();
        let path = dir.path().to_owned();
        assert!(dir.qmp_socket().as_os_str().len() <= MAX_SOCKET_PATH);
        drop(dir);
        assert!(!path.exists());
    }

    #[test]
    fn abandoned_directories_are_removed_and_used_ones_are_not() {
        let base = tempfile::tempdir().unwrap();
        let used = RunDir::create_in(base.path()).unwrap();
        age(used.path());
        let left = base.path().join(format!("{PREFIX}left"));
        fs::create_dir(&left).unwrap();
        File::create(left.join(LOCK)).unwrap();
        age(&left);
        let young = base.path().join(format!("{PREFIX}young"));
        fs::create_dir(&young).unwrap();
        let other = base.path().join("somebody-elses");
        fs::create_dir(&other).unwrap();
        age(&other);
        remove_leftovers(base.path());
        assert!(used.path().exists() && young.exists() && other.exists());
        assert!(!left.exists());
    }

    #[test]
    fn only_run_directories_can_be_shared_and_removed() {
        let dir = RunDir::create().unwrap();
        let share = Share::take(dir.path()).unwrap();
        share.remove().unwrap();
        assert!(!dir.path().exists());
        let home = tempfile::tempdir().unwrap();
        File::create(home.path().join(LOCK)).unwrap();
        assert!(Share::take(home.path()).is_err());
        assert!(home.path().exists());
    }
}
