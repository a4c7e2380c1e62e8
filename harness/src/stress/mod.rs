// SPDX-License-Identifier: BSD-2-Clause
//! Loads on a FreeBSD guest and its module: what must not load, endurance, and what answers and traces cost.

mod endurance;
mod kernel_usage;
mod refusals;
mod requests;
mod speed;
mod tracing;

pub use endurance::{Phase, PhaseResult};
pub use kernel_usage::{Epoch, Memory, losses};
pub use refusals::{Attempt, Refused};
pub use speed::{Question, Speed, middle};
pub use tracing::{Sustained, TraceCost};
