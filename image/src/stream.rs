// SPDX-License-Identifier: BSD-2-Clause
//! An archive's compressed bytes, digested on the way to the decoder.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use sha2::Digest as _;

use tokio_util::sync::CancellationToken;

use crate::{digest::Sha256, error::ImageError};

/// Reads a file and digests what it gives out.
pub(crate) struct DigestReader<'a> {
    file: File,
    hasher: sha2::Sha256,
    bytes: u64,
    done: &'a AtomicU64,
    stop: &'a CancellationToken,
    /// The reading itself failed: what a decoder then reports is only a consequence.
    broken: Option<Broken>,
}

/// Why reading ended early.
pub(crate) enum Broken {
    Stopped,
    Io(io::Error),
}

impl<'a> DigestReader<'a> {
    /// Opens `path`. Bytes that were read are added to `done`.
    pub(crate) fn open(
        path: &Path,
        done: &'a AtomicU64,
        stop: &'a CancellationToken,
    ) -> Result<Self, ImageError> {
        let file = File::open(path).map_err(|error| ImageError::io("open", path, error))?;
        Ok(Self { file, hasher: sha2::Sha256::new(), bytes: 0, done, stop, broken: None })
    }

    /// Reads whatever the decoder left, so that the digest is that of the whole file.
    pub(crate) fn finish(mut self) -> Result<(Sha256, u64), Broken> {
        let mut buffer = vec![0; 1 << 16];
        while self.broken.is_none() && matches!(self.read(&mut buffer), Ok(1..)) {}
        match self.broken {
            Some(broken) => Err(broken),
            None => Ok((Sha256(self.hasher.finalize().into()), self.bytes)),
        }
    }
}

impl Read for DigestReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_cancelled() {
            self.broken = Some(Broken::Stopped);
            return Err(io::Error::other("stopped"));
        }
        match self.file.read(buffer) {
            Ok(n) => {
                self.hasher.update(&buffer[..n]);
                self.bytes += n as u64;
                self.done.fetch_add(n as u64, Ordering::Relaxed);
                Ok(n)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let kind = error.kind();
                self.broken = Some(Broken::Io(error));
                Err(io::Error::from(kind))
            }
        }
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn digests_all_of_the_file_whatever_was_read_of_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"abc").unwrap();
        let (done, stop) = (AtomicU64::new(0), &CancellationToken::new());
        let mut reader = DigestReader::open(file.path(), &done, stop).unwrap();
        assert_eq!(reader.read(&mut [0; 1]).unwrap(), 1);
        assert!(matches!(reader.finish(), Ok((digest, 3)) if digest == Sha256::of(b"abc")));
        assert_eq!(done.into_inner(), 3);
    }

    #[test]
    fn a_raised_flag_ends_the_reading() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (done, stop) = (AtomicU64::new(0), &CancellationToken::new());
        stop.cancel();
        let mut reader = DigestReader::open(file.path(), &done, stop).unwrap();
        assert!(reader.read(&mut [0; 1]).is_err());
        assert!(matches!(reader.finish(), Err(Broken::Stopped)));
    }
}
