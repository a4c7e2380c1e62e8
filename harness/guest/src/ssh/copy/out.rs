// SPDX-License-Identifier: BSD-2-Clause
//! What is brought out of a guest: where it goes on this machine, whole or not at all.

use std::fs::{self, File};
use std::io::{self, Seek as _, Write as _};
use std::path::{Component, Path, PathBuf};

use tar::{Archive, EntryType};

use super::error::CopyError;

/// Most bytes accepted: a guest may send without end.
const MOST_BYTES: u64 = 4 << 30;

/// A file or directory of a guest, and where it is to go on this machine.
#[derive(Debug, Clone)]
pub struct CopyOut {
    guest: String,
    local: PathBuf,
}

/// What was brought out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// Where it is now.
    pub path: PathBuf,
    /// How many files, directories and links it has.
    pub entries: usize,
    /// How many entries of other kinds were left out.
    pub left_out: usize,
}

impl CopyOut {
    /// `GUEST` or `GUEST:LOCAL`, where GUEST is an absolute path in the guest: the first `:` parts them. A LOCAL that is a
    /// directory is one to put it into; this directory if there is none.
    ///
    /// # Errors
    /// The words name no such copy, or LOCAL cannot take it.
    pub fn parse(text: &str) -> Result<Self, CopyError> {
        let (guest, local) = text.split_once(':').unwrap_or((text, ""));
        let name = guest.rsplit('/').find(|name| !name.is_empty());
        let (true, Some(name)) = (guest.starts_with('/'), name) else {
            return Err(CopyError::Words(format!(
                "`{text}` names no absolute path in the guest\n  help: /root/result, or /root/result:here"
            )));
        };
        let local = if local.is_empty() { Path::new(".") } else { Path::new(local) };
        let into = local.is_dir() || local.as_os_str().to_string_lossy().ends_with('/');
        let wanted =
            Self { guest: guest.to_owned(), local: if into { local.join(name) } else { local.to_owned() } };
        let place = |path: &Path, reason: &str| {
            Err(CopyError::Place { path: path.to_owned(), reason: reason.to_owned() })
        };
        if !wanted.parent().is_dir() {
            return place(wanted.parent(), "is no directory\n  help: make it first");
        }
        if wanted.local.is_dir() {
            return place(&wanted.local, "is there already\n  help: remove it, or name another place");
        }
        Ok(wanted)
    }

    /// The path in the guest.
    pub fn guest_path(&self) -> &str {
        &self.guest
    }

    fn parent(&self) -> &Path {
        match self.local.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }

    /// Where its archive goes.
    pub(super) fn spool(&self) -> Result<Spool<'_>, CopyError> {
        let failed = CopyError::local(self.parent(), "cannot be written to");
        let file = tempfile::tempfile_in(self.parent()).map_err(failed)?;
        Ok(Spool { wanted: self, file, bytes: 0, most: MOST_BYTES })
    }
}

/// An archive that comes out of a guest.
pub(super) struct Spool<'a> {
    wanted: &'a CopyOut,
    file: File,
    bytes: u64,
    most: u64,
}

impl Spool<'_> {
    /// Takes a piece.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), CopyError> {
        self.bytes += bytes.len() as u64;
        if self.bytes > self.most {
            return Err(CopyError::TooLarge { path: self.wanted.guest.clone(), most: self.most });
        }
        let failed = CopyError::local(self.wanted.parent(), "cannot be written to");
        self.file.write_all(bytes).map_err(failed)
    }

    /// Puts what came where it belongs.
    pub(super) fn unpack(mut self) -> Result<Collected, CopyError> {
        let CopyOut { guest, local } = self.wanted;
        let failed = || CopyError::local(local.clone(), "cannot be written");
        let work =
            tempfile::Builder::new().prefix(".nlproof-").tempdir_in(self.wanted.parent()).map_err(failed())?;
        self.file.rewind().map_err(failed())?;
        let mut archive = Archive::new(&self.file);
        let (mut entries, mut left_out, mut root) = (0, 0, None);
        let mut directories = Vec::new();
        for entry in archive.entries().map_err(failed())? {
            let mut entry = entry.map_err(failed())?;
            if root.is_none() {
                root = first_name(&entry.path().map_err(failed())?);
            }
            match entry.header().entry_type() {
                // At the end: one that may not be written to could not take its files.
                EntryType::Directory => directories.push(entry),
                EntryType::Regular | EntryType::Continuous | EntryType::Symlink | EntryType::Link => {
                    // False: it would have come to lie elsewhere.
                    if entry.unpack_in(work.path()).map_err(failed())? {
                        entries += 1;
                    } else {
                        left_out += 1;
                    }
                }
                _ => left_out += 1,
            }
        }
        entries += directories.len();
        for mut directory in directories {
            directory.unpack_in(work.path()).map_err(failed())?;
        }
        let nothing = || CopyError::Guest { path: guest.clone(), words: "nothing came of it".to_owned() };
        let root = work.path().join(root.ok_or_else(nothing)?);
        if fs::symlink_metadata(&root).is_err() {
            return Err(nothing());
        }
        let moved = match (root.is_dir(), local.exists()) {
            (true, true) => Err(io::ErrorKind::AlreadyExists.into()),
            _ => fs::rename(&root, local),
        };
        moved.map_err(failed())?;
        Ok(Collected { path: local.clone(), entries, left_out })
    }
}

/// The name of an archive's top entry: `tree` of `./tree/file`.
fn first_name(path: &Path) -> Option<PathBuf> {
    path.components().find_map(|component| match component {
        Component::Normal(name) => Some(PathBuf::from(name)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use tar::{Builder, Header};

    use super::*;

    fn entry(builder: &mut Builder<Vec<u8>>, path: &str, kind: EntryType, body: &str) {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(if kind == EntryType::Directory { 0o555 } else { 0o644 });
        if matches!(kind, EntryType::Symlink | EntryType::Link) {
            header.set_size(0);
            builder.append_link(&mut header, path, body).unwrap();
        } else {
            header.set_size(body.len() as u64);
            builder.append_data(&mut header, path, body.as_bytes()).unwrap();
        }
    }

    fn unpack(wanted: &CopyOut, entries: &[(&str, EntryType, &str)]) -> Result<Collected, CopyError> {
        let mut builder = Builder::new(Vec::new());
        entries.iter().for_each(|(path, kind, body)| entry(&mut builder, path, *kind, body));
        let mut spool = wanted.spool()?;
        spool.write(&builder.into_inner().unwrap())?;
        spool.unpack()
    }

    #[test]
    fn a_tree_comes_with_what_is_in_it_and_a_device_does_not() {
        let here = tempfile::tempdir().unwrap();
        let wanted = CopyOut::parse(&format!("/root/tree/:{}", here.path().display())).unwrap();
        assert_eq!(wanted.guest_path(), "/root/tree/");
        let came = unpack(
            &wanted,
            &[
                ("./tree", EntryType::Directory, ""),
                ("./tree/a", EntryType::Regular, "a\n"),
                ("./tree/to", EntryType::Symlink, "a"),
                ("./tree/null", EntryType::Char, ""),
            ],
        )
        .unwrap();
        let path = here.path().join("tree");
        assert_eq!(came, Collected { path: path.clone(), entries: 3, left_out: 1 });
        assert_eq!(fs::read_to_string(path.join("to")).unwrap(), "a\n");
        assert!(!path.join("null").exists());
        let again = CopyOut::parse(&format!("/root/tree:{}", here.path().display())).unwrap_err();
        assert!(again.to_string().contains("is there already"), "{again}");
        assert_eq!(fs::read_dir(here.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_file_takes_the_place_of_another_and_an_archive_reaches_no_further() {
        let here = tempfile::tempdir().unwrap();
        let local = here.path().join("result");
        fs::write(&local, "old").unwrap();
        let wanted = CopyOut::parse(&format!("/x/y:{}", local.display())).unwrap();
        let victim = here.path().join("victim");
        fs::create_dir(&victim).unwrap();
        let came = unpack(
            &wanted,
            &[
                ("./y", EntryType::Regular, "new"),
                ("./out", EntryType::Symlink, victim.to_str().unwrap()),
                ("./out/file", EntryType::Regular, "bad"),
            ],
        );
        assert!(came.is_err(), "{came:?}");
        assert_eq!(fs::read_to_string(&local).unwrap(), "old");
        assert_eq!(fs::read_dir(&victim).unwrap().count(), 0);
        unpack(&wanted, &[("./y", EntryType::Regular, "new")]).unwrap();
        assert_eq!(fs::read_to_string(&local).unwrap(), "new");
        assert!(matches!(unpack(&wanted, &[]), Err(CopyError::Guest { .. })));
    }

    #[test]
    fn there_is_an_end_to_what_is_taken() {
        let here = tempfile::tempdir().unwrap();
        let wanted = CopyOut::parse(&format!("/x:{}/x", here.path().display())).unwrap();
        let mut spool = Spool { most: 10, ..wanted.spool().unwrap() };
        spool.write(b"0123456789").unwrap();
        let error = spool.write(b"0").unwrap_err().to_string();
        assert_eq!(error, "/x in the guest: has more than 10 bytes, and no more are copied");
    }

    #[test]
    fn what_names_no_copy_is_told_before_anything_begins() {
        let here = tempfile::tempdir().unwrap();
        let there = here.path().join("no/place").display().to_string();
        for (text, wanted) in [
            ("root/x".to_owned(), "names no absolute path in the guest"),
            ("/".to_owned(), "names no absolute path in the guest"),
            (String::new(), "names no absolute path in the guest"),
            (format!("/root/x:{there}"), "/no: is no directory\n  help: make it first"),
        ] {
            let said = CopyOut::parse(&text).unwrap_err().to_string();
            assert!(said.contains(wanted), "{text}: {said}");
        }
    }
}
