// SPDX-License-Identifier: BSD-2-Clause
//! The directory of goldens: `LAYER/VECTOR.trace`, and `LAYER/VECTOR.trace.new` for what awaits review. Beside them are
//! those of the kernel's part, `LAYER/VECTOR.ktrace`: separate files with their own origins, so that recordings of a
//! stock kernel stay as they were.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use nlproof_files::write_whole;

use super::compare::Compared;
use super::file::Golden;
use super::origin::Origin;
use crate::file::{FileError, Limit, files_below};

/// Ends the name of a golden.
const SUFFIX: &str = ".trace";
/// Ends the name of a golden of a kernel trace.
const KERNEL_SUFFIX: &str = ".ktrace";
/// Suffix of that name until the golden is accepted.
const NEW: &str = ".new";

/// Every ending of these files' names.
pub(super) const SUFFIXES: [&str; 4] = [SUFFIX, KERNEL_SUFFIX, ".trace.new", ".ktrace.new"];

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
    /// File of the golden.
    pub path: PathBuf,
    /// Content of the golden.
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

    /// Which traces its goldens hold.
    pub fn compared(&self) -> Compared {
        if self.suffix == KERNEL_SUFFIX { Compared::Kernel } else { Compared::Wire }
    }

    /// Suffix with which an id of this store's goldens is shown: none, or that it is a kernel trace.
    pub fn kind(&self) -> &'static str {
        match self.compared() {
            Compared::Wire => "",
            Compared::Kernel => " (kernel trace)",
        }
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

    /// The kernels from which accepted goldens were recorded, whatever else is wrong with them: a golden that cannot be
    /// read is reported by whoever compares something with it.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn kernels(&self) -> Result<BTreeSet<Origin>, FileError> {
        let mut kernels = BTreeSet::new();
        for path in self.files()? {
            let Some((layer, vector)) = self.named(&path, self.suffix) else { continue };
            if let Ok(Some(golden)) = self.read(&layer, &vector) {
                kernels.extend(golden.origins.into_iter().filter(Origin::is_observed));
            }
        }
        Ok(kernels)
    }

    /// The kernels from which this vector's accepted goldens were recorded, as [`Store::kernels`].
    ///
    /// # Errors
    /// The directory of the layers cannot be read.
    pub fn kernels_of(&self, vector: &str) -> Result<BTreeSet<Origin>, FileError> {
        let mut kernels = BTreeSet::new();
        let failed =
            |error: std::io::Error| FileError::whole(&self.root, format!("cannot be listed: {error}"));
        let layers = match std::fs::read_dir(&self.root) {
            Ok(layers) => layers,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(kernels),
            Err(error) => return Err(failed(error)),
        };
        for layer in layers {
            let layer = layer.map_err(failed)?.file_name();
            let Some(layer) = layer.to_str().filter(|layer| !layer.starts_with('.')) else { continue };
            if let Ok(Some(golden)) = self.read(layer, vector) {
                kernels.extend(golden.origins.into_iter().filter(Origin::is_observed));
            }
        }
        Ok(kernels)
    }

    /// Everything that awaits review, sorted.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn pending(&self) -> Result<Vec<Pending>, FileError> {
        let suffix = format!("{}{NEW}", self.suffix);
        let found = self.files()?;
        let found = found.iter().filter_map(|path| self.named(path, &suffix));
        let mut pending: Vec<_> = found.map(|(layer, vector)| Pending { layer, vector }).collect();
        pending.sort();
        Ok(pending)
    }

    /// All files below the root.
    fn files(&self) -> Result<Vec<PathBuf>, FileError> {
        if !self.root.exists() {
            return Ok(Vec::new());
        }
        files_below(&self.root).map_err(|mut errors| errors.swap_remove(0))
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

    /// Layer and vector of a file whose name ends so.
    fn named(&self, path: &Path, suffix: &str) -> Option<(String, String)> {
        let relative = path.strip_prefix(&self.root).ok()?.to_str()?;
        let (layer, rest) = relative.split_once('/')?;
        Some((layer.to_owned(), rest.strip_suffix(suffix)?.to_owned()))
    }

    /// Where the accepted golden of one layer stands.
    pub fn file(&self, layer: &str, vector: &str) -> PathBuf {
        self.root.join(layer).join(format!("{vector}{}", self.suffix))
    }

    /// Where what awaits review in one layer stands.
    pub fn new_path(&self, layer: &str, vector: &str) -> PathBuf {
        self.root.join(layer).join(format!("{vector}{}{NEW}", self.suffix))
    }
}

fn read_golden(path: &Path, vector: &str) -> Result<Option<Golden>, FileError> {
    match nlproof_base::read_text(path, Limit::GOLDEN) {
        Ok(text) => Golden::parse(path, vector, &text).map(Some),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(FileError::whole(path, error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::Origin;

    fn golden(body: &str) -> Golden {
        Golden::new("link/x", Origin::predicted("14.0"), body)
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
    fn kernels_are_those_of_accepted_goldens_and_a_broken_one_hides_none() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path());
        assert_eq!(store.kernels().unwrap(), BTreeSet::new());
        let kernel = |release: &str| Origin::Observed {
            release: release.into(),
            osreldate: 1,
            kernel_sha256: "a".repeat(64),
            module: None,
            build: None,
        };
        store.write_new("common", &golden("a\n")).unwrap();
        store.accept(&store.pending().unwrap()[0]).unwrap();
        store.write_new("freebsd-15", &Golden::new("link/y", kernel("15.1"), "b\n")).unwrap();
        assert_eq!(store.kernels().unwrap(), BTreeSet::new());
        store.accept(&store.pending().unwrap()[0]).unwrap();
        std::fs::write(directory.path().join("common/link/z.trace"), "rubbish\n").unwrap();
        assert_eq!(store.kernels().unwrap(), BTreeSet::from([kernel("15.1")]));
        assert_eq!(store.kernels_of("link/y").unwrap(), BTreeSet::from([kernel("15.1")]));
        assert_eq!(store.kernels_of("link/x").unwrap(), BTreeSet::new(), "predicted");
        assert_eq!(store.kernels_of("link/z").unwrap(), BTreeSet::new());
        let nowhere = Store::new(&directory.path().join("none"));
        assert_eq!(nowhere.kernels_of("link/y").unwrap(), BTreeSet::new());
        assert_eq!(store.kernel().kernels().unwrap(), BTreeSet::new());
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
    fn version_control_leaves_out_what_awaits_review_and_keeps_line_ends() {
        let ignored = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.gitignore");
        let ignored = std::fs::read_to_string(ignored).unwrap();
        for suffix in SUFFIXES {
            let line = format!("*{suffix}");
            assert_eq!(ignored.lines().any(|other| other == line), suffix.ends_with(NEW), "{line}");
        }
        let attributes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.gitattributes");
        let attributes = std::fs::read_to_string(attributes).unwrap();
        assert!(
            attributes.lines().any(|line| line == "* text=auto eol=lf"),
            "goldens are compared byte for byte"
        );
    }

    #[test]
    fn a_golden_that_is_no_file_or_too_long_is_rejected() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path());
        let path = store.file("common", "link/x");
        std::fs::create_dir_all(&path).unwrap();
        let error = store.read("common", "link/x").unwrap_err();
        assert_eq!(error.what, "is a directory, not a file");
        std::fs::remove_dir(&path).unwrap();
        std::fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let error = store.read("common", "link/x").unwrap_err();
        assert!(error.what.starts_with("has 1099511627776 bytes; at most"), "{error}");
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
