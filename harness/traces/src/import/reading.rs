// SPDX-License-Identifier: BSD-2-Clause
//! A file as datagrams: what it is, and what it holds.

use std::fmt;

use nlproof_agent::SocketOptions;
use nlproof_wire::Os;

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
    /// The file that FreeBSD's ktrace(2) writes.
    Ktrace,
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
            Format::Ktrace => "a trace of ktrace(2)",
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
