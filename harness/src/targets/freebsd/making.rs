// SPDX-License-Identifier: BSD-2-Clause
//! A snapshot that is being made, by one process at a time.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nlproof_image::punch_zeros;

use super::snapshot::{INFO, Info, Saved, Snapshot};

/// The end of the name of a snapshot that is not whole.
pub(super) const PARTIAL: &str = ".partial";
const LOCK: &str = ".lock";

/// A snapshot that is being made; unless it is kept, it goes when it is dropped.
pub(super) struct Making {
    pub(super) snapshot: Snapshot,
    whole: PathBuf,
    _lock: Lock,
}

impl Making {
    /// Begins the snapshot of that key in this directory; `None`: another process is making it.
    pub(super) fn begin(directory: &Path, key: &str) -> io::Result<Option<Self>> {
        fs::create_dir_all(directory)?;
        let Some(lock) = Lock::try_take(directory.join(format!("{key}{LOCK}")))? else { return Ok(None) };
        let partial = directory.join(format!("{key}{PARTIAL}"));
        if partial.exists() {
            fs::remove_dir_all(&partial)?;
        }
        // The guest's memory has the token and its private keys in it.
        DirBuilder::new().mode(0o700).create(&partial)?;
        Ok(Some(Self { snapshot: Snapshot { dir: partial }, whole: directory.join(key), _lock: lock }))
    }

    /// Removes what processes that were killed have left in this directory.
    pub(super) fn sweep(directory: &Path) {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let Some(key) = name.strip_suffix(PARTIAL) else { continue };
            let lock = Lock::try_take(directory.join(format!("{key}{LOCK}")));
            if matches!(lock, Ok(Some(_))) {
                drop(fs::remove_dir_all(entry.path()));
            }
        }
    }

    /// Makes it the snapshot of its key.
    pub(super) fn keep(self, image: &Path, saved: Saved) -> io::Result<()> {
        // The machine stands still, and a hole reads as zeros. Of 14.0-STABLE's guest 40 to 50 % of what it has touched are
        // zeros. A file system without holes keeps the file as it is.
        drop(punch_zeros(&self.snapshot.memory()));
        let info = Info { image: image.to_owned(), files: self.snapshot.sizes()?, saved };
        // The token opens the guest to whoever can read it.
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.snapshot.dir.join(INFO))?;
        io::Write::write_all(&mut file, &serde_json::to_vec(&info)?)?;
        // The running machine has it open.
        fs::remove_file(self.snapshot.live())?;
        fs::rename(&self.snapshot.dir, &self.whole)
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        // After a rename there is nothing; what cannot be removed now is removed by a later sweep.
        drop(fs::remove_dir_all(&self.snapshot.dir));
    }
}

/// The right to make the snapshot of one key. Its file goes when it is dropped.
struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    fn try_take(path: PathBuf) -> io::Result<Option<Self>> {
        loop {
            let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Whoever had the lock may have removed the file between our opening and locking it.
            let held = file.metadata()?;
            if fs::metadata(&path).is_ok_and(|named| (named.ino(), named.dev()) == (held.ino(), held.dev())) {
                return Ok(Some(Self { path, _file: file }));
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
    }
}
