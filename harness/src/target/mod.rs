// SPDX-License-Identifier: BSD-2-Clause
//! What vectors run against. A target takes a batch of programs and reports what happened, record by
//! record; what the records mean is the business of the rooms above.

mod agents;
mod console;
mod developer;
mod dtrace;
mod endurance;
mod error;
mod facts;
mod finish;
mod freebsd;
mod kept;
mod link;
mod linux;
mod loaded;
mod module;
mod provision;
mod refusals;
mod requests;
mod sim;
mod snapshots;
mod speed;
mod start;
mod tracing;

pub use dtrace::DtraceOutput;
pub use endurance::{Phase, PhaseResult};
pub use error::{Loss, OpenError, TargetError};
pub use facts::{Commands, Facts, Kernel, RunningKernel, UNKEPT};
pub use finish::Finish;
pub use freebsd::{FreebsdOptions, FreebsdTarget, image_options};
pub use kept::{Epoch, Memory, losses};
pub use linux::LinuxTarget;
pub use module::{ModuleOptions, Prepared, module_obstacle, prepare_module};
pub use refusals::{Attempt, Refused};
pub use sim::{SimTarget, SimTrace};
pub use snapshots::saved_guests;
pub use speed::{Question, Speed, middle};
pub use start::Start;
pub use tracing::{Sustained, TraceCost};

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

    /// Has the target's own tracer follow what runs from now on, by a D program (`ktrace::Script`).
    ///
    /// # Errors
    /// [`TargetError::NoDtrace`] with the reason where there is none, or where it does not take the program.
    fn begin_dtrace(&mut self, _script: &str) -> Result<(), TargetError> {
        Err(TargetError::NoDtrace("only a FreeBSD guest has it".into()))
    }

    /// Ends that and gives what was said.
    ///
    /// # Errors
    /// As [`Target::begin_dtrace`].
    fn end_dtrace(&mut self) -> Result<DtraceOutput, TargetError> {
        Err(TargetError::NoDtrace("only a FreeBSD guest has it".into()))
    }

    /// Looks at what the programs left behind, once after the last of them.
    fn finish(&mut self) -> Finish {
        Finish::default()
    }
}
