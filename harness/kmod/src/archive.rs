// SPDX-License-Identifier: BSD-2-Clause
//! Parts of a release's archives, unpacked once and kept in the cache under the archive's digest.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use liblzma::read::XzDecoder;
use nlproof_base::hex;
use nlproof_files::{require, work_directory_in};
use nlproof_image::{ReleaseDir, UnpackError, UnpackLimits, each_entry};
use sha2::{Digest as _, Sha256};

use crate::error::{CACHE_REMEDY, KmodError};

/// Bytes that the largest part takes, with something over: the headers of 14.0-STABLE are 118 MiB.
const UNPACKED: u64 = 160 * 1024 * 1024;

/// Files of an archive, by what they are kept as.
pub(crate) struct Part {
    /// The archive's name in the release directory.
    pub(crate) archive: &'static str,
    /// What its directory in the cache begins with.
    pub(crate) kept_as: &'static str,
    /// The path in that directory for a file of the archive; `None` if it is not wanted.
    pub(crate) place: fn(&Path) -> Option<PathBuf>,
}

impl Part {
    /// The directory with the files, and the archive's sha256. `None`: the release has no such archive.
    pub(crate) fn of(
        &self,
        release: &ReleaseDir,
        cache: &Path,
    ) -> Result<Option<(PathBuf, String)>, KmodError> {
        let archive = release.path.join(self.archive);
        let Some(entry) = release.manifest.entry(self.archive).filter(|_| archive.is_file()) else {
            return Ok(None);
        };
        let expected = entry.sha256.to_string();
        let directory = cache.join(format!("{}-{expected}", self.kept_as));
        if !directory.is_dir() {
            fs::create_dir_all(cache).map_err(KmodError::io("create", cache))?;
            require(cache, UNPACKED, CACHE_REMEDY)?;
            let unpacked = work_directory_in(cache).map_err(KmodError::io("create", cache))?;
            let got = self.unpack(&archive, unpacked.path()).map_err(KmodError::io("unpack", &archive))?;
            if got != expected {
                return Err(KmodError::Digest { path: archive, expected, got });
            }
            keep(unpacked, &directory)?;
        }
        Ok(Some((directory, expected)))
    }

    /// Unpacks what is wanted, and returns the archive's sha256.
    fn unpack(&self, archive: &Path, directory: &Path) -> io::Result<String> {
        let mut hashed = Hashed { inner: BufReader::new(File::open(archive)?), digest: Sha256::new() };
        let unpacked = each_entry(XzDecoder::new(&mut hashed), UnpackLimits::RELEASE, |entry| {
            let path = entry.path()?.into_owned();
            let path = path.strip_prefix(".").unwrap_or(&path);
            let Some(place) = (self.place)(path) else { return Ok(()) };
            let safe = place.components().all(|part| matches!(part, Component::Normal(_)));
            if safe && entry.header().entry_type().is_file() {
                let target = directory.join(place);
                if let Some(parent) = target.parent() {
                    fs::create_dir_all(parent)?;
                }
                io::copy(entry, &mut File::create(target)?)?;
            }
            Ok::<_, io::Error>(())
        });
        unpacked.map_err(|error| match error {
            UnpackError::Read(error) | UnpackError::Entry { error, .. } => error,
            UnpackError::TooMuch { name, cause } => {
                io::Error::new(io::ErrorKind::InvalidData, format!("{}: {cause}", name.escape_ascii()))
            }
        })?;
        // What follows the compressed stream counts for the digest too.
        io::copy(&mut hashed, &mut io::sink())?;
        Ok(hex(&hashed.digest.finalize()))
    }
}

/// Moves a finished directory to its place. Who comes second finds it there and drops their own.
pub(crate) fn keep(finished: tempfile::TempDir, place: &Path) -> Result<(), KmodError> {
    match fs::rename(finished.path(), place) {
        Err(_) if place.is_dir() => Ok(()),
        result => {
            result.map_err(KmodError::io("create", place))?;
            // It is no longer where it would be removed from.
            drop(finished.keep());
            Ok(())
        }
    }
}

/// Digests what is read through it.
struct Hashed<R> {
    inner: R,
    digest: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.digest.update(&buffer[..n]);
        Ok(n)
    }
}
