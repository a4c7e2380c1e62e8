// SPDX-License-Identifier: BSD-2-Clause
//! Which form a file has, and its datagrams by whatever reads that form.

use std::path::Path;

use super::reading::{Direction, Format, Reading, Seen};
use super::{array, calls, capture, dump, kdump, kernel};
use crate::file::{FileError, Position};
use crate::vector::hex;

/// Reads what a file holds; `path` is named in errors.
///
/// # Errors
/// The file is in none of the forms, or holds no datagram.
pub fn read(path: &Path, bytes: &[u8]) -> Result<Reading, FileError> {
    if let Some(format) = capture::format_of(bytes) {
        return some(path, capture::read(path, format, bytes)?);
    }
    if kernel::is(bytes) {
        return some(path, kernel::read(bytes));
    }
    let Some(text) = text_of(bytes) else {
        let mut reading = Reading::new(Format::Bytes, None);
        reading.seen.push(whole(bytes.to_vec()));
        return Ok(reading);
    };
    if kdump::is(text) {
        return some(path, kdump::read(text));
    }
    if let Some(format) = calls::format_of(text) {
        return some(path, calls::read(format, text));
    }
    if dump::is(text) {
        return some(path, dump::read(path, text)?);
    }
    if array::is(text) {
        return some(path, array::read(path, text)?);
    }
    let data = hex(text).map_err(|what| {
        FileError::at(path, Position::START, what).help(
            "hex digits, a hex dump, an array of C or Rust, text of truss, kdump or strace -xx, a file of ktrace, pcap or pcapng of nlmon, \
             or the bytes themselves",
        )
    })?;
    let mut reading = Reading::new(Format::Hex, None);
    reading.seen.push(whole(data));
    Ok(reading)
}

fn some(path: &Path, reading: Reading) -> Result<Reading, FileError> {
    if !reading.seen.is_empty() {
        return Ok(reading);
    }
    let mut what = format!("is {}, and no netlink datagram can be read from it", reading.format);
    for note in reading.notes.iter().take(5) {
        what.push_str("\n  ");
        what.push_str(note);
    }
    let help = match reading.format {
        Format::Truss => "truss -f -s 65536 shows whole datagrams",
        Format::Strace => "strace -f -xx -e read=all -e write=all shows the bytes of what it decodes",
        Format::Kdump | Format::Ktrace => {
            "ktrace -i -t cni; sysctl kern.ktrace.genio_size=1048576 before it keeps long ones whole"
        }
        Format::Pcap | Format::Pcapng => {
            "ip link add nlmon0 type nlmon; ip link set nlmon0 up; tcpdump -i nlmon0 -w FILE"
        }
        _ => "a datagram begins with its length, four bytes",
    };
    Err(FileError::whole(path, what).help(help))
}

fn whole(data: Vec<u8>) -> Seen {
    Seen { place: String::new(), direction: Direction::Unknown, data }
}

/// The text, if it is one. No message is: each begins with a length of four bytes.
fn text_of(bytes: &[u8]) -> Option<&str> {
    let plain = |byte: &u8| !byte.is_ascii_control() || byte.is_ascii_whitespace() || *byte == 0x1b;
    std::str::from_utf8(bytes).ok().filter(|_| bytes.iter().all(plain))
}
