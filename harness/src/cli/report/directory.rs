// SPDX-License-Identifier: BSD-2-Clause
//! A report's directory, and the files that are written into it.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use crate::cli::exit::{CliError, ExitCode};
use crate::cli::out::tell;
use crate::matrix::RunResult;
use crate::report::{write_json, write_junit};

/// Where a report's other files are.
pub(in crate::cli) fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        _ if path.is_dir() => path.to_owned(),
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Whether two paths are one directory.
pub(super) fn same_directory(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// A report directory into which this run alone writes, for as long as this is there: raw traces of two would be one file.
#[derive(Debug)]
pub(in crate::cli) struct Claim {
    /// The directory, locked. Nothing stays behind whatever ends this program.
    _directory: File,
}

impl Claim {
    /// Claims a directory.
    ///
    /// # Errors
    /// Another run writes into it.
    pub(in crate::cli) fn of(directory: &Path) -> Result<Self, CliError> {
        let opened = File::open(directory).map_err(CliError::unwritten(directory))?;
        match opened.try_lock() {
            Err(TryLockError::WouldBlock) => Err(CliError::Usage(format!(
                "another run writes into {}\n  help: wait for it, or give this one a directory of its own",
                directory.display()
            ))),
            // Not every file system has locks.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Self { _directory: opened }),
        }
    }
}

/// Writes report.json and junit.xml. What cannot be written is told, and only that is lost: the run goes on to its last
/// line.
pub(in crate::cli) fn write_reports(directory: &Path, result: &RunResult) -> ExitCode {
    let (json, junit) = (directory.join("report.json"), directory.join("junit.xml"));
    let mut written = ExitCode::OK;
    for (path, outcome) in [(&json, write_json(&json, result)), (&junit, write_junit(&junit, result))] {
        if let Err(error) = outcome {
            written = CliError::Output { what: path.display().to_string(), error }.told();
        }
    }
    if written == ExitCode::OK {
        tell!("report: {}", json.display());
    }
    written
}
