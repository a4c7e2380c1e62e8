// SPDX-License-Identifier: BSD-2-Clause
//! Why something was not copied.

use std::io;
use std::path::PathBuf;

use super::super::error::SshError;

/// A copy between this machine and a guest did not come about.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The argument on the command line does not describe a copy.
    #[error("{0}")]
    Words(String),
    /// A file or directory of this machine cannot be read or written.
    #[error("{}: {what}: {error}", path.display())]
    Local {
        /// The path that was to be copied.
        path: PathBuf,
        /// What failed, and why.
        what: &'static str,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// A path on this machine that cannot receive the copy.
    #[error("{}: {reason}", path.display())]
    Place {
        /// The path that was to be copied.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// Something that is neither file nor directory nor symbolic link.
    #[error(
        "{}: is a {kind}\n  help: only files, directories and symbolic links can be copied", path.display()
    )]
    Special {
        /// The path that was to be copied.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// The guest did not do its part.
    #[error("{path} in the guest: {words}")]
    Guest {
        /// The path in the guest.
        path: String,
        /// The guest's words.
        words: String,
    },
    /// More than is taken.
    #[error("{path} in the guest: has more than {most} bytes, and no more are copied")]
    TooLarge {
        /// The path in the guest.
        path: String,
        /// The limit.
        most: u64,
    },
    /// The connection or the guest was lost.
    #[error(transparent)]
    Ssh(#[from] SshError),
}

impl CopyError {
    /// A local file that could not be read does not mean that the guest is lost.
    pub(super) fn of_ssh(error: SshError) -> Self {
        match error {
            SshError::Input(error) => match error.downcast::<CopyError>() {
                Ok(copy) => copy,
                Err(error) => Self::Ssh(SshError::Input(error)),
            },
            error => Self::Ssh(error),
        }
    }

    pub(super) fn local(path: impl Into<PathBuf>, what: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self::Local { path, what, error }
    }
}
