// SPDX-License-Identifier: BSD-2-Clause
//! The place of a fetched release: `<dists>/<release>.partial`, then `<dists>/<release>`.
//!
//! Whoever fetches holds the lock `<dists>/<release>.lock`, which goes with the process. The next fetch continues
//! from what a killed one left in the partial directory.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use nlproof_files::write_whole;
use tokio::time::sleep;

use super::{
    checksum::AnyDigest,
    download::{FetchEvent, Fetcher, Want, remove},
    error::FetchError,
};
use crate::{digest::Sha256, error::ImageError, lock::Lock};

/// What came of a fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The release directory.
    pub dir: PathBuf,
    /// Files of the release that were asked for.
    pub files: Vec<FetchedFile>,
}

/// One file of a release directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedFile {
    /// Name of the file.
    pub name: String,
    /// Verified digest of the file.
    pub sha256: Sha256,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// Where it comes from.
    pub how: How,
}

/// Where a file comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The file was there and is right.
    There,
    /// The file was downloaded, in whole or the rest of it.
    Downloaded,
}

/// One file that is to be in the directory.
pub(super) struct Item<'a> {
    pub(super) file: &'a str,
    /// Where it can be had.
    pub(super) urls: &'a [String],
    pub(super) digest: AnyDigest,
    pub(super) bytes: Option<u64>,
    pub(super) vouched_by: &'a str,
}

/// The place of one release, locked.
pub(super) struct ReleaseLock {
    pub(super) whole: PathBuf,
    partial: PathBuf,
    _lock: Lock,
}

impl ReleaseLock {
    /// Waits until nobody else fetches this release.
    pub(super) async fn wait_for(
        root: &Path,
        release: &str,
        fetcher: &mut Fetcher<'_>,
    ) -> Result<Self, FetchError> {
        fs::create_dir_all(root).map_err(|error| ImageError::io("create", root, error))?;
        let whole = root.join(release);
        let (lock, partial) = (root.join(format!("{release}.lock")), root.join(format!("{release}.partial")));
        loop {
            if let Some(lock) = Lock::try_take(lock.clone())? {
                fs::create_dir_all(&partial).map_err(|error| ImageError::io("create", &partial, error))?;
                return Ok(Self { whole, partial, _lock: lock });
            }
            (fetcher.on_event)(FetchEvent::Wait);
            // No event tells of a lock that becomes free.
            tokio::select! {
                () = fetcher.cancel.cancelled() => return Err(ImageError::Cancelled.into()),
                () = sleep(Duration::from_millis(100)) => {}
            }
        }
    }

    /// Gets one file: from the release directory if it is right there, else from the first address that gives it.
    pub(super) async fn get(
        &self,
        item: &Item<'_>,
        fetcher: &mut Fetcher<'_>,
    ) -> Result<FetchedFile, FetchError> {
        let fetched = |sha256, bytes, how| FetchedFile { name: item.file.to_owned(), sha256, bytes, how };
        for (dir, how) in [(&self.whole, How::There), (&self.partial, How::Downloaded)] {
            let path = dir.join(item.file);
            if !path.is_file() {
                continue;
            }
            let digests = fetcher.digests(&path, Some(item.digest), item.file)?;
            if digests.like(item.digest) == item.digest {
                return Ok(fetched(digests.sha256, digests.bytes, how));
            }
            fetcher.note(format!(
                "{}: not what {} says; it is fetched and replaced",
                path.display(),
                item.vouched_by
            ));
        }
        // Halves of other versions of the file are of no use.
        let part = self.partial.join(format!("{}.{}.part", item.file, item.digest.short()));
        for (name, path) in entries(&self.partial)? {
            let half = name.strip_prefix(item.file).is_some_and(|rest| rest.ends_with(".part"));
            if half && path != part {
                remove(&path)?;
            }
        }
        let mut errors = Vec::new();
        for url in item.urls {
            let want = Want {
                url,
                file: item.file,
                part: &part,
                bytes: item.bytes,
                digest: item.digest,
                vouched_by: item.vouched_by,
            };
            match fetcher.file(&want).await {
                Ok(digests) => {
                    rename(&part, &self.partial.join(item.file))?;
                    return Ok(fetched(digests.sha256, digests.bytes, How::Downloaded));
                }
                Err(error) if error.is_the_mirrors() => errors.push(error),
                Err(error) => return Err(error),
            }
        }
        Err(one_or_many(errors))
    }

    /// Puts what was downloaded in place. `listing`, which makes a directory a release, comes last.
    pub(super) fn finish(
        self,
        listing: (&str, &str),
        files: Vec<FetchedFile>,
    ) -> Result<Fetched, FetchError> {
        let new = self.partial.join(listing.0);
        write_whole(&new, listing.1.as_bytes()).map_err(|error| ImageError::io("write", &new, error))?;
        if self.whole.exists() {
            for file in files.iter().map(|file| file.name.as_str()).chain([listing.0]) {
                let from = self.partial.join(file);
                if from.exists() {
                    rename(&from, &self.whole.join(file))?;
                }
            }
            fs::remove_dir_all(&self.partial)
                .map_err(|error| ImageError::io("remove", &self.partial, error))?;
        } else {
            for (name, path) in entries(&self.partial)? {
                if name.ends_with(".part") {
                    remove(&path)?;
                }
            }
            rename(&self.partial, &self.whole)?;
        }
        Ok(Fetched { dir: self.whole.clone(), files })
    }

    /// Removes a file that was downloaded and is not wanted after all.
    pub(super) fn discard(&self, file: &str) -> Result<(), ImageError> {
        remove(&self.partial.join(file))
    }

    /// Cleans up after a failure: an empty partial directory is not left behind.
    pub(super) fn abandon(self) {
        // It stays if there is something in it.
        fs::remove_dir(&self.partial).ok();
    }
}

fn entries(dir: &Path) -> Result<Vec<(String, PathBuf)>, ImageError> {
    let read = |error: io::Error| ImageError::io("read", dir, error);
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(read)? {
        let entry = entry.map_err(read)?;
        if let Ok(name) = entry.file_name().into_string() {
            found.push((name, entry.path()));
        }
    }
    Ok(found)
}

fn rename(from: &Path, to: &Path) -> Result<(), ImageError> {
    fs::rename(from, to).map_err(|error| ImageError::io("rename", from, error))
}

/// The error of the only mirror as it is, those of several together.
pub(super) fn one_or_many(mut errors: Vec<FetchError>) -> FetchError {
    match errors.len() {
        1 => errors.remove(0),
        _ => FetchError::NoMirror(errors),
    }
}

/// `<mirror>/<file>` for each mirror.
pub(super) fn addresses(mirrors: &[String], file: &str) -> Vec<String> {
    mirrors.iter().map(|mirror| format!("{}/{file}", mirror.trim_end_matches('/'))).collect()
}
