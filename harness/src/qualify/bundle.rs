// SPDX-License-Identifier: BSD-2-Clause
//! A bundle: the files of a qualification as one `.tar.zst`, always the same bytes for the same files.
//!
//! Whoever receives one has [`unpack`](super::unpack::unpack) look at it.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::Path;

use nlproof_files::fill_whole;
use tar::{Builder, EntryType, Header};

use super::manifest::MANIFEST;
use super::sign::SIGNATURE;
use super::statement::STATEMENT;

/// Directory in the archive in which everything stands.
pub(super) const ROOT: &str = "qualification";
/// zstd's own default. Most of a bundle is packed already.
const LEVEL: i32 = 3;

/// What a bundle may have.
#[derive(Debug, Clone, Copy)]
pub struct BundleLimits {
    /// Bytes of the archive as it is.
    pub packed: u64,
    /// Bytes of all files together.
    pub unpacked: u64,
    /// Number of files.
    pub files: usize,
}

impl BundleLimits {
    /// A hundred times what a bundle of three cells with every vector has.
    pub const DEFAULT: Self = Self { packed: 1 << 30, unpacked: 4 << 30, files: 1000 };
}

/// Names of the files that a manifest does not list.
pub(super) const UNLISTED: [&str; 3] = [MANIFEST, STATEMENT, SIGNATURE];

/// Writes the archive of these files below `directory`; it appears whole or not at all.
///
/// # Errors
/// A file cannot be read, or the archive not written.
pub(super) fn pack(directory: &Path, names: &[String], archive: &Path) -> io::Result<()> {
    fill_whole(archive, |to| {
        let mut packer = zstd::Encoder::new(to, LEVEL)?;
        packer.include_checksum(true)?;
        write_tar(directory, names, &mut packer)?;
        packer.finish()?;
        Ok(())
    })
}

/// The one archive that these files make: in the order of their names, without times, owners and links.
pub(super) fn write_tar(directory: &Path, names: &[String], to: &mut dyn Write) -> io::Result<()> {
    let mut sorted: Vec<_> = names.iter().collect();
    sorted.sort();
    let mut archive = Builder::new(to);
    for name in sorted {
        let file = File::open(directory.join(name))?;
        let size = file.metadata()?.len();
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_size(size);
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_path(format!("{ROOT}/{name}"))?;
        header.set_cksum();
        // A file that grows meanwhile is cut where it ended.
        archive.append(&header, file.take(size))?;
    }
    archive.finish()
}
