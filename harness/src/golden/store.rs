// SPDX-License-Identifier: BSD-2-Clause
//! The directory of goldens: `LAYER/VECTOR.trace`, and `LAYER/VECTOR.trace.new` for what awaits review. Beside them
//! stand those of the kernel's part, `LAYER/VECTOR.ktrace`: files of their own with origins of their own, so that what a
//! stock kernel was seen to say stays as it was.

use std::path::{Path, PathBuf};

use nlproof_files::write_whole;

use super::file::Golden;
use crate::file::FileError;

/// Ends the name of a golden.
const SUFFIX: &str = ".trace";
/// Ends the name of a golden of a kernel trace.
const KERNEL_SUFFIX: &str = ".ktrace";
/// Stands behind that as long as nobody has accepted the golden.
const NEW: &str = ".new";

/// The goldens of a project.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    suffix: &'static str,
}

/// The golden that holds for a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The layer it stands in, such as `freebsd-14`.
    pub layer: String,
    /// Its file.
    pub path: PathBuf,
    /// Its content.
    pub golden: Golden,
}

/// A recorded golden that awaits review.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pending {
    /// The layer it is meant for.
    pub layer: String,
    /// The vector's id.
    pub vector: String,
}

impl Store {
    /// The goldens below `root`. The directory need not exist.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), suffix: SUFFIX }
    }

    /// The goldens of kernel traces in the same place.
    pub fn kernel(&self) -> Store {
        Self { root: self.root.clone(), suffix: KERNEL_SUFFIX }
    }

    /// The goldens of both kinds in the same place.
    pub fn both(&self) -> [Store; 2] {
        [Self { root: self.root.clone(), suffix: SUFFIX }, self.kernel()]
    }

    /// What an id of this store's goldens is shown with: nothing, or that it is a kernel trace.
    pub fn kind(&self) -> &'static str {
        if self.suffix == KERNEL_SUFFIX { " (kernel trace)" } else { "" }
    }

    /// The accepted golden that holds for `vector` in a cell that looks in `layers`, most specific first.
    ///
    /// # Errors
    /// A golden is there and cannot be read or parsed.
    pub fn find(&self, layers: &[&str], vector: &str) -> Result<Option<Found>, FileError> {
        for layer in layers {
            if let Some(golden) = self.read(layer, vector)? {
                return Ok(Some(Found {
                    layer: (*layer).to_owned(),
                    path: self.file(layer, vector),
                    golden,
                }));
            }
        }
        Ok(None)
    }

    /// The accepted golden of one layer.
    ///
    /// # Errors
    /// It is there and cannot be read or parsed.
    pub fn read(&self, layer: &str, vector: &str) -> Result<Option<Golden>, FileError> {
        read_golden(&self.file(layer, vector), vector)
    }

    /// The golden that awaits review in one layer.
    ///
    /// # Errors
    /// It is there and cannot be read or parsed.
    pub fn read_new(&self, layer: &str, vector: &str) -> Result<Option<Golden>, FileError> {
        read_golden(&self.new_path(layer, vector), vector)
    }

    /// Writes a golden for review; it appears whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_new(&self, layer: &str, golden: &Golden) -> Result<PathBuf, FileError> {
        let path = self.new_path(layer, &golden.vector);
        let failed = |error: std::io::Error| FileError::unwritable(&path, &error);
        std::fs::create_dir_all(path.parent().unwrap_or(&self.root)).map_err(failed)?;
        write_whole(&path, golden.to_text().as_bytes()).map_err(failed)?;
        Ok(path)
    }

    /// Everything that awaits review, sorted.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn pending(&self) -> Result<Vec<Pending>, FileError> {
        let mut pending = Vec::new();
        let mut directories = vec![self.root.clone()];
        while let Some(directory) = directories.pop() {
            let entries = match std::fs::read_dir(&directory) {
                Ok(entries) => entries,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(FileError::whole(&directory, format!("cannot be listed: {error}"))),
            };
            for entry in entries {
                let entry = entry
                    .map_err(|error| FileError::whole(&directory, format!("cannot be listed: {error}")))?;
                let path = entry.path();
                if path.is_dir() {
                    directories.push(path);
                } else if let Some(found) = self.pending_of(&path) {
                    pending.push(found);
                }
            }
        }
        pending.sort();
        Ok(pending)
    }

    /// Makes what awaits review the golden.
    ///
    /// # Errors
    /// There is nothing to accept, or it cannot be renamed.
    pub fn accept(&self, pending: &Pending) -> Result<PathBuf, FileError> {
        let from = self.new_path(&pending.layer, &pending.vector);
        let to = self.file(&pending.layer, &pending.vector);
        // Read it first: what nlproof could not read back must not become a golden.
        if self.read_new(&pending.layer, &pending.vector)?.is_none() {
            return Err(FileError::whole(&from, "nothing to accept"));
        }
        std::fs::rename(&from, &to).map_err(|error| FileError::unwritable(&to, &error))?;
        Ok(to)
    }

    fn pending_of(&self, path: &Path) -> Option<Pending> {
        let relative = path.strip_prefix(&self.root).ok()?.to_str()?;
        let (layer, rest) = relative.split_once('/')?;
        let vector = rest.strip_suffix(NEW)?.strip_suffix(self.suffix)?;
        Some(Pending { layer: layer.to_owned(), vector: vector.to_owned() })
    }

    /// Where the accepted golden of one layer stands.
    pub fn file(&self, layer: &str, vector: &str) -> PathBuf {
        self.root.join(layer).join(format!("{vector}{}", self.suffix))
    }

    fn new_path(&self, layer: &str, vector: &str) -> PathBuf {
        self.root.join(layer).join(format!("{vector}{}{NEW}", self.suffix))
    }
}

fn read_golden(path: &Path, vector: &str) -> Result<Option<Golden>, FileError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Golden::parse(path, vector, &text).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::whole(path, format!("cannot be read: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::Origin;

    fn golden(body: &str) -> Golden {
        Golden::new("link/x", Origin::Predicted { profile: "14.0".into() }, body)
    }

    #[test]
    fn the_most_specific_layer_wins_and_new_ones_do_not_count() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path());
        let layers = ["freebsd-14.0", "freebsd-14", "common"];
        assert_eq!(store.find(&layers, "link/x").unwrap(), None);
        store.write_new("common", &golden("a\n")).unwrap();
        assert_eq!(store.find(&layers, "link/x").unwrap(), None);

        let pending = store.pending().unwrap();
        assert_eq!(pending, [Pending { layer: "common".into(), vector: "link/x".into() }]);
        store.accept(&pending[0]).unwrap();
        assert!(store.pending().unwrap().is_empty());
        assert_eq!(store.find(&layers, "link/x").unwrap().unwrap().layer, "common");

        store.write_new("freebsd-14", &golden("b\n")).unwrap();
        store.accept(&store.pending().unwrap()[0]).unwrap();
        let found = store.find(&layers, "link/x").unwrap().unwrap();
        assert_eq!((found.layer.as_str(), found.golden.body.as_str()), ("freebsd-14", "b\n"));
    }

    #[test]
    fn goldens_of_kernel_traces_stand_beside_the_others() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path());
        store.kernel().write_new("common", &golden("k\n")).unwrap();
        assert!(store.pending().unwrap().is_empty());
        let pending = store.kernel().pending().unwrap();
        assert_eq!(pending, [Pending { layer: "common".into(), vector: "link/x".into() }]);
        let path = store.kernel().accept(&pending[0]).unwrap();
        assert!(path.ends_with("common/link/x.ktrace"));
        assert_eq!(store.find(&["common"], "link/x").unwrap(), None);
        assert_eq!(store.kernel().find(&["common"], "link/x").unwrap().unwrap().golden.body, "k\n");
    }

    #[test]
    fn what_cannot_be_read_back_is_not_accepted() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path());
        let path = store.write_new("common", &golden("a\n")).unwrap();
        std::fs::write(&path, "rubbish\n").unwrap();
        let error = store.accept(&store.pending().unwrap()[0]).unwrap_err();
        assert!(error.to_string().contains("not a golden"), "{error}");
        assert!(path.exists());
    }
}
