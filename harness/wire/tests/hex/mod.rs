// SPDX-License-Identifier: BSD-2-Clause
//! Captures are written as lines of hexadecimal digits.

/// The bytes of a capture.
pub(crate) fn bytes(lines: &[&str]) -> Vec<u8> {
    let digits: Vec<u8> = lines.concat().bytes().filter(|byte| *byte != b'\n').collect();
    let nibble = |digit: u8| char::from(digit).to_digit(16).expect("a hexadecimal digit") as u8;
    digits.chunks_exact(2).map(|pair| nibble(pair[0]) << 4 | nibble(pair[1])).collect()
}
