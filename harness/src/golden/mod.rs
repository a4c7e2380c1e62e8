// SPDX-License-Identifier: BSD-2-Clause
//! Golden traces: what a kernel is known to answer, and where that knowledge comes from.

mod cascade;
mod changes;
mod compare;
mod divergences;
mod file;
mod message;
mod record;
mod store;
mod strays;

pub use cascade::{layers, profile_of, profile_of_name};
pub use changes::{Change, changes};
pub use compare::{Compared, Divergence, compare, compare_part};
pub use divergences::Divergences;
pub use file::{Golden, Origin, SCHEMA};
pub use message::{Message, messages};
pub use record::{Recorded, Recorder};
pub use store::{Found, Pending, Store};
pub use strays::strays;
