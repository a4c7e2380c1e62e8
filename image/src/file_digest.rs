// SPDX-License-Identifier: BSD-2-Clause
//! The SHA-256 digest of a file, whose holes are not read.

use std::{fs::File, io, os::unix::fs::FileExt as _, path::Path};

use sha2::Digest as _;

use tokio_util::sync::CancellationToken;

use crate::{digest::Sha256, error::ImageError, holes::data_after};

/// Bytes read at once.
const CHUNK: u64 = 1 << 20;

impl Sha256 {
    /// The digest of a file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of_whole_file(path: &Path) -> io::Result<Self> {
        let digest = Self::of_file_unless(path, &|| false)?;
        digest.ok_or_else(|| io::ErrorKind::Interrupted.into())
    }

    /// The digest of a file, unless the user interrupts.
    ///
    /// # Errors
    /// It cannot be read, or the user interrupts.
    pub(crate) fn of_file(path: &Path, stop: &CancellationToken) -> Result<Self, ImageError> {
        let digest = Self::of_file_unless(path, &|| stop.is_cancelled());
        digest.map_err(|error| ImageError::io("read", path, error))?.ok_or(ImageError::Cancelled)
    }

    /// The digest of a file; nothing if it is no longer wanted.
    fn of_file_unless(path: &Path, is_unwanted: &dyn Fn() -> bool) -> io::Result<Option<Self>> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let (zeros, mut buffer) = (vec![0; CHUNK as usize], vec![0; CHUNK as usize]);
        let (mut hasher, mut at) = (sha2::Sha256::new(), 0);
        while at < length {
            // Holes are zeros, which need not be read.
            let (begin, end) = data_after(&file, at, length)?.unwrap_or((length, length));
            let (begin, end) = (begin.clamp(at, length), end.min(length));
            while at < end.max(begin) {
                if is_unwanted() {
                    return Ok(None);
                }
                let until = if at < begin { begin } else { end };
                let n = usize::try_from((until - at).min(CHUNK)).unwrap_or(CHUNK as usize);
                if at < begin {
                    hasher.update(&zeros[..n]);
                } else {
                    file.read_exact_at(&mut buffer[..n], at)?;
                    hasher.update(&buffer[..n]);
                }
                at += n as u64;
            }
        }
        Ok(Some(Self(hasher.finalize().into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_count_as_the_zeros_that_they_are() {
        let stop = &CancellationToken::new();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sparse");
        for (length, at) in [(0, None), (5, Some(0)), (9 << 20, Some(5 << 20)), (3_000_001, None)] {
            let file = File::create(&path).unwrap();
            file.set_len(length).unwrap();
            if let Some(at) = at {
                file.write_all_at(b"data", at).unwrap();
            }
            let whole = std::fs::read(&path).unwrap();
            assert_eq!(Sha256::of_file(&path, stop).unwrap(), Sha256::of(&whole), "{length}");
        }
        stop.cancel();
        assert!(matches!(Sha256::of_file(&path, stop), Err(ImageError::Cancelled)));
    }
}
