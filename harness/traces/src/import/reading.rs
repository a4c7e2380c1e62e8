// SPDX-License-Identifier: BSD-2-Clause
//! A file as datagrams: which form it has, and what it holds.

use std::fmt;
use std::path::Path;

use nlproof_agent::SocketOptions;
use nlproof_wire::Os;

use super::{array, calls, capture, dump, kdump};
use crate::file::{FileError, Position};
use crate::vector::hex;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The bytes of one datagram.
    Bytes,
    /// Hex digits, one datagram.
    Hex,
    /// A dump with offsets, of xxd(1), hexdump(1), od(1) or tcpdump(1): a datagram for each that begins at 0.
    Dump,
    /// Arrays or byte strings of C or Rust, a datagram each.
    Array,
    /// Output of FreeBSD's truss(1).
    Truss,
    /// Output of FreeBSD's kdump(1).
    Kdump,
    /// Output of Linux' strace(1).
    Strace,
    /// A capture of Linux' nlmon, pcap.
    Pcap,
    /// A capture of Linux' nlmon, pcapng.
    Pcapng,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Bytes => "bytes",
            Format::Hex => "hex",
            Format::Dump => "a hex dump",
            Format::Array => "an array of bytes",
            Format::Truss => "truss(1)",
            Format::Kdump => "kdump(1)",
            Format::Strace => "strace(1)",
            Format::Pcap => "pcap",
            Format::Pcapng => "pcapng",
        })
    }
}

/// Which way a datagram went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// A request.
    ToKernel,
    /// An answer or an event.
    FromKernel,
    /// The file does not say.
    Unknown,
}

/// A datagram of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Where it stands: `line 7`, `packet 3`; empty if the file is the datagram.
    pub place: String,
    /// Which way it went.
    pub direction: Direction,
    /// Bytes of the datagram.
    pub data: Vec<u8>,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// What the file is.
    pub format: Format,
    /// The system that it comes from, where that follows from the form.
    pub os: Option<Os>,
    /// The datagrams, in the order of the file.
    pub seen: Vec<Seen>,
    /// Options that the sockets were given.
    pub socket: SocketOptions,
    /// What is there and could not be read as a datagram, a line each.
    pub notes: Vec<String>,
}

impl Reading {
    pub(super) fn new(format: Format, os: Option<Os>) -> Self {
        Self { format, os, seen: Vec::new(), socket: SocketOptions::default(), notes: Vec::new() }
    }

    /// The datagrams that a vector sends: those to the kernel, and those of which nothing says where they went.
    pub fn sent(&self) -> impl Iterator<Item = &Seen> {
        self.seen.iter().filter(|seen| seen.direction != Direction::FromKernel)
    }
}

/// Reads what a file holds; `path` is named in errors.
///
/// # Errors
/// The file is in none of the forms, or holds no datagram.
pub fn read(path: &Path, bytes: &[u8]) -> Result<Reading, FileError> {
    if let Some(format) = capture::format_of(bytes) {
        return some(path, capture::read(path, format, bytes)?);
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
            "hex digits, a hex dump, an array of C or Rust, text of truss, kdump or strace -xx, pcap or pcapng of nlmon, \
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
        Format::Kdump => {
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
