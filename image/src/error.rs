// SPDX-License-Identifier: BSD-2-Clause
//! Why an image could not be built.

use std::{
    io,
    path::{Path, PathBuf},
};

use nlproof_base::{NotAReleaseName, ReadError, counted};

use crate::{digest::Sha256, manifest::ManifestError, partition_table::TableError};

/// Why an image could not be built. Every message names the offender, the cause and, where there is
/// one, the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The given text cannot be the name of a release.
    #[error(transparent)]
    Name(#[from] NotAReleaseName),
    /// A file cannot be read, is none, or has more in it than is read.
    #[error("{} {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: ReadError,
    },
    /// No directory of that name on the search path.
    #[error(
        "no release `{name}`; looked in: {}; available: {}; `nlproof image fetch` downloads releases; or put \
         {{MANIFEST,base.txz,kernel.txz}} into a directory of that name there, or name the place with NLPROOF_DISTS",
        joined(looked_in.iter().map(|path| path.display().to_string())),
        joined(available.iter().cloned())
    )]
    NoSuchRelease {
        /// What was asked for.
        name: String,
        /// The search path.
        looked_in: Vec<PathBuf>,
        /// The releases that are there.
        available: Vec<String>,
    },
    /// The directory is not laid out like a release.
    #[error(
        "{} has no {missing}; a release directory holds MANIFEST, base.txz and kernel.txz, as on \
         FreeBSD's mirrors",
        path.display()
    )]
    NotARelease {
        /// The directory.
        path: PathBuf,
        /// The file that is not there.
        missing: String,
    },
    /// The `MANIFEST` is not in FreeBSD's format.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The `MANIFEST` does not list a file that an image needs, so nothing could vouch for it.
    #[error("{} has no line for {file}", manifest.display())]
    NotInManifest {
        /// The `MANIFEST`.
        manifest: PathBuf,
        /// The file it should list.
        file: &'static str,
    },
    /// The file is not the one that the `MANIFEST` describes.
    #[error(
        "{}: sha256 differs from MANIFEST: expected {expected}, got {got} over {}; fetch the \
         file again",
        path.display(),
        counted(*bytes, "byte")
    )]
    Digest {
        /// The file.
        path: PathBuf,
        /// What the `MANIFEST` says.
        expected: Sha256,
        /// What the file has.
        got: Sha256,
        /// Length of the file.
        bytes: u64,
    },
    /// The file ends in the middle of its compressed stream.
    #[error(
        "{}: cut short after {}: sha256 expected {expected}, got {got}; fetch the file again",
        path.display(),
        counted(*bytes, "byte")
    )]
    CutShort {
        /// The file.
        path: PathBuf,
        /// What the `MANIFEST` says.
        expected: Sha256,
        /// What the file has.
        got: Sha256,
        /// Length of the file.
        bytes: u64,
    },
    /// The digest is right and the contents are not a tar archive in an xz stream.
    #[error("{}: not a readable .tar.xz although its digest is right: {reason}", path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// What the decoder says.
        reason: String,
    },
    /// An archive's entry that would be written outside the root tree, or that cannot be represented.
    #[error("{}: entry `{entry}` refused: {reason}", path.display())]
    Entry {
        /// The archive.
        path: PathBuf,
        /// The entry's name, escaped.
        entry: String,
        /// Why.
        reason: String,
    },
    /// The archives hold no usable copy of a file that a bootable image needs.
    #[error("{archive} of {release} has no usable {file}: {reason}")]
    Unusable {
        /// The release.
        release: String,
        /// `base.txz` or `kernel.txz`.
        archive: &'static str,
        /// Path in the guest.
        file: &'static str,
        /// The purpose of the file, or its fault.
        reason: String,
    },
    /// The file or directory named as a kernel cannot be run.
    #[error("{}: {reason}\n  help: {remedy}", path.display())]
    OwnKernel {
        /// The directory, archive or file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// A ready VM image cannot be used.
    #[error("{}: {reason}", path.display())]
    VmImage {
        /// The image, or its CHECKSUM file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A ready VM image did not become a guest of ours.
    #[error("the ready image of {release} could not be made ours: {reason}")]
    Provision {
        /// The release.
        release: String,
        /// The failure of the guest or of the connection to it.
        reason: String,
    },
    /// `qemu-img` is not installed.
    #[error("qemu-img not found; a qcow2 image needs it: `apt-get install qemu-utils` on Debian and Ubuntu")]
    QemuImgMissing,
    /// The program that makes a format is not installed.
    #[error(
        "no qemu-img in $PATH, and it makes {format}: `apt-get install qemu-utils` on Debian and Ubuntu; --format raw needs it not"
    )]
    FormatToolMissing {
        /// The format.
        format: String,
    },
    /// `qemu-img` gave up.
    #[error("qemu-img failed ({status}): {words}")]
    QemuImg {
        /// How it ended.
        status: String,
        /// What it said.
        words: String,
    },
    /// The system does not fit on the disk that was asked for.
    #[error("a disk of {wanted} bytes is too small: the system takes {needed} bytes")]
    TooSmall {
        /// Bytes that were asked for.
        wanted: u64,
        /// Bytes that it takes.
        needed: u64,
    },
    /// A file of ours has no place in the release's tree.
    #[error("nlproof's own /{file} cannot be put there: {reason}")]
    NoPlace {
        /// Path in the guest.
        file: String,
        /// Why.
        reason: String,
    },
    /// The provenance of an image cannot be used.
    #[error("{}: is no provenance of an image: {reason}", path.display())]
    Provenance {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// `makefs` is not installed.
    #[error(
        "makefs not found (looked for {}); install it: `apt-get install makefs` on Debian and Ubuntu; \
         it is part of FreeBSD and NetBSD",
        joined(tried.iter().map(|path| path.display().to_string()))
    )]
    MakefsMissing {
        /// The programs that were tried.
        tried: Vec<PathBuf>,
    },
    /// A kernel module that is asked for is not there.
    #[error("the kernel of {release} has no module {module} that a guest could have")]
    NoModule {
        /// The release.
        release: String,
        /// The module.
        module: String,
        /// Modules that exist as files, sorted.
        known: Vec<String>,
    },
    /// `makefs` gave up.
    #[error("makefs failed ({status}): {log}")]
    Makefs {
        /// How it ended.
        status: String,
        /// What it printed.
        log: String,
    },
    /// The file system that holds the cache is too small for the image.
    #[error(
        "{}: not enough space: about {needed} bytes needed, {free} bytes free; make room, or put the \
         cache elsewhere with XDG_CACHE_HOME",
        path.display()
    )]
    DiskFull {
        /// The directory that the image was to be built in.
        path: PathBuf,
        /// Bytes that the build needs from start to end.
        needed: u64,
        /// Bytes free when this was noticed.
        free: u64,
    },
    /// The partition table could not be written.
    #[error("{}: cannot write the partition table: {error}", path.display())]
    PartitionTable {
        /// The disk image.
        path: PathBuf,
        /// What is wrong.
        #[source]
        error: TableError,
    },
    /// A key could not be generated or encoded.
    #[error("cannot make ssh keys: {0}")]
    Keys(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// An operation on a file failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Another process is building this image.
    #[error("{}: is being built at this moment; try again when that is over", path.display())]
    Busy {
        /// The image's directory.
        path: PathBuf,
    },
    /// The cancel flag was raised.
    #[error("building the image was interrupted")]
    Cancelled,
}

impl ImageError {
    /// Keys that could not be generated or encoded, with the cause.
    pub(crate) fn keys(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Keys(Box::new(error))
    }

    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }

    /// A file that cannot be read: the system's reasons as those of every other file.
    pub(crate) fn read(path: &Path, cause: ReadError) -> Self {
        match cause {
            ReadError::Io(error) => Self::io("read", path, error),
            cause => Self::Read { path: path.to_owned(), cause },
        }
    }

    pub(crate) fn not_a_release(path: &Path, missing: &str) -> Self {
        Self::NotARelease { path: path.to_owned(), missing: missing.to_owned() }
    }

    /// Whether the cause is a full file system or an exhausted quota.
    pub(crate) fn is_out_of_space(&self) -> bool {
        match self {
            Self::Io { source, .. } => nlproof_files::is_full(source),
            // strerror(ENOSPC), the same text on Linux and the BSDs.
            Self::Makefs { log, .. } => log.contains("No space left on device"),
            _ => false,
        }
    }
}

fn joined(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() { "(none)".to_owned() } else { items.join(", ") }
}
