// SPDX-License-Identifier: BSD-2-Clause
//! Speed of the parts that work without a kernel: decoding, dumps of the simulator, verification, and pages in a browser.
//!
//! Numbers mean something in an optimised build only; whoever shows them also shows the build.

mod debug_lines;
mod dump;
mod paint;
mod rate;
mod synthetic;
mod view;
mod write_error;

pub use dump::Dump;
pub use paint::{PaintError, first_paint};
pub use rate::{Rate, measure};
pub use synthetic::Shape;
pub use view::{Links, Seen, strict, tree, view};
pub use write_error::WriteError;
