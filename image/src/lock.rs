// SPDX-License-Identifier: BSD-2-Clause
//! The right to write what several processes may want to write.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
};

use crate::error::ImageError;

/// A lock on a file. The file goes when the lock is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// Takes the lock in that file if nobody has it.
    pub(crate) fn try_take(path: PathBuf) -> Result<Option<Self>, ImageError> {
        let fail = |error| ImageError::io("lock", &path, error);
        loop {
            let file =
                OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(fail)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(fail(error)),
            }
            // Whoever had the lock may have removed the file between our opening and locking it.
            let held = file.metadata().map_err(fail)?;
            match fs::metadata(&path) {
                Ok(named) if named.ino() == held.ino() && named.dev() == held.dev() => {
                    return Ok(Some(Self { path, _file: file }));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(fail(error)),
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // An empty file that stays does no harm; whoever takes the lock next removes it.
        fs::remove_file(&self.path).ok();
    }
}
