// SPDX-License-Identifier: BSD-2-Clause
//! A FreeBSD guest as a target: its choices, its start, the connection to its agent, and the module in it.

mod boot;
mod cards;
mod connection;
pub(crate) mod console;
mod developer;
mod dtrace;
mod faulty_cards;
mod guest_image;
mod guest_target;
pub(crate) mod host_stack;
mod keys;
mod late;
mod limit;
pub(crate) mod loaded_module;
mod lost;
mod make_state;
mod making;
mod module;
mod not_started;
mod open;
mod options;
mod own;
pub(crate) mod programs;
mod provision;
mod recorded;
mod restore;
mod snapshot;
mod snapshots;
mod start;
mod starter;
pub(crate) mod symbols;
mod threads;
mod traced;

pub use console::{complaints_in, complaints_in_lines};
pub use guest_target::FreebsdTarget;
pub use limit::{CACHE_LIMIT, Victim, over_limit, remove_victim};
pub use lost::LostConsole;
pub use module::{ModuleOptions, Prepared, module_unavailable_reason, prepare_module};
pub use options::{FreebsdOptions, MEMORY_MIB, STACKS, Start, image_options};
pub use own::OwnRelease;
pub use recorded::{RecordingPlace, ReplayedMachine};
pub use snapshots::{saved_guests, unwanted_guests};
