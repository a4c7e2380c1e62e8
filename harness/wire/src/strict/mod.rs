// SPDX-License-Identifier: BSD-2-Clause
//! The objecting reader: what is wrong with a datagram, and at which byte.
//!
//! The tolerant views show everything and judge nothing; this walk follows the same tables and reports
//! every deviation with its offset from the datagram's first byte. The vector lint uses it to hold a
//! vector to the malformation it declares, and the tests to hold both kernels' replies to the protocol.

mod fault;
mod walk;

pub use fault::{Fault, FaultKind};
pub use walk::{Options, faults, walk, walk_with};
