// SPDX-License-Identifier: BSD-2-Clause
//! `nlproof` tests the netlink interface code of FreeBSD kernels. ARCHITECTURE.md says how.
//!
//! Rooms, from the top: `cli` → `qualify` → `report` → `matrix`, `stress`, `blocks` → `targets`, and `releases`, `kernels`,
//! `microbench`, `serve`, `atf` and `out` below `cli` alone or below all. Vectors, traces and goldens are in `nlproof-traces`, guests
//! in `nlproof-guest`. A room uses only rooms below it.

pub mod atf;
pub mod blocks;
pub mod cli;
pub mod fuzz;
pub mod kernels;
pub mod matrix;
pub mod microbench;
pub(crate) mod out;
pub mod qualify;
pub mod reduce;
pub mod reduction;
pub mod releases;
pub mod replay;
pub mod report;
pub mod serve;
pub mod stress;
pub mod targets;

pub use nlproof_guest::{ssh as guest, vm};
pub use nlproof_traces::{coverage, draft, export, file, golden, import, ktrace, trace, vector};
