// SPDX-License-Identifier: BSD-2-Clause
//! Limits for reading each kind of input.

use std::fmt;

use crate::counted;

/// The most bytes that a kind of input may have. What is longer is no such input: each limit is a hundred times what
/// the project's own files have, or what the format allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limit(u64);

const fn mib(number: u64) -> Limit {
    Limit(number << 20)
}

impl Limit {
    /// A YAML file: a vector, the matrix, the releases, a policy.
    pub const YAML: Self = mib(4);
    /// Bytes to decode, or hex digits of them. No datagram of either kernel comes near.
    pub const DATAGRAM: Self = mib(16);
    /// A golden.
    pub const GOLDEN: Self = mib(64);
    /// A list of files with their digests: MANIFEST, CHECKSUM, releases.lock.
    pub const LISTING: Self = mib(4);
    /// A report of a run, or a job matrix, or a baseline, as JSON.
    pub const REPORT: Self = mib(256);
    /// The log of a guest's console.
    pub const CONSOLE: Self = mib(256);
    /// A kernel or module; one with all of its debug information has some hundred MiB.
    pub const OBJECT: Self = mib(1024);
    /// A line that somebody types.
    pub const LINE: Self = Self(4096);

    /// A limit of this many bytes.
    #[must_use]
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// In bytes.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 >> 20 {
            mib if mib << 20 == self.0 && mib > 0 => write!(f, "{} bytes ({mib} MiB)", self.0),
            _ => write!(f, "{}", counted(self.0, "byte")),
        }
    }
}
