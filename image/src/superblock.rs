// SPDX-License-Identifier: BSD-2-Clause
//! Makes `makefs`'s images reproducible.
//!
//! `makefs` copies its own superblock structure to the image, and with it pointers into its own
//! memory, which differ from run to run. The fields are "in core" ones (`fs_ocsp` and `fs_si` in
//! FreeBSD's `sys/ufs/ffs/fs.h`): the kernel fills them at mount and ignores what the disk has. They are
//! set to zero in the superblock and in its copies, one a cylinder group.

use std::{fs::File, io, ops::Range, os::unix::fs::FileExt as _};

/// Where a UFS1 superblock begins, in bytes (`SBLOCK_UFS1`).
const SBLOCK_UFS1: u64 = 8192;
/// `FS_UFS1_MAGIC`, the last field of the superblock.
const MAGIC: u32 = 0x0001_1954;

// Offsets in `struct fs`, in bytes.
const FS_SBLKNO: u64 = 8;
const FS_NCG: u64 = 44;
const FS_FSIZE: u64 = 52;
const FS_FPG: u64 = 188;
const FS_MAGIC: u64 = 1372;
/// Sixteen pointers of eight bytes.
const IN_CORE: Range<u64> = 728..856;

/// Clears the in-core pointers of every superblock in a little-endian UFS1 image.
///
/// # Errors
/// `InvalidData` when this is no such image, and what reading and writing it give.
pub(crate) fn clear_pointers(image: &File) -> io::Result<()> {
    let field = |at: u64, offset: u64| {
        let mut bytes = [0; 4];
        image.read_exact_at(&mut bytes, at + offset).map(|()| u32::from_le_bytes(bytes))
    };
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "makefs wrote no UFS1 superblock");
    if field(SBLOCK_UFS1, FS_MAGIC)? != MAGIC {
        return Err(invalid());
    }
    let fragment = u64::from(field(SBLOCK_UFS1, FS_FSIZE)?);
    let first = u64::from(field(SBLOCK_UFS1, FS_SBLKNO)?);
    let group = u64::from(field(SBLOCK_UFS1, FS_FPG)?);
    let copies = (0..u64::from(field(SBLOCK_UFS1, FS_NCG)?)).map(|cg| (cg * group + first) * fragment);
    for at in std::iter::once(SBLOCK_UFS1).chain(copies) {
        if field(at, FS_MAGIC)? != MAGIC {
            return Err(invalid());
        }
        let zeros = [0; (IN_CORE.end - IN_CORE.start) as usize];
        image.write_all_at(&zeros, at + IN_CORE.start)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two cylinder groups of 16 fragments of 4096 bytes; the copies lie two fragments in.
    fn image() -> File {
        let image = tempfile::tempfile().unwrap();
        image.set_len(32 * 4096).unwrap();
        for at in [8192, 2 * 4096, 18 * 4096] {
            for (offset, value) in [(8, 2_u32), (44, 2), (52, 4096), (188, 16), (1372, MAGIC)] {
                image.write_all_at(&value.to_le_bytes(), at + offset).unwrap();
            }
            image.write_all_at(&[0xff; 136], at + 724).unwrap();
        }
        image
    }

    #[test]
    fn pointers_go_and_their_neighbours_stay() {
        let image = image();
        clear_pointers(&image).unwrap();
        for at in [8192, 18 * 4096] {
            let mut bytes = [1; 136];
            image.read_exact_at(&mut bytes, at + 724).unwrap();
            assert_eq!(bytes[..4], [0xff; 4]);
            assert_eq!(bytes[4..132], [0; 128]);
            assert_eq!(bytes[132..], [0xff; 4]);
        }
    }

    #[test]
    fn another_file_system_is_left_alone() {
        let image = image();
        image.write_all_at(&[0; 4], 18 * 4096 + 1372).unwrap();
        assert_eq!(clear_pointers(&image).unwrap_err().kind(), io::ErrorKind::InvalidData);
        image.write_all_at(&[0; 4], 8192 + 1372).unwrap();
        assert_eq!(clear_pointers(&image).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
