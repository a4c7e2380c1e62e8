// SPDX-License-Identifier: BSD-2-Clause
//! What an exported image was made of: `FILE.provenance.json` beside it.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use nlproof_base::Limit;

use super::format::Format;
use tokio_util::sync::CancellationToken;

use crate::{digest::Sha256, error::ImageError, image::Input, kernel::KernelInfo, release::ReleaseDir};

/// Version of the file.
pub const SCHEMA: u32 = 1;

/// What an exported image was made of, and by what.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Version of nlproof.
    pub nlproof: String,
    /// Name of the image's file when it was made.
    pub file: String,
    /// Format of the image.
    pub format: Format,
    /// Digest of the image's file.
    pub sha256: Sha256,
    /// Size of the image's file in bytes.
    pub bytes: u64,
    /// Digest of the raw disk in it: the same on every machine, whatever the format.
    pub disk_sha256: Sha256,
    /// Size of the raw disk in bytes.
    pub disk_bytes: u64,
    /// The release whose userland it has.
    pub release: String,
    /// `__FreeBSD_version` of kernel or userland.
    pub freebsd_version: Option<u32>,
    /// The kernel.
    pub kernel: KernelInfo,
    /// The files that it was made of.
    pub inputs: Vec<Input>,
    /// The module in it.
    pub module: Option<ModuleRecord>,
    /// Options.
    pub hostname: String,
    /// Who may log in.
    pub user: String,
    /// The keys that may log in, as fingerprints.
    pub authorized_keys: Vec<String>,
    /// `serial`, `video` or `both`.
    pub console: String,
    /// Made with `--small`.
    pub small: bool,
}

/// The module in an image.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModuleRecord {
    /// Name without `.ko`.
    pub name: String,
    /// `replace` or `observe`.
    pub mode: String,
    /// Digest of the file.
    pub sha256: Sha256,
    /// The verdict of verification in one line.
    pub verdict: String,
}

/// Where an image is not what its provenance says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What differs.
    pub what: String,
    /// What was written down.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} now, and {} when it was made", self.what, self.found, self.expected)
    }
}

impl Provenance {
    /// Where that of an image is.
    #[must_use]
    pub fn beside(image: &Path) -> PathBuf {
        let mut name = image.as_os_str().to_owned();
        name.push(".provenance.json");
        name.into()
    }

    /// Reads that of an image.
    ///
    /// # Errors
    /// There is none, or it is none of this version.
    pub fn read(image: &Path) -> Result<Self, ImageError> {
        let path = Self::beside(image);
        let bytes =
            nlproof_base::read(&path, Limit::LISTING).map_err(|error| ImageError::read(&path, error))?;
        let unusable = |reason: String| ImageError::Provenance { path: path.clone(), reason };
        let read: Self = serde_json::from_slice(&bytes).map_err(|error| unusable(error.to_string()))?;
        match read.schema {
            SCHEMA => Ok(read),
            other => Err(unusable(format!("its schema is {other}, and this program knows {SCHEMA}"))),
        }
    }

    /// The digest and the size of a file.
    ///
    /// # Errors
    /// It cannot be read, or the user interrupts.
    pub fn measure(image: &Path, cancel: &CancellationToken) -> Result<(Sha256, u64), ImageError> {
        let sha256 = Sha256::of_file(image, cancel)?;
        let data = std::fs::metadata(image).map_err(|error| ImageError::io("read", image, error))?;
        Ok((sha256, data.len()))
    }

    /// Holds an image against it.
    ///
    /// # Errors
    /// The image cannot be read, or the user interrupts.
    pub fn check(&self, image: &Path, cancel: &CancellationToken) -> Result<Vec<Difference>, ImageError> {
        let (sha256, bytes) = Self::measure(image, cancel)?;
        let found = [
            ("size", self.bytes.to_string(), bytes.to_string()),
            ("sha256", self.sha256.to_string(), sha256.to_string()),
        ];
        let differ = found.into_iter().filter(|(_, expected, found)| expected != found);
        Ok(differ
            .map(|(what, expected, found)| Difference { what: what.to_owned(), expected, found })
            .collect())
    }

    /// Files of the release here that are not those that went into the image.
    #[must_use]
    pub fn other_inputs(&self, release: &ReleaseDir) -> Vec<Difference> {
        let differs = |input: &Input| {
            let now = release.manifest.entry(&input.file)?.sha256;
            (now != input.sha256).then(|| Difference {
                what: format!("{} of {}", input.file, release.name),
                expected: input.sha256.to_string(),
                found: now.to_string(),
            })
        };
        self.inputs.iter().filter_map(differs).collect()
    }
}
