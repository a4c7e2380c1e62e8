// SPDX-License-Identifier: BSD-2-Clause
//! `nlproof` proves that a FreeBSD kernel's netlink interface code behaves.
//!
//! Rooms, from the top: `cli` → `matrix`, `report`, `coverage`, `releases` → `target`, `golden` → `trace`, `vector` → wire. `vm` and
//! `guest` are used by `target` alone; `out` is below them all. A room may use only rooms below it.

pub mod bench;
pub mod cli;
pub mod coverage;
pub mod file;
pub mod golden;
pub mod guest;
pub mod ktrace;
pub mod matrix;
pub(crate) mod out;
pub mod releases;
pub mod report;
pub mod target;
pub mod trace;
pub mod vector;
pub mod vm;
