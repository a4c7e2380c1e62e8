// SPDX-License-Identifier: BSD-2-Clause
//! The hidden subcommand that holds QEMU.

use std::ffi::OsString;

/// Runs the supervisor until its QEMU or the harness ends.
pub(super) fn main(args: &[OsString]) -> std::process::ExitCode {
    crate::vm::supervise_main(args.iter().cloned())
}
