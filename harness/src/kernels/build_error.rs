// SPDX-License-Identifier: BSD-2-Clause
//! Why there is no kernel, and what helps.

use std::io;
use std::path::{Path, PathBuf};

use super::tools::{NoTool, remedy};

/// Why there is no kernel.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A tool of the build is not here.
    #[error("{}\n  help: {}", .0, remedy())]
    Tools(#[from] NoTool),
    /// make(1) cannot be run.
    #[error("the build does not start: {}\n  help: {}", .0, remedy())]
    Start(#[source] io::Error),
    /// A file or directory of the objects cannot be written.
    #[error("cannot write {}: {error}\n  help: make it writable, or name another place with XDG_CACHE_HOME", path.display())]
    Objects {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// make(1) gave up.
    #[error("{what} of {} failed:\n{complaint}\n  the whole log: {}{}", tree.display(), log.display(), help(*full, lacking.as_deref()))]
    Failed {
        /// The target of make(1).
        what: &'static str,
        /// The tree.
        tree: PathBuf,
        /// The compiler's words.
        complaint: String,
        /// Path of the build's whole log.
        log: PathBuf,
        /// Whether the disk is full.
        full: bool,
        /// What this machine lacks for the build, in words.
        lacking: Option<String>,
    },
    /// The build ended well and left no kernel.
    #[error("the build of {} left no kernel in {}\n  help: see {}", tree.display(), path.display(), log.display())]
    NoKernel {
        /// The tree.
        tree: PathBuf,
        /// Where it should be.
        path: PathBuf,
        /// Path of the build's whole log.
        log: PathBuf,
    },
    /// The user interrupted the build. The next build goes on from there.
    #[error("interrupted; the next build goes on from here")]
    Interrupted,
}

fn help(full: bool, lacking: Option<&str>) -> String {
    match lacking {
        _ if full => "\n  help: the disk is full; make room (nlproof kernel rm, nlproof image gc), and build again: it goes on"
            .to_owned(),
        Some(lacking) => format!("\n  help: the build may need what is not here: {lacking}"),
        None => String::new(),
    }
}

impl BuildError {
    /// Whether the tree is to blame, so that another one might be built.
    pub fn is_the_trees(&self) -> bool {
        match self {
            BuildError::Failed { full, lacking, .. } => !full && lacking.is_none(),
            BuildError::NoKernel { .. } => true,
            BuildError::Tools(_)
            | BuildError::Start(_)
            | BuildError::Objects { .. }
            | BuildError::Interrupted => false,
        }
    }
}

/// The error of a file or directory of the objects.
pub(super) fn objects(path: &Path) -> impl FnOnce(io::Error) -> BuildError {
    let path = path.to_owned();
    move |error| BuildError::Objects { path, error }
}
