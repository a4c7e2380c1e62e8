// SPDX-License-Identifier: BSD-2-Clause
//! Keys of the cache: the digest of everything that goes into a thing.

use std::fs;
use std::path::{Path, PathBuf};

use nlproof_base::hex;
use sha2::{Digest as _, Sha256};

use crate::error::KmodError;

/// A digest under construction. Every part is preceded by its length, so that parts cannot run together.
#[derive(Clone, Default)]
pub(crate) struct Key(Sha256);

impl Key {
    pub(crate) fn text(&mut self, part: &str) {
        self.bytes(part.as_bytes());
    }

    pub(crate) fn bytes(&mut self, part: &[u8]) {
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    /// Every file below `root` whose name ends in one of `endings`, with its name relative to `root`.
    pub(crate) fn tree(&mut self, root: &Path, endings: &[&str]) -> Result<(), KmodError> {
        for path in files(root, endings)? {
            self.text(&path.strip_prefix(root).unwrap_or(&path).to_string_lossy());
            self.bytes(&fs::read(&path).map_err(KmodError::io("read", &path))?);
        }
        Ok(())
    }

    /// 64 hexadecimal digits.
    pub(crate) fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}

/// Files below `root`, sorted.
pub(crate) fn files(root: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, KmodError> {
    let mut found = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).map_err(KmodError::io("list", &directory))? {
            let path = entry.map_err(KmodError::io("list", &directory))?.path();
            if path.is_dir() {
                directories.push(path);
            } else if endings.iter().any(|ending| path.to_string_lossy().ends_with(ending)) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_together_and_every_file_counts() {
        let key = |parts: &[&str]| {
            let mut key = Key::default();
            parts.iter().for_each(|part| key.text(part));
            key.finish()
        };
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        let tree = tempfile::tempdir().unwrap();
        let of = || {
            let mut key = Key::default();
            key.tree(tree.path(), &[".c"]).unwrap();
            key.finish()
        };
        fs::write(tree.path().join("a.c"), "1").unwrap();
        let before = of();
        fs::write(tree.path().join("a.md"), "1").unwrap();
        assert_eq!(of(), before);
        fs::write(tree.path().join("a.c"), "2").unwrap();
        assert_ne!(of(), before);
    }
}
