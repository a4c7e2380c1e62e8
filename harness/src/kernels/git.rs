// SPDX-License-Identifier: BSD-2-Clause
//! git(1), in a directory.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Why git has said nothing of use.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// git cannot be run.
    #[error("git does not start: {0}\n  help: install it (Debian: git)")]
    Start(#[source] std::io::Error),
    /// git complains.
    #[error("git {command}: {complaint}")]
    Complaint {
        /// Arguments of git.
        command: String,
        /// What it writes to standard error.
        complaint: String,
    },
}

/// Runs git, and gives all that comes of it.
///
/// # Errors
/// [`GitError::Start`].
pub fn git<A: AsRef<OsStr>>(directory: &Path, arguments: &[A]) -> Result<Output, GitError> {
    let mut command = Command::new("git");
    command.arg("-C").arg(directory).args(arguments).stdin(Stdio::null());
    command.output().map_err(GitError::Start)
}

/// What git says, without space around it.
///
/// # Errors
/// [`GitError`].
pub fn git_says<A: AsRef<OsStr>>(directory: &Path, arguments: &[A]) -> Result<String, GitError> {
    let output = git(directory, arguments)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let words: Vec<_> = arguments.iter().map(|word| word.as_ref().to_string_lossy()).collect();
    let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(GitError::Complaint { command: words.join(" "), complaint })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_told_with_the_command() {
        let directory = tempfile::tempdir().unwrap();
        match git_says(directory.path(), &["rev-parse", "--verify", "HEAD"]) {
            // Without git there is nothing to see.
            Err(GitError::Start(_)) => {}
            other => {
                let said = other.unwrap_err().to_string();
                assert!(said.starts_with("git rev-parse --verify HEAD: fatal: "), "{said}");
            }
        }
    }
}
