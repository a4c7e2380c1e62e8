// SPDX-License-Identifier: BSD-2-Clause
//! Interface and driver names.

use nlproof_wire::consts::IFNAMSIZ;

const LONGEST: usize = IFNAMSIZ.saturating_sub(1);

/// A name of at most 15 bytes, as `if_xname` and `if_dname` hold it (`IFNAMSIZ` with the NUL).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name {
    bytes: [u8; LONGEST],
    len: u8,
}

impl Name {
    /// The name up to the first NUL; what exceeds 15 bytes is cut off, as `strlcpy` does.
    #[must_use]
    pub fn truncated(name: &[u8]) -> Self {
        let mut bytes = [0; LONGEST];
        let mut len = 0_u8;
        for (slot, &byte) in bytes.iter_mut().zip(name.iter().take_while(|&&byte| byte != 0)) {
            *slot = byte;
            len = len.saturating_add(1);
        }
        Self { bytes, len }
    }

    /// The bytes without a NUL.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&[])
    }
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
}
