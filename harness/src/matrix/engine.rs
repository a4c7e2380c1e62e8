// SPDX-License-Identifier: BSD-2-Clause
//! The engine: opens each cell's target, runs the vectors, compares, and tells the stream of events.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::cell::Cell;
use super::conversation::{Conversation, ConversationError, converse, mismatch};
use super::event::Event;
use super::outcome::{CellResult, CellStatus, Outcome, RunResult, VectorResult};
use super::raw::RawFile;
use crate::golden::{Origin, Store, compare, layers, profile_of};
use crate::target::{OnStage, OpenError, Target, TargetError};
use crate::vector::Vector;

/// Opens the target of a cell.
pub type Opener<'a> = dyn Fn(&Cell, &mut OnStage<'_>) -> Result<Box<dyn Target>, OpenError> + 'a;

/// What to run.
pub struct Wanted<'a> {
    /// The cells, in order.
    pub cells: &'a [Cell],
    /// The vectors, in order.
    pub vectors: &'a [Vector],
}

/// Runs cells.
pub struct Engine<'a> {
    /// Opens targets.
    pub open: &'a Opener<'a>,
    /// The goldens.
    pub goldens: &'a Store,
    /// Where raw traces go, if anywhere.
    pub raw: Option<PathBuf>,
    /// Set when the user interrupts.
    pub cancel: &'a AtomicBool,
}

impl Engine<'_> {
    /// Runs every cell, one after the other.
    ///
    /// # Errors
    /// A golden or a vector cannot be used: input files are wrong, and nothing more is run.
    pub fn run(
        &self,
        wanted: &Wanted<'_>,
        emit: &mut dyn FnMut(&Event<'_>),
    ) -> Result<RunResult, crate::file::FileError> {
        emit(&Event::RunStarted { cells: wanted.cells, vectors: wanted.vectors.len() });
        let mut cells = Vec::new();
        for cell in wanted.cells {
            if self.cancelled() {
                break;
            }
            let result = self.run_cell(cell, wanted.vectors, emit)?;
            emit(&Event::CellFinished { result: &result });
            cells.push(result);
        }
        let result = RunResult { cells, interrupted: self.cancelled() };
        emit(&Event::RunFinished { result: &result });
        Ok(result)
    }

    fn cancelled(&self) -> bool {
        self.cancel.load(Ordering::SeqCst)
    }

    fn run_cell(
        &self,
        cell: &Cell,
        vectors: &[Vector],
        emit: &mut dyn FnMut(&Event<'_>),
    ) -> Result<CellResult, crate::file::FileError> {
        let started = Instant::now();
        emit(&Event::CellStarted { cell });
        let mut result = CellResult {
            cell: cell.clone(),
            status: CellStatus::Passed,
            facts: Vec::new(),
            vectors: Vec::new(),
            duration: std::time::Duration::ZERO,
        };
        let opened = (self.open)(cell, &mut |stage, bytes| emit(&Event::Stage { cell, stage, bytes }));
        match opened {
            Ok(mut target) => {
                emit(&Event::Stage { cell, stage: "run vectors", bytes: None });
                result.facts = target.facts().lines.clone();
                let lost = self.run_vectors(cell, target.as_mut(), vectors, &mut result.vectors, emit)?;
                result.status = match lost {
                    Some(reason) => CellStatus::GuestFailed(reason),
                    None => CellResult::status_of(&result.vectors),
                };
            }
            Err(OpenError::NotHere { reason, remedy }) => {
                result.status = CellStatus::NotRun { reason, remedy };
            }
            Err(OpenError::Build(reason)) => result.status = CellStatus::BuildFailed(reason),
            Err(OpenError::Guest(reason)) => result.status = CellStatus::GuestFailed(reason),
            Err(OpenError::Interrupted) => result.status = interrupted(),
        }
        result.duration = started.elapsed();
        Ok(result)
    }

    /// Runs the vectors that apply. The reason if the target was lost.
    fn run_vectors(
        &self,
        cell: &Cell,
        target: &mut dyn Target,
        vectors: &[Vector],
        results: &mut Vec<VectorResult>,
        emit: &mut dyn FnMut(&Event<'_>),
    ) -> Result<Option<String>, crate::file::FileError> {
        let mut applicable = Vec::new();
        for vector in vectors {
            match mismatch(vector, target.facts()) {
                None => applicable.push(vector),
                Some(reason) => {
                    let result = not_run(vector, reason);
                    emit(&Event::VectorFinished { cell, result: &result });
                    results.push(result);
                }
            }
        }
        // Goldens are read before anything is sent: a file that cannot be used must not cost a boot's work.
        for vector in &applicable {
            self.goldens.find(layers(cell.profile), &vector.id)?;
        }
        let mut raw = RawFile::create(self.raw.as_deref(), cell)?;
        let mut failed = None;
        let mut ended = HashSet::new();
        let run = converse(target, &applicable, &mut |conversation: Conversation<'_>| {
            ended.insert(conversation.vector.id.clone());
            let judged = raw.append(&conversation).and_then(|()| self.judge(cell, &conversation));
            match judged {
                Ok(result) => {
                    emit(&Event::VectorFinished { cell, result: &result });
                    results.push(result);
                }
                Err(error) => failed = failed.take().or(Some(error)),
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let reason = match run {
            Ok(()) => "the target ended without a word about it".to_owned(),
            Err(ConversationError::Vector(error)) => return Err(error),
            Err(ConversationError::Target(error)) => error.to_string(),
        };
        let left: Vec<_> = applicable.iter().filter(|vector| !ended.contains(&vector.id)).collect();
        for vector in &left {
            let result = not_run(vector, "the guest was lost before its turn was over".into());
            emit(&Event::VectorFinished { cell, result: &result });
            results.push(result);
        }
        Ok(if left.is_empty() { None } else { Some(reason) })
    }

    fn judge(
        &self,
        cell: &Cell,
        conversation: &Conversation<'_>,
    ) -> Result<VectorResult, crate::file::FileError> {
        let vector = conversation.vector;
        let mut result = VectorResult {
            id: vector.id.clone(),
            outcome: Outcome::NoGolden,
            duration: conversation.duration,
            observed: None,
            golden_layer: None,
        };
        if let Some((step, lossy)) = conversation.trace.loss() {
            let place = step.map_or(String::new(), |step| format!("step {step}: "));
            result.outcome = Outcome::Inconclusive(format!("{place}{lossy}"));
            return Ok(result);
        }
        if let Some(found) = self.goldens.find(layers(cell.profile), &vector.id)? {
            result.outcome = match compare(&found.golden.body, &conversation.trace.to_text()) {
                None => Outcome::Passed,
                Some(divergence) => Outcome::Failed(divergence),
            };
            result.observed = Some(found.golden.origins.iter().any(|origin| vouches(origin, cell)));
            result.golden_layer = Some(found.layer);
        }
        Ok(result)
    }
}

/// Whether an origin is an observation of the cell's own release; for the simulator, of a release of the
/// profile that it plays.
fn vouches(origin: &Origin, cell: &Cell) -> bool {
    let Origin::Observed { release, osreldate, .. } = origin else { return false };
    match &cell.release {
        Some(own) => own == release,
        None => profile_of(*osreldate) == Some(cell.profile),
    }
}

fn not_run(vector: &Vector, reason: String) -> VectorResult {
    VectorResult {
        id: vector.id.clone(),
        outcome: Outcome::NotRun(reason),
        duration: std::time::Duration::ZERO,
        observed: None,
        golden_layer: None,
    }
}

fn interrupted() -> CellStatus {
    CellStatus::NotRun { reason: TargetError::Interrupted.to_string(), remedy: "run it again".into() }
}
