// SPDX-License-Identifier: BSD-2-Clause
//! Runs of a guest whose every instruction can be come to again: what is kept of one, and how replays are held against it.

mod death;
mod gdb;
mod recording;
mod visit;

pub use death::{Died, find_death};
pub use gdb::{gdb_shows, how_to_attach};
pub use recording::{Disk, Instructions, Kept, QemuKept, RECORDING, Recording, SCHEMA};
pub use visit::{Replayer, Visit, differences, same_console};
