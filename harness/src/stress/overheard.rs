// SPDX-License-Identifier: BSD-2-Clause
//! A target whose records somebody hears beside the one who runs programs in it.

use nlproof_agent::{Batch, Record};

use crate::targets::{DtraceOutput, Facts, Finish, StartPart, Target, TargetError};

/// Who hears what comes of programs.
pub trait Listener {
    /// A batch is about to run.
    fn begins(&mut self) {}

    /// A record of this batch has come.
    fn hear(&mut self, batch: &Batch, record: &Record);
}

/// A target that is overheard.
pub struct Overheard<'t, L> {
    target: &'t mut dyn Target,
    pub(super) listener: L,
}

impl<'t, L: Listener> Overheard<'t, L> {
    /// Has this listener hear what the target runs from now on.
    pub(super) fn by(listener: L, target: &'t mut dyn Target) -> Self {
        Self { target, listener }
    }
}

impl<L: Listener> Target for Overheard<'_, L> {
    fn facts(&self) -> &Facts {
        self.target.facts()
    }

    fn start_parts(&self) -> &[StartPart] {
        self.target.start_parts()
    }

    fn run(&mut self, batch: &Batch, on_record: &mut dyn FnMut(Record)) -> Result<(), TargetError> {
        let listener = &mut self.listener;
        listener.begins();
        self.target.run(batch, &mut |record| {
            listener.hear(batch, &record);
            on_record(record);
        })
    }

    fn expect_hang(&mut self, calls: &[String]) {
        self.target.expect_hang(calls);
    }

    fn begin_dtrace(&mut self, script: &str) -> Result<(), TargetError> {
        self.target.begin_dtrace(script)
    }

    fn end_dtrace(&mut self) -> Result<DtraceOutput, TargetError> {
        self.target.end_dtrace()
    }

    fn finish(&mut self) -> Finish {
        self.target.finish()
    }
}
