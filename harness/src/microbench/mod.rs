// SPDX-License-Identifier: BSD-2-Clause
//! How fast the parts are that work without a kernel: decoding, dumps of the simulator, verification.
//!
//! Numbers mean something in an optimised build only; who shows them says which it was.

mod debug_lines;
mod dump;
mod rate;
mod synthetic;
mod view;
mod write_error;

pub use dump::Dump;
pub use rate::{Rate, measure};
pub use synthetic::Shape;
pub use view::{Links, Seen, strict, tree, view};
pub use write_error::WriteError;
