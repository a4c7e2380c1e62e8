// SPDX-License-Identifier: BSD-2-Clause
//! Why a module could not be built.

use std::io;
use std::path::{Path, PathBuf};

use crate::check::Refusal;
use crate::tool::Tool;

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
    /// The release is of a major that the shim was never tried on.
    #[error("{release} is FreeBSD {major}: the module is made for 14 and 15, and was tried on no other")]
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
        /// The program.
        program: String,
        /// How it ended.
        status: String,
        /// What it said, at most the last 40 lines.
        output: String,
    },
    /// The module was linked but may not be loaded.
    #[error("the module is refused: {0}")]
    Refused(#[from] Refusal),
    /// The caller asked to stop.
    #[error("interrupted")]
    Interrupted,
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
}
