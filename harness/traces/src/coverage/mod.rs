// SPDX-License-Identifier: BSD-2-Clause
//! Coverage: the goldens, held against an inventory of what the interface code can be asked and can answer.
//!
//! The goldens are the evidence: a row is reached in a profile only if a golden that a kernel of this profile
//! (or, as a prediction, the simulator) produced holds such a message.

mod inventory;
mod reach;

pub use inventory::{Inventory, Row, inventory_schema};
pub use reach::{Reach, Reached, Verdict};
