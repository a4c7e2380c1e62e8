// SPDX-License-Identifier: BSD-2-Clause
//! Loads on a FreeBSD guest and its module: what must not load, endurance, what answers and traces cost, and where time goes.

mod endurance;
mod kernel_usage;
mod overheard;
mod phase;
mod played;
mod refusals;
mod requests;
mod speed;
mod spent;
mod tracing;

pub use endurance::PhaseResult;
pub use kernel_usage::{Epoch, Memory, losses};
pub use phase::Phase;
pub use played::Played;
pub use refusals::{Attempt, Refused};
pub use speed::{Question, Speed, middle};
pub use spent::{Spent, Timed, middle_parts};
pub use tracing::{Sustained, TraceCost};
