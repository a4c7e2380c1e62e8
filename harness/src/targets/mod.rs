// SPDX-License-Identifier: BSD-2-Clause
//! Targets: what vectors run against. A target takes a batch of programs and reports what happened,
//! record by record. The rooms above know what the records mean.

mod agents;
mod error;
mod fact;
mod facts;
mod finish;
pub(crate) mod freebsd;
mod kldstat;
mod linux;
mod sim;

pub(crate) use error::Explained;
pub use error::{Cause, Loss, OpenError, TargetError};
pub use fact::Fact;
pub use facts::{Cards, Commands, Facts, Kernel, OwnBuild, RunningKernel};
pub use finish::{Complaint, Finish};
pub use freebsd::{
    CACHE_LIMIT, FreebsdOptions, FreebsdTarget, LostConsole, MEMORY_MIB, ModuleOptions, OwnRelease, Prepared,
    RecordingPlace, ReplayedMachine, STACKS, Start, Victim, complaints_in, complaints_in_lines,
    image_options, module_unavailable_reason, over_limit, prepare_module, remove_victim, saved_guests,
    unwanted_guests,
};
pub(crate) use kldstat::loaded_files;
pub use linux::LinuxTarget;
pub use sim::{SimTarget, SimTrace};

use std::time::Duration;

use nlproof_agent::{Batch, Record};

/// How far a stage is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BytesProgress {
    /// Bytes that are done.
    pub done: u64,
    /// Bytes in all.
    pub total: u64,
}

/// Hears what an opening target is doing: a stage, and how far it is where that is known.
pub type OnStage<'a> = dyn FnMut(&str, Option<BytesProgress>) + 'a;

/// A part of a target's start, in words, and its time.
pub type StartPart = (&'static str, Duration);

/// What dtrace(1) said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DtraceOutput {
    /// What the D program printed.
    pub stdout: String,
    /// What dtrace(1) complained of.
    pub stderr: String,
}

/// Something that runs programs.
pub trait Target {
    /// What is known of it.
    fn facts(&self) -> &Facts;

    /// The parts of its start that are told apart, in order. They need not be all of it.
    fn start_parts(&self) -> &[StartPart] {
        &[]
    }

    /// Runs the programs in order. `on_record` gets every record as it comes.
    ///
    /// # Errors
    /// The target was lost; the programs that had not ended did not run to their end.
    fn run(&mut self, batch: &Batch, on_record: &mut dyn FnMut(Record)) -> Result<(), TargetError>;

    /// Announces that the next batch hangs the kernel in these calls, innermost first, so that a guest that falls silent there is
    /// not given the benefit of the doubt.
    fn expect_hang(&mut self, _calls: &[String]) {}

    /// Has the target's own tracer follow what runs from now on, by a D program (`ktrace::Script`).
    ///
    /// # Errors
    /// [`TargetError::NoDtrace`] with the reason where there is none, or where it does not take the program.
    fn begin_dtrace(&mut self, _script: &str) -> Result<(), TargetError> {
        Err(TargetError::NoDtrace("only a FreeBSD guest has it".into()))
    }

    /// Ends the tracing and returns the tracer's output.
    ///
    /// # Errors
    /// Same as [`Target::begin_dtrace`].
    fn end_dtrace(&mut self) -> Result<DtraceOutput, TargetError> {
        Err(TargetError::NoDtrace("only a FreeBSD guest has it".into()))
    }

    /// Looks at what the programs left behind, once after the last of them.
    fn finish(&mut self) -> Finish {
        Finish::default()
    }
}
