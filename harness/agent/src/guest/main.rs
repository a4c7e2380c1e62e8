// SPDX-License-Identifier: BSD-2-Clause
//! The agent: a batch of programs on standard input, records on standard output.
//!
//! ```text
//!  parent   reads the batch, starts one child per program, passes its frames on, enforces limits
//!    └ child     enters a fresh network stack, opens the sockets, runs the steps, writes frames to a pipe
//!        └ command    of an exec step
//!  listen   in a guest whose state is saved: makes network stacks, listens, and is the parent of parents
//! ```
//! With the profile `agent` (panic = abort) this is a static ELF without libc and std: entry, allocator
//! and `mem*` functions are in `entry` and `heap`. With any other profile the same code is an
//! ordinary program with std, so that clippy and rust-analyzer see it; nobody ships that one.
//!
//! Unsafe code is in `sys`, `entry` and `heap` only.
#![cfg_attr(panic = "abort", no_std, no_main)]

extern crate alloc;

mod card_acts;
#[cfg(feature = "freebsd")]
mod cards;
#[cfg(not(feature = "freebsd"))]
#[path = "no_cards.rs"]
mod cards;
mod collector;
mod command;
#[cfg(feature = "freebsd")]
mod console;
#[cfg(not(feature = "freebsd"))]
#[path = "no_console.rs"]
mod console;
mod count;
#[cfg(panic = "abort")]
mod entry;
mod exec;
mod given;
mod hardware;
#[cfg(panic = "abort")]
mod heap;
mod isolate;
mod kernel_trace;
mod laps;
mod listener;
mod names;
mod netlink;
mod parent;
mod quiet;
mod race;
mod reporter;
#[cfg(feature = "freebsd")]
mod ring;
#[cfg(not(feature = "freebsd"))]
#[path = "no_ring.rs"]
mod ring;
mod session;
#[cfg(feature = "freebsd")]
mod settings;
#[cfg(not(feature = "freebsd"))]
#[path = "no_settings.rs"]
mod settings;
mod stack;
mod stacks;
mod sys;
mod waiting;
#[cfg(feature = "freebsd")]
mod watch;
#[cfg(not(feature = "freebsd"))]
#[path = "no_watch.rs"]
mod watch;

/// The ordinary program of profiles that unwind.
#[cfg(not(panic = "abort"))]
fn main() {
    sys::process::exit(parent::serve(stacks::Stacks::NONE))
}
