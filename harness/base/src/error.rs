// SPDX-License-Identifier: BSD-2-Clause
//! Errors in an input file, with their places.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::Position;

/// Something wrong in a file that a person wrote, or in writing one. Displayed as `file:line:column: what` with an
/// optional `help:` line, the form that editors and CI systems link to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// The place in the file; `None` when the file as a whole is meant.
    pub place: Option<Position>,
    /// What is wrong: a lower-case fragment without a full stop.
    pub what: String,
    /// What would put it right.
    pub help: Option<String>,
    /// The file could not be written; nothing is wrong with its contents.
    pub unwritable: bool,
}

impl FileError {
    /// An error about the whole file.
    pub fn whole(path: &Path, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), place: None, what: what.into(), help: None, unwritable: false }
    }

    /// A file that could not be written.
    pub fn unwritable(path: &Path, error: &io::Error) -> Self {
        Self { unwritable: true, ..Self::whole(path, format!("cannot be written: {error}")) }
    }

    /// An error at a place in the file.
    pub fn at(path: &Path, place: Position, what: impl Into<String>) -> Self {
        Self { place: Some(place), ..Self::whole(path, what) }
    }

    /// Adds the remedy.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(place) = self.place {
            write!(f, ":{place}")?;
        }
        write!(f, ": {}", self.what)?;
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for FileError {}
