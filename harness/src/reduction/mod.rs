// SPDX-License-Identifier: BSD-2-Clause
//! A vector made small in real targets: what has to stay ([`Keep`]), tries in lanes, and a journal that lets an interrupted
//! search go on.

mod journal;
mod keep;
mod search;

pub use journal::{About, Journal, JournalError};
pub use keep::{Keep, Verdict};
pub use search::{Limits, Outcome, Reduction, ReductionError, Try};

#[cfg(test)]
mod tests;
