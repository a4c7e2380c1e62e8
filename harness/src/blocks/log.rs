// SPDX-License-Identifier: BSD-2-Clause
//! QEMU's log of the blocks that it translates (`-d in_asm`), read while it grows.
//!
//! QEMU translates a block when it is about to run for the first time, writes the block's instructions, one a line with
//! its address in front, and flushes the log.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use nlproof_base::{Limit, ReadError, read_from};
use nlproof_files::{RoomError, free_bytes, require};

/// Longest log that is read, in bytes. A guest's log has some 100 KiB; one that is longer is not filtered as it should
/// be.
const LONGEST: u64 = 256 << 20;
/// Bytes that stay free beside the log. QEMU says nothing about writes that find no room.
const ROOM: u64 = 4 << 20;
/// What stands for a vector where code ran before the first one.
pub const BEFORE: &str = "(start)";

/// Why a log says nothing, or not everything.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// QEMU did not make it.
    #[error("QEMU wrote no log of translated blocks: {0}")]
    None(PathBuf),
    /// The file cannot be read.
    #[error("QEMU's log {path} cannot be read: {error}")]
    Io {
        /// The log.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The log is longer than that of any guest.
    #[error("QEMU's log {path} has more than {LONGEST} bytes")]
    TooLong {
        /// The log.
        path: PathBuf,
    },
    /// The log may lack its end.
    #[error("QEMU's log may be cut: {0}")]
    Full(#[from] RoomError),
}

/// Reads what is new in a log.
#[derive(Debug)]
pub struct TranslationLogReader {
    path: PathBuf,
    at: u64,
    /// The beginning of a line whose end is not there yet.
    rest: String,
}

impl TranslationLogReader {
    /// A reader from the log's beginning.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), at: 0, rest: String::new() }
    }

    /// Addresses of the instructions that were translated since the last call.
    ///
    /// # Errors
    /// See [`LogError`].
    pub fn read_new(&mut self) -> Result<Vec<u64>, LogError> {
        let io = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => LogError::None(self.path.clone()),
            _ => LogError::Io { path: self.path.clone(), error },
        };
        let mut file = File::open(&self.path).map_err(io)?;
        file.seek(SeekFrom::Start(self.at)).map_err(io)?;
        let room = Limit::bytes(LONGEST.saturating_sub(self.at));
        let bytes = read_from(file, room).map_err(|error| match error {
            ReadError::TooLong { .. } => LogError::TooLong { path: self.path.clone() },
            error => io(error.into()),
        })?;
        self.at += bytes.len() as u64;
        if let Some(directory) = self.path.parent()
            && free_bytes(directory).is_ok()
        {
            require(directory, ROOM, "make room there, or name another place with TMPDIR")?;
        }
        self.rest.push_str(&String::from_utf8_lossy(&bytes));
        let whole = self.rest.rfind('\n').map_or(0, |at| at + 1);
        let lines: String = self.rest.drain(..whole).collect();
        Ok(instructions(&lines))
    }
}

/// Addresses of the instructions in a log: lines such as `0xffffffff80d7cdd6:  48 89 e5   movq %rsp, %rbp`.
pub fn instructions(log: &str) -> Vec<u64> {
    let address = |line: &str| u64::from_str_radix(line.strip_prefix("0x")?.split_once(':')?.0, 16).ok();
    log.lines().filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "----------------\nIN: rtnl_handle_newlink\n0xffffffff80d7cdd6:  48 89 e5                 movq     \
                       %rsp, %rbp\n0xffffffff80d7cdd9:  0f 0b                    ud2      \n\n";

    #[test]
    fn lines_with_an_address_are_instructions_and_others_are_not() {
        assert_eq!(instructions(LOG), [0xffff_ffff_80d7_cdd6, 0xffff_ffff_80d7_cdd9]);
        assert_eq!(instructions("0x:\n0xzz: 90\n0x10 90\nOBJD-T: 90\nIN: 0x10:\n"), [0_u64; 0]);
    }

    #[test]
    fn a_log_is_read_as_it_grows_and_a_torn_line_once_it_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut reader = TranslationLogReader::new(&path);
        assert!(matches!(reader.read_new(), Err(LogError::None(_))));
        let (head, tail) = LOG.split_at(60);
        std::fs::write(&path, head).unwrap();
        assert_eq!(reader.read_new().unwrap(), [0_u64; 0]);
        std::fs::write(&path, format!("{head}{tail}")).unwrap();
        assert_eq!(reader.read_new().unwrap().len(), 2);
        assert_eq!(reader.read_new().unwrap(), [0_u64; 0]);
    }

    #[test]
    fn a_log_without_an_end_is_given_up() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        File::create(&path).unwrap().set_len(LONGEST + 1).unwrap();
        let mut reader = TranslationLogReader { at: LONGEST - 1, ..TranslationLogReader::new(&path) };
        assert!(matches!(reader.read_new(), Err(LogError::TooLong { .. })));
    }
}
