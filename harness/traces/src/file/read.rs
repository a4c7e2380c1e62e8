// SPDX-License-Identifier: BSD-2-Clause
//! Bounded reads whose errors name the file.

use std::path::Path;

use nlproof_base::{Limit, ReadError};

use super::FileError;

/// Reads a regular file of the project.
///
/// # Errors
/// The file cannot be read, is none, or is longer than the limit.
pub fn read(path: &Path, limit: Limit) -> Result<Vec<u8>, FileError> {
    nlproof_base::read(path, limit).map_err(|error| named(path, &error))
}

/// Reads a regular file of text.
///
/// # Errors
/// Same as [`read`]; or the file is not UTF-8.
pub fn read_text(path: &Path, limit: Limit) -> Result<String, FileError> {
    nlproof_base::read_text(path, limit).map_err(|error| named(path, &error))
}

/// Reads a file that the user has named, which may be a pipe.
///
/// # Errors
/// Same as [`read`].
pub fn read_any(path: &Path, limit: Limit) -> Result<Vec<u8>, FileError> {
    nlproof_base::read_any(path, limit).map_err(|error| named(path, &error))
}

fn named(path: &Path, error: &ReadError) -> FileError {
    FileError::whole(path, error.to_string())
}
