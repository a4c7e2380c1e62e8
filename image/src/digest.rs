// SPDX-License-Identifier: BSD-2-Clause
//! SHA-256 digests, as `MANIFEST` writes them.

use std::{fmt, fs::File, io, os::unix::fs::FileExt as _, path::Path, str::FromStr};

use sha2::Digest as _;

use tokio_util::sync::CancellationToken;

use crate::{error::ImageError, holes::data_after};

/// Bytes read at once.
const CHUNK: u64 = 1 << 20;

/// A SHA-256 digest. Shown, parsed and serialised as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

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

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not a SHA-256 digest. Reads after the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not 64 hexadecimal digits")]
pub struct NotADigest;

impl FromStr for Sha256 {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NotADigest);
        }
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = str::from_utf8(pair).map_err(|_| NotADigest)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| NotADigest)?;
        }
        Ok(Self(digest))
    }
}

impl From<Sha256> for String {
    fn from(digest: Sha256) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Sha256 {
    type Error = NotADigest;

    fn try_from(text: String) -> Result<Self, NotADigest> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_and_parses_the_same_digits() {
        // FIPS 180-4's example for the message "abc".
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Sha256::of(b"abc").to_string(), text);
        assert_eq!(text.parse(), Ok(Sha256::of(b"abc")));
        assert_eq!(text.to_uppercase().parse(), Ok(Sha256::of(b"abc")));
    }

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

    #[test]
    fn refuses_what_is_no_digest() {
        let short = "ba78";
        let sign = format!("+a{}", "0".repeat(62));
        let wide = "é".repeat(32);
        for text in [short, &sign, &wide] {
            assert_eq!(text.parse::<Sha256>(), Err(NotADigest), "{text}");
        }
    }
}
