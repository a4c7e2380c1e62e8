// SPDX-License-Identifier: BSD-2-Clause
//! Writing files, for every part of nlproof: a file appears whole or not at all, has the mode of any new file of the
//! user's, and a disk that is too small is noticed and named.

mod room;
mod whole;

pub use room::{RoomError, bytes_below, free_bytes, is_full, require};
pub use whole::{fill_whole, work_directory_in, write_whole};
