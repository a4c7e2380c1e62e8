// SPDX-License-Identifier: BSD-2-Clause
//! Saying which tests did not run.

use std::io::Write as _;

/// Writes a line past libtest's capture, which would hide it in a test that passes.
#[allow(clippy::disallowed_methods, reason = "libtest captures what the macros print")]
pub(crate) fn say(line: &str) {
    writeln!(std::io::stderr().lock(), "{line}").unwrap();
}
