// SPDX-License-Identifier: BSD-2-Clause
//! What vectors run against. A target takes a batch of programs and reports what happened, record by
//! record; what the records mean is the business of the rooms above.

mod agents;
mod error;
mod facts;
mod freebsd;
mod linux;
mod sim;
mod snapshots;
mod start;

pub use error::{OpenError, TargetError};
pub use facts::{Facts, Kernel};
pub use freebsd::{FreebsdOptions, FreebsdTarget, image_options};
pub use linux::LinuxTarget;
pub use sim::SimTarget;
pub use start::Start;

use nlproof_agent::{Batch, Record};

/// Hears what an opening target is doing: a stage, and bytes done and in all where that is known.
pub type OnStage<'a> = dyn FnMut(&str, Option<(u64, u64)>) + 'a;

/// Something that runs programs.
pub trait Target {
    /// What is known of it.
    fn facts(&self) -> &Facts;

    /// Runs the programs in order. `on_record` gets every record as it comes.
    ///
    /// # Errors
    /// The target was lost; the programs that had not ended did not run to their end.
    fn run(&mut self, batch: &Batch, on_record: &mut dyn FnMut(Record)) -> Result<(), TargetError>;
}
