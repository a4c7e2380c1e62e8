// SPDX-License-Identifier: BSD-2-Clause
//! Limits for reading a file that may be damaged or hostile.

/// Longest name of a symbol or section that is read, and longest that a mangled one may become, in bytes.
/// Back references let a hundred bytes stand for a million.
pub(crate) const LONGEST_NAME: usize = 4096;

/// Longest file that is looked at, in bytes. GENERIC itself is below 40 MiB.
pub const MAX_BYTES: usize = 256 << 20;
