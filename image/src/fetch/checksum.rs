// SPDX-License-Identifier: BSD-2-Clause
//! `CHECKSUM.SHA512` and `CHECKSUM.SHA256`: what a directory of images holds, and the digest of each.
//!
//! One line a file, in the form of FreeBSD's sha512(1): `SHA512 (FreeBSD-15.1-RELEASE-amd64-ufs.raw.xz) = <hex>`.
//! The names changed between branches and hold dates in snapshots, so they are read here and never made up.

use std::{fmt, io, path::Path};

use sha2::Digest as _;

use crate::digest::Sha256;

/// Part of the name of images that let root in over ssh with an empty password, with a serial console.
pub const BASIC_CI: &str = "-amd64-BASIC-CI";

/// The CHECKSUM files that are asked for, the better one first.
pub(crate) const CHECKSUM_FILES: [&str; 2] = ["CHECKSUM.SHA512", "CHECKSUM.SHA256"];

/// A digest by either of the two algorithms that FreeBSD publishes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AnyDigest {
    /// SHA-256.
    Sha256(Sha256),
    /// SHA-512.
    Sha512([u8; 64]),
}

/// A parsed CHECKSUM file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checksums {
    /// File name and digest, in the file's order. Never a path.
    pub files: Vec<(String, AnyDigest)>,
}

/// A line that is not in sha512(1)'s form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ChecksumError {
    /// Line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

impl Checksums {
    /// Parses the text of a CHECKSUM file.
    ///
    /// # Errors
    /// The first line that is no digest of a file, or that gives a file another digest than an earlier one.
    pub fn parse(text: &str) -> Result<Self, ChecksumError> {
        let mut files: Vec<(String, AnyDigest)> = Vec::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let fail = |reason: String| ChecksumError { line: index + 1, reason };
            let (algorithm, name, value) =
                fields(line).ok_or_else(|| fail("expected `SHA512 (name) = digest`".into()))?;
            if name.is_empty() || name.contains('/') || name.starts_with('.') {
                return Err(fail(format!("`{name}` is not a file name")));
            }
            let digest = AnyDigest::parse(algorithm, value).map_err(fail)?;
            match files.iter().find(|(other, _)| other == name) {
                Some((_, other)) if *other == digest => {}
                Some(_) => return Err(fail(format!("`{name}` has another digest than before"))),
                None => files.push((name.to_owned(), digest)),
            }
        }
        Ok(Self { files })
    }

    /// The image to take: among those on UFS with `kind` in their name the nearest to what is needed (raw before
    /// qcow2), and the last of several snapshots.
    #[must_use]
    pub fn image(&self, kind: &str) -> Option<&(String, AnyDigest)> {
        let rank = |name: &str| {
            let ending = ENDINGS.iter().position(|ending| name.ends_with(ending))?;
            let ours = name.contains(kind) && !name.contains("-zfs");
            // Smaller is better: the name that says `-ufs`, then the ending.
            ours.then(|| (!name.contains("-ufs"), ending))
        };
        let ranked = self.files.iter().filter_map(|file| Some((rank(&file.0)?, file)));
        ranked.min_by(|(a, x), (b, y)| a.cmp(b).then_with(|| y.0.cmp(&x.0))).map(|(_, file)| file)
    }
}

/// Endings of an image's name, the preferred one first.
const ENDINGS: [&str; 6] = [".raw.xz", ".raw.zst", ".qcow2.xz", ".qcow2.zst", ".raw", ".qcow2"];

/// `ALGORITHM (NAME) = VALUE`.
pub(super) fn fields(line: &str) -> Option<(&str, &str, &str)> {
    let (algorithm, rest) = line.trim().split_once(" (")?;
    let (name, value) = rest.split_once(") = ")?;
    Some((algorithm, name, value.trim()))
}

impl AnyDigest {
    /// Reads hexadecimal digits of the named algorithm.
    fn parse(algorithm: &str, hex: &str) -> Result<Self, String> {
        match algorithm {
            "SHA256" => hex.parse().map(Self::Sha256).map_err(|error| format!("`{hex}` {error}")),
            "SHA512" => {
                let mut bytes = [0; 64];
                let (high, low) = hex.split_at_checked(64).unwrap_or((hex, ""));
                for (half, text) in bytes.chunks_exact_mut(32).zip([high, low]) {
                    let digest: Sha256 =
                        text.parse().map_err(|_| format!("`{hex}` is not 128 hexadecimal digits"))?;
                    half.copy_from_slice(&digest.0);
                }
                Ok(Self::Sha512(bytes))
            }
            other => Err(format!("unknown algorithm `{other}`: known are SHA256 and SHA512")),
        }
    }

    /// The first 16 digits: enough to tell the halves of downloads apart.
    pub(super) fn short(&self) -> String {
        self.to_string().chars().take(16).collect()
    }
}

impl fmt::Display for AnyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(digest) => digest.fmt(f),
            Self::Sha512(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

/// The digests of a file, by both algorithms, and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digests {
    pub(crate) sha256: Sha256,
    sha512: Option<[u8; 64]>,
    pub(crate) bytes: u64,
}

impl Digests {
    /// Reads the whole file; SHA-512 only where that is what is expected. `Ok(None)`: told to stop.
    pub(crate) fn of_file(
        path: &Path,
        expected: Option<AnyDigest>,
        stop: &dyn Fn() -> bool,
    ) -> io::Result<Option<Self>> {
        let mut file = std::fs::File::open(path)?;
        let mut sha256 = sha2::Sha256::new();
        let mut sha512 = matches!(expected, Some(AnyDigest::Sha512(_))).then(sha2::Sha512::new);
        let (mut bytes, mut buffer) = (0, vec![0; 1 << 18]);
        loop {
            if stop() {
                return Ok(None);
            }
            let n = match io::Read::read(&mut file, &mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            sha256.update(&buffer[..n]);
            if let Some(sha512) = &mut sha512 {
                sha512.update(&buffer[..n]);
            }
            bytes += n as u64;
        }
        let sha512 = sha512.map(|sha512| sha512.finalize().into());
        Ok(Some(Self { sha256: Sha256(sha256.finalize().into()), sha512, bytes }))
    }

    /// The digest to compare with `expected`.
    pub(crate) fn like(&self, expected: AnyDigest) -> AnyDigest {
        match (expected, self.sha512) {
            (AnyDigest::Sha512(_), Some(sha512)) => AnyDigest::Sha512(sha512),
            _ => AnyDigest::Sha256(self.sha256),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(names: &[&str]) -> Checksums {
        let text: String =
            names.iter().map(|name| format!("SHA256 ({name}) = {}\n", "0".repeat(64))).collect();
        Checksums::parse(&text).unwrap()
    }

    fn chosen(names: &[&str]) -> Option<String> {
        listed(names).image(BASIC_CI).map(|(name, _)| name.clone())
    }

    #[test]
    fn both_algorithms_are_read() {
        // FIPS 180-4's example for the message "abc".
        let sha512 = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                      2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
        let sums = Checksums::parse(&format!("SHA512 (abc.raw.xz) = {sha512}\n\n")).unwrap();
        let (name, digest) = &sums.files[0];
        assert_eq!((name.as_str(), digest.to_string().as_str()), ("abc.raw.xz", sha512));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc").unwrap();
        let digests = Digests::of_file(file.path(), Some(*digest), &|| false).unwrap().unwrap();
        assert_eq!((digests.like(*digest), digests.sha256, digests.bytes), (*digest, Sha256::of(b"abc"), 3));
        assert_eq!(Digests::of_file(file.path(), None, &|| true).unwrap(), None);
    }

    #[test]
    fn names_differ_between_branches_and_the_right_one_is_found() {
        let old = ["FreeBSD-14.4-RELEASE-amd64-BASIC-CI.raw.xz", "FreeBSD-14.4-RELEASE-amd64.raw.xz"];
        assert_eq!(chosen(&old).as_deref(), Some(old[0]));
        let new = [
            "FreeBSD-15.1-RELEASE-amd64-BASIC-CI-zfs.raw.xz",
            "FreeBSD-15.1-RELEASE-amd64-BASIC-CI-ufs.qcow2.xz",
            "FreeBSD-15.1-RELEASE-amd64-BASIC-CI.raw.xz",
            "FreeBSD-15.1-RELEASE-amd64-BASIC-CI-ufs.raw.zst",
            "FreeBSD-15.1-RELEASE-amd64-BASIC-CI-ufs.raw.xz",
        ];
        assert_eq!(chosen(&new).as_deref(), Some(new[4]));
        let snapshots = [
            "FreeBSD-16.0-CURRENT-amd64-20261101-aaaaaaaaaaaa-300000-BASIC-CI-ufs.raw.xz",
            "FreeBSD-16.0-CURRENT-amd64-BASIC-CI-ufs-20261101-bbbbbbbbbbbb-300000.raw.xz",
            "FreeBSD-16.0-CURRENT-amd64-BASIC-CI-ufs-20261108-aaaaaaaaaaaa-300100.raw.xz",
        ];
        assert_eq!(chosen(&snapshots).as_deref(), Some(snapshots[2]));
        assert_eq!(chosen(&["FreeBSD-15.1-RELEASE-amd64-ufs.raw.xz", "x-amd64-BASIC-CI.vmdk.xz"]), None);
    }

    #[test]
    fn what_is_no_checksum_file_is_refused_with_its_line() {
        let zeros = "0".repeat(64);
        for (text, expected) in [
            ("<html>\n".to_owned(), "line 1: expected `SHA512 (name) = digest`"),
            (format!("SHA256 (a) = {zeros}\nSHA256 (../b) = {zeros}\n"), "line 2: `../b` is not a file name"),
            (format!("SHA256 (.hidden) = {zeros}\n"), "is not a file name"),
            (format!("MD5 (a) = {zeros}\n"), "unknown algorithm `MD5`"),
            (format!("SHA512 (a) = {zeros}\n"), "is not 128 hexadecimal digits"),
            (format!("SHA256 (a) = {zeros}\nSHA256 (a) = {}\n", "1".repeat(64)), "has another digest"),
        ] {
            let error = Checksums::parse(&text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?} gave {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "(SHA(256|512)|x)? ?\\(?[a-z./]{0,6}\\)?( = )?[0-9a-fé]{0,130}\n?") {
            if let Ok(sums) = Checksums::parse(&text) {
                proptest::prop_assert!(sums.files.iter().all(|(name, _)| !name.contains('/')));
            }
        }
    }
}
