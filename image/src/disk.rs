// SPDX-License-Identifier: BSD-2-Clause
//! The disk: boot code, partition table and root file system in one raw image.
//!
//! ```text
//! LBA 0      protective MBR, its first 446 bytes from /boot/pmbr
//! LBA 1      GPT header and entries
//! LBA 40     freebsd-boot, 512 KiB or as much as it takes: /boot/gptboot
//! LBA 2048   freebsd-ufs `nlproof-root`: the file system
//! the end    backup GPT
//! ```
//!
//! `pmbr` loads the whole freebsd-boot partition, at most 545 KiB (gpart(8)), sector by sector, and jumps to it. A disk that
//! is to be as small as possible has no sector there that need not be loaded.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::FileExt as _,
    path::Path,
};

use gpt::{partition::Partition, partition_types};

use tokio_util::sync::CancellationToken;

use crate::{
    digest::Sha256,
    error::ImageError,
    partition_table::{self, guid},
};

/// Bytes in a sector.
const SECTOR: u64 = 512;
/// First sector and largest size of the boot partition, in sectors.
const BOOT_LBA: u64 = 40;
const BOOT_SECTORS: u64 = 1024;
/// First sector of the root partition: 1 MiB, aligned for any disk below.
const ROOT_LBA: u64 = 2048;
/// Sectors of the backup table: 128 entries of 128 bytes, and the header.
const BACKUP_SECTORS: u64 = 33;
/// The disk's size is a multiple of this, in bytes.
const ALIGNMENT: u64 = 1 << 20;
/// Bytes of the MBR that are code (`DOSPARTOFF` in FreeBSD's `sys/diskmbr.h`).
const MBR_CODE: usize = 446;

/// GPT label of the root partition; the guest's fstab names it.
pub(crate) const ROOT_LABEL: &str = "nlproof-root";
/// Labels of a disk with a whole system on it.
pub(crate) const LABELS: [&str; 2] = ["nlproof-boot", ROOT_LABEL];
/// The largest gptboot that fits, in bytes.
pub(crate) const GPTBOOT_MAX: u64 = BOOT_SECTORS * SECTOR;
/// The smallest file that can be a pmbr, in bytes.
pub(crate) const PMBR_MIN: u64 = MBR_CODE as u64;

/// The parts of a disk.
pub(crate) struct Parts<'a> {
    pub(crate) pmbr: &'a [u8],
    pub(crate) gptboot: &'a [u8],
    /// The image of the root file system.
    pub(crate) root: &'a Path,
    /// The GPT labels of the boot and the root partition.
    pub(crate) labels: [&'a str; 2],
    /// Size of the disk.
    pub(crate) size: Size,
    /// Seed of the GUIDs of disk and partitions.
    pub(crate) seed: &'a Sha256,
}

/// Size of a disk in bytes.
#[derive(Clone, Copy)]
pub(crate) enum Size {
    /// What the parts take.
    Fitting,
    /// This, or what the parts take if that is more.
    AtLeast(u64),
    /// This; an error if the parts take more.
    Exactly(u64),
}

/// Writes the disk and returns its size in bytes. `progress` is told bytes of the root file system.
pub(crate) fn assemble(
    disk: &Path,
    parts: &Parts<'_>,
    stop: &CancellationToken,
    progress: impl FnMut(u64),
) -> Result<u64, ImageError> {
    let read = |error| ImageError::io("read", parts.root, error);
    let write = |error| ImageError::io("write", disk, error);
    let mut root = File::open(parts.root).map_err(read)?;
    let root_sectors = root.metadata().map_err(read)?.len().div_ceil(SECTOR);
    let size = ((ROOT_LBA + root_sectors + BACKUP_SECTORS) * SECTOR).next_multiple_of(ALIGNMENT);
    let size = match parts.size {
        Size::Fitting => size,
        Size::AtLeast(wanted) => size.max(wanted),
        Size::Exactly(wanted) if wanted < size => {
            return Err(ImageError::TooSmall { wanted, needed: size });
        }
        Size::Exactly(wanted) => wanted - wanted % SECTOR,
    };

    let file = OpenOptions::new().read(true).write(true).create_new(true).open(disk).map_err(write)?;
    file.set_len(size).map_err(write)?;
    let partition = |part_type_guid, name: &str, first_lba, sectors| Partition {
        part_type_guid,
        part_guid: guid(parts.seed, name),
        first_lba,
        last_lba: first_lba + sectors - 1,
        flags: 0,
        name: name.to_owned(),
    };
    let [boot_label, root_label] = parts.labels;
    let boot = partition(partition_types::FREEBSD_BOOT, boot_label, BOOT_LBA, boot_sectors(parts));
    let system = partition(partition_types::FREEBSD_UFS, root_label, ROOT_LBA, root_sectors);
    let file = partition_table::write(file, size / SECTOR, guid(parts.seed, "disk"), [boot, system])
        .map_err(|error| ImageError::PartitionTable { path: disk.to_owned(), error })?;
    file.write_all_at(&parts.pmbr[..MBR_CODE.min(parts.pmbr.len())], 0).map_err(write)?;
    file.write_all_at(parts.gptboot, BOOT_LBA * SECTOR).map_err(write)?;
    copy_sparse(&mut root, &file, ROOT_LBA * SECTOR, stop, progress).map_err(|error| match error {
        CopyError::Stopped => ImageError::Cancelled,
        CopyError::Read(error) => read(error),
        CopyError::Write(error) => write(error),
    })?;
    Ok(size)
}

/// Sectors of the boot partition. One that somebody keeps has room for another gptboot.
fn boot_sectors(parts: &Parts<'_>) -> u64 {
    match parts.size {
        Size::Fitting => (parts.gptboot.len() as u64).div_ceil(SECTOR).max(1),
        Size::AtLeast(_) | Size::Exactly(_) => BOOT_SECTORS,
    }
}

pub(crate) enum CopyError {
    Stopped,
    Read(io::Error),
    Write(io::Error),
}

/// Copies all of `from` to `to` at `offset` and leaves holes where it is zero. How many bytes that were.
pub(crate) fn copy_sparse(
    from: &mut dyn Read,
    to: &File,
    offset: u64,
    stop: &CancellationToken,
    mut progress: impl FnMut(u64),
) -> Result<u64, CopyError> {
    const CHUNK: usize = 1 << 16;
    let zeros = vec![0; CHUNK];
    let mut buffer = vec![0; 1 << 20];
    let mut done = 0;
    loop {
        if stop.is_cancelled() {
            return Err(CopyError::Stopped);
        }
        let n = match from.read(&mut buffer) {
            Ok(0) => return Ok(done),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(CopyError::Read(error)),
        };
        for chunk in buffer[..n].chunks(CHUNK) {
            if chunk != &zeros[..chunk.len()] {
                to.write_all_at(chunk, offset + done).map_err(CopyError::Write)?;
            }
            done += chunk.len() as u64;
        }
        progress(done);
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::MetadataExt as _};

    use gpt::GptConfig;

    use super::*;

    #[test]
    fn the_table_reads_back_and_the_partitions_hold_their_parts() {
        let dir = tempfile::tempdir().unwrap();
        let (root, disk) = (dir.path().join("root"), dir.path().join("disk"));
        let mut contents = vec![0; 3 << 20];
        contents[..5].copy_from_slice(b"begin");
        contents.extend_from_slice(b"end, not at the end of a sector");
        fs::write(&root, &contents).unwrap();
        let stop = &CancellationToken::new();
        let parts = Parts {
            pmbr: &[0x90; 512],
            gptboot: b"gptboot",
            root: &root,
            labels: LABELS,
            size: Size::Fitting,
            seed: &Sha256::of(b"key"),
        };
        let mut last = 0;
        let size = assemble(&disk, &parts, stop, |done| last = done).unwrap();
        assert_eq!(last, contents.len() as u64);
        assert_eq!((size % ALIGNMENT, fs::metadata(&disk).unwrap().len()), (0, size));

        let bytes = fs::read(&disk).unwrap();
        assert_eq!(bytes[..446], [0x90; 446]);
        assert_eq!((bytes[450], &bytes[510..512]), (0xee, &[0x55, 0xaa][..]));
        let table = GptConfig::new().only_valid_headers(true).open(&disk).unwrap();
        assert!(table.primary_header().is_ok() && table.backup_header().is_ok());
        assert_eq!(table.partitions().len(), 2);
        let boot = &table.partitions()[&1];
        assert_eq!(boot.part_type_guid, partition_types::FREEBSD_BOOT);
        assert_eq!(boot.sectors_len().unwrap(), 1, "pmbr loads every sector of it");
        let at = usize::try_from(boot.first_lba * SECTOR).unwrap();
        assert_eq!(&bytes[at..at + 7], b"gptboot");
        let ufs = &table.partitions()[&2];
        assert_eq!(
            (ufs.part_type_guid.clone(), ufs.name.as_str()),
            (partition_types::FREEBSD_UFS, ROOT_LABEL)
        );
        let at = usize::try_from(ufs.first_lba * SECTOR).unwrap();
        assert_eq!(bytes[at..at + contents.len()], contents);
        assert!(fs::metadata(&disk).unwrap().blocks() * 512 < 1 << 20, "zeros were written out");
    }

    #[test]
    fn a_disk_that_somebody_keeps_has_room_for_another_boot_code() {
        let dir = tempfile::tempdir().unwrap();
        let (root, disk) = (dir.path().join("root"), dir.path().join("disk"));
        fs::write(&root, [1; 4096]).unwrap();
        let (seed, size) = (&Sha256::of(b""), Size::AtLeast(4 << 20));
        let parts = Parts { pmbr: &[0; 512], gptboot: b"gptboot", root: &root, labels: LABELS, size, seed };
        assemble(&disk, &parts, &CancellationToken::new(), |_| {}).unwrap();
        let table = GptConfig::new().open(&disk).unwrap();
        assert_eq!(table.partitions()[&1].sectors_len().unwrap(), BOOT_SECTORS);
    }

    #[test]
    fn a_raised_flag_stops_the_copy() {
        let dir = tempfile::tempdir().unwrap();
        let (root, disk) = (dir.path().join("root"), dir.path().join("disk"));
        fs::write(&root, [1; 4096]).unwrap();
        let stop = &CancellationToken::new();
        stop.cancel();
        let seed = &Sha256::of(b"");
        let size = Size::Fitting;
        let parts = Parts { pmbr: &[0; 512], gptboot: b"", root: &root, labels: LABELS, size, seed };
        assert!(matches!(assemble(&disk, &parts, stop, |_| {}), Err(ImageError::Cancelled)));
        let small = Parts { size: Size::Exactly(1 << 20), ..parts };
        let error = assemble(&dir.path().join("small"), &small, stop, |_| {}).unwrap_err();
        assert!(matches!(error, ImageError::TooSmall { wanted: 1_048_576, .. }), "{error}");
    }
}
