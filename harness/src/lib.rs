// SPDX-License-Identifier: BSD-2-Clause
//! `nlproof` tests the netlink interface code of FreeBSD kernels. ARCHITECTURE.md says how.
//!
//! Rooms, from the top: `cli` → `report` → `matrix` → `coverage`, `stress` → `targets` → `golden`, `ktrace` → `trace` →
//! `vector` → `file`, wire. Guests (`vm`, `guest`) lie below `targets`, `out` below them all. A room uses only rooms
//! below it.

pub mod blocks;
pub mod cli;
pub mod kernels;
pub mod matrix;
pub mod microbench;
pub(crate) mod out;
pub mod releases;
pub mod report;
pub mod stress;
pub mod targets;

pub use nlproof_guest::{ssh as guest, vm};
pub use nlproof_traces::{coverage, file, golden, import, ktrace, trace, vector};
