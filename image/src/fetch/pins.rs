// SPDX-License-Identifier: BSD-2-Clause
//! `tests/releases.lock`: the digests and sizes that files of releases had when somebody pinned them.
//!
//! A mirror vouches for its own files; the lock vouches for them on every later day and from every other mirror.
//! The form is that of distinfo files in FreeBSD's ports tree:
//!
//! ```text
//! SHA256 (14.5-RELEASE/base.txz) = <64 hexadecimal digits>
//! SIZE (14.5-RELEASE/base.txz) = 191234567
//! ```

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use nlproof_base::{Limit, read_text};
use nlproof_files::write_whole;

use super::{checksum::fields, error::FetchError};
use crate::{digest::Sha256, error::ImageError};

/// What the file begins with.
const HEAD: &str = "# Written by `nlproof image fetch --lock`: what files of releases must be. See distinfo in \
                    FreeBSD's ports tree for the form.\n";

/// The pinned files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pins {
    /// Where they are kept.
    path: PathBuf,
    files: BTreeMap<String, Pin>,
}

/// One pinned file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pin {
    pub(super) sha256: Sha256,
    pub(super) bytes: u64,
}

impl Pins {
    /// Reads the lock file; without one, nothing is pinned.
    ///
    /// # Errors
    /// [`FetchError::Lock`] with the line that is not in the form above, or the file cannot be read.
    pub fn load(path: &Path) -> Result<Self, FetchError> {
        match read_text(path, Limit::LISTING) {
            Ok(text) => Self::parse(path, &text),
            Err(error) if error.is_not_found() => Ok(Self { path: path.to_owned(), files: BTreeMap::new() }),
            Err(error) => Err(ImageError::read(path, error).into()),
        }
    }

    /// Parses the text of a lock file; `path` is where it stands.
    ///
    /// # Errors
    /// Same as [`Pins::load`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, FetchError> {
        let (mut digests, mut sizes) = (BTreeMap::new(), BTreeMap::new());
        let fail = |line, reason: String| FetchError::Lock { path: path.to_owned(), line, reason };
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let fail = |reason: String| fail(index + 1, reason);
            let (key, name, value) =
                fields(line).ok_or_else(|| fail("expected `SHA256 (release/file) = digest`".into()))?;
            if name.split('/').count() != 2 || name.split('/').any(|part| part.is_empty() || part == "..") {
                return Err(fail(format!("`{name}` is not RELEASE/FILE")));
            }
            let twice = match key {
                "SHA256" => {
                    let digest: Sha256 = value.parse().map_err(|error| fail(format!("`{value}` {error}")))?;
                    digests.insert(name.to_owned(), (digest, index + 1)).is_some()
                }
                "SIZE" => {
                    let size: u64 =
                        value.parse().map_err(|_| fail(format!("the size `{value}` is not a number")))?;
                    sizes.insert(name.to_owned(), size).is_some()
                }
                other => return Err(fail(format!("unknown key `{other}`: known are SHA256 and SIZE"))),
            };
            if twice {
                return Err(fail(format!("{key} of `{name}` is given a second time")));
            }
        }
        let mut files = BTreeMap::new();
        for (name, (sha256, line)) in digests {
            let bytes = sizes.remove(&name).ok_or_else(|| fail(line, format!("`{name}` has no SIZE")))?;
            files.insert(name, Pin { sha256, bytes });
        }
        match sizes.pop_first() {
            Some((name, _)) => Err(fail(0, format!("`{name}` has a SIZE and no SHA256"))),
            None => Ok(Self { path: path.to_owned(), files }),
        }
    }

    /// Whether anything of the release is pinned.
    #[must_use]
    pub fn knows(&self, release: &str) -> bool {
        self.files.keys().any(|name| name.split('/').next() == Some(release))
    }

    /// Where the pins are kept.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn get(&self, release: &str, file: &str) -> Option<Pin> {
        self.files.get(&format!("{release}/{file}")).copied()
    }

    /// Pins a file as it is now.
    pub fn set(&mut self, release: &str, file: &str, sha256: Sha256, bytes: u64) {
        self.files.insert(format!("{release}/{file}"), Pin { sha256, bytes });
    }

    /// The text of the file.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = HEAD.to_owned();
        for (name, Pin { sha256, bytes }) in &self.files {
            // A write to a String does not fail.
            write!(text, "SHA256 ({name}) = {sha256}\nSIZE ({name}) = {bytes}\n").ok();
        }
        text
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self) -> Result<(), FetchError> {
        write_whole(&self.path, self.text().as_bytes())
            .map_err(|error| ImageError::io("write", &self.path, error).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Pins, String> {
        Pins::parse(Path::new("releases.lock"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_written_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("releases.lock");
        let mut pins = Pins::load(&path).unwrap();
        assert!(!pins.knows("14.5-RELEASE"));
        pins.set("14.5-RELEASE", "base.txz", Sha256::of(b"b"), 7);
        pins.set("14.5-RELEASE", "MANIFEST", Sha256::of(b"m"), 1);
        pins.save().unwrap();
        let read = Pins::load(&path).unwrap();
        assert_eq!(read, pins);
        assert!(read.knows("14.5-RELEASE") && !read.knows("14.5"));
        assert_eq!(read.get("14.5-RELEASE", "base.txz").unwrap().bytes, 7);
        assert_eq!(read.get("14.5-RELEASE", "kernel.txz"), None);
    }

    #[test]
    fn a_wrong_line_is_named() {
        let zeros = "0".repeat(64);
        for (text, expected) in [
            ("base.txz\n".to_owned(), "releases.lock:1: expected `SHA256 (release/file) = digest`"),
            (format!("#\nSHA256 (base.txz) = {zeros}\n"), "releases.lock:2: `base.txz` is not RELEASE/FILE"),
            (format!("SHA256 (a/b) = {zeros}\n"), "releases.lock:1: `a/b` has no SIZE"),
            ("SIZE (a/b) = 1\n".to_owned(), "`a/b` has a SIZE and no SHA256"),
            ("SIZE (a/b) = x\n".to_owned(), "the size `x` is not a number"),
            ("SIZE (a/b) = 1\nSIZE (a/b) = 1\n".to_owned(), ":2: SIZE of `a/b` is given a second time"),
            ("MD5 (a/b) = 1\n".to_owned(), "unknown key `MD5`"),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.contains(expected), "{text:?} gave {error}");
        }
    }
}
