// SPDX-License-Identifier: BSD-2-Clause
//! Requests that nobody wrote: generated from the schema and by changing vectors, run in guests at the speed of vectors, kept
//! where they reach a new block of the kernel or get a new shape of answer, and judged by what can be judged without a golden.
//!
//! A generated request is a [`Draft`](crate::draft::Draft), and so a vector: what is found is written as one. [`Campaign`] is
//! the loop, [`Lane`] a place where requests run, [`suspicions`] are the oracles.

mod answer;
mod campaign;
mod comparable;
mod confirm;
mod crew;
mod finding;
mod generate;
mod known;
mod lane;
mod mutate;
mod no_index;
mod oracle;
mod rng;
mod seeds;
mod settle;
mod state;
mod words;
mod world;

pub use answer::Answer;
pub use campaign::{Campaign, CampaignError, Limits, Progress, ROUND, Setup};
pub use crew::{Answers, Crew};
pub use finding::{Finding, Replayed, Status};
pub use known::{Known, KnownLoss};
pub use lane::{BlockWatch, Code, Lane, LaneError, Open, Opened, Side};
pub use oracle::{Oracle, Suspicion, difference_keys, suspicions};
pub use seeds::{NoRequest, Seeds, Unread, seeds_in};
pub use state::{FindingsDir, StateError};

#[cfg(test)]
mod faulty;
#[cfg(test)]
mod tests;
