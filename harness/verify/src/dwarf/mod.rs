// SPDX-License-Identifier: BSD-2-Clause
//! Debug information of the module: lines, inlined functions, layouts of structures (DWARF 2 to 5).
//!
//! Everything here reads bytes that may be damaged. Work is bounded by the length of the sections: units and
//! line programs are read one behind the other and once, and what one entry may refer to has a budget.

mod error;
mod inlines;
mod lines;
mod places;
mod sections;
mod structures;
mod units;

pub use error::DebugError;
pub(crate) use lines::sources;
pub(crate) use places::place_steps;
pub(crate) use sections::DebugSections;
pub(crate) use structures::{Language, structures};
