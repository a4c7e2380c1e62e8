// SPDX-License-Identifier: BSD-2-Clause
//! Raw traces as files: one record a line, packed with zstd (`CELL.ndjson.zst`) or plain (`CELL.ndjson`).
//!
//! Runs leave packed ones, a twentieth of the plain ones' size. A file whose name does not end in `.zst` is plain:
//! reports of earlier versions have those, and `trace --ndjson FILE` writes what its user names.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use super::raw::RawLine;
use crate::file::FileError;

/// Suffix of a packed raw trace's name, after the cell's.
pub const PACKED: &str = "ndjson.zst";
/// Suffix of a plain raw trace's name.
pub const PLAIN: &str = "ndjson";

/// zstd's own default: level 9 saves a quarter more and takes twice the time.
const LEVEL: i32 = 3;

/// Largest raw trace, in bytes unpacked. A cell with every probe of the kernel has some 50 MB.
const MAX_TRACE: u64 = 1 << 30;
/// Longest line, in bytes. The longest hold a datagram of 64 KiB, two digits a byte.
const MAX_LINE: u64 = 16 << 20;

/// A raw trace that is being written.
pub struct RawWriter<W: Write> {
    sink: Sink<W>,
}

enum Sink<W: Write> {
    Plain(BufWriter<W>),
    Packed(zstd::Encoder<'static, BufWriter<W>>),
}

impl<W: Write> RawWriter<W> {
    /// Writes to `to`, packed if `name` says so.
    ///
    /// # Errors
    /// There is no memory for the compressor.
    pub fn new(name: &Path, to: W) -> io::Result<Self> {
        let to = BufWriter::new(to);
        if !is_packed(name) {
            return Ok(Self { sink: Sink::Plain(to) });
        }
        let mut packer = zstd::Encoder::new(to, LEVEL)?;
        packer.include_checksum(true)?;
        Ok(Self { sink: Sink::Packed(packer) })
    }

    /// Appends records and hands them to the system, so that a run that is killed leaves what it has seen.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn append<'a>(&mut self, lines: impl IntoIterator<Item = RawLine<'a>>) -> io::Result<()> {
        for line in lines {
            serde_json::to_writer(self.sink(), &line)?;
            self.sink().write_all(b"\n")?;
        }
        self.sink().flush()
    }

    /// Appends a line as it was read.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn copy(&mut self, line: &[u8]) -> io::Result<()> {
        self.sink().write_all(line)
    }

    /// Ends the file. Without, a packed one is read as one that was cut off.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(self) -> io::Result<()> {
        let mut to = match self.sink {
            Sink::Plain(to) => to,
            Sink::Packed(packer) => packer.finish()?,
        };
        to.flush()
    }

    fn sink(&mut self) -> &mut dyn Write {
        match &mut self.sink {
            Sink::Plain(to) => to,
            Sink::Packed(packer) => packer,
        }
    }
}

/// A raw trace that is being read, line by line: it never stands in memory as a whole.
pub struct RawReader {
    path: PathBuf,
    from: Box<dyn BufRead>,
    /// Bytes that may still come.
    left: u64,
    cut_off: bool,
}

impl RawReader {
    /// Opens a raw trace; the name tells whether it is packed.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let opened = File::open(path).and_then(|file| -> io::Result<Box<dyn BufRead>> {
            if is_packed(path) {
                Ok(Box::new(BufReader::new(zstd::Decoder::new(file)?)))
            } else {
                Ok(Box::new(BufReader::new(file)))
            }
        });
        let from = opened.map_err(|error| FileError::whole(path, format!("cannot be read: {error}")))?;
        Ok(Self { path: path.to_owned(), from, left: MAX_TRACE, cut_off: false })
    }

    /// The next line with its line feed, in place of what `line` holds; false at the end of the file.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, cut off in the middle, or holds more than a raw trace may.
    pub fn next_line(&mut self, line: &mut Vec<u8>) -> Result<bool, FileError> {
        line.clear();
        let allowed = self.left.min(MAX_LINE);
        let read = (&mut self.from).take(allowed + 1).read_until(b'\n', line);
        let count = match read {
            Ok(count) => count as u64,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(self.cut_off()),
            Err(error) => return Err(FileError::whole(&self.path, format!("cannot be read: {error}"))),
        };
        if count > allowed {
            let (what, limit) = match allowed == MAX_LINE {
                true => ("a line", MAX_LINE),
                false => ("records", MAX_TRACE),
            };
            let text = format!("holds {what} of more than {} MiB, which no raw trace does", limit >> 20);
            return Err(FileError::whole(&self.path, text));
        }
        self.left -= count;
        match line.last() {
            None => Ok(false),
            Some(b'\n') => Ok(true),
            Some(_) => Err(self.cut_off()),
        }
    }

    /// Whether the last error was that the file ends in the middle: what came before it is good.
    pub fn was_cut_off(&self) -> bool {
        self.cut_off
    }

    fn cut_off(&mut self) -> FileError {
        self.cut_off = true;
        FileError::whole(&self.path, "is cut off: what wrote it was killed, or the file was not copied whole")
    }
}

fn is_packed(name: &Path) -> bool {
    name.extension().is_some_and(|extension| extension == "zst")
}

#[cfg(test)]
mod tests {
    use nlproof_agent::{Body, Record};

    use super::*;

    fn written(path: &Path, vectors: &[&str]) {
        let mut file = RawWriter::new(path, File::create(path).unwrap()).unwrap();
        for vector in vectors {
            let record = Record { program: 0, step: 1, t_ns: 7, body: Body::Begin };
            file.append([RawLine::new(vector, &record)]).unwrap();
        }
        file.finish().unwrap();
    }

    /// The lines, and the complaint that ended them.
    fn read(path: &Path) -> (Vec<String>, Option<String>) {
        let mut reader = match RawReader::open(path) {
            Ok(reader) => reader,
            Err(error) => return (Vec::new(), Some(error.to_string())),
        };
        let (mut lines, mut line) = (Vec::new(), Vec::new());
        loop {
            match reader.next_line(&mut line) {
                Ok(true) => lines.push(String::from_utf8(line.clone()).unwrap()),
                Ok(false) => return (lines, None),
                Err(error) => return (lines, Some(error.to_string())),
            }
        }
    }

    #[test]
    fn packed_and_plain_files_hold_the_same_lines() {
        let directory = tempfile::tempdir().unwrap();
        let [packed, plain] = [PACKED, PLAIN].map(|kind| directory.path().join(format!("a.{kind}")));
        written(&packed, &["link/a", "link/b"]);
        written(&plain, &["link/a", "link/b"]);
        let (lines, complaint) = read(&packed);
        assert_eq!((lines.len(), &complaint), (2, &None));
        assert!(lines[1].contains("link/b"), "{lines:?}");
        assert_eq!(read(&plain), (lines, complaint));
        assert_ne!(std::fs::read(&packed).unwrap(), std::fs::read(&plain).unwrap());
    }

    #[test]
    fn joined_frames_are_one_trace() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.ndjson.zst");
        written(&path, &["link/a"]);
        let one = std::fs::read(&path).unwrap();
        std::fs::write(&path, [one.clone(), one].concat()).unwrap();
        assert_eq!(read(&path).0.len(), 2);
    }

    #[test]
    fn a_run_that_is_killed_leaves_what_it_had_seen() {
        let directory = tempfile::tempdir().unwrap();
        for kind in [PACKED, PLAIN] {
            let path = directory.path().join(format!("a.{kind}"));
            let mut file = RawWriter::new(&path, File::create(&path).unwrap()).unwrap();
            let record = Record { program: 0, step: 1, t_ns: 7, body: Body::Begin };
            file.append([RawLine::new("link/a", &record)]).unwrap();
            file.copy(b"{\"v\":1,\"vec\":").unwrap();
            // As a killed program: neither ended nor dropped.
            std::mem::forget(file);
            if kind == PLAIN {
                let half = std::fs::read_to_string(&path).unwrap() + "{\"v\":1,\"vec\":";
                std::fs::write(&path, half).unwrap();
            }
            let (lines, complaint) = read(&path);
            assert_eq!(lines.len(), 1, "{kind}");
            assert!(complaint.unwrap().contains("is cut off"), "{kind}");
        }
    }

    #[test]
    fn bombs_and_damage_are_rejected() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.ndjson.zst");
        let pack = |text: &mut dyn Read| {
            let packed = zstd::encode_all(text, 1).unwrap();
            std::fs::write(&path, &packed).unwrap();
            packed
        };
        let complaint = || read(&path).1.unwrap_or_default();
        // One line without an end: rejected when it is longer than any, a few kilobytes on the disk.
        let packed = pack(&mut io::repeat(b'x').take(MAX_LINE * 4));
        assert!(packed.len() < 1 << 16);
        assert!(complaint().contains("holds a line of more than 16 MiB"), "{}", complaint());
        let good = pack(&mut &b"{}\n".repeat(1000)[..]);
        assert_eq!(read(&path).0.len(), 1000);
        std::fs::write(&path, &good[..good.len() - 3]).unwrap();
        assert!(complaint().contains("is cut off"), "{}", complaint());
        // A packed trace has a checksum: whatever is altered in it is seen.
        written(&path, &["link/a"]);
        let mut altered = std::fs::read(&path).unwrap();
        let last = altered.len() - 1;
        altered[last] ^= 1;
        std::fs::write(&path, &altered).unwrap();
        assert!(complaint().contains("cannot be read: "), "{}", complaint());
        std::fs::write(&path, b"no zstd at all").unwrap();
        assert!(complaint().contains("cannot be read: "), "{}", complaint());
        assert!(read(&directory.path().join("none.ndjson")).1.unwrap().contains("cannot be read"));
    }

    #[test]
    fn a_trace_may_hold_only_so_much() {
        let path = Path::new("a.ndjson.zst");
        let bytes = b"0123456\n".repeat(4);
        let from = Box::new(io::Cursor::new(bytes));
        let mut reader = RawReader { path: path.to_owned(), from, left: 20, cut_off: false };
        let mut line = Vec::new();
        assert_eq!(reader.next_line(&mut line), Ok(true));
        assert_eq!(reader.next_line(&mut line), Ok(true));
        let error = reader.next_line(&mut line).unwrap_err().to_string();
        assert!(error.contains("holds records of more than 1024 MiB"), "{error}");
    }
}
