// SPDX-License-Identifier: BSD-2-Clause
//! A tar archive that is made while it is read: a copy is neither in memory as a whole nor a second time on a disk.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Cursor, Read};

use tar::{Builder, EntryType, Header};

use super::entry::{Entry, Kind, joined};
use super::error::CopyError;
use crate::ssh::input::Stdin;

/// Size of a block of an archive, in bytes. An archive ends with two empty blocks.
const BLOCK: u64 = 512;

/// The archive.
pub(super) struct Packing<'a> {
    entries: std::slice::Iter<'a, Entry>,
    name: OsString,
    pieces: VecDeque<Piece<'a>>,
    ended: bool,
}

enum Piece<'a> {
    Bytes(Cursor<Vec<u8>>),
    /// A file's data, with the number of bytes still to come.
    File {
        file: io::Take<File>,
        left: u64,
        entry: &'a Entry,
    },
}

impl<'a> Packing<'a> {
    /// The archive of these entries below `name`.
    pub(super) fn new(entries: &'a [Entry], name: &OsStr) -> Self {
        Self { entries: entries.iter(), name: name.to_owned(), pieces: VecDeque::new(), ended: false }
    }

    /// The pieces of the next entry, or of the archive's end.
    fn next(&mut self) -> io::Result<bool> {
        let Some(entry) = self.entries.next() else {
            if std::mem::replace(&mut self.ended, true) {
                return Ok(false);
            }
            self.zeros(2 * BLOCK);
            return Ok(true);
        };
        self.pieces.push_back(Piece::Bytes(Cursor::new(self.header(entry)?)));
        if let Kind::File(length) = entry.kind {
            let file = File::open(&entry.source).map_err(changed(entry))?.take(length);
            self.pieces.push_back(Piece::File { file, left: length, entry });
            self.zeros(length.next_multiple_of(BLOCK) - length);
        }
        Ok(true)
    }

    fn zeros(&mut self, count: u64) {
        let count = usize::try_from(count).unwrap_or_default();
        self.pieces.push_back(Piece::Bytes(Cursor::new(vec![0; count])));
    }

    /// What stands before an entry's data: more than one block if its name is long.
    fn header(&self, entry: &Entry) -> io::Result<Vec<u8>> {
        let mut header = Header::new_gnu();
        header.set_mode(entry.mode);
        header.set_mtime(entry.modified);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(0);
        let path = joined(&self.name, &entry.below);
        let mut builder = Builder::new(Vec::new());
        match &entry.kind {
            Kind::File(length) => {
                header.set_size(*length);
                header.set_entry_type(EntryType::Regular);
                builder.append_data(&mut header, &path, io::empty())?;
            }
            Kind::Directory => {
                header.set_entry_type(EntryType::Directory);
                builder.append_data(&mut header, &path, io::empty())?;
            }
            Kind::Link(target) => {
                header.set_entry_type(EntryType::Symlink);
                builder.append_link(&mut header, &path, target)?;
            }
        }
        // Not finished: the archive goes on.
        Ok(builder.get_ref().clone())
    }
}

impl Stdin for Packing<'_> {}

impl Read for Packing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.pieces.is_empty() && !self.next()? {
                return Ok(0);
            }
            let read = match self.pieces.front_mut() {
                None => continue,
                Some(Piece::Bytes(bytes)) => bytes.read(buffer)?,
                Some(Piece::File { file, left, entry }) => {
                    let read = file.read(buffer).map_err(changed(entry))?;
                    *left -= read as u64;
                    if read == 0 && *left > 0 {
                        let error = io::Error::other(format!("{left} bytes are missing at its end"));
                        return Err(changed(entry)(error));
                    }
                    read
                }
            };
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            self.pieces.pop_front();
        }
    }
}

fn changed(entry: &Entry) -> impl FnOnce(io::Error) -> io::Error + use<> {
    let path = entry.source.clone();
    move |error| io::Error::other(CopyError::Local { path, what: "has changed while it was copied", error })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::super::CopyIn;
    use super::*;

    #[test]
    fn tar_reads_back_what_was_packed() {
        let directory = tempfile::tempdir().unwrap();
        let tree = directory.path().join("tree");
        let long = format!("{}/{}", "d".repeat(90), "f".repeat(90));
        fs::create_dir_all(tree.join(&long).parent().unwrap()).unwrap();
        fs::write(tree.join(&long), "long").unwrap();
        fs::write(tree.join("tool"), vec![7; 3000]).unwrap();
        fs::set_permissions(tree.join("tool"), fs::Permissions::from_mode(0o4751)).unwrap();
        fs::write(tree.join("empty"), "").unwrap();
        symlink("tool", tree.join("link")).unwrap();
        let copy = CopyIn::parse(tree.to_str().unwrap()).unwrap();
        let mut archive = Vec::new();
        copy.pack("other".as_ref()).read_to_end(&mut archive).unwrap();
        assert_eq!(archive.len() % 512, 0);
        let out = directory.path().join("out");
        tar::Archive::new(&archive[..]).unpack(&out).unwrap();
        let out = out.join("other");
        assert_eq!(fs::read(out.join("tool")).unwrap(), vec![7; 3000]);
        let mode = fs::metadata(out.join("tool")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o751);
        assert_eq!(fs::read(out.join(&long)).unwrap(), b"long");
        assert_eq!(fs::read(out.join("empty")).unwrap(), b"");
        assert_eq!(fs::read_link(out.join("link")).unwrap().to_str(), Some("tool"));
    }

    #[test]
    fn a_file_that_shrinks_meanwhile_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("log");
        fs::write(&file, vec![1; 5000]).unwrap();
        let copy = CopyIn::parse(file.to_str().unwrap()).unwrap();
        fs::write(&file, vec![1; 100]).unwrap();
        let error = copy.pack("log".as_ref()).read_to_end(&mut Vec::new()).unwrap_err().to_string();
        assert!(error.contains("log: has changed while it was copied: 4900 bytes are missing"), "{error}");
    }
}
