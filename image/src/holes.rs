// SPDX-License-Identifier: BSD-2-Clause
//! Holes in place of zeros: a file that keeps its length and its content and takes less of the disk.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rustix::fs::{FallocateFlags, SeekFrom, fallocate, seek};
use rustix::io::Errno;

/// Size of a hole's unit, in bytes: a page, and a block of every usual file system.
const BLOCK: u64 = 4096;
/// Bytes read at once.
const CHUNK: usize = 1 << 20;

/// Replaces every block of zeros by a hole. How many bytes that freed. A file system without holes keeps the file as it is.
///
/// Programs that have mapped the file see the same bytes before and afterwards.
///
/// # Errors
/// The file cannot be read or written.
pub fn punch_zeros(path: &Path) -> io::Result<u64> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    let mut buffer = vec![0; CHUNK];
    let (mut at, mut freed) = (0, 0);
    while let Some((begin, end)) = data_after(&file, at, length)? {
        // A run of zeros may go on from one chunk to the next.
        let mut zeros = begin..begin;
        at = begin;
        while at < end {
            let n = usize::try_from(end - at).map_or(CHUNK, |left| left.min(CHUNK));
            let chunk = &mut buffer[..n];
            file.read_exact_at(chunk, at)?;
            for block in chunk.chunks(BLOCK as usize) {
                if block.iter().all(|byte| *byte == 0) {
                    zeros.end = at + block.len() as u64;
                } else {
                    match punch(&file, &zeros)? {
                        Some(bytes) => freed += bytes,
                        None => return Ok(freed),
                    }
                    zeros = at + block.len() as u64..at + block.len() as u64;
                }
                at += block.len() as u64;
            }
        }
        freed += punch(&file, &zeros)?.unwrap_or(0);
    }
    Ok(freed)
}

/// The next range that is no hole, in whole blocks.
pub(crate) fn data_after(file: &File, at: u64, length: u64) -> io::Result<Option<(u64, u64)>> {
    if at >= length {
        return Ok(None);
    }
    let begin = match seek(file, SeekFrom::Data(at)) {
        Ok(begin) => begin,
        Err(Errno::NXIO) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let end = seek(file, SeekFrom::Hole(begin))?;
    Ok(Some((begin - begin % BLOCK, end.next_multiple_of(BLOCK).min(length))))
}

/// `None`: there are no holes in this file system.
fn punch(file: &File, range: &std::ops::Range<u64>) -> io::Result<Option<u64>> {
    // The rest of a file that ends inside a block stays: a part of a block cannot be freed.
    let length = (range.end - range.start) / BLOCK * BLOCK;
    if length == 0 {
        return Ok(Some(0));
    }
    match fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, range.start, length) {
        Ok(()) => Ok(Some(length)),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;

    use proptest::prelude::*;

    use super::*;

    fn blocks(path: &Path) -> u64 {
        fs::metadata(path).unwrap().blocks() * 512
    }

    #[test]
    fn zeros_become_holes_and_all_bytes_stay() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("memory");
        let mut bytes = vec![0; 5 << 20];
        bytes[3 << 20] = 1;
        bytes[(4 << 20) + 4095] = 2;
        bytes.push(0);
        fs::write(&path, &bytes).unwrap();
        let before = blocks(&path);
        let freed = punch_zeros(&path).unwrap();
        assert_eq!(freed, (5 << 20) - 2 * BLOCK);
        assert!(blocks(&path) <= before - freed, "{} of {before}", blocks(&path));
        assert!(fs::read(&path).unwrap() == bytes);
        assert_eq!(punch_zeros(&path).unwrap(), 0, "nothing is left to be freed");
        assert!(punch_zeros(&place.path().join("none")).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_content_never_changes(parts in prop::collection::vec((any::<bool>(), 1usize..20_000), 0..12)) {
            let place = tempfile::tempdir().unwrap();
            let path = place.path().join("memory");
            let bytes: Vec<u8> =
                parts.iter().flat_map(|(zero, length)| vec![u8::from(!zero); *length]).collect();
            fs::write(&path, &bytes).unwrap();
            punch_zeros(&path).unwrap();
            prop_assert!(fs::read(&path).unwrap() == bytes);
        }
    }
}
