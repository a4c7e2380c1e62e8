// SPDX-License-Identifier: BSD-2-Clause
//! The search path of releases, and the layout of a release directory.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use nlproof_base::{Limit, ReleaseName, read_text};

use crate::{
    cache_root::CacheRoot,
    error::ImageError,
    fetch::CHECKSUM_FILES,
    manifest::{Manifest, ManifestEntry},
    vmimage::VmImageDir,
};

/// The file that makes a directory a release.
const MANIFEST: &str = "MANIFEST";

/// The archives that an image is made of.
pub(crate) const BASE: &str = "base.txz";
/// File name of the kernel's set (see [`BASE`]).
pub(crate) const KERNEL: &str = "kernel.txz";

/// The directories in which releases are looked for, the first one first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dists {
    /// Each holds one directory a release.
    pub search: Vec<PathBuf>,
}

/// A release on disk: `<dir>/<release>/{MANIFEST,base.txz,kernel.txz}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseDir {
    /// Name of the directory, for instance `14.0-STABLE`.
    pub name: String,
    /// The directory.
    pub path: PathBuf,
    /// What its `MANIFEST` says.
    pub manifest: Manifest,
}

/// The contents of a directory of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Distribution sets.
    Sets(ReleaseDir),
    /// A ready VM image, and no distribution sets.
    Image(VmImageDir),
}

impl Dists {
    /// The search path from the environment: `$NLPROOF_DISTS`, else the cache's directory of releases.
    #[must_use]
    pub fn from_env() -> Self {
        Self::new(std::env::var_os("NLPROOF_DISTS").as_deref(), CacheRoot::from_env().as_ref())
    }

    /// The search path from the two values that decide it: what `NLPROOF_DISTS` names, which may be several
    /// directories, separated as in `PATH`, else the cache's directory of releases. An empty value counts as unset.
    #[must_use]
    pub fn new(nlproof_dists: Option<&OsStr>, cache: Option<&CacheRoot>) -> Self {
        let search = match nlproof_dists.filter(|paths| !paths.is_empty()) {
            Some(paths) => std::env::split_paths(paths).filter(|path| !path.as_os_str().is_empty()).collect(),
            None => cache.map(CacheRoot::dists).into_iter().collect(),
        };
        Self { search }
    }

    /// What is in the directories. One that does not exist or cannot be read holds nothing.
    pub(crate) fn entries(&self) -> impl Iterator<Item = fs::DirEntry> {
        self.search.iter().filter_map(|dir| fs::read_dir(dir).ok()).flatten().filter_map(Result::ok)
    }

    /// The names of the releases that are there, sorted, each once. A directory that does not exist or
    /// cannot be read holds none, and one whose name is no [`ReleaseName`] is none.
    #[must_use]
    pub fn list(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .entries()
            .filter(|entry| is_release(&entry.path()))
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| name.parse::<ReleaseName>().is_ok())
            // One that is being fetched is none yet.
            .filter(|name| !name.ends_with(".partial"))
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// Directories with a release's files whose names are no [`ReleaseName`]: nothing will ever find them.
    #[must_use]
    pub fn misnamed(&self) -> Vec<PathBuf> {
        let is_one = |name: &OsStr| name.to_str().is_some_and(|name| name.parse::<ReleaseName>().is_ok());
        let entries = self.entries().filter(|entry| is_release(&entry.path()) && !is_one(&entry.file_name()));
        let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        paths
    }

    /// The first release of that name on the search path, with its distribution sets.
    ///
    /// # Errors
    /// [`ImageError::NoSuchRelease`], and what [`ReleaseDir::open`] gives.
    pub fn find(&self, name: &str) -> Result<ReleaseDir, ImageError> {
        ReleaseDir::open(&self.directory(name)?)
    }

    /// The same, but a ready VM image will do where there are no distribution sets.
    ///
    /// # Errors
    /// Same as [`Dists::find`], and what [`VmImageDir::open`] gives.
    pub fn find_any(&self, name: &str) -> Result<Found, ImageError> {
        let path = self.directory(name)?;
        if path.join(MANIFEST).is_file() {
            return ReleaseDir::open(&path).map(Found::Sets);
        }
        match VmImageDir::open(&path)? {
            Some(image) => Ok(Found::Image(image)),
            None => ReleaseDir::open(&path).map(Found::Sets),
        }
    }

    fn directory(&self, name: &str) -> Result<PathBuf, ImageError> {
        let name = name.parse::<ReleaseName>()?;
        match self.search.iter().map(|dir| dir.join(name.as_str())).find(|path| path.is_dir()) {
            Some(path) => Ok(path),
            None => Err(ImageError::NoSuchRelease {
                name: name.as_str().to_owned(),
                looked_in: self.search.clone(),
                available: self.list(),
            }),
        }
    }
}

/// What makes a directory one.
fn is_release(path: &Path) -> bool {
    [MANIFEST].iter().chain(&CHECKSUM_FILES).any(|listing| path.join(listing).is_file())
}

impl ReleaseDir {
    /// Reads the `MANIFEST` of the release in `path`.
    ///
    /// # Errors
    /// [`ImageError::NotARelease`] without a `MANIFEST` or without the archives that an image needs,
    /// [`ImageError::Manifest`] when it cannot be parsed.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        let manifest_path = path.join(MANIFEST);
        let text = read_text(&manifest_path, Limit::LISTING).map_err(|error| match error {
            error if error.is_not_found() => ImageError::not_a_release(path, MANIFEST),
            error => ImageError::read(&manifest_path, error),
        })?;
        let manifest = Manifest::parse(&manifest_path, &text)?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let release = Self { name, path: path.to_owned(), manifest };
        for file in [BASE, KERNEL] {
            release.entry(file)?;
            if !release.path.join(file).is_file() {
                return Err(ImageError::not_a_release(path, file));
            }
        }
        Ok(release)
    }

    /// What the `MANIFEST` says about `file`.
    pub(crate) fn entry(&self, file: &'static str) -> Result<&ManifestEntry, ImageError> {
        let missing = || ImageError::NotInManifest { manifest: self.path.join(MANIFEST), file };
        self.manifest.entry(file).ok_or_else(missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_value_wins() {
        let root = CacheRoot::from_values(Some("/cache".as_ref()), None).unwrap();
        let dists = |named: &str| Dists::new(Some(named.as_ref()), Some(&root)).search;
        assert_eq!(dists("/a:/b"), [Path::new("/a"), Path::new("/b")]);
        assert_eq!(dists(""), [Path::new("/cache/nlproof/dists")]);
        assert_eq!(Dists::new(None, Some(&root)).search, [Path::new("/cache/nlproof/dists")]);
        assert_eq!(Dists::new(None, None).search, Vec::<PathBuf>::new());
    }

    #[test]
    fn an_unknown_release_lists_the_known_ones_and_where_it_looked() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["15.1-RELEASE", "14.0-STABLE"] {
            fs::create_dir(dir.path().join(name)).unwrap();
            fs::write(dir.path().join(name).join(MANIFEST), "").unwrap();
        }
        fs::create_dir(dir.path().join("not-one")).unwrap();
        fs::create_dir(dir.path().join("my kernel")).unwrap();
        fs::write(dir.path().join("my kernel").join(MANIFEST), "").unwrap();
        let dists = Dists { search: vec![dir.path().join("absent"), dir.path().to_owned()] };
        assert_eq!(dists.list(), ["14.0-STABLE", "15.1-RELEASE"]);
        assert_eq!(dists.misnamed(), [dir.path().join("my kernel")]);
        let message = dists.find("13.0").unwrap_err().to_string();
        for part in ["no release `13.0`", "absent", "available: 14.0-STABLE, 15.1-RELEASE"] {
            assert!(message.contains(part), "{message}");
        }
        for outside in ["../x", "14.0-STABLE/../../x", "", "..", "a\0b"] {
            assert!(matches!(dists.find(outside), Err(ImageError::Name(_))), "{outside:?}");
        }
    }

    #[test]
    fn a_directory_without_manifest_or_archive_says_what_is_expected() {
        let dir = tempfile::tempdir().unwrap();
        let message = ReleaseDir::open(dir.path()).unwrap_err().to_string();
        assert!(message.contains("has no MANIFEST"), "{message}");
        let line = format!("base.txz\t{}\t1\tbase\t\"Base\"\ton\n", "0".repeat(64));
        fs::write(dir.path().join(MANIFEST), line).unwrap();
        let message = ReleaseDir::open(dir.path()).unwrap_err().to_string();
        assert!(message.contains("has no base.txz"), "{message}");
        fs::write(dir.path().join(BASE), "").unwrap();
        assert!(matches!(ReleaseDir::open(dir.path()), Err(ImageError::NotInManifest { file: KERNEL, .. })));
    }
}
