// SPDX-License-Identifier: BSD-2-Clause
//! Vectors that a program makes and changes: what a fuzzer generates, and what a reducer takes apart.
//!
//! [`Draft`] is a vector's requests as steps, messages, attributes and bytes; [`Draft::of`] reads one from a vector,
//! [`Draft::vector`] makes a vector of it, and [`Draft::to_yaml`] the file that people keep.

mod model;
mod read;
mod write;

pub use model::{Draft, DraftAttr, DraftMessage, DraftStep, Payload, Reply};

#[cfg(test)]
mod tests;
