// SPDX-License-Identifier: BSD-2-Clause
//! Why a release could not be fetched.

use std::path::PathBuf;

use nlproof_base::counted;

use super::broken::Broken;
use crate::{error::ImageError, manifest::ManifestError};

/// Why a release could not be fetched. Every message names the address, the cause and, where there is one, the
/// remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The server has no such file, or will not give it out.
    #[error("{url}: the server says {status}")]
    Refused {
        /// The address.
        url: String,
        /// The status line's number and what it means.
        status: String,
    },
    /// Nothing arrived, or only a part.
    #[error(
        "{url}: given up after {} without a further byte: {cause}; what is there is kept, and the next fetch goes on from it",
        counted(*tries, "try")
    )]
    GivenUp {
        /// The address.
        url: String,
        /// Tries since the last byte.
        tries: u32,
        /// What ended the last one.
        #[source]
        cause: Broken,
    },
    /// The file is not the one that is vouched for. It has been removed.
    #[error(
        "{url}: refused and removed: {vouched_by} says {expected}, the {bytes} bytes that came have {got}"
    )]
    Digest {
        /// The address.
        url: String,
        /// Which file holds the expected digest.
        vouched_by: String,
        /// What it says.
        expected: String,
        /// What came.
        got: String,
        /// How much came.
        bytes: u64,
    },
    /// The file does not have the pinned size. Nothing of it is kept.
    #[error("{url}: refused: {vouched_by} says {expected} bytes, the server has {got}")]
    Size {
        /// The address.
        url: String,
        /// Which file holds the expected size.
        vouched_by: String,
        /// What it says, in bytes.
        expected: u64,
        /// Size in bytes that the server states.
        got: u64,
    },
    /// The mirror's digests differ from the pinned ones.
    #[error(
        "{url} vouches for another {file} than {} pins ({difference}); if the release was made anew, \
         `nlproof image fetch --release {release} --lock` pins it as it is now",
        lock.display()
    )]
    PinDiffers {
        /// The mirror's MANIFEST or CHECKSUM file.
        url: String,
        /// The release that was asked for.
        release: String,
        /// The file.
        file: String,
        /// The lock file.
        lock: PathBuf,
        /// Both digests.
        difference: String,
    },
    /// The lock file is not in its form.
    #[error("{}:{line}: {reason}", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// Line, counted from 1; 0 for the whole file.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A CHECKSUM file that is none.
    #[error("{url}: {reason}")]
    Checksum {
        /// The address.
        url: String,
        /// Line and reason.
        reason: String,
    },
    /// A MANIFEST that is none.
    #[error("{url}: {0}", url = .0.path.display())]
    Manifest(ManifestError),
    /// The MANIFEST lists no such file.
    #[error("{url} has no line for {file}")]
    NotListed {
        /// The MANIFEST's address.
        url: String,
        /// The file.
        file: String,
    },
    /// The CHECKSUM file lists no image that can be used.
    #[error("{url} lists no BASIC-CI image on UFS; it lists: {}", if listed.is_empty() { "nothing".to_owned() } else { listed.join(", ") })]
    NoImage {
        /// The CHECKSUM file's address.
        url: String,
        /// The names in it.
        listed: Vec<String>,
    },
    /// No mirror gave it. One error a mirror.
    #[error("no mirror has it:\n  {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  "))]
    NoMirror(Vec<FetchError>),
    /// Files, locks, space.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The cancel flag was raised.
    #[error(
        "interrupted; {} of {} kept, and the next fetch goes on from there",
        counted(*bytes, "byte"),
        part.display()
    )]
    Cancelled {
        /// The half file.
        part: PathBuf,
        /// Length of the file in bytes.
        bytes: u64,
    },
}

impl FetchError {
    /// Whether another mirror may do better.
    pub(super) fn is_the_mirrors(&self) -> bool {
        match self {
            Self::Image(_) | Self::Cancelled { .. } | Self::Lock { .. } => false,
            Self::NoMirror(errors) => errors.iter().all(Self::is_the_mirrors),
            _ => true,
        }
    }

    /// Whether the list of digests may be older than the file, and should be read again.
    pub(super) fn may_be_stale(&self) -> bool {
        match self {
            Self::Digest { .. } | Self::Refused { .. } => true,
            Self::NoMirror(errors) => errors.iter().any(Self::may_be_stale),
            _ => false,
        }
    }
}
