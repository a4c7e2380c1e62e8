// SPDX-License-Identifier: BSD-2-Clause
//! The file that QEMU writes the guest's serial console to, read while it grows.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::growth::Growth;

/// Most bytes read at a time, so that a guest that prints without end cannot hold a caller here.
const CHUNK: usize = 64 * 1024;

/// Reads the serial log from where the last read ended.
#[derive(Debug)]
pub struct SerialLog {
    path: PathBuf,
    file: Option<File>,
    growth: Growth,
}

impl SerialLog {
    /// Follows this file, which need not exist yet, from its beginning.
    pub fn follow(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), file: None, growth: Growth::default() }
    }

    /// Follows this file from its present end: what an earlier guest printed is not this guest's.
    ///
    /// # Errors
    /// The file exists and cannot be opened.
    pub fn follow_from_end(path: impl Into<PathBuf>) -> io::Result<Self> {
        let mut log = Self::follow(path);
        if let Some(file) = log.open()? {
            io::Seek::seek(&mut &*file, io::SeekFrom::End(0))?;
        }
        Ok(log)
    }

    /// Where the log is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was written since the last call; empty if nothing was.
    ///
    /// # Errors
    /// The file exists and cannot be read.
    pub fn read_new(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if let Some(file) = self.open()? {
            file.take(CHUNK as u64).read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    }

    /// Waits until there may be more to read. Whoever gives up waiting misses nothing.
    pub async fn grown(&mut self) {
        self.growth.grown(&self.path).await;
    }

    fn open(&mut self) -> io::Result<Option<&File>> {
        if self.file.is_none() {
            match File::open(&self.path) {
                Ok(file) => self.file = Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(self.file.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn only_what_is_new_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("serial.log");
        let mut log = SerialLog::follow(&path);
        assert_eq!(log.read_new().unwrap(), b"", "no file yet");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one").unwrap();
        assert_eq!(log.read_new().unwrap(), b"one");
        assert_eq!(log.read_new().unwrap(), b"");
        file.write_all(b"two").unwrap();
        assert_eq!(log.read_new().unwrap(), b"two");

        let mut later = SerialLog::follow_from_end(&path).unwrap();
        file.write_all(b"three").unwrap();
        assert_eq!(later.read_new().unwrap(), b"three");
    }

    #[tokio::test]
    async fn whoever_waits_for_a_log_hears_of_what_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("serial.log");
        let mut log = SerialLog::follow(&path);
        // Nobody writes: time passes, or is told once, without a word in the log.
        log.grown().await;
        let mut file = File::create(&path).unwrap();
        for word in [b"one", b"two"] {
            file.write_all(word).unwrap();
            let mut read = Vec::new();
            while read.is_empty() {
                log.grown().await;
                read = log.read_new().unwrap();
            }
            assert_eq!(read, word);
        }
    }

    #[test]
    fn an_unreadable_log_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert!(SerialLog::follow(dir.path()).read_new().is_err(), "a directory is not a log");
    }
}
