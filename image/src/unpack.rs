// SPDX-License-Identifier: BSD-2-Clause
//! Limits for unpacking. Archives come from elsewhere, and a small one can hold, or claim to hold, more than any disk
//! or memory has.

use std::{
    cell::Cell,
    io::{self, Read},
    rc::Rc,
};

use nlproof_base::Limit;

use crate::sparse::PaxSparse;

/// Limits for one archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnpackLimits {
    /// One file. The largest of a base system, the C compiler, has a tenth of it.
    pub file: Limit,
    /// All files, those that are left out too. A base system has a fifth of it.
    pub total: Limit,
    /// How many entries. A base system and its sources have a tenth of it.
    pub entries: u64,
}

impl UnpackLimits {
    /// For the archives of a release.
    pub const RELEASE: Self =
        Self { file: Limit::bytes(1 << 30), total: Limit::bytes(8 << 30), entries: 1_000_000 };
}

/// For what stands before an entry's contents: its name, its link's, its attributes, in bytes. The `tar` crate has them
/// in memory.
const HEADERS: u64 = 1 << 20;
/// tar(5) pads contents to a multiple of this, in bytes.
const BLOCK: u64 = 512;

/// Why an archive is not unpacked further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooMuch {
    /// A file.
    #[error("it has {size} bytes; at most {limit} of one file are unpacked")]
    File {
        /// Size in bytes that it has or claims to have.
        size: u64,
        /// The limit that was passed.
        limit: Limit,
    },
    /// All files together.
    #[error("with it the archive has {size} bytes; at most {limit} are unpacked")]
    Total {
        /// The files so far, in bytes.
        size: u64,
        /// The limit that was passed.
        limit: Limit,
    },
    /// Entries.
    #[error("with it the archive has more than {0} entries")]
    Entries(u64),
}

/// Why an archive was not unpacked to its end.
#[derive(Debug)]
pub enum UnpackError<E> {
    /// The archive cannot be read, or is none.
    Read(io::Error),
    /// An entry is beyond a limit.
    TooMuch {
        /// The name of the entry.
        name: Vec<u8>,
        /// Which limit.
        cause: TooMuch,
    },
    /// The caller does not want this entry.
    Entry {
        /// The name of the entry.
        name: Vec<u8>,
        /// Why.
        error: E,
    },
}

/// Hands over every entry of the tar archive that `reader` gives uncompressed, in its order, and reads what follows the
/// archive's end. What an entry claims to have is looked at before its contents are.
///
/// # Errors
/// [`UnpackError`]; the first ends it.
pub fn each_entry<R: Read, E>(
    reader: R,
    limits: UnpackLimits,
    mut on_entry: impl FnMut(&mut tar::Entry<'_, Bounded<R>>) -> Result<(), E>,
) -> Result<(), UnpackError<E>> {
    let allowed = Rc::new(Cell::new(0));
    let mut archive = tar::Archive::new(Bounded { inner: reader, allowed: Rc::clone(&allowed) });
    let mut used = Used { bytes: 0, entries: 0 };
    let mut entries = archive.entries().map_err(UnpackError::Read)?;
    loop {
        // The padding of the one before, too.
        allowed.set(HEADERS + BLOCK);
        let Some(entry) = entries.next() else { break };
        let mut entry = entry.map_err(UnpackError::Read)?;
        let name = entry.path_bytes().into_owned();
        let size = size(&mut entry).map_err(UnpackError::Read)?;
        used.add(size, limits).map_err(|cause| UnpackError::TooMuch { name: name.clone(), cause })?;
        allowed.set(entry.size());
        on_entry(&mut entry).map_err(|error| UnpackError::Entry { name, error })?;
        // What the caller left: otherwise it would be read on the way to the next header.
        io::copy(&mut entry, &mut io::sink()).map_err(UnpackError::Read)?;
    }
    allowed.set(limits.total.get());
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(UnpackError::Read)?;
    Ok(())
}

/// Size of an entry's file, with the holes of a sparse one.
fn size<R: Read>(entry: &mut tar::Entry<'_, R>) -> io::Result<u64> {
    Ok(PaxSparse::of(entry)?.real_size.unwrap_or(0).max(entry.size()))
}

/// The part of the limits that is used up.
struct Used {
    bytes: u64,
    entries: u64,
}

impl Used {
    fn add(&mut self, size: u64, limits: UnpackLimits) -> Result<(), TooMuch> {
        self.bytes = self.bytes.saturating_add(size);
        self.entries += 1;
        if size > limits.file.get() {
            Err(TooMuch::File { size, limit: limits.file })
        } else if self.bytes > limits.total.get() {
            Err(TooMuch::Total { size: self.bytes, limit: limits.total })
        } else if self.entries > limits.entries {
            Err(TooMuch::Entries(limits.entries))
        } else {
            Ok(())
        }
    }
}

/// Reads no more at a time than is allowed.
#[derive(Debug)]
pub struct Bounded<R> {
    inner: R,
    /// In bytes.
    allowed: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let allowed = self.allowed.get();
        if allowed == 0 && !buffer.is_empty() {
            // At the archive's end nothing is too much.
            return match self.inner.read(&mut [0])? {
                0 => Ok(0),
                _ => Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("the names and attributes of an entry have more than {HEADERS} bytes"),
                )),
            };
        }
        let room = usize::try_from(allowed).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.inner.read(&mut buffer[..room])?;
        self.allowed.set(allowed - read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: UnpackLimits =
        UnpackLimits { file: Limit::bytes(1000), total: Limit::bytes(2500), entries: 4 };

    /// An archive of files with these sizes; the contents of those beyond 10,000 bytes are left out.
    fn archive(sizes: &[u64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (number, size) in sizes.iter().enumerate() {
            let mut header = tar::Header::new_gnu();
            header.set_path(format!("f{number}")).unwrap();
            header.set_size(*size);
            header.set_mode(0o644);
            header.set_cksum();
            bytes.extend_from_slice(header.as_bytes());
            let there = if *size > 10_000 { 0 } else { size.next_multiple_of(BLOCK) };
            bytes.resize(bytes.len() + there as usize, 0);
        }
        bytes.resize(bytes.len() + 2 * BLOCK as usize, 0);
        bytes
    }

    fn unpack(bytes: &[u8]) -> Result<Vec<u64>, String> {
        let mut seen = Vec::new();
        let result = each_entry(bytes, SMALL, |entry| {
            seen.push(entry.size());
            Ok::<_, ()>(())
        });
        match result {
            Ok(()) => Ok(seen),
            Err(UnpackError::TooMuch { name, cause }) => Err(format!("{}: {cause}", name.escape_ascii())),
            Err(UnpackError::Read(error)) => Err(error.to_string()),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_within_the_limits_is_handed_over() {
        assert_eq!(unpack(&archive(&[0, 1, 1000, 600])), Ok(vec![0, 1, 1000, 600]));
        assert_eq!(unpack(&archive(&[])), Ok(vec![]));
    }

    #[test]
    fn a_file_too_many_or_too_large_is_named_with_limit_and_size() {
        for (sizes, expected) in [
            (&[5, 1001][..], "f1: it has 1001 bytes; at most 1000 bytes of one file are unpacked"),
            (&[1000, 1000, 501], "f2: with it the archive has 2501 bytes; at most 2500 bytes are unpacked"),
            (&[0, 0, 0, 0, 0], "f4: with it the archive has more than 4 entries"),
            // Six gigabytes that are not there: the claim is enough.
            (&[6 << 30], "f0: it has 6442450944 bytes; at most 1000 bytes of one file are unpacked"),
        ] {
            assert_eq!(unpack(&archive(sizes)), Err(expected.into()));
        }
    }

    #[test]
    fn a_name_that_would_fill_memory_is_not_read() {
        let mut header = tar::Header::new_gnu();
        header.set_path("././@LongLink").unwrap();
        header.set_size(3 << 20);
        header.set_entry_type(tar::EntryType::GNULongName);
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.resize(bytes.len() + (3 << 20), b'a');
        bytes.extend(archive(&[1]));
        let error = unpack(&bytes).unwrap_err();
        assert!(error.contains("have more than 1048576 bytes"), "{error}");
    }
}
