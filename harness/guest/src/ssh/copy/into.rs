// SPDX-License-Identifier: BSD-2-Clause
//! What is put into a guest: a file or directory of this machine, looked through before any guest is started.

use std::ffi::{OsStr, OsString};
use std::fs::{self, FileType, Metadata};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::entry::{Entry, Kind};
use super::error::CopyError;
use super::pack::Packing;

/// Root's home, where commands and shells begin.
const HOME: &str = "/root/";
/// Unit in which a file's data is counted, in bytes: a fragment of UFS, the guests' file system.
const UNIT: u64 = 4096;

/// A file or directory of this machine, and where it is put.
#[derive(Debug)]
pub struct CopyIn {
    source: PathBuf,
    name: OsString,
    place: String,
    entries: Vec<Entry>,
    bytes: u64,
}

impl CopyIn {
    /// `FILE` or `FILE:DEST`, where DEST is an absolute path in the guest: the last `:/` parts them. A DEST that ends with
    /// `/`, or is a directory in the guest, is a directory to put it into; root's home if there is none.
    ///
    /// # Errors
    /// What is to be copied is not there, cannot be read, or has something in it that cannot be copied.
    pub fn parse(text: &str) -> Result<Self, CopyError> {
        let (source, place) = match text.rfind(":/") {
            Some(at) => (&text[..at], &text[at + 1..]),
            None => (text, HOME),
        };
        if source.is_empty() {
            return Err(CopyError::Words(format!("`{text}` names no file to copy")));
        }
        let source = Path::new(source);
        let all = fs::canonicalize(source).map_err(CopyError::local(source, "cannot be copied"))?;
        let name = all.file_name().unwrap_or(OsStr::new("root")).to_owned();
        let mut copy =
            Self { source: all.clone(), name, place: place.to_owned(), entries: Vec::new(), bytes: 0 };
        copy.add(&all, PathBuf::new())?;
        Ok(copy)
    }

    fn add(&mut self, source: &Path, below: PathBuf) -> Result<(), CopyError> {
        let read = || CopyError::local(source, "cannot be read");
        let data = fs::symlink_metadata(source).map_err(read())?;
        let kind = match kind(source, &data)? {
            Kind::File(length) => {
                // Noticed now and not when a guest waits for it.
                fs::File::open(source).map_err(read())?;
                self.bytes += length.next_multiple_of(UNIT);
                Kind::File(length)
            }
            other => {
                self.bytes += UNIT;
                other
            }
        };
        let inside = matches!(kind, Kind::Directory);
        let (mode, modified) = (data.mode() & 0o777, u64::try_from(data.mtime()).unwrap_or_default());
        self.entries.push(Entry { source: source.to_owned(), below: below.clone(), kind, mode, modified });
        if inside {
            let names: Result<Vec<_>, _> =
                fs::read_dir(source).and_then(|dir| dir.map(|entry| Ok(entry?.file_name())).collect());
            let mut names = names.map_err(read())?;
            names.sort();
            for name in names {
                self.add(&source.join(&name), below.join(&name))?;
            }
        }
        Ok(())
    }

    /// Approximate size in the guest, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The path on this machine.
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// The destination as the user gave it.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Whether the given destination alone says that it goes into a directory.
    pub(super) fn is_into(&self) -> bool {
        self.place.ends_with('/')
    }

    /// The directory in the guest that receives it, and its name there.
    pub(super) fn target(&self, is_directory: bool) -> (String, OsString) {
        match self.place.rsplit_once('/') {
            Some((directory, name)) if !is_directory && !name.is_empty() => {
                (if directory.is_empty() { "/" } else { directory }.to_owned(), OsString::from(name))
            }
            _ => (self.place.clone(), self.name.clone()),
        }
    }

    /// The copy as a tar archive, under this name.
    pub(super) fn pack(&self, name: &OsStr) -> Packing<'_> {
        Packing::new(&self.entries, name)
    }
}

fn kind(source: &Path, data: &Metadata) -> Result<Kind, CopyError> {
    let kind: FileType = data.file_type();
    if kind.is_file() {
        return Ok(Kind::File(data.len()));
    }
    if kind.is_dir() {
        return Ok(Kind::Directory);
    }
    if kind.is_symlink() {
        let target = fs::read_link(source).map_err(CopyError::local(source, "cannot be read"))?;
        return Ok(Kind::Link(target));
    }
    let kind = match kind {
        kind if kind.is_fifo() => "FIFO",
        kind if kind.is_socket() => "socket",
        _ => "device",
    };
    Err(CopyError::Special { path: source.to_owned(), kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(copy: &CopyIn, is_directory: bool) -> (String, String) {
        let (directory, name) = copy.target(is_directory);
        (directory, name.into_string().unwrap())
    }

    #[test]
    fn the_last_colon_before_a_slash_parts_file_and_place() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["prog", "a:b", "a:"] {
            fs::write(directory.path().join(name), "x").unwrap();
        }
        let parse = |rest: &str| CopyIn::parse(&format!("{}/{rest}", directory.path().display())).unwrap();
        let pair = |directory: &str, name: &str| (directory.to_owned(), name.to_owned());
        assert_eq!(target(&parse("prog"), true), pair("/root/", "prog"));
        assert_eq!(target(&parse("prog:/tmp/other"), false), pair("/tmp", "other"));
        assert_eq!(target(&parse("prog:/tmp/other"), true), pair("/tmp/other", "prog"));
        assert_eq!(target(&parse("prog:/tmp/new/"), true), pair("/tmp/new/", "prog"));
        assert_eq!(target(&parse("prog:/other"), false), pair("/", "other"));
        assert_eq!(target(&parse("a:b"), true), pair("/root/", "a:b"));
        assert_eq!(target(&parse("a:b:/x"), false), pair("/", "x"));
        assert_eq!(target(&parse("a::/x"), false), pair("/", "x"));
        assert!(parse("prog:/tmp/new/").is_into() && !parse("prog:/tmp").is_into());
    }

    #[test]
    fn what_cannot_be_copied_is_named_before_anything_begins() {
        let directory = tempfile::tempdir().unwrap();
        let inside = directory.path().join("tree/deep");
        fs::create_dir_all(&inside).unwrap();
        let made = std::process::Command::new("mkfifo").arg(inside.join("pipe")).status().unwrap();
        assert!(made.success());
        let said = |text: &str| CopyIn::parse(text).unwrap_err().to_string();
        let tree = directory.path().join("tree").display().to_string();
        assert!(said(&tree).contains("tree/deep/pipe: is a FIFO\n  help: only files"), "{}", said(&tree));
        let absent = directory.path().join("absent").display().to_string();
        assert!(said(&absent).contains("absent: cannot be copied: "), "{}", said(&absent));
        assert!(said(":/tmp").contains("names no file"), "{}", said(":/tmp"));
        assert!(said("/dev/null").contains("is a device"));
    }
}
