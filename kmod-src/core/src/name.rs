// SPDX-License-Identifier: BSD-2-Clause
//! Interface and driver names.

use nlproof_wire::consts::IFNAMSIZ;

const LONGEST: usize = IFNAMSIZ.saturating_sub(1);

/// A name of at most 15 bytes, as `if_xname` and `if_dname` hold it (`IFNAMSIZ` with the NUL).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name {
    /// The bytes, zeros behind them, and in the last byte how many they are.
    bytes: [u8; IFNAMSIZ],
}

impl Name {
    /// The name up to the first NUL; what exceeds 15 bytes is cut off, as `strlcpy` does.
    #[must_use]
    pub fn truncated(name: &[u8]) -> Self {
        let mut bytes = [0; IFNAMSIZ];
        for (slot, &byte) in bytes.iter_mut().zip(name.iter().take(LONGEST)) {
            *slot = byte;
        }
        Self::of_array(bytes)
    }

    /// The name up to the first NUL in memory of its full size, where anything may stand behind the NUL.
    #[must_use]
    pub fn of_array(array: [u8; IFNAMSIZ]) -> Self {
        let [a, b, c, d, e, f, g, h, rest @ ..] = array;
        let (low, high) = (u64::from_le_bytes([a, b, c, d, e, f, g, h]), u64::from_le_bytes(rest));
        // As many bits as stand before the first NUL, or 64.
        let low_bits = bits_before_nul(low);
        let (high, high_bits) = if low_bits < u64::BITS {
            (0, 0)
        } else {
            // The last byte is a NUL or cut off.
            let bits = bits_before_nul(high & (u64::MAX >> 8));
            (kept(high, bits), bits)
        };
        let len = u64::from(low_bits.saturating_add(high_bits) >> 3);
        let both = u128::from(kept(low, low_bits)) | (u128::from(high | (len << 56)) << 64);
        Self { bytes: both.to_le_bytes() }
    }

    /// The bytes without a NUL.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len()).unwrap_or(&[])
    }

    /// How many they are.
    #[must_use]
    pub const fn len(&self) -> usize {
        let [.., len] = self.bytes;
        len as usize
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes and zeros behind them.
    #[must_use]
    pub const fn padded(&self) -> [u8; IFNAMSIZ] {
        (u128::from_le_bytes(self.bytes) & (u128::MAX >> 8)).to_le_bytes()
    }
}

/// How many bits of a word stand before its first byte that is 0; all 64 if none is.
const fn bits_before_nul(word: u64) -> u32 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    // The lowest bit that is set belongs to the first zero byte; higher ones may mark a byte of 1 behind it.
    let nul = word.wrapping_sub(ONES) & !word & (ONES << 7);
    nul.trailing_zeros() & !7
}

/// The lowest bits of a word.
const fn kept(word: u64, bits: u32) -> u64 {
    if bits == u64::BITS { word } else { word & !(u64::MAX << bits) }
}

impl core::fmt::Debug for Name {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "\"{}\"", self.as_bytes().escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_at_nul_and_at_fifteen() {
        assert_eq!(Name::truncated(b"lo10\0rest").as_bytes(), b"lo10");
        assert_eq!(Name::truncated(b"abcdefghijklmnopq").as_bytes(), b"abcdefghijklmno");
    }

    #[test]
    fn every_length_with_anything_behind_the_nul() {
        for len in 0..16 {
            for behind in [0, 1, 0xff] {
                let mut array = *b"\x01a\xff\x80\x01fghijklmnop";
                if let Some(nul) = array.get_mut(len) {
                    *nul = 0;
                }
                array.iter_mut().skip(len + 1).for_each(|byte| *byte = behind);
                let name = Name::of_array(array);
                assert_eq!((name.as_bytes(), name.len()), (&array[..len], len));
                assert_eq!(name, Name::truncated(&array[..len]));
                assert_eq!(name.padded()[..len], array[..len]);
                assert_eq!(name.padded()[len..], [0; 16][len..]);
            }
        }
        assert_eq!(Name::of_array(*b"abcdefghijklmnop").as_bytes(), b"abcdefghijklmno");
    }
}
