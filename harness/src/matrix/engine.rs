// SPDX-License-Identifier: BSD-2-Clause
//! The engine: opens targets of cells, has vectors run in them, and tells the stream of events.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use nlproof_guest::Tasks;

use super::blame::{Ended, is_open, told};
use super::cell::Cell;
use super::dtrace_session::DtraceSession;
use super::event::Event;
use super::guest_file_name::GuestFileName;
use super::interruption::Interruption;
use super::judge::stated;
use super::outcome::{CellResult, CellStatus, Outcome, RunResult, VectorResult, VectorsOfRun};
use super::remaining::MIN_VECTORS_PER_GUEST;
use super::running::RunningCell;
use super::timings::Timings;
use super::vector_run::mismatch;
use super::work_queue::{Work, WorkQueue, WorkerFate};
use crate::file::FileError;
use crate::golden::{Divergences, Store};
use crate::targets::{OnStage, OpenError, Target, TargetError};
use crate::vector::Vector;

/// Number of lost guests after which a cell is given up: each costs some seconds, and more would tell the same.
pub(crate) const LOSSES: usize = 8;

/// Which target of a cell is wanted.
#[derive(Debug, Clone, Copy)]
pub struct GuestRequest<'a> {
    /// The cell that the guest belongs to.
    pub cell: &'a Cell,
    /// The number of the guest, from 1: guests of one cell that run side by side have different ones.
    pub number: usize,
    /// Other guests of the cell run already, so this one comes from a saved state or not at all.
    pub restore_only: bool,
}

impl<'a> GuestRequest<'a> {
    /// The request for the first guest of a cell, or for the only one.
    pub fn first(cell: &'a Cell) -> Self {
        Self { cell, number: 1, restore_only: false }
    }

    /// What files about this guest begin with: `freebsd-14.0-STABLE-stock`, `freebsd-14.0-STABLE-stock.guest2`.
    pub fn file_name(self) -> GuestFileName {
        GuestFileName { cell: self.cell.file_name(), guest: self.number }
    }
}

/// Opens a target.
pub type Opener<'a> =
    dyn Fn(GuestRequest<'_>, &mut OnStage<'_>) -> Result<Box<dyn Target>, OpenError> + Sync + 'a;

/// Hears the stream of events. Guests that run side by side take turns.
pub type Emit<'a> = dyn FnMut(&Event<'_>) + Send + 'a;

/// What to run.
pub struct RunRequest<'a> {
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
    /// How many targets there are side by side at most, of different cells or of one.
    pub jobs: NonZeroUsize,
    /// The runtime on which targets and work are waited for, and the token that interrupts the run.
    pub tasks: &'a Tasks,
}

/// A worker's task in a cell: one guest after another.
struct CellWorker<'a> {
    queue: &'a WorkQueue,
    running: &'a RunningCell<'a>,
    vectors: &'a [Vector],
    cell: usize,
    guest: usize,
}

impl Engine<'_> {
    /// Runs every cell, with at most `jobs` targets side by side: one a cell, and more of a cell that can share them when
    /// no other waits.
    ///
    /// # Errors
    /// A golden or a vector cannot be used: input files are wrong, and no further share of vectors is begun.
    pub fn run(&self, request: &RunRequest<'_>, emit: &mut Emit<'_>) -> Result<RunResult, FileError> {
        emit(&Event::RunStarted { cells: request.cells, vectors: request.vectors.len() });
        let emit = Mutex::new(emit);
        let say = |event: &Event<'_>| (lock(&emit))(event);
        let queue = WorkQueue::new(self.timings.order(request.cells), self.jobs.get());
        let refused = Mutex::new(None);
        let begun: Vec<OnceLock<RunningCell<'_>>> = request.cells.iter().map(|_| OnceLock::new()).collect();
        let results: Vec<OnceLock<CellResult>> = request.cells.iter().map(|_| OnceLock::new()).collect();
        let finish = |(cell, result): (usize, CellResult)| {
            say(&Event::CellFinished { result: &result });
            // A cell has one last guest.
            if let Some(slot) = results.get(cell) {
                slot.get_or_init(|| result);
            }
        };
        let ended = Ended::none_of(request.cells);
        // More could never find anything to do.
        let apart = request.vectors.iter().filter(|vector| !vector.losses.is_empty()).count();
        let most = request.cells.len() * (1 + request.vectors.len() / MIN_VECTORS_PER_GUEST + apart);
        let worker = || {
            let _watched = queue.watch();
            while let Some(work) = self.tasks.drive(queue.next(self.tasks.cancel())) {
                let (cell, guest) = match work {
                    Work::Begin(cell) => (cell, 1),
                    Work::Join { cell, guest } => (cell, guest),
                };
                let (Some(about), Some(running)) = (request.cells.get(cell), begun.get(cell)) else { return };
                let running = running.get_or_init(|| RunningCell::begin(about, &say));
                let worker = CellWorker { queue: &queue, running, vectors: request.vectors, cell, guest };
                match self.work_on_cell(&worker, matches!(work, Work::Begin(_))) {
                    Ok(None) => {}
                    Ok(Some(result)) => {
                        if is_open(&result) {
                            running.note(&format!(
                                "its kernel complains of something: {}",
                                told(&result.complaints)
                            ));
                        }
                        ended.end(cell, result).into_iter().for_each(&finish);
                    }
                    Err(error) => {
                        queue.stop();
                        lock(&refused).get_or_insert(error);
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.get().min(most) {
                scope.spawn(worker);
            }
        });
        if let Some(error) = lock(&refused).take() {
            return Err(error);
        }
        ended.rest().into_iter().for_each(finish);
        let cells = results.into_iter().filter_map(OnceLock::into_inner).collect();
        let result = RunResult {
            cells,
            interrupted: self.cancelled(),
            vectors: request.about.clone(),
            missing: Vec::new(),
            atf: Vec::new(),
        };
        say(&Event::RunFinished { result: &result });
        Ok(result)
    }

    fn cancelled(&self) -> bool {
        self.tasks.is_cancelled()
    }

    /// Whether dtrace(1) follows this cell.
    pub(super) fn follows(&self, cell: &Cell) -> bool {
        self.follow_stock && DtraceSession::applies(cell)
    }

    /// Opens one guest after the other and runs what they can take, until nothing is left for them. The cell's result, if
    /// this was its last guest.
    fn work_on_cell(&self, worker: &CellWorker<'_>, first: bool) -> Result<Option<CellResult>, FileError> {
        let CellWorker { queue, running, cell, guest, .. } = *worker;
        let began = Instant::now();
        let (mut first, mut beside) = (first, !first);
        let left = loop {
            let request = GuestRequest { cell: running.cell, number: guest, restore_only: beside };
            if beside {
                running.stage(&format!("restore guest {guest} beside"), None);
            }
            let opened = (self.open)(request, &mut |stage, bytes| {
                // What a guest beside others does is no news of the cell.
                if !beside {
                    running.stage(stage, bytes);
                }
            });
            match opened {
                Ok(mut target) => {
                    if std::mem::take(&mut first) {
                        running.opened_first(target.as_ref(), self.raw.as_deref());
                        let (together, apart) = self.applicable(worker, target.as_ref());
                        queue.fill(cell, together, apart);
                    } else {
                        running.opened(target.as_ref());
                    }
                    if !beside {
                        queue.open_to_more(cell, target.facts().stacks.is_some());
                    }
                    running.stage("run vectors", None);
                    self.use_up(worker, target.as_mut())?;
                }
                // Nothing was taken for it: the others run what it would have.
                Err(error) if beside => {
                    queue.open_to_more(cell, false);
                    if !matches!(error, OpenError::Interrupted) {
                        running.note(&format!("no guest {guest} beside: {error}"));
                    }
                }
                Err(error) => {
                    queue.give_up(cell);
                    running.end(not_opened(error));
                }
            }
            match queue.after(cell, guest) {
                WorkerFate::Alone => beside = false,
                WorkerFate::Beside => beside = true,
                WorkerFate::Out => break None,
                WorkerFate::Last(left) => break Some(left),
            }
        };
        running.leave(began.elapsed());
        left.map(|left| running.result(worker.vectors_at(&left))).transpose()
    }

    /// Places of the vectors that apply, and of those that are run apart from them because they state that guests are lost;
    /// the others get their results.
    fn applicable(&self, worker: &CellWorker<'_>, target: &dyn Target) -> (Vec<usize>, Vec<usize>) {
        let running = worker.running;
        let (mut together, mut apart) = (Vec::new(), Vec::new());
        for (place, vector) in worker.vectors.iter().enumerate() {
            match running.cell.leaves_out(&vector.id).or_else(|| mismatch(vector, target.facts())) {
                None if vector.losses.is_empty() => together.push(place),
                None => apart.push(place),
                Some(reason) => {
                    let result = VectorResult::without(&vector.id, Outcome::NotRun(reason));
                    running.leave_out(place, result);
                }
            }
        }
        (together, apart)
    }

    /// Has a target run what it can take.
    fn use_up(&self, worker: &CellWorker<'_>, target: &mut dyn Target) -> Result<(), FileError> {
        let CellWorker { queue, running, cell, guest, .. } = *worker;
        let mut room = target.facts().stacks.map_or(usize::MAX, |stacks| stacks.max(1));
        let mut ran = false;
        // First, so that a cell does not end with one guest that hangs while nobody else has anything to do.
        while room > 0
            && let Some(place) = queue.take_apart(cell)
            && let Some(vector) = worker.vectors.get(place)
        {
            room -= 1;
            ran = true;
            running.takes(guest);
            if let Some(interruption) = self.run_apart(running, target, (place, vector))? {
                self.interrupted(worker, interruption);
                return Ok(());
            }
        }
        let ran_apart = ran;
        // The others want a guest in which nothing of the kind was tried.
        while room > 0 && !ran_apart {
            let share = queue.take(cell, room, self.follows(running.cell));
            if share.is_empty() {
                break;
            }
            room -= share.len();
            ran = true;
            running.takes(guest);
            let share: Vec<_> = worker.vectors_at(&share).collect();
            if let Some(interruption) = self.run_share(running, target, &share)? {
                self.interrupted(worker, interruption);
                return Ok(());
            }
        }
        // One that was asked nothing has nothing to tell.
        if ran {
            running.finished(target.finish());
        }
        Ok(())
    }

    /// Handles a lost target: the loss belongs to its first vector that did not end. The others go on in fresh ones, if
    /// that can be.
    fn interrupted(&self, worker: &CellWorker<'_>, Interruption { left, loss }: Interruption) {
        let CellWorker { queue, running, cell, .. } = *worker;
        let reason = match (loss, worker.vectors_at(&left).next()) {
            (Ok(loss), Some(culprit)) => {
                let left = left.get(1..).unwrap_or_default();
                queue.put_back(cell, left);
                if let Some(stated) = stated(running.cell, culprit.1, &loss) {
                    running.lost_as_stated(culprit, stated, loss);
                    return;
                }
                let hopeless = loss.is_the_hosts();
                if running.lost(worker.guest, culprit, loss) < LOSSES && !hopeless && !self.cancelled() {
                    return;
                }
                String::new()
            }
            (Ok(loss), None) => loss.text,
            (Err(why), _) => {
                queue.put_back(cell, &left);
                why.to_string()
            }
        };
        queue.give_up(cell);
        running.end(CellStatus::GuestFailed(reason));
    }
}

impl<'a> CellWorker<'a> {
    /// The vectors at these places.
    fn vectors_at(&self, places: &[usize]) -> impl Iterator<Item = (usize, &'a Vector)> {
        places.iter().filter_map(|place| Some((*place, self.vectors.get(*place)?)))
    }
}

fn not_opened(error: OpenError) -> CellStatus {
    match error {
        OpenError::Unavailable { reason, remedy } => CellStatus::NotRun { reason, remedy },
        OpenError::Build(cause) => CellStatus::BuildFailed(cause.to_string()),
        OpenError::Refused(cause) => CellStatus::Refused(cause.to_string()),
        OpenError::Load(reason) => CellStatus::LoadFailed(reason),
        OpenError::Guest(cause) => CellStatus::GuestFailed(cause.to_string()),
        OpenError::Interrupted => interrupted(),
    }
}

/// A lock whose holder panicked still guards what it guards; the panic itself ends the run.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn interrupted() -> CellStatus {
    CellStatus::NotRun { reason: TargetError::Interrupted.to_string(), remedy: "run it again".into() }
}
