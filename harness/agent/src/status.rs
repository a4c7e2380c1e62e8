// SPDX-License-Identifier: BSD-2-Clause
//! Exit statuses of the agent. All but [`DONE`] come with one line on standard error.
//!
//! The numbers are those of `sysexits.h` (FreeBSD sysexits(3)) where it has one for the case.

/// Every program of the batch has got its [`End`](crate::Body::End).
pub const DONE: i32 = 0;
/// Of a child: its program ran, and its network stack need not be taken apart before the guest ends: no command that
/// was started could still run in it, and no interface in it takes a name from other network stacks.
pub const STACK_MAY_STAY: i32 = 3;
/// Of a child: its program ran, and an interface in its network stack takes a name from other stacks until that stack has
/// been taken apart.
pub const STACK_HAS_DEVICES: i32 = 4;
/// Standard input ended before, or held something else than, one batch (EX_DATAERR).
pub const BAD_BATCH: i32 = 65;
/// A system call that no program is to blame for failed: no memory, no pipe, no process (EX_OSERR).
pub const SYSTEM: i32 = 71;
/// Standard input could not be read or standard output was closed; running programs were killed
/// (EX_IOERR).
pub const LOST: i32 = 74;
/// Standard input begins with another magic or another version (EX_PROTOCOL).
pub const VERSION: i32 = 76;
/// The agent panicked: a bug. The number is the one Rust programs with std use.
pub const PANIC: i32 = 101;
