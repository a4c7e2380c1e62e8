// SPDX-License-Identifier: BSD-2-Clause
//! Reading and writing integers at an offset without a possible panic.
//!
//! Netlink integers are in host order. Every machine nlproof records from (amd64, arm64, riscv64) is
//! little-endian, and a capture must decode the same on any host: hence little-endian throughout.

use crate::consts::NLA_ALIGNTO;

/// `len` rounded up to netlink's alignment of four bytes; saturates near `usize::MAX`.
#[must_use]
pub const fn align(len: usize) -> usize {
    len.saturating_add(NLA_ALIGNTO.wrapping_sub(1)) & !(NLA_ALIGNTO.wrapping_sub(1))
}

/// The noun that goes with a number of bytes. (nlproof-base counts everything else; the kernel module is built of this
/// crate without it.)
pub(crate) const fn bytes_word(number: usize) -> &'static str {
    if number == 1 { "byte" } else { "bytes" }
}

/// `N` bytes at `offset`, or nothing if they are not all there.
#[must_use]
pub fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk::<N>().copied()
}

/// The byte at `offset`.
#[must_use]
pub fn u8_at(bytes: &[u8], offset: usize) -> Option<u8> {
    bytes.get(offset).copied()
}

/// Two bytes at `offset` as a number.
#[must_use]
pub fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    array_at(bytes, offset).map(u16::from_le_bytes)
}

/// Four bytes at `offset` as a number.
#[must_use]
pub fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    array_at(bytes, offset).map(u32::from_le_bytes)
}

/// Four bytes at `offset` as a signed number.
#[must_use]
pub fn i32_at(bytes: &[u8], offset: usize) -> Option<i32> {
    array_at(bytes, offset).map(i32::from_le_bytes)
}

/// Eight bytes at `offset` as a number.
#[must_use]
pub fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    array_at(bytes, offset).map(u64::from_le_bytes)
}

/// Copies `value` to `offset`; false, and nothing written, if it does not fit.
pub fn put_at(bytes: &mut [u8], offset: usize, value: &[u8]) -> bool {
    let place = offset.checked_add(value.len()).and_then(|end| bytes.get_mut(offset..end));
    match place {
        Some(place) => {
            place.copy_from_slice(value);
            true
        }
        None => false,
    }
}

/// `bytes` up to, and from, `at`, which is moved back to the end if it lies beyond.
pub(crate) fn split(bytes: &[u8], at: usize) -> (&[u8], &[u8]) {
    bytes.split_at_checked(at).unwrap_or((bytes, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alignment() {
        assert_eq!([0, 1, 3, 4, 5].map(align), [0, 4, 4, 4, 8]);
        assert_eq!(align(usize::MAX) % 4, 0);
    }

    #[test]
    fn reading_stops_at_the_end() {
        let bytes = [1, 2, 3, 4, 5];
        assert_eq!(u32_at(&bytes, 1), Some(0x0504_0302));
        assert_eq!(u32_at(&bytes, 2), None);
        assert_eq!(u16_at(&bytes, usize::MAX), None);
        assert_eq!(u64_at(&bytes, 0), None);
        assert_eq!(i32_at(&[0xfe, 0xff, 0xff, 0xff], 0), Some(-2));
    }

    #[test]
    fn writing_stops_at_the_end() {
        let mut bytes = [0; 4];
        assert!(put_at(&mut bytes, 2, &[7, 8]));
        assert!(!put_at(&mut bytes, 3, &[9, 9]));
        assert!(!put_at(&mut bytes, usize::MAX, &[9, 9]));
        assert_eq!(bytes, [0, 0, 7, 8]);
    }
}
