// SPDX-License-Identifier: BSD-2-Clause
//! Worktrees of bisections, one for each repository, which are kept between runs: what was found out so far, and the
//! objects of the build, are there for the next one.
//!
//! ```text
//! bisect/<key>/repository   the repository's path
//! bisect/<key>/lock         held while somebody searches
//! bisect/<key>/tree         the worktree
//! bisect/<key>/question     what was asked, so that another question begins anew
//! bisect/<key>/seen/COMMIT  the verdict, then the conversation
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use nlproof_base::{Limit, read_text};
use nlproof_files::{bytes_below, write_whole};
use sha2::{Digest as _, Sha256};

use super::git::git;
use super::kept::remove;

const REPOSITORY: &str = "repository";

/// The worktree of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worktree {
    /// Name of its directory.
    pub key: String,
    /// The repository.
    pub repository: PathBuf,
    directory: PathBuf,
}

impl Worktree {
    /// The one of a repository, given without symbolic links; `bisections` is where all are kept.
    pub fn of(bisections: &Path, repository: &Path) -> Worktree {
        let digest = Sha256::digest(repository.as_os_str().as_bytes());
        let key = nlproof_base::hex(&digest[..8]);
        Worktree { directory: bisections.join(&key), repository: repository.to_owned(), key }
    }

    /// Makes its directory. Nobody else searches as long as the file is held; `None`: somebody does.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn begin(&self) -> io::Result<Option<File>> {
        fs::create_dir_all(self.seen())?;
        let lock = self.lock()?;
        if lock.is_some() {
            write_whole(&self.directory.join(REPOSITORY), self.repository.as_os_str().as_bytes())?;
        }
        Ok(lock)
    }

    fn lock(&self) -> io::Result<Option<File>> {
        let path = self.directory.join("lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The files.
    pub fn tree(&self) -> PathBuf {
        self.directory.join("tree")
    }

    /// The file that says what was asked.
    pub fn question(&self) -> PathBuf {
        self.directory.join("question")
    }

    /// The directory of what was found out.
    pub fn seen(&self) -> PathBuf {
        self.directory.join("seen")
    }

    /// Bytes on the host's disk.
    pub fn bytes(&self) -> u64 {
        bytes_below(&self.directory)
    }

    /// Removes it, and has the repository forget it.
    ///
    /// # Errors
    /// Somebody searches in it, or it cannot be removed.
    pub fn remove(&self) -> io::Result<()> {
        let Some(_lock) = self.lock()? else {
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, "a bisection runs in it"));
        };
        remove(&self.directory, REPOSITORY)?;
        // The repository may be gone.
        drop(git(&self.repository, &["worktree", "prune"]));
        Ok(())
    }
}

/// All that are there, in the order of repositories.
pub fn worktrees(bisections: &Path) -> Vec<Worktree> {
    let read = |entry: fs::DirEntry| {
        let directory = entry.path();
        let repository = read_text(&directory.join(REPOSITORY), Limit::LINE).ok()?.into();
        Some(Worktree { key: entry.file_name().into_string().ok()?, repository, directory })
    };
    let mut found: Vec<Worktree> =
        fs::read_dir(bisections).into_iter().flatten().flatten().filter_map(read).collect();
    found.sort_by(|a, b| a.repository.cmp(&b.repository));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worktree_is_found_again_held_by_one_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let worktree = Worktree::of(dir.path(), Path::new("/nonexistent/src"));
        assert_eq!(worktrees(dir.path()), []);
        let held = worktree.begin().unwrap();
        assert!(held.is_some() && worktree.begin().unwrap().is_none());
        assert_eq!(worktrees(dir.path()), std::slice::from_ref(&worktree));
        assert_eq!(worktree.remove().unwrap_err().to_string(), "a bisection runs in it");
        drop(held);
        worktree.remove().unwrap();
        assert_eq!(worktrees(dir.path()), []);
    }
}
