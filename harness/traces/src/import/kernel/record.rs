// SPDX-License-Identifier: BSD-2-Clause
//! Records of ktrace(2), amd64, version 1 of their header: the same in 14.0, 14.2, 15.0 and 15.1 (sys/sys/ktrace.h).
//!
//! ```text
//!  0  length of what follows the header, 4 bytes
//!  4  type, 2 bytes, with 0x8000 if records before it were dropped, and 0x4000 because the header has a version
//!  6  version of the header, 2 bytes
//!  8  process, 4 bytes
//! 12  name of its program, 20 bytes, ends with NUL
//! 32  time, 16 bytes
//! 48  thread, 8 bytes
//! 56  processor, 4 bytes; 4 bytes of padding
//! ```

use std::fmt;

/// Bytes of a header.
pub(super) const HEADER: usize = 64;
/// The longest record that is believed, in bytes: the kernel keeps a megabyte of what a call moves if it is told to.
const LONGEST: usize = 16 << 20;
/// Records before this one were dropped.
const DROPPED: u16 = 0x8000;
/// The header has a version.
const VERSIONED: u16 = 0x4000;
/// Bytes of the program's name.
const COMMAND: usize = 20;

/// Why the rest of a trace cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Where the record begins, in bytes from the beginning.
    pub place: u64,
    /// What is wrong with it.
    pub what: &'static str,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}", self.place, self.what)
    }
}

impl std::error::Error for Damage {}

/// The head of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) len: usize,
    pub(super) kind: u16,
    pub(super) dropped: bool,
    pub(super) pid: i32,
    pub(super) command: String,
    pub(super) thread: i64,
}

impl Header {
    /// The header that `bytes` begin with; `None`: there is not enough of it.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<Self>, &'static str> {
        let Some(bytes) = bytes.first_chunk::<HEADER>() else { return Ok(None) };
        let len = u32_at(bytes, 0).unwrap_or_default() as usize;
        let kind = u16_at(bytes, 4).unwrap_or_default();
        if kind & VERSIONED == 0 || u16_at(bytes, 6) != Some(1) {
            return Err("no record whose header has version 1: FreeBSD 14 or newer, amd64, writes those");
        }
        if len > LONGEST {
            return Err("a record of more than 16 MiB");
        }
        let name = &bytes[12..12 + COMMAND];
        let end = name.iter().position(|byte| *byte == 0).ok_or("a program's name without an end")?;
        let command = String::from_utf8_lossy(&name[..end]).chars().filter(|c| !c.is_control()).collect();
        Ok(Some(Self {
            len,
            kind: kind & !(DROPPED | VERSIONED),
            dropped: kind & DROPPED != 0,
            pid: u32_at(bytes, 8).unwrap_or_default().cast_signed(),
            command,
            thread: u64_at(bytes, 48).unwrap_or_default().cast_signed(),
        }))
    }
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Body<'a> {
    /// A system call begins: its number and arguments.
    Call { number: u16, args: Vec<u64> },
    /// A system call has ended.
    Return { number: u16, error: i32, value: i64 },
    /// Bytes that a call moved.
    Moved { fd: i32, sent: bool, data: &'a [u8] },
    /// A `struct sockaddr` that was handed over.
    Address(&'a [u8]),
    /// The process ends.
    End,
    /// Anything else.
    Other,
}

impl<'a> Body<'a> {
    pub(super) fn parse(kind: u16, bytes: &'a [u8]) -> Self {
        Self::parsed(kind, bytes).unwrap_or(Self::Other)
    }

    fn parsed(kind: u16, bytes: &'a [u8]) -> Option<Self> {
        Some(match kind {
            1 => {
                let args = bytes.get(8..)?.as_chunks::<8>().0;
                let count = u16_at(bytes, 2)?.into();
                Self::Call {
                    number: u16_at(bytes, 0)?,
                    args: args.iter().take(count).map(|arg| u64::from_le_bytes(*arg)).collect(),
                }
            }
            2 => Self::Return {
                number: u16_at(bytes, 0)?,
                error: u32_at(bytes, 4)?.cast_signed(),
                value: u64_at(bytes, 8)?.cast_signed(),
            },
            4 => Self::Moved {
                fd: u32_at(bytes, 0)?.cast_signed(),
                sent: u32_at(bytes, 4)? == 1,
                data: bytes.get(8..)?,
            },
            8 => Self::Address(bytes.strip_prefix(b"sockaddr\0")?),
            11 => Self::End,
            _ => Self::Other,
        })
    }
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_le_bytes)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().copied().map(u64::from_le_bytes)
}
