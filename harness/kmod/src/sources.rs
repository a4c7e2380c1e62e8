// SPDX-License-Identifier: BSD-2-Clause
//! Where a module's sources come from: a checkout, or the copy of them that is in this program.

use std::fs;
use std::path::{Path, PathBuf};

use crate::archive::keep;
use crate::error::KmodError;
use crate::key::Key;
use crate::parts::{POLICY, TREES};

/// The files of [`TREES`] and the [`POLICY`] as this program was built with them, by their names in a checkout, sorted.
const EMBEDDED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/sources.rs"));

/// A directory with all sources of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    root: PathBuf,
    embedded: bool,
}

impl Checkout {
    /// `beside` if it holds all the sources, otherwise the program's own copy, which is put into the cache.
    ///
    /// # Errors
    /// The cache cannot be written to.
    pub fn find(beside: &Path, cache: &Path) -> Result<Self, KmodError> {
        if TREES.iter().all(|(tree, _)| beside.join(tree).is_dir()) {
            return Ok(Self { root: beside.to_owned(), embedded: false });
        }
        Ok(Self { root: unpacked(cache)?, embedded: true })
    }

    /// The directory of the sources.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether it is the program's own copy.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.embedded
    }
}

/// The policy as this program was built with it, in a file of the cache.
///
/// # Errors
/// The cache cannot be written to.
pub fn embedded_policy(cache: &Path) -> Result<PathBuf, KmodError> {
    Ok(unpacked(cache)?.join(POLICY))
}

/// The directory with the program's own copy: made where it is not there.
fn unpacked(cache: &Path) -> Result<PathBuf, KmodError> {
    let mut key = Key::default();
    for (name, contents) in EMBEDDED {
        key.text(name);
        key.bytes(contents);
    }
    let place = cache.join(format!("sources-{}", key.finish()));
    if place.is_dir() {
        return Ok(place);
    }
    fs::create_dir_all(cache).map_err(KmodError::io("create", cache))?;
    let work = tempfile::tempdir_in(cache).map_err(KmodError::io("create", cache))?;
    for (name, contents) in EMBEDDED {
        let path = work.path().join(name);
        let parent = path.parent().unwrap_or(work.path());
        fs::create_dir_all(parent).map_err(KmodError::io("create", parent))?;
        fs::write(&path, contents).map_err(KmodError::io("write", &path))?;
    }
    keep(work, &place)?;
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::files;

    fn own() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    #[test]
    fn the_programs_own_copy_is_what_a_checkout_has() {
        let cache = tempfile::tempdir().unwrap();
        let copy = Checkout::find(&cache.path().join("nowhere"), cache.path()).unwrap();
        assert!(copy.is_embedded());
        for (tree, endings) in TREES {
            let names = |root: &Path| -> Vec<PathBuf> {
                let found = files(&root.join(tree), endings).unwrap();
                found.iter().map(|path| path.strip_prefix(root).unwrap().to_owned()).collect()
            };
            assert_eq!(names(copy.root()), names(&own()), "{tree}");
            for name in names(&own()) {
                let same = fs::read(own().join(&name)).unwrap() == fs::read(copy.root().join(&name)).unwrap();
                assert!(same, "{}", name.display());
            }
        }
        let policy = embedded_policy(cache.path()).unwrap();
        assert_eq!(fs::read(policy).unwrap(), fs::read(own().join(POLICY)).unwrap());
        // It is made once, and nothing is left beside it.
        assert_eq!(Checkout::find(cache.path(), cache.path()).unwrap(), copy);
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_checkout_with_all_of_it_comes_first_and_half_a_one_does_not_count() {
        let cache = tempfile::tempdir().unwrap();
        let whole = Checkout::find(&own(), cache.path()).unwrap();
        assert!(!whole.is_embedded() && whole.root() == own());
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 0);
        let half = tempfile::tempdir().unwrap();
        fs::create_dir_all(half.path().join("kmod-src/shim")).unwrap();
        assert!(Checkout::find(half.path(), cache.path()).unwrap().is_embedded());
    }
}
