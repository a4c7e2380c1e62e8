// SPDX-License-Identifier: BSD-2-Clause
//! Sizes in bytes, as users write them.

/// Bytes of `500M`.
pub(super) fn size(text: &str) -> Option<u64> {
    let units = [('K', 10), ('M', 20), ('G', 30), ('T', 40)];
    let unit = |(letter, shift): &(char, u32)| {
        Some((text.strip_suffix([*letter, letter.to_ascii_lowercase()])?, *shift))
    };
    let (digits, shift) = units.iter().find_map(unit).unwrap_or((text, 0));
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn a_size_has_a_unit_or_is_in_bytes() {
        for (text, bytes) in [("0", 0), ("512", 512), ("2K", 2048), ("10G", 10 << 30), ("1t", 1 << 40)] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in ["", "G", "10GB", "-1", "1.5G", "99999999999T"] {
            assert_eq!(size(text), None, "{text}");
        }
    }
}
