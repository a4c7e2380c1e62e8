// SPDX-License-Identifier: BSD-2-Clause
//! Golden traces: the answers that kernels are known to give, and where that knowledge comes from.

mod bugs;
mod capabilities;
mod cascade;
mod changes;
mod compare;
mod differences;
mod divergences;
mod enclosing;
mod file;
mod origin;
mod record;
mod standing;
mod store;
mod strays;

pub use bugs::{Bug, load_bugs};
pub use capabilities::{CapabilityChange, CapabilityForm};
pub use cascade::{layers, layers_behind, nearest_profile, profile_of, profile_of_name};
pub use changes::{Change, Place, changes};
pub use compare::{Compared, Divergence, compare, compare_part};
pub use differences::{Differences, Kind};
pub use divergences::{Divergences, divergences_schema};
pub use enclosing::{enclosing, unified};
pub use file::{Golden, SCHEMA};
pub use origin::{Build, Origin, short_digest};
pub use record::{Disagreement, Recorded, Recorder};
pub use standing::Standing;
pub use store::{Found, Pending, Store};
pub use strays::strays;
