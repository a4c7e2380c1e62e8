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
use super::following::{Following, tell};
use super::judge::judge;
use super::outcome::{CellResult, CellStatus, LostGuest, Outcome, RunResult, VectorResult, VectorsOfRun};
use super::raw::RawFile;
use super::timings::Timings;
use crate::file::FileError;
use crate::golden::{Divergences, Store, layers};
use crate::ktrace::has_golden;
use crate::target::{Finish, Loss, OnStage, OpenError, Target, TargetError};
use crate::vector::Vector;

/// After so many lost guests a cell is given up: each costs some seconds, and more would say the same.
const LOSSES: usize = 8;

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
    /// Have dtrace(1) follow stock code in guests, and look at what it passes.
    pub follow_stock: bool,
    /// Where raw traces go, if anywhere.
    pub raw: Option<PathBuf>,
    /// In which order cells are begun.
    pub timings: &'a Timings,
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
        let order = self.timings.order(wanted.cells);
        let refused = Mutex::new(None);
        let results: Vec<OnceLock<CellResult>> = wanted.cells.iter().map(|_| OnceLock::new()).collect();
        let worker = || {
            while !self.cancelled() && lock(&refused).is_none() {
                let Some(&index) = order.get(next.fetch_add(1, Ordering::SeqCst)) else { return };
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
            losses: Vec::new(),
            facts: Vec::new(),
            vectors: Vec::new(),
            duration: std::time::Duration::ZERO,
        };
        let mut raw = None;
        let mut finish = Finish::default();
        let mut rest: Option<Vec<&Vector>> = None;
        result.status = loop {
            let opened = (self.open)(cell, &mut |stage, bytes| emit(&Event::Stage { cell, stage, bytes }));
            let mut target = match opened {
                Ok(target) => target,
                Err(error) => break not_opened(error),
            };
            result.fallbacks += target.facts().fallbacks;
            let vectors = match rest.take() {
                Some(rest) => rest,
                None => {
                    result.facts = target.facts().lines.clone();
                    self.applicable(cell, target.as_ref(), vectors, &mut result.vectors, emit)
                }
            };
            emit(&Event::Stage { cell, stage: "run vectors", bytes: None });
            let raw = match &mut raw {
                Some(raw) => raw,
                none => none.insert(RawFile::create(self.raw.as_deref(), cell)?),
            };
            let turn = target.facts().stacks.map_or(vectors.len(), |stacks| stacks.max(1));
            let (now, later) = vectors.split_at(turn.min(vectors.len()));
            let interruption = self.run_vectors(cell, target.as_mut(), now, raw, &mut result, emit)?;
            match interruption.map(|it| it.with(later)) {
                None => {
                    finish.join(target.finish());
                    if later.is_empty() {
                        break finished(cell, &finish, &mut result, emit);
                    }
                    rest = Some(later.to_vec());
                }
                Some(Interruption { left, loss: Err(reason) }) => {
                    rest = Some(left);
                    break CellStatus::GuestFailed(reason);
                }
                Some(Interruption { left, loss: Ok(loss) }) => {
                    let Some((culprit, left)) = left.split_first() else {
                        break CellStatus::GuestFailed(loss.text);
                    };
                    let lost = inconclusive(culprit, format!("the guest was lost in it: {}", loss.text));
                    emit(&Event::VectorFinished { cell, result: &lost });
                    result.vectors.push(lost);
                    let text = format!("guest lost in {}: {}", culprit.id, loss.text);
                    emit(&Event::Note { cell, text: &text });
                    result.losses.push(LostGuest { vector: culprit.id.clone(), loss });
                    rest = Some(left.to_vec());
                    if left.is_empty() || result.losses.len() >= LOSSES || self.cancelled() {
                        break CellStatus::GuestFailed(String::new());
                    }
                }
            }
        };
        if let Some(about) = result.about_losses() {
            result.status = CellStatus::GuestFailed(match result.status.failure() {
                Some((_, reason)) if !reason.is_empty() => format!("{about}; then {reason}"),
                _ => about,
            });
        }
        for vector in rest.unwrap_or_default() {
            let left = not_run(vector, "the guest was lost before its turn".into());
            emit(&Event::VectorFinished { cell, result: &left });
            result.vectors.push(left);
        }
        result.duration = started.elapsed();
        Ok(result)
    }

    /// The vectors that apply; the others get their results.
    fn applicable<'v>(
        &self,
        cell: &Cell,
        target: &dyn Target,
        vectors: &'v [Vector],
        results: &mut Vec<VectorResult>,
        emit: &dyn Fn(&Event<'_>),
    ) -> Vec<&'v Vector> {
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
        applicable
    }

    /// Runs vectors. What was left and why, if the target was lost.
    fn run_vectors<'v>(
        &self,
        cell: &Cell,
        target: &mut dyn Target,
        vectors: &[&'v Vector],
        raw: &mut RawFile,
        CellResult { vectors: results, facts, .. }: &mut CellResult,
        emit: &dyn Fn(&Event<'_>),
    ) -> Result<Option<Interruption<'v>>, FileError> {
        // Goldens are read before anything is sent: a file that cannot be used must not cost a boot's work.
        let mut goldens = HashMap::new();
        for vector in vectors {
            let mut golden = self.goldens.find(layers(cell.profile), &vector.id)?;
            if cell.module == ModuleKind::Rust {
                golden = golden.map(|found| self.divergences.apply(cell.profile, found)).transpose()?;
            }
            let kernel = if has_golden(&vector.id) {
                self.goldens.kernel().find(layers(cell.profile), &vector.id)?
            } else {
                None
            };
            goldens.insert(&vector.id, (golden, kernel));
        }
        let mut failed = None;
        let mut ended = HashSet::new();
        let mut end = |conversation: &Conversation<'_>, stock: Option<u32>| {
            let (golden, kernel) = goldens.remove(&conversation.vector.id).unwrap_or_default();
            match raw.append(conversation) {
                Ok(()) => {
                    let result = judge(cell, conversation, golden, kernel, stock);
                    emit(&Event::VectorFinished { cell, result: &result });
                    results.push(result);
                }
                Err(error) => failed = failed.take().or(Some(error)),
            }
        };
        // What dtrace(1) says comes when it ends: what is followed is judged then.
        let mut following = if self.follow_stock && Following::applies(cell) {
            match Following::begin(target) {
                Ok(following) => Some(following),
                Err(TargetError::NoDtrace(reason)) => {
                    tell(facts, &format!("not available: {reason}"));
                    let text = format!("kernel trace: not available: {reason}");
                    emit(&Event::Note { cell, text: &text });
                    None
                }
                Err(error) => return Ok(Some(Interruption { left: vectors.to_vec(), loss: loss_of(error) })),
            }
        } else {
            None
        };
        let mut run = converse(target, vectors, &mut |conversation: Conversation<'_>| {
            ended.insert(conversation.vector.id.clone());
            match &mut following {
                Some(following) => following.hold(conversation),
                None => end(&conversation, None),
            }
        });
        if let Some(following) = following {
            emit(&Event::Stage { cell, stage: "read what dtrace(1) says", bytes: None });
            let followed = following.end(target, run.is_ok());
            for conversation in &followed.conversations {
                end(conversation, Some(followed.major));
            }
            emit(&Event::Note { cell, text: &format!("kernel trace: {}", followed.about) });
            tell(facts, &followed.about);
            if let Some(error) = followed.lost {
                run = run.and(Err(error.into()));
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        let left: Vec<_> = vectors.iter().copied().filter(|vector| !ended.contains(&vector.id)).collect();
        let loss = match run {
            Ok(()) => Err("the target ended without a word about it".to_owned()),
            Err(ConversationError::Vector(error)) => return Err(error),
            Err(ConversationError::Target(error)) => loss_of(error),
        };
        // A guest that was lost after its last vector has done all that was asked of it.
        Ok((!left.is_empty()).then_some(Interruption { left, loss }))
    }
}

/// A guest after which a fresh one may go on, or why none will.
fn loss_of(error: TargetError) -> Result<Loss, String> {
    match error {
        TargetError::Guest(loss) => Ok(loss),
        error => Err(error.to_string()),
    }
}

/// Vectors that did not run to their end.
struct Interruption<'v> {
    /// In their order: the first one ran when the target was lost.
    left: Vec<&'v Vector>,
    /// How the guest was lost, after which a fresh one may go on; or why none will.
    loss: Result<Loss, String>,
}

impl<'v> Interruption<'v> {
    /// The same, with those whose turn had not come.
    fn with(mut self, later: &[&'v Vector]) -> Self {
        self.left.extend(later);
        self
    }
}

/// What is left to say when every vector has run.
fn finished(cell: &Cell, finish: &Finish, result: &mut CellResult, emit: &dyn Fn(&Event<'_>)) -> CellStatus {
    result.facts.extend(finish.report_lines());
    if let Some(text) = &finish.note() {
        emit(&Event::Note { cell, text });
    }
    if finish.complaints.is_empty() {
        // What the lost ones lack is told with their guests.
        let lost = |vector: &VectorResult| result.losses.iter().any(|lost| lost.vector == vector.id);
        let others: Vec<_> = result.vectors.iter().filter(|vector| !lost(vector)).cloned().collect();
        return CellResult::status_of(&others);
    }
    let complaints = finish.complaints.join("; ");
    match cell.module {
        ModuleKind::Rust => CellStatus::ModuleFailed(complaints),
        ModuleKind::Stock => CellStatus::GuestFailed(complaints),
    }
}

fn not_opened(error: OpenError) -> CellStatus {
    match error {
        OpenError::NotHere { reason, remedy } => CellStatus::NotRun { reason, remedy },
        OpenError::Build(reason) => CellStatus::BuildFailed(reason),
        OpenError::Refused(reason) => CellStatus::Refused(reason),
        OpenError::Load(reason) => CellStatus::LoadFailed(reason),
        OpenError::Guest(reason) => CellStatus::GuestFailed(reason),
        OpenError::Interrupted => interrupted(),
    }
}

/// A lock whose holder panicked still guards what it guards; the panic itself ends the run.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn inconclusive(vector: &Vector, reason: String) -> VectorResult {
    VectorResult { outcome: Outcome::Inconclusive(reason.clone()), ..not_run(vector, reason) }
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
