// SPDX-License-Identifier: BSD-2-Clause
//! Netlink datagrams out of what people have: hex and dumps of it, arrays of C and Rust, texts of truss(1), kdump(1) and
//! strace(1), the file that ktrace(2) writes, captures of Linux' nlmon.
//!
//! [`read`] finds out which it is. Nothing is guessed at: bytes that a tool has cut or taken apart are left out with a note.

mod array;
mod call;
mod calls;
mod capture;
mod conversation;
mod dump;
mod escape;
mod kdump;
mod kernel;
mod reading;
mod recognise;
mod steps;

pub use conversation::conversation;
pub use kernel::{Act, Damage, Deed, Heard, KernelTrace, Step, replica_of, request_name, steps_of};
pub use reading::{Direction, Format, Reading, Seen};
pub use recognise::read;
pub use steps::replica;
