// SPDX-License-Identifier: BSD-2-Clause
//! A share of a cell's vectors in one guest: run, traced, judged.

use std::collections::{HashMap, HashSet};

use super::cell::{Cell, ModuleKind};
use super::dtrace_session::DtraceSession;
use super::engine::Engine;
use super::interruption::{Interruption, NoFurther, loss_of};
use super::judge::{Answerer, judge};
use super::running::RunningCell;
use super::vector_run::{VectorRun, VectorRunError, run_vectors};
use crate::file::FileError;
use crate::golden::{Divergences, Found, Store};
use crate::ktrace::has_golden;
use crate::targets::{Target, TargetError};
use crate::vector::Vector;

/// The golden that a vector's trace is compared with, and that of the kernel's part.
type Goldens = (Option<Found>, Option<Found>);

impl Engine<'_> {
    /// Runs vectors, given with their places. What was left and why, if the target was lost.
    pub(super) fn run_share(
        &self,
        running: &RunningCell<'_>,
        target: &mut dyn Target,
        share: &[(usize, &Vector)],
    ) -> Result<Option<Interruption>, FileError> {
        // Goldens are read before anything is sent: a file that cannot be used must not cost a share's work.
        let mut goldens = HashMap::new();
        for (place, vector) in share {
            goldens.insert(vector.id.as_str(), (*place, self.goldens_of(running, vector)?));
        }
        let mut ended = HashSet::new();
        let sha256 = target.facts().kernel.as_ref().map(|kernel| kernel.sha256.clone());
        let mut end = |vector_run: &VectorRun<'_>, stock: Option<u32>| {
            let id = vector_run.vector.id.as_str();
            let Some((place, (golden, kernel))) = goldens.remove(id) else { return };
            let answerer = Answerer { cell: running.cell, kernel: sha256.as_deref(), stock };
            running.ended((place, vector_run), judge(&answerer, vector_run, golden, kernel));
        };
        // What dtrace(1) says comes when it ends: what is followed is judged then.
        let mut session = None;
        if self.follows(running.cell) {
            match DtraceSession::begin(target) {
                Ok(begun) => session = Some(begun),
                Err(TargetError::NoDtrace(reason)) => {
                    let about = format!("not available: {reason}");
                    running.followed(&about);
                    running.note(&format!("kernel trace: {about}"));
                }
                Err(error) => {
                    let left = share.iter().map(|(place, _)| *place).collect();
                    return Ok(Some(Interruption { left, loss: loss_of(error) }));
                }
            }
        }
        let vectors: Vec<_> = share.iter().map(|(_, vector)| *vector).collect();
        let mut run = run_vectors(target, &vectors, &mut |vector_run: VectorRun<'_>| {
            ended.insert(vector_run.vector.id.as_str());
            match &mut session {
                Some(session) => session.hold(vector_run),
                None => end(&vector_run, None),
            }
        });
        if let Some(session) = session {
            running.stage("read what dtrace(1) says", None);
            let followed = session.end(target, run.is_ok());
            for vector_run in &followed.vector_runs {
                end(vector_run, Some(followed.major));
            }
            running.note(&format!("kernel trace: {}", followed.about));
            running.followed(&followed.about);
            if let Some(error) = followed.lost {
                run = run.and(Err(error.into()));
            }
        }
        let unfinished = share.iter().filter(|(_, vector)| !ended.contains(vector.id.as_str()));
        let left: Vec<_> = unfinished.map(|(place, _)| *place).collect();
        let loss = match run {
            Ok(()) => Err(NoFurther::Silent),
            Err(VectorRunError::Vector(error)) => return Err(error),
            Err(VectorRunError::Target(error)) => loss_of(error),
        };
        // A guest that was lost after its last vector has done all that was asked of it.
        Ok((!left.is_empty()).then_some(Interruption { left, loss }))
    }

    pub(super) fn goldens_of(
        &self,
        running: &RunningCell<'_>,
        vector: &Vector,
    ) -> Result<Goldens, FileError> {
        goldens_of(self.goldens, self.divergences, running.cell, vector)
    }
}

/// The goldens that hold for a vector in a cell.
pub(super) fn goldens_of(
    goldens: &Store,
    divergences: &Divergences,
    cell: &Cell,
    vector: &Vector,
) -> Result<Goldens, FileError> {
    let layers = cell.layers();
    let mut golden = goldens.find(&layers, &vector.id)?;
    if cell.module == ModuleKind::Rust {
        golden = golden.map(|found| divergences.apply(cell.profile, found)).transpose()?;
    }
    let kernel = if has_golden(&vector.id) { goldens.kernel().find(&layers, &vector.id)? } else { None };
    Ok((golden, kernel))
}
