// SPDX-License-Identifier: BSD-2-Clause
//! The objects of builds: `<cache>/kernels/objects/<key>`, a key for each tree and configuration.

use std::fs::{self, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nlproof_base::Limit;
use nlproof_files::bytes_below;
use sha2::{Digest as _, Sha256};

/// Number of digits of a key: few, because compilers repeat paths in every message.
const DIGITS: usize = 16;
pub(super) const INFO: &str = "build.json";

/// Tree and configuration that a directory of objects belongs to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Info {
    /// The tree.
    pub(super) tree: PathBuf,
    /// The configuration.
    pub(super) kernconf: String,
    /// The revision of the last build.
    pub(super) revision: String,
}

/// Objects of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Name of the directory.
    pub key: String,
    /// The directory.
    pub path: PathBuf,
    /// The tree that they are built from.
    pub tree: PathBuf,
    /// The configuration.
    pub kernconf: String,
    /// The revision of the last build.
    pub revision: String,
    /// When it was.
    pub used: SystemTime,
}

impl Kept {
    /// Bytes on the host's disk.
    pub fn bytes(&self) -> u64 {
        bytes_below(&self.path)
    }

    /// Removes the objects.
    ///
    /// # Errors
    /// A build makes more of them at this moment, or they cannot be removed.
    pub fn remove(&self) -> io::Result<()> {
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(lock_of(&self.path))?;
        match lock.try_lock() {
            Ok(()) => remove(&self.path, INFO),
            Err(TryLockError::WouldBlock) => {
                Err(io::Error::new(io::ErrorKind::ResourceBusy, "a build of it runs"))
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// Where the objects of a tree and configuration are.
pub(super) fn place(objects: &Path, tree: &Path, kernconf: &str) -> PathBuf {
    let digest = Sha256::digest(format!("{}\0{kernconf}", tree.display()).as_bytes());
    let hex = nlproof_base::hex(&digest);
    objects.join(&hex[..DIGITS])
}

/// Removes a directory, and the file that it is known by last: what an interruption leaves can be named again.
pub(super) fn remove(directory: &Path, known_by: &str) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false if entry.file_name() == known_by => {}
            false => fs::remove_file(entry.path())?,
        }
    }
    fs::remove_dir_all(directory)
}

/// The file that is held while somebody builds.
pub(super) fn lock_of(place: &Path) -> PathBuf {
    place.with_extension("lock")
}

/// All that are there, in the order of trees.
pub fn kept(objects: &Path) -> Vec<Kept> {
    let read = |entry: fs::DirEntry| {
        let (path, file) = (entry.path(), entry.path().join(INFO));
        let info: Info = serde_json::from_slice(&nlproof_base::read(&file, Limit::REPORT).ok()?).ok()?;
        Some(Kept {
            key: entry.file_name().into_string().ok()?,
            path,
            tree: info.tree,
            kernconf: info.kernconf,
            revision: info.revision,
            used: fs::metadata(file).and_then(|data| data.modified()).ok()?,
        })
    };
    let mut found: Vec<Kept> =
        fs::read_dir(objects).into_iter().flatten().flatten().filter_map(read).collect();
    found.sort_by(|a, b| (&a.tree, &a.kernconf).cmp(&(&b.tree, &b.kernconf)));
    found
}
