// SPDX-License-Identifier: BSD-2-Clause
//! Golden traces: what a kernel is known to answer, and where that knowledge comes from.

mod cascade;
mod changes;
mod compare;
mod divergences;
mod file;
mod record;
mod store;

pub use cascade::{layers, profile_of};
pub use changes::{Change, changes};
pub use compare::{Divergence, compare};
pub use divergences::Divergences;
pub use file::{Golden, Origin, SCHEMA};
pub use record::{Recorded, record};
pub use store::{Found, Pending, Store};
