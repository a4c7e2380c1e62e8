// SPDX-License-Identifier: BSD-2-Clause
//! Error texts, built without the formatting machinery of `core::fmt` (its code has panic paths).

/// Bytes of the kernel's buffer for one error text with its NUL: `NL_MAX_ERROR_BUF` of
/// `netlink_message_parser.h`. What does not fit is cut off, as `vsnprintf` does.
pub const TEXT_CAPACITY: usize = 128;

const LONGEST: usize = TEXT_CAPACITY.saturating_sub(1);

/// An error text of at most 127 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    bytes: [u8; LONGEST],
    len: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self { bytes: [0; LONGEST], len: 0 }
    }
}

impl Text {
    /// The text without a NUL.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }

    /// Appends a string.
    pub fn str(&mut self, part: &str) -> &mut Self {
        self.bytes(part.as_bytes())
    }

    /// Appends bytes, such as an interface name.
    pub fn bytes(&mut self, part: &[u8]) -> &mut Self {
        for &byte in part {
            if let Some(slot) = self.bytes.get_mut(self.len) {
                *slot = byte;
                self.len = self.len.saturating_add(1);
            }
        }
        self
    }

    /// Appends a number in decimal, as `%u` prints it.
    pub fn number(&mut self, number: impl Into<u64>) -> &mut Self {
        self.digits(number.into(), 10)
    }

    /// Appends a number as `%p` prints it.
    pub fn pointer(&mut self, address: u64) -> &mut Self {
        self.str("0x").digits(address, 16)
    }

    /// Appends a number as `%04X` prints it.
    pub fn upper_hex16(&mut self, number: u16) -> &mut Self {
        for shift in [12_u32, 8, 4, 0] {
            let digit = number.checked_shr(shift).unwrap_or(0) & 0xf;
            let digit =
                char::from_digit(u32::from(digit), 16).map_or('?', |digit| digit.to_ascii_uppercase());
            self.bytes(&[digit as u8]);
        }
        self
    }

    fn digits(&mut self, number: u64, base: u32) -> &mut Self {
        // 20 digits hold any u64 in base 10.
        let mut reversed = [0_u8; 20];
        let mut used = 0_usize;
        let mut rest = number;
        for slot in &mut reversed {
            let digit = rest.checked_rem(u64::from(base)).unwrap_or(0);
            *slot = u8::try_from(digit)
                .ok()
                .and_then(|d| char::from_digit(u32::from(d), base))
                .map_or(b'?', |c| c as u8);
            used = used.saturating_add(1);
            rest = rest.checked_div(u64::from(base)).unwrap_or(0);
            if rest == 0 {
                break;
            }
        }
        for &digit in reversed.iter().take(used).rev() {
            self.bytes(&[digit]);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let mut text = Text::default();
        text.str("a ").number(0_u32).str(" b ").number(u64::MAX).str(" c ").pointer(0xffff_f800_0000_0010);
        assert_eq!(text.as_bytes(), b"a 0 b 18446744073709551615 c 0xfffff80000000010");
    }

    #[test]
    fn four_digits() {
        let mut text = Text::default();
        text.upper_hex16(0x88a8).upper_hex16(1);
        assert_eq!(text.as_bytes(), b"88A80001");
    }

    #[test]
    fn cut_off_at_127_bytes() {
        let mut text = Text::default();
        text.bytes(&[b'x'; 100]).bytes(&[b'y'; 100]);
        assert_eq!(text.as_bytes().len(), 127);
        assert_eq!(text.as_bytes().last(), Some(&b'y'));
    }
}
