// SPDX-License-Identifier: BSD-2-Clause
//! A bundle that comes from somebody else. Sizes and numbers are limited, names are plain, nothing but files is in it, and the
//! archive is the very one that these files make: there is no place for what no file holds.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use nlproof_base::counted;
use sha2::{Digest as _, Sha256};
use tar::{Archive, EntryType};

use super::bundle::{BundleLimits, ROOT, write_tar};
use crate::file::FileError;

/// Unpacks an archive into an empty directory. The names of its files, sorted.
///
/// # Errors
/// The archive cannot be read, is damaged or cut off, holds more than a bundle may, or something that no bundle does.
pub(super) fn unpack(archive: &Path, into: &Path, limits: BundleLimits) -> Result<Vec<String>, FileError> {
    let wrong = |what: String| FileError::whole(archive, what);
    let damaged = |error: io::Error| {
        let why = match error.kind() {
            io::ErrorKind::UnexpectedEof => "is cut off".to_owned(),
            _ => format!("is damaged, or no bundle of nlproof: {error}"),
        };
        wrong(why).help("fetch it again; nlproof qualify writes bundles, as DIR.tar.zst")
    };
    let file = nlproof_base::open(archive).map_err(|error| wrong(error.to_string()))?;
    let size = file.metadata().map_err(damaged)?.len();
    if size > limits.packed {
        return Err(wrong(format!("has {size} bytes; at most {} are read", limits.packed)));
    }
    let mut hash =
        Hashing { from: zstd::Decoder::new(file).map_err(damaged)?.single_frame(), hash: Sha256::new() };
    let names = unpack_files(&mut hash, into, limits).map_err(|error| match error {
        Wrong::Damaged(error) => damaged(error),
        Wrong::Unwritable(path, error) => FileError::unwritable(&path, &error),
        Wrong::NoBundle(what) => wrong(what),
    })?;
    let Hashing { mut from, hash } = hash;
    let mut more = [0];
    if from.read(&mut more).map_err(damaged)? != 0 {
        return Err(wrong("has more behind its end".to_owned()));
    }
    let mut behind: BufReader<File> = from.finish();
    if behind.read(&mut more).map_err(damaged)? != 0 {
        return Err(wrong("has more behind its end".to_owned()));
    }
    let mut own = HashingSink(Sha256::new());
    write_tar(into, &names, &mut own).map_err(damaged)?;
    if own.0.finalize() != hash.finalize() {
        return Err(wrong(
            "is not the archive that its files make: something is in it that is no file".to_owned(),
        ));
    }
    Ok(names)
}

/// What is wrong with an archive.
enum Wrong {
    Damaged(io::Error),
    Unwritable(PathBuf, io::Error),
    NoBundle(String),
}

fn unpack_files(from: &mut impl Read, into: &Path, limits: BundleLimits) -> Result<Vec<String>, Wrong> {
    let no_bundle = |what: String| Err(Wrong::NoBundle(what));
    let mut names = BTreeSet::new();
    let mut left = limits.unpacked;
    let mut archive = Archive::new(&mut *from);
    for entry in archive.entries().map_err(Wrong::Damaged)? {
        let mut entry = entry.map_err(Wrong::Damaged)?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let shown = path.escape_debug().to_string();
        if entry.header().entry_type() != EntryType::Regular {
            return no_bundle(format!(
                "has `{shown}`, which is no file but a {:?}",
                entry.header().entry_type()
            ));
        }
        let Some(name) =
            path.strip_prefix(ROOT).and_then(|rest| rest.strip_prefix('/')).filter(|name| is_plain(name))
        else {
            return no_bundle(format!("has a file `{shown}`, which no bundle has"));
        };
        if names.len() == limits.files {
            return no_bundle(format!("has more than {}", counted(limits.files, "file")));
        }
        if !names.insert(name.to_owned()) {
            return no_bundle(format!("has {name} twice"));
        }
        // The size that it states is not believed: what comes is counted.
        if entry.size() > left {
            return no_bundle(format!("unpacks to more than {} bytes", limits.unpacked));
        }
        let target = into.join(name);
        let unwritable = |error| Wrong::Unwritable(target.clone(), error);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(unwritable)?;
        }
        let mut to = File::create_new(&target).map_err(unwritable)?;
        left -= copy(&mut entry, &mut to, &target)?;
    }
    // A reader of archives stops at the end that they state. What stands behind it counts, too.
    let mut rest = [0; 1 << 12];
    loop {
        let count = from.read(&mut rest).map_err(Wrong::Damaged)?;
        match rest.get(..count) {
            None | Some([]) => break,
            Some(bytes) if bytes.iter().all(|byte| *byte == 0) && left >= count as u64 => {
                left -= count as u64
            }
            Some(_) => return no_bundle("has more behind the end of its files".to_owned()),
        }
    }
    Ok(names.into_iter().collect())
}

/// Copies a file, and tells what cannot be read from what cannot be written.
fn copy(from: &mut impl Read, to: &mut File, path: &Path) -> Result<u64, Wrong> {
    let (mut chunk, mut all) = (vec![0; 1 << 16], 0);
    loop {
        let count = from.read(&mut chunk).map_err(Wrong::Damaged)?;
        let Some(bytes) = chunk.get(..count).filter(|bytes| !bytes.is_empty()) else { return Ok(all) };
        to.write_all(bytes).map_err(|error| Wrong::Unwritable(path.to_owned(), error))?;
        all += count as u64;
    }
}

/// Whether a file of a bundle may be called so: plain words, at most one directory deep.
fn is_plain(name: &str) -> bool {
    let word = |part: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+');
        !part.is_empty() && !part.starts_with('.') && part.len() < 200 && part.chars().all(plain)
    };
    name.split('/').count() <= 2 && name.split('/').all(word)
}

/// A reader whose bytes are hashed.
struct Hashing<R> {
    from: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.hash.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}

struct HashingSink(Sha256);

impl Write for HashingSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tar::{Builder, Header};

    use super::super::bundle::pack;
    use super::*;

    /// A bundle of three files, and its directory.
    fn bundle() -> (tempfile::TempDir, PathBuf, Vec<String>) {
        let directory = tempfile::tempdir().unwrap();
        let files = directory.path().join("files");
        fs::create_dir_all(files.join("candidate")).unwrap();
        let names = ["candidate/sim-15.console", "index.html", "report.json"].map(str::to_owned).to_vec();
        for name in &names {
            fs::write(files.join(name), format!("{name}\n").repeat(40)).unwrap();
        }
        let archive = directory.path().join("a.tar.zst");
        pack(&files, &names, &archive).unwrap();
        (directory, archive, names)
    }

    fn read(archive: &Path, limits: BundleLimits) -> Result<(tempfile::TempDir, Vec<String>), String> {
        let into = tempfile::tempdir().unwrap();
        unpack(archive, into.path(), limits).map(|names| (into, names)).map_err(|error| error.to_string())
    }

    fn rejected(archive: &Path, limits: BundleLimits) -> String {
        read(archive, limits).map(|(_, names)| names).unwrap_err()
    }

    /// An archive with these entries, as somebody else might make it.
    fn foreign(path: &Path, fill: impl FnOnce(&mut Builder<zstd::Encoder<'static, File>>)) {
        let packer = zstd::Encoder::new(File::create(path).unwrap(), 1).unwrap();
        let mut archive = Builder::new(packer);
        fill(&mut archive);
        archive.into_inner().unwrap().finish().unwrap();
    }

    fn header(kind: EntryType, size: u64) -> Header {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header
    }

    #[test]
    fn the_same_files_make_the_same_bytes_and_come_out_again() {
        let (directory, archive, names) = bundle();
        let again = directory.path().join("again.tar.zst");
        let mut other = names.clone();
        other.reverse();
        pack(&directory.path().join("files"), &other, &again).unwrap();
        assert_eq!(fs::read(&archive).unwrap(), fs::read(&again).unwrap());
        let (into, found) = read(&archive, BundleLimits::DEFAULT).unwrap();
        assert_eq!(found, names);
        let text = fs::read_to_string(into.path().join("index.html")).unwrap();
        assert_eq!(text, "index.html\n".repeat(40));
    }

    #[test]
    fn each_altered_byte_of_the_archive_is_found_or_alters_nothing() {
        let (directory, archive, names) = bundle();
        let good = fs::read(&archive).unwrap();
        let altered = directory.path().join("altered");
        let mut found = 0;
        for at in 0..good.len() {
            for bit in [0, 3, 7] {
                let mut bytes = good.clone();
                bytes[at] ^= 1 << bit;
                fs::write(&altered, &bytes).unwrap();
                match read(&altered, BundleLimits::DEFAULT) {
                    Err(_) => found += 1,
                    // zstd has bits that say nothing about the content.
                    Ok((into, files)) => {
                        assert_eq!(files, names, "byte {at}");
                        for name in &names {
                            assert_eq!(
                                fs::read_to_string(into.path().join(name)).unwrap(),
                                format!("{name}\n").repeat(40)
                            );
                        }
                    }
                }
            }
        }
        assert!(found > good.len() * 3 - 12, "{found} of {}", good.len() * 3);
    }

    #[test]
    fn a_bundle_that_is_cut_off_or_longer_is_rejected() {
        let (directory, archive, _) = bundle();
        let good = fs::read(&archive).unwrap();
        let other = directory.path().join("other");
        for length in [0, 3, 20, good.len() / 2, good.len() - 1] {
            fs::write(&other, &good[..length]).unwrap();
            let told = rejected(&other, BundleLimits::DEFAULT);
            assert!(told.contains("is cut off") || told.contains("is damaged"), "{length}: {told}");
        }
        for more in [&b"x"[..], &good, &[0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]] {
            fs::write(&other, [&good, more].concat()).unwrap();
            assert!(rejected(&other, BundleLimits::DEFAULT).contains("has more behind its end"));
        }
        fs::write(&other, "no bundle").unwrap();
        assert!(rejected(&other, BundleLimits::DEFAULT).contains("no bundle of nlproof"));
        assert!(rejected(directory.path(), BundleLimits::DEFAULT).contains("is a directory"));
    }

    #[test]
    fn a_bomb_is_rejected_by_what_it_unpacks_to() {
        let (directory, archive, _) = bundle();
        let least = BundleLimits { packed: 10, ..BundleLimits::DEFAULT };
        assert!(rejected(&archive, least).contains("at most 10 are read"));
        let few = BundleLimits { files: 2, ..BundleLimits::DEFAULT };
        assert!(rejected(&archive, few).contains("has more than 2 files"));
        let bomb = directory.path().join("bomb");
        foreign(&bomb, |archive| {
            let mut header = header(EntryType::Regular, 1 << 24);
            archive.append_data(&mut header, "qualification/a", io::repeat(0).take(1 << 24)).unwrap();
        });
        assert!(fs::metadata(&bomb).unwrap().len() < 1 << 14);
        let small = BundleLimits { unpacked: 1 << 20, ..BundleLimits::DEFAULT };
        assert!(rejected(&bomb, small).contains("unpacks to more than 1048576 bytes"));
        // Behind the end of the files, too.
        let packer = |path: &Path, more: u64| {
            let mut packer = zstd::Encoder::new(File::create(path).unwrap(), 1).unwrap();
            io::copy(&mut io::repeat(0).take(more), &mut packer).unwrap();
            packer.finish().unwrap();
        };
        packer(&bomb, 1 << 24);
        assert!(rejected(&bomb, small).contains("behind the end"), "{}", rejected(&bomb, small));
        packer(&bomb, 1 << 14);
        assert!(rejected(&bomb, small).contains("not the archive that its files make"));
    }

    #[test]
    fn what_is_no_plain_file_is_rejected() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        let one = |name: &'static str, kind: EntryType| {
            foreign(&path, |archive| {
                let mut header = header(kind, 0);
                // The builder would not write such names.
                header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
                if kind.is_symlink() {
                    header.set_link_name("/etc/passwd").unwrap();
                }
                header.set_cksum();
                archive.append(&header, io::empty()).unwrap();
            });
            rejected(&path, BundleLimits::DEFAULT)
        };
        for name in [
            "qualification/../x",
            "/etc/x",
            "x",
            "qualification/a/b/c",
            "qualification/.ssh",
            "qualification/a b",
            "qualification/",
            "qualification/a//b",
        ] {
            assert!(one(name, EntryType::Regular).contains("which no bundle has"), "{name}");
        }
        for kind in
            [EntryType::Symlink, EntryType::Link, EntryType::Directory, EntryType::Fifo, EntryType::Char]
        {
            assert!(one("qualification/x", kind).contains("which is no file but a"), "{kind:?}");
        }
    }

    #[test]
    fn an_archive_with_other_headers_is_not_the_one_that_its_files_make() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        let write = |mode: u32, twice: bool| {
            foreign(&path, |archive| {
                for _ in 0..=u32::from(twice) {
                    let mut header = header(EntryType::Regular, 1);
                    header.set_mode(mode);
                    archive.append_data(&mut header, "qualification/a", &b"x"[..]).unwrap();
                }
            });
        };
        write(0o644, false);
        assert_eq!(read(&path, BundleLimits::DEFAULT).unwrap().1, ["a"]);
        write(0o755, false);
        assert!(rejected(&path, BundleLimits::DEFAULT).contains("something is in it that is no file"));
        write(0o644, true);
        assert!(rejected(&path, BundleLimits::DEFAULT).contains("has a twice"));
    }
}
