// SPDX-License-Identifier: BSD-2-Clause
//! Fetches that were interrupted: what is in `<dists>/<release>.partial`, for the next one to go on from.

use std::{
    fs, io,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use crate::{error::ImageError, lock::Lock, release::Dists};

const PARTIAL: &str = ".partial";

/// An interrupted fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interrupted {
    /// The release that was being fetched.
    pub release: String,
    /// The directory.
    pub path: PathBuf,
    /// Size on the host's disk in bytes.
    pub bytes: u64,
    /// How long ago something was last written to it.
    pub age: Duration,
}

impl Dists {
    /// The fetches that were interrupted, or that run at this moment, by directory and release.
    #[must_use]
    pub fn interrupted(&self) -> Vec<Interrupted> {
        let mut found: Vec<_> = self.entries().filter_map(|entry| Interrupted::read(entry.path())).collect();
        found.sort_by(|one, other| one.path.cmp(&other.path));
        found
    }
}

impl Interrupted {
    fn read(path: PathBuf) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let release = path.file_name()?.to_str()?.strip_suffix(PARTIAL)?.to_owned();
        let itself = fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_dir)?;
        let (mut bytes, mut last) = (0, itself.modified().ok()?);
        for data in fs::read_dir(&path).ok()?.filter_map(|entry| entry.ok()?.metadata().ok()) {
            bytes += data.blocks() * 512;
            last = last.max(data.modified().unwrap_or(last));
        }
        // A clock that was set back makes it new.
        let age = SystemTime::now().duration_since(last).unwrap_or_default();
        Some(Self { release, path, bytes, age })
    }

    /// Removes the remains; false: another process is fetching the release.
    ///
    /// # Errors
    /// It cannot be locked or removed.
    pub fn remove(&self) -> Result<bool, ImageError> {
        let Some(_lock) = Lock::try_take(self.path.with_file_name(format!("{}.lock", self.release)))? else {
            return Ok(false);
        };
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(ImageError::io("remove", &self.path, error))
            }
            _ => Ok(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_fetch_is_found_and_removed_unless_it_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let dists = Dists { search: vec![dir.path().join("absent"), dir.path().to_owned()] };
        assert_eq!(dists.interrupted(), []);
        let path = dir.path().join("15.1-RELEASE.partial");
        fs::create_dir(&path).unwrap();
        fs::create_dir(dir.path().join("14.0-STABLE")).unwrap();
        fs::write(dir.path().join("no-directory.partial"), "").unwrap();
        fs::write(path.join("base.txz.0123.part"), vec![1; 10_000]).unwrap();
        let found = dists.interrupted();
        let [one] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((one.release.as_str(), &one.path), ("15.1-RELEASE", &path));
        assert!(one.bytes >= 10_000 && one.age < Duration::from_secs(60), "{one:?}");
        let fetching = Lock::try_take(dir.path().join("15.1-RELEASE.lock")).unwrap().unwrap();
        assert!(!one.remove().unwrap() && path.exists());
        drop(fetching);
        assert!(one.remove().unwrap() && !path.exists());
        assert!(one.remove().unwrap(), "what is gone is gone");
    }
}
