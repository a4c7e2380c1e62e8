// SPDX-License-Identifier: BSD-2-Clause
//! Dumps of bytes in hex with offsets, as xxd(1), hexdump(1) -C and tcpdump(1) -x write them.

use std::path::Path;

use super::reading::{Direction, Format, Reading, Seen};
use crate::file::{FileError, Position};

/// How far down the first line of a dump may stand: tcpdump(1) writes a line about the packet before it.
const HEAD: usize = 3;

/// Whether a dump begins in the first lines.
pub(super) fn is(text: &str) -> bool {
    let begins = |line: &str| line_of(line).is_some_and(|line| line.offset == 0 && !line.bytes.is_empty());
    text.lines().filter(|line| !line.trim().is_empty()).take(HEAD).any(begins)
}

/// A datagram for each dump that begins at 0.
pub(super) fn read(path: &Path, text: &str) -> Result<Reading, FileError> {
    let mut reading = Reading::new(Format::Dump, None);
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |what: String| {
            FileError::at(path, Position { line: number, column: 1 }, what)
                .help("each line is an offset, bytes in hex, and nothing, or the text of the bytes")
        };
        let Some(read) = line_of(line) else {
            // tcpdump(1) writes a line about each packet before its bytes.
            if line.starts_with(char::is_whitespace) {
                return Err(wrong("is no line of a hex dump".into()));
            }
            continue;
        };
        if read.offset == 0 && !read.bytes.is_empty() {
            let (place, direction) = (format!("line {number}"), Direction::Unknown);
            reading.seen.push(Seen { place, direction, data: Vec::new() });
        }
        let Some(seen) = reading.seen.last_mut() else { continue };
        if read.offset != seen.data.len() {
            return Err(wrong(format!(
                "the offset is {}, and {} bytes were read",
                read.offset,
                seen.data.len()
            )));
        }
        seen.data.extend(read.bytes);
    }
    Ok(reading)
}

struct Line {
    offset: usize,
    bytes: Vec<u8>,
}

/// The most bytes of a line.
const LINE: usize = 16;

/// A line: an offset in hex with a colon or two spaces behind it, then groups of hex digits. Where more spaces come than
/// between groups, the text of the bytes begins.
fn line_of(line: &str) -> Option<Line> {
    let line = line.trim();
    let digits = line.strip_prefix("0x").unwrap_or(line);
    let end = digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    let rest =
        rest.strip_prefix(':').or_else(|| rest.strip_prefix("  ")).or(rest.is_empty().then_some(""))?;
    if !(4..=8).contains(&digits.len()) {
        return None;
    }
    let offset = usize::from_str_radix(digits, 16).ok()?;
    let mut bytes = Vec::new();
    let mut spaces = 0;
    for group in rest.trim_start().split(' ') {
        if group.is_empty() {
            spaces += 1;
            continue;
        }
        // hexdump -C leaves a gap in the middle.
        let gap = spaces > 1 || (spaces == 1 && bytes.len() != LINE / 2);
        spaces = 0;
        let is_hex = group.len().is_multiple_of(2) && group.bytes().all(|byte| byte.is_ascii_hexdigit());
        if (gap && !bytes.is_empty()) || !is_hex || bytes.len() + group.len() / 2 > LINE {
            break;
        }
        for pair in group.as_bytes().chunks(2) {
            bytes.push(u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?);
        }
    }
    (rest.is_empty() || !bytes.is_empty()).then_some(Line { offset, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagrams(text: &str) -> Vec<String> {
        let reading = read(Path::new("t"), text).unwrap();
        reading.seen.iter().map(|seen| nlproof_base::hex(&seen.data)).collect()
    }

    #[test]
    fn dumps_of_common_tools() {
        let wanted = format!("{}{}", "14000000120001030000000041414141", "61626364");
        let xxd = "00000000: 1400 0000 1200 0103 0000 0000 4141 4141  ............AAAA\n00000010: 6162 6364                                abcd\n";
        let hexdump = "00000000  14 00 00 00 12 00 01 03  00 00 00 00 41 41 41 41  |............AAAA|\n00000010  61 62 63 64                                       |abcd|\n00000014\n";
        let tcpdump = "12:00:00.1 IP a > b: length 20\n\t0x0000:  1400 0000 1200 0103 0000 0000 4141 4141  ............AAAA\n\t0x0010:  6162 6364                                abcd\n";
        assert!(is(xxd) && is(hexdump));
        assert!(!is("10000000 1200 0103 00000000 00000000") && !is("deadbeef") && !is(""));
        for text in [xxd, hexdump, tcpdump] {
            assert_eq!(datagrams(text), std::slice::from_ref(&wanted), "{text}");
        }
        assert_eq!(datagrams(&format!("{xxd}\n{xxd}")), [wanted.clone(), wanted]);
    }

    #[test]
    fn a_line_that_is_missing_is_told() {
        let error = read(Path::new("t"), "0000: 0102\n0010: 03\n").unwrap_err().to_string();
        assert!(error.starts_with("t:2:1: the offset is 16, and 2 bytes were read"), "{error}");
    }
}
