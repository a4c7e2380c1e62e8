// SPDX-License-Identifier: BSD-2-Clause
//! A cell of stock code that dtrace(1) follows: results are held back until its output has come.

use nlproof_base::counted;

use super::cell::{Cell, ModuleKind, TargetKind};
use super::vector_run::VectorRun;
use crate::ktrace::{DtraceLog, Followed, Script};
use crate::targets::{Target, TargetError};

/// dtrace(1) runs.
pub(super) struct DtraceSession<'v> {
    major: u32,
    held: Vec<VectorRun<'v>>,
}

/// The result of a run that dtrace(1) followed.
pub(super) struct DtraceResult<'v> {
    /// The major whose stock code it followed.
    pub(super) major: u32,
    /// The vectors that ran, with the kernel's part of each that could be told from others'.
    pub(super) vector_runs: Vec<VectorRun<'v>>,
    /// Notes about the session.
    pub(super) about: String,
    /// The guest was lost meanwhile.
    pub(super) lost: Option<TargetError>,
}

impl<'v> DtraceSession<'v> {
    /// Whether a cell has stock code that can be followed so.
    pub(super) fn applies(cell: &Cell) -> bool {
        cell.target == TargetKind::Freebsd && cell.module == ModuleKind::Stock
    }

    /// Starts it.
    pub(super) fn begin(target: &mut dyn Target) -> Result<DtraceSession<'v>, TargetError> {
        let major = target.facts().major();
        target.begin_dtrace(&Script::new(Followed::Stock(major), &[]).text)?;
        Ok(DtraceSession { major, held: Vec::new() })
    }

    /// Keeps a vector that has run.
    pub(super) fn hold(&mut self, vector_run: VectorRun<'v>) {
        self.held.push(vector_run);
    }

    /// Ends it. With a guest that was lost (`here` is false) goes what it had heard, and every vector's trace has a hole.
    pub(super) fn end(self, target: &mut dyn Target, here: bool) -> DtraceResult<'v> {
        let DtraceSession { major, mut held } = self;
        let (log, lost) = match here.then(|| target.end_dtrace()) {
            Some(Ok(output)) => (Some(DtraceLog::parse(&output.stdout, &output.stderr)), None),
            Some(Err(error)) => (None, Some(error)),
            None => (None, None),
        };
        let Some(log) = log else {
            held.iter_mut().for_each(VectorRun::lose_kernel);
            return DtraceResult { major, vector_runs: held, about: "lost with the guest".into(), lost };
        };
        let mut followed = 0;
        for vector_run in &mut held {
            followed += usize::from(vector_run.follow(&log, Followed::Stock(major)));
        }
        let drops = match log.lost {
            0 => String::new(),
            lost => format!(", {} lost", counted(lost, "record").verb("was", "were")),
        };
        let all = counted(held.len(), "vector");
        let about =
            format!("stock code by dtrace(1): {followed} of {all}{drops}, the others ask nothing of it");
        DtraceResult { major, vector_runs: held, about, lost }
    }
}
