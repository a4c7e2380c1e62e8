// SPDX-License-Identifier: BSD-2-Clause
//! Which basic blocks of a kernel's own code the vectors reach: QEMU's log of translated blocks, what it says about
//! functions, and the list of blocks that nothing reaches.

mod covered;
mod lcov;
mod log;
mod reach;
mod read;
mod source;
mod sums;
mod unreached;

#[cfg(test)]
pub(crate) use reach::tests;

pub use covered::{Covered, Heard, Loaded};
pub use lcov::lcov;
pub use log::{BEFORE, LogError, TranslationLogReader, instructions};
pub use reach::{
    BlockReport, BlockRow, CellBlocks, FunctionRow, Hits, MergeError, SCHEMA, Side, merge, rows,
};
pub use read::BLOCKS_FILE;
pub use source::SourceTree;
pub use sums::Sum;
pub use unreached::{Finding, Unreached, judge, listing, unreached_schema};
