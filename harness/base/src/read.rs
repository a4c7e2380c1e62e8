// SPDX-License-Identifier: BSD-2-Clause
//! Reading input from outside: never more than a limit, and nothing that never ends.

use std::fs::{self, File, FileType};
use std::io::{self, Read};
use std::path::Path;

use crate::Limit;

/// Why input cannot be read. The file's name is for the caller to add.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system cannot read it.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A directory, pipe, socket or device stands where a file is expected.
    #[error("is {0}, not a file")]
    NotAFile(&'static str),
    /// More than the limit.
    #[error(
        "has {}; at most {limit} are read",
        .size.map_or_else(|| format!("more than {} bytes", limit.get()), |size| format!("{size} bytes"))
    )]
    TooLong {
        /// The file's size; `None` for a stream without a known end.
        size: Option<u64>,
        /// The limit that the file is longer than.
        limit: Limit,
    },
    /// Text in which this byte, counted from 0, begins no character.
    #[error("is not UTF-8: byte {0} begins no character")]
    NotText(usize),
}

impl ReadError {
    /// There is nothing of that name.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => error,
            error => io::Error::new(io::ErrorKind::InvalidData, error),
        }
    }
}

/// Reads a regular file.
///
/// # Errors
/// Every [`ReadError`] but [`ReadError::NotText`].
pub fn read(path: &Path, limit: Limit) -> Result<Vec<u8>, ReadError> {
    // Before it is opened: to open a pipe waits for somebody who writes to it.
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(ReadError::NotAFile(kind(metadata.file_type())));
    }
    if metadata.len() > limit.get() {
        return Err(ReadError::TooLong { size: Some(metadata.len()), limit });
    }
    // Files of /proc have no size and yet something in them, and others grow.
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default().saturating_add(1));
    read_into(&mut bytes, File::open(path)?, limit)?;
    Ok(bytes)
}

/// Opens a regular file to read it a piece at a time, as what may be of any size is read.
///
/// # Errors
/// [`ReadError::Io`] and [`ReadError::NotAFile`].
pub fn open(path: &Path) -> Result<File, ReadError> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(ReadError::NotAFile(kind(metadata.file_type())));
    }
    Ok(File::open(path)?)
}

/// Reads a regular file of text.
///
/// # Errors
/// Every [`ReadError`].
pub fn read_text(path: &Path, limit: Limit) -> Result<String, ReadError> {
    String::from_utf8(read(path, limit)?)
        .map_err(|error| ReadError::NotText(error.utf8_error().valid_up_to()))
}

/// Reads a file that the user has named; it may be a pipe or device, such as that of a shell's `<(command)`.
///
/// # Errors
/// Same as [`read`].
pub fn read_any(path: &Path, limit: Limit) -> Result<Vec<u8>, ReadError> {
    let metadata = fs::metadata(path)?;
    if metadata.is_file() || metadata.is_dir() {
        return read(path, limit);
    }
    read_from(File::open(path)?, limit)
}

/// Reads a stream to its end.
///
/// # Errors
/// [`ReadError::Io`] and [`ReadError::TooLong`].
pub fn read_from(reader: impl Read, limit: Limit) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    read_into(&mut bytes, reader, limit)?;
    Ok(bytes)
}

/// Reads into an empty vector, whose room is a guess at what will come: without one it takes several calls.
fn read_into(bytes: &mut Vec<u8>, reader: impl Read, limit: Limit) -> Result<(), ReadError> {
    reader.take(limit.get().saturating_add(1)).read_to_end(bytes)?;
    if bytes.len() as u64 > limit.get() {
        return Err(ReadError::TooLong { size: None, limit });
    }
    Ok(())
}

#[cfg(unix)]
fn kind(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;
    if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn kind(kind: FileType) -> &'static str {
    if kind.is_dir() { "a directory" } else { "a device" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_the_limit_and_not_beyond() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        fs::write(&path, "12345").unwrap();
        assert_eq!(read_text(&path, Limit::bytes(5)).unwrap(), "12345");
        let error = read(&path, Limit::bytes(4)).unwrap_err().to_string();
        assert_eq!(error, "has 5 bytes; at most 4 bytes are read");
        // A file of a terabyte with nothing in it is rejected by its size alone.
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let error = read(&path, Limit::YAML).unwrap_err().to_string();
        assert_eq!(error, "has 1099511627776 bytes; at most 4194304 bytes (4 MiB) are read");
    }

    #[test]
    fn what_never_ends_is_rejected_when_the_limit_is_passed() {
        let error = read_from(io::repeat(0), Limit::bytes(1 << 20)).unwrap_err().to_string();
        assert_eq!(error, "has more than 1048576 bytes; at most 1048576 bytes (1 MiB) are read");
        let read = read_any(Path::new("/dev/zero"), Limit::LINE).unwrap_err();
        assert!(matches!(read, ReadError::TooLong { size: None, .. }), "{read}");
    }

    #[test]
    fn only_files_are_files() {
        let directory = tempfile::tempdir().unwrap();
        let error = |path: &Path| read(path, Limit::YAML).unwrap_err();
        assert!(open(directory.path()).unwrap_err().to_string().starts_with("is a directory"));
        assert_eq!(error(directory.path()).to_string(), "is a directory, not a file");
        assert_eq!(error(Path::new("/dev/zero")).to_string(), "is a device, not a file");
        assert!(error(&directory.path().join("none")).is_not_found());
        let pipe = directory.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        if made.is_ok_and(|status| status.success()) {
            assert_eq!(error(&pipe).to_string(), "is a named pipe, not a file");
        }
        fs::write(directory.path().join("b"), b"ab\xff").unwrap();
        let error = read_text(&directory.path().join("b"), Limit::YAML).unwrap_err().to_string();
        assert_eq!(error, "is not UTF-8: byte 2 begins no character");
    }
}
