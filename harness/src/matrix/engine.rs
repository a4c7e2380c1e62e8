// SPDX-License-Identifier: BSD-2-Clause
//! The engine: opens each cell's target, runs the vectors, compares, and tells the stream of events.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use super::cell::{Cell, ModuleKind};
use super::conversation::{Conversation, ConversationError, converse, mismatch};
use super::event::Event;
use super::outcome::{CellResult, CellStatus, Outcome, RunResult, VectorResult, VectorsOfRun};
use super::raw::RawFile;
use crate::file::FileError;
use crate::golden::{Divergences, Found, Store, compare, layers};
use crate::target::{OnStage, OpenError, Target, TargetError};
use crate::vector::Vector;

/// Opens the target of a cell.
pub type Opener<'a> = dyn Fn(&Cell, &mut OnStage<'_>) -> Result<Box<dyn Target>, OpenError> + Sync + 'a;

/// Hears the stream of events. Cells that run side by side take turns.
pub type Emit<'a> = dyn FnMut(&Event<'_>) + Send + 'a;

/// What to run.
pub struct Wanted<'a> {
    /// The cells, in order.
    pub cells: &'a [Cell],
    /// The vectors, in order.
    pub vectors: &'a [Vector],
    /// Which vectors these are, for the report.
    pub about: VectorsOfRun,
}

/// Runs cells.
pub struct Engine<'a> {
    /// Opens targets.
    pub open: &'a Opener<'a>,
    /// The goldens.
    pub goldens: &'a Store,
    /// Where the Rust-backed module deviates from the goldens on purpose.
    pub divergences: &'a Divergences,
    /// Where raw traces go, if anywhere.
    pub raw: Option<PathBuf>,
    /// How many cells run side by side at most.
    pub jobs: NonZeroUsize,
    /// Set when the user interrupts.
    pub cancel: &'a AtomicBool,
}

impl Engine<'_> {
    /// Runs every cell, at most `jobs` of them side by side.
    ///
    /// # Errors
    /// A golden or a vector cannot be used: input files are wrong, and no further cell is begun.
    pub fn run(&self, wanted: &Wanted<'_>, emit: &mut Emit<'_>) -> Result<RunResult, FileError> {
        emit(&Event::RunStarted { cells: wanted.cells, vectors: wanted.vectors.len() });
        let emit = Mutex::new(emit);
        let next = AtomicUsize::new(0);
        let refused = Mutex::new(None);
        let results: Vec<OnceLock<CellResult>> = wanted.cells.iter().map(|_| OnceLock::new()).collect();
        let worker = || {
            while !self.cancelled() && lock(&refused).is_none() {
                let index = next.fetch_add(1, Ordering::SeqCst);
                let (Some(cell), Some(slot)) = (wanted.cells.get(index), results.get(index)) else { return };
                let say = |event: &Event<'_>| (lock(&emit))(event);
                match self.run_cell(cell, wanted.vectors, &say) {
                    Ok(result) => {
                        say(&Event::CellFinished { result: &result });
                        // Each index is taken once.
                        slot.get_or_init(|| result);
                    }
                    Err(error) => {
                        lock(&refused).get_or_insert(error);
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.get().min(wanted.cells.len()) {
                scope.spawn(worker);
            }
        });
        if let Some(error) = lock(&refused).take() {
            return Err(error);
        }
        let cells = results.into_iter().filter_map(OnceLock::into_inner).collect();
        let result = RunResult {
            cells,
            interrupted: self.cancelled(),
            vectors: wanted.about.clone(),
            missing: Vec::new(),
        };
        (lock(&emit))(&Event::RunFinished { result: &result });
        Ok(result)
    }

    fn cancelled(&self) -> bool {
        self.cancel.load(Ordering::SeqCst)
    }

    fn run_cell(
        &self,
        cell: &Cell,
        vectors: &[Vector],
        emit: &dyn Fn(&Event<'_>),
    ) -> Result<CellResult, FileError> {
        let started = Instant::now();
        emit(&Event::CellStarted { cell });
        let mut result = CellResult {
            cell: cell.clone(),
            status: CellStatus::Passed,
            fallbacks: 0,
            facts: Vec::new(),
            vectors: Vec::new(),
            duration: std::time::Duration::ZERO,
        };
        let opened = (self.open)(cell, &mut |stage, bytes| emit(&Event::Stage { cell, stage, bytes }));
        match opened {
            Ok(mut target) => {
                emit(&Event::Stage { cell, stage: "run vectors", bytes: None });
                result.fallbacks = target.facts().fallbacks;
                result.facts = target.facts().lines.clone();
                let lost = self.run_vectors(cell, target.as_mut(), vectors, &mut result.vectors, emit)?;
                result.status = match lost {
                    Some(reason) => CellStatus::GuestFailed(reason),
                    None => {
                        let finish = target.finish();
                        result.facts.extend(finish.lines);
                        if let Some(text) = &finish.note {
                            emit(&Event::Note { cell, text });
                        }
                        match finish.complaints.is_empty() {
                            true => CellResult::status_of(&result.vectors),
                            false => CellStatus::ModuleFailed(finish.complaints.join("; ")),
                        }
                    }
                };
            }
            Err(OpenError::NotHere { reason, remedy }) => {
                result.status = CellStatus::NotRun { reason, remedy };
            }
            Err(OpenError::Build(reason)) => result.status = CellStatus::BuildFailed(reason),
            Err(OpenError::Refused(reason)) => result.status = CellStatus::Refused(reason),
            Err(OpenError::Load(reason)) => result.status = CellStatus::LoadFailed(reason),
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
        emit: &dyn Fn(&Event<'_>),
    ) -> Result<Option<String>, FileError> {
        let mut applicable = Vec::new();
        for vector in vectors {
            match cell.leaves_out(&vector.id).or_else(|| mismatch(vector, target.facts())) {
                None => applicable.push(vector),
                Some(reason) => {
                    let result = not_run(vector, reason);
                    emit(&Event::VectorFinished { cell, result: &result });
                    results.push(result);
                }
            }
        }
        // Goldens are read before anything is sent: a file that cannot be used must not cost a boot's work.
        let mut goldens = HashMap::new();
        for vector in &applicable {
            let mut golden = self.goldens.find(layers(cell.profile), &vector.id)?;
            if cell.module == ModuleKind::Rust {
                golden = golden.map(|found| self.divergences.apply(cell.profile, found)).transpose()?;
            }
            goldens.insert(&vector.id, golden);
        }
        let mut raw = RawFile::create(self.raw.as_deref(), cell)?;
        let mut failed = None;
        let mut ended = HashSet::new();
        let run = converse(target, &applicable, &mut |conversation: Conversation<'_>| {
            ended.insert(conversation.vector.id.clone());
            let golden = goldens.remove(&conversation.vector.id).flatten();
            match raw.append(&conversation) {
                Ok(()) => {
                    let result = judge(cell, &conversation, golden);
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
}

/// Compares a vector's trace with the golden that holds for it.
fn judge(cell: &Cell, conversation: &Conversation<'_>, golden: Option<Found>) -> VectorResult {
    let mut result = VectorResult {
        id: conversation.vector.id.clone(),
        outcome: Outcome::NoGolden,
        duration: conversation.duration,
        observed: None,
        golden_layer: None,
    };
    if let Some((step, lossy)) = conversation.trace.loss() {
        let place = step.map_or(String::new(), |step| format!("step {step}: "));
        result.outcome = Outcome::Inconclusive(format!("{place}{lossy}"));
    } else if let Some(found) = golden {
        result.outcome = match compare(&found.golden.body, &conversation.trace.to_text()) {
            None => Outcome::Passed,
            Some(divergence) => Outcome::Failed(divergence),
        };
        result.observed = Some(cell.observed(&found.golden.origins));
        result.golden_layer = Some(found.layer);
    }
    result
}

/// A lock whose holder panicked still guards what it guards; the panic itself ends the run.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
