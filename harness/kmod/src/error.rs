// SPDX-License-Identifier: BSD-2-Clause
//! Why a module could not be built.

use std::io;
use std::path::{Path, PathBuf};

use nlproof_files::RoomError;

use crate::check::Refusal;
use crate::tool::Tool;

/// Remedy for a full cache.
pub(crate) const CACHE_REMEDY: &str = "make room, or put the cache elsewhere with XDG_CACHE_HOME";

/// Why a module could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KmodError {
    /// A tool is not installed.
    #[error("no {tool}: tried {}; {}", tried.join(", "), tool.remedy())]
    NoTool {
        /// What is missing.
        tool: Tool,
        /// What was tried.
        tried: Vec<String>,
    },
    /// The release directory has no sources.
    #[error("{} has no src.txz, whose sys/ headers a module is compiled against; put it there", path.display())]
    NoSource {
        /// The release directory.
        path: PathBuf,
    },
    /// The release directory has no kernel.
    #[error("{} has no kernel.txz with boot/kernel/kernel in it; put it there", path.display())]
    NoKernel {
        /// The release directory.
        path: PathBuf,
    },
    /// src.txz or kernel.txz is not the file that MANIFEST describes.
    #[error("{}: sha256 differs from MANIFEST: expected {expected}, got {got}; fetch the file again", path.display())]
    Digest {
        /// The archive.
        path: PathBuf,
        /// The digest that MANIFEST gives.
        expected: String,
        /// What it is.
        got: String,
    },
    /// The release is of a major that the shim does not know.
    #[error("{release} is FreeBSD {major}: the module is made for 14 and 15, and for 16 from its sources")]
    Untried {
        /// Name of the release.
        release: String,
        /// Major version of that kernel.
        major: u32,
    },
    /// src.txz has no usable sys/sys/param.h.
    #[error("{} does not say __FreeBSD_version; is it the src.txz of a FreeBSD release?", path.display())]
    NotFreebsd {
        /// The header.
        path: PathBuf,
    },
    /// The directory is not a checkout of nlproof.
    #[error("{} is missing; the module is built from a checkout of nlproof", path.display())]
    NoCheckout {
        /// What is not there.
        path: PathBuf,
    },
    /// A compiler or linker failed.
    #[error("{step} failed: {program} exited with {status}:\n{output}")]
    Failed {
        /// What was being done.
        step: String,
        /// The program that was run.
        program: String,
        /// How it ended.
        status: String,
        /// The tool's output, at most the last 40 lines.
        output: String,
    },
    /// The module was linked but may not be loaded.
    #[error("the module is refused: {0}")]
    Refused(#[from] Refusal),
    /// The caller asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// The cache has no room for what is about to be unpacked.
    #[error(transparent)]
    NoRoom(#[from] RoomError),
    /// The file system that holds the cache became full.
    #[error(
        "{}: not enough space: {cause}; {free} bytes are free without what was begun; {CACHE_REMEDY}",
        path.display()
    )]
    DiskFull {
        /// The cache.
        path: PathBuf,
        /// Bytes free when this was noticed, and what was begun had been removed.
        free: u64,
        /// What could not be done.
        #[source]
        cause: Box<KmodError>,
    },
    /// The file system failed.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was being done, as a verb.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

impl KmodError {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }

    /// An error that comes from a full file system becomes one that says so, with the cache's free bytes.
    pub(crate) fn explained(self, cache: &Path) -> Self {
        let full = match &self {
            Self::Io { source, .. } => nlproof_files::is_full(source),
            // strerror(ENOSPC), the same text on Linux and the BSDs.
            Self::Failed { output, .. } => output.contains("No space left on device"),
            _ => false,
        };
        if !full {
            return self;
        }
        // Should the file system not even answer, then it is at least not known to be roomy.
        let free = nlproof_files::free_bytes(cache).unwrap_or(0);
        Self::DiskFull { path: cache.to_owned(), free, cause: Box::new(self) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_cache_is_told_as_such_and_nothing_else_is() {
        let cache = std::env::temp_dir();
        let io = |kind: io::ErrorKind| KmodError::io("create", Path::new("lib"))(kind.into());
        let full = io(io::ErrorKind::StorageFull).explained(&cache).to_string();
        assert!(full.contains("not enough space") && full.contains("cannot create lib"), "{full}");
        assert!(full.contains("XDG_CACHE_HOME"), "{full}");
        let output = "error: failed to write: No space left on device (os error 28)".to_owned();
        let (step, program, status) = ("compiling core".into(), "rustc".into(), "exit status: 1".into());
        let compiler = KmodError::Failed { step, program, status, output }.explained(&cache);
        assert!(matches!(compiler, KmodError::DiskFull { .. }), "{compiler}");
        let other = io(io::ErrorKind::PermissionDenied).explained(&cache);
        assert!(matches!(other, KmodError::Io { .. }), "{other}");
    }
}
