// SPDX-License-Identifier: BSD-2-Clause
//! Distribution of work: the cells that wait, and for each running cell the vectors that nobody has taken yet. Both are
//! known here by their positions in the run.
//!
//! A worker begins a cell while there is one. One that finds none joins a cell that runs, with a further guest of it, if
//! enough is left there: an emulated guest keeps one processor busy, and the others would idle. A cell's guests take
//! shares of what is left until nothing is, and what an unopened or lost guest did not run was never taken or is put back.
//!
//! Vectors in which a guest may be lost come first, one at a time, in guests that run nothing else; several such guests run
//! side by side.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::remaining::Remaining;

/// What a worker does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// Begins the cell with this index, as its guest 1.
    Begin(usize),
    /// Opens a further guest of the cell with this index.
    Join {
        /// Index of the cell.
        cell: usize,
        /// The guest's number, from 2.
        guest: usize,
    },
}

/// The next step for a guest's place when it has run its share.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WorkerFate {
    /// A fresh guest goes on, alone in its cell.
    Alone,
    /// A fresh guest goes on beside others.
    Beside,
    /// Others finish the cell.
    Out,
    /// The last guest of the cell has gone. What nobody will run.
    Last(Vec<usize>),
}

#[derive(Default)]
struct State {
    waiting: VecDeque<usize>,
    /// What is left of each cell that runs.
    running: BTreeMap<usize, Remaining>,
    /// Workers that wait for something to do.
    idle: usize,
    stopped: bool,
}

impl State {
    /// What is left of a cell, unless nothing is taken from it any more.
    fn taken_from(&mut self, cell: usize) -> Option<&mut Remaining> {
        let stopped = self.stopped;
        self.running.get_mut(&cell).filter(|running| !running.given_up && !stopped)
    }
}

/// Where workers find their work.
pub(super) struct WorkQueue {
    state: Mutex<State>,
    changed: Notify,
    workers: usize,
}

impl WorkQueue {
    /// Cells by their indices, in the order in which they are begun.
    pub(super) fn new(cells: impl IntoIterator<Item = usize>, workers: usize) -> Self {
        let state = State { waiting: cells.into_iter().collect(), ..State::default() };
        Self { state: Mutex::new(state), changed: Notify::new(), workers }
    }

    /// What the calling worker does next; waits while that depends on others. `None`: there is nothing more to do, or the
    /// run was cancelled.
    pub(super) async fn next(&self, cancel: &CancellationToken) -> Option<Work> {
        let mut idle = false;
        loop {
            // Before the look: what changes after it is told.
            let changed = self.changed.notified();
            if cancel.is_cancelled() {
                return None;
            }
            match self.look(&mut idle) {
                Look::Work(work) => return Some(work),
                Look::Over => return None,
                Look::Wait => {}
            }
            tokio::select! {
                () = changed => {}
                () = cancel.cancelled() => {}
            }
        }
    }

    /// `idle`: the worker is counted as one that waits.
    fn look(&self, idle: &mut bool) -> Look {
        let mut state = self.lock();
        state.idle -= usize::from(std::mem::take(idle));
        if state.stopped {
            return Look::Over;
        }
        if let Some(cell) = state.waiting.pop_front() {
            state.running.entry(cell).or_default().guests.insert(1);
            return Look::Work(Work::Begin(cell));
        }
        let worth = |running: &&mut Remaining| running.worth(running.guests.len() + 1);
        let most = state.running.iter_mut().map(|(cell, running)| (*cell, running));
        let most = most.filter(|(_, running)| worth(running)).max_by_key(|(_, running)| running.left.len());
        if let Some((cell, running)) = most {
            // Numbers are taken again: they name files.
            let guest = (1..).find(|guest| !running.guests.contains(guest)).unwrap_or(usize::MAX);
            running.guests.insert(guest);
            return Look::Work(Work::Join { cell, guest });
        }
        if state.running.is_empty() {
            return Look::Over;
        }
        state.idle += 1;
        *idle = true;
        Look::Wait
    }

    /// Registers the vectors of a cell that has begun, and those to run apart from the rest.
    pub(super) fn fill(&self, cell: usize, vectors: Vec<usize>, apart: Vec<usize>) {
        self.change(cell, |running| {
            running.left = vectors.into();
            running.apart = apart.into();
        });
    }

    /// Says whether further guests of a cell can be had.
    pub(super) fn open_to_more(&self, cell: usize, open: bool) {
        self.change(cell, |running| running.open = open);
    }

    /// Takes the next share for a guest that can run `room` vectors; `whole`: each guest shall take one share only. None:
    /// nothing is left for it.
    pub(super) fn take(&self, cell: usize, room: usize, whole: bool) -> Vec<usize> {
        let mut state = self.lock();
        let idle = state.idle;
        let running = state.taken_from(cell);
        running.map_or(Vec::new(), |running| {
            let share = running.share(idle, self.workers > 1, whole);
            running.left.drain(..share.min(room)).collect()
        })
    }

    /// Takes one of the vectors that run apart, for a guest that has run none of the others and will not.
    pub(super) fn take_apart(&self, cell: usize) -> Option<usize> {
        self.lock().taken_from(cell)?.apart.pop_front()
    }

    /// Puts back what a lost guest did not run, in front of the others.
    pub(super) fn put_back(&self, cell: usize, vectors: &[usize]) {
        self.change(cell, |running| {
            for vector in vectors.iter().rev() {
                running.left.push_front(*vector);
            }
        });
    }

    /// Nothing more is taken in a cell.
    pub(super) fn give_up(&self, cell: usize) {
        self.change(cell, |running| running.given_up = true);
    }

    /// What becomes of a guest's place. Until [`WorkQueue::open_to_more`] says so, nobody joins one that goes on alone: it may have
    /// to be booted, and once is enough.
    pub(super) fn after(&self, cell: usize, guest: usize) -> WorkerFate {
        let mut state = self.lock();
        let stopped = state.stopped;
        let Some(running) = state.running.get_mut(&cell) else { return WorkerFate::Out };
        let empty = running.left.is_empty() && running.apart.is_empty();
        let ends = running.given_up || stopped || empty;
        let alone = running.guests.len() <= 1;
        if !ends && alone {
            running.open = false;
            return WorkerFate::Alone;
        }
        if !ends && running.worth(running.guests.len()) {
            return WorkerFate::Beside;
        }
        running.guests.remove(&guest);
        let after = if running.guests.is_empty() {
            let left = state.running.remove(&cell);
            let left = left.map(|running| running.left.into_iter().chain(running.apart).collect());
            WorkerFate::Last(left.unwrap_or_default())
        } else {
            WorkerFate::Out
        };
        self.changed.notify_waiters();
        after
    }

    /// Tells every worker that nothing is left to do.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_waiters();
    }

    /// Stops everything if the worker that holds it panics: others would wait for it for ever.
    pub(super) fn watch(&self) -> Watched<'_> {
        Watched(self)
    }

    fn change(&self, cell: usize, change: impl FnOnce(&mut Remaining)) {
        if let Some(running) = self.lock().running.get_mut(&cell) {
            change(running);
        }
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What is changed under the lock is changed whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a look for work came to.
enum Look {
    Work(Work),
    /// Others decide whether there will be any.
    Wait,
    Over,
}

/// A view of the queue for one cell (see [`WorkQueue::watch`]).
pub(super) struct Watched<'b>(&'b WorkQueue);

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
        }
    }
}

#[cfg(test)]
mod tests {
    use nlproof_guest::Tasks;

    use super::*;

    fn queue(cells: usize, workers: usize) -> WorkQueue {
        WorkQueue::new(0..cells, workers)
    }

    fn next(queue: &WorkQueue) -> Option<Work> {
        Tasks::start().unwrap().drive(queue.next(&CancellationToken::new()))
    }

    /// One that runs, with so many vectors.
    fn running(workers: usize, vectors: usize) -> WorkQueue {
        let queue = queue(1, workers);
        assert_eq!(next(&queue), Some(Work::Begin(0)));
        queue.fill(0, (0..vectors).collect(), vec![]);
        queue.open_to_more(0, true);
        queue
    }

    #[test]
    fn one_worker_takes_everything_at_once() {
        let queue = running(1, 300);
        assert_eq!(queue.take(0, 256, false), (0..256).collect::<Vec<_>>());
        assert_eq!(queue.take(0, usize::MAX, false), (256..300).collect::<Vec<_>>());
        assert_eq!(queue.take(0, 1, false), [0; 0]);
        assert_eq!(queue.after(0, 1), WorkerFate::Last(vec![]));
        assert_eq!(next(&queue), None);
    }

    #[test]
    fn cells_are_begun_before_one_is_shared_and_the_fullest_is_shared_first() {
        let queue = queue(3, 4);
        for cell in 0..3 {
            assert_eq!(next(&queue), Some(Work::Begin(cell)));
        }
        queue.fill(0, (0..100).collect(), vec![]);
        queue.fill(1, (0..200).collect(), vec![]);
        queue.fill(2, (0..300).collect(), vec![]);
        queue.open_to_more(0, true);
        queue.open_to_more(1, true);
        assert_eq!(next(&queue), Some(Work::Join { cell: 1, guest: 2 }));
        assert_eq!(next(&queue), Some(Work::Join { cell: 1, guest: 3 }));
        queue.open_to_more(2, true);
        assert_eq!(next(&queue), Some(Work::Join { cell: 2, guest: 2 }));
        // A number is given again when its guest has gone.
        queue.give_up(2);
        assert_eq!(queue.after(1, 2), WorkerFate::Beside);
        while !queue.take(1, 256, false).is_empty() {}
        assert_eq!(queue.after(1, 2), WorkerFate::Out);
    }

    #[test]
    fn shares_of_guests_side_by_side_become_smaller_and_lose_nothing() {
        let queue = running(2, 250);
        assert_eq!(next(&queue), Some(Work::Join { cell: 0, guest: 2 }));
        let (mut sizes, mut all) = (Vec::new(), Vec::new());
        loop {
            let share = queue.take(0, 256, false);
            if share.is_empty() {
                break;
            }
            sizes.push(share.len());
            all.extend(share);
        }
        assert_eq!(sizes[0], 63);
        assert!(sizes.is_sorted_by(|one, next| one >= next), "{sizes:?}");
        assert_eq!(all, (0..250).collect::<Vec<_>>());
        // Those that dtrace(1) follows are taken in one share each: to begin and to end that costs seconds.
        let queue = running(2, 250);
        next(&queue);
        assert_eq!([queue.take(0, 256, true).len(), queue.take(0, 125, true).len()], [125, 63]);
    }

    #[test]
    fn what_is_put_back_comes_first_and_the_last_guest_runs_it() {
        let queue = running(2, 100);
        next(&queue);
        let share = queue.take(0, 256, false);
        queue.take(0, 256, false);
        while !queue.take(0, 256, false).is_empty() {}
        queue.put_back(0, &share[1..3]);
        assert_eq!(queue.after(0, 1), WorkerFate::Out);
        assert_eq!(queue.after(0, 2), WorkerFate::Alone);
        // It may be booted: nobody joins it until it is there.
        queue.put_back(0, &(0..90).collect::<Vec<_>>());
        assert_eq!(queue.after(0, 2), WorkerFate::Alone);
        queue.give_up(0);
        assert_eq!(queue.take(0, 256, false), [0; 0]);
        let WorkerFate::Last(left) = queue.after(0, 2) else { panic!() };
        assert_eq!(left.len(), 92);
        assert_eq!(left[90..], share[1..3]);
    }

    #[test]
    fn what_is_run_apart_is_left_for_fresh_guests_and_told_when_nobody_runs_it() {
        let queue = running(2, 100);
        queue.fill(0, (0..100).collect(), vec![100, 101, 102]);
        next(&queue);
        while !queue.take(0, 256, false).is_empty() {}
        // Both guests are followed by fresh ones, of which each may be lost.
        assert_eq!(queue.after(0, 2), WorkerFate::Beside);
        assert_eq!(queue.after(0, 1), WorkerFate::Beside);
        assert_eq!(queue.take(0, 256, false), [0; 0]);
        assert_eq!(queue.take_apart(0), Some(100));
        assert_eq!(queue.take_apart(0), Some(101));
        assert_eq!(queue.after(0, 1), WorkerFate::Beside);
        queue.give_up(0);
        assert_eq!(queue.take_apart(0), None);
        assert_eq!(queue.after(0, 1), WorkerFate::Out);
        assert_eq!(queue.after(0, 2), WorkerFate::Last(vec![102]));
    }

    #[test]
    fn a_worker_joins_for_a_vector_that_runs_apart_while_another_guest_is_busy_with_one() {
        let queue = queue(1, 3);
        assert_eq!(next(&queue), Some(Work::Begin(0)));
        queue.fill(0, vec![], vec![0, 1]);
        assert_eq!(queue.take_apart(0), Some(0));
        // Not while the first guest may still have to be booted.
        queue.open_to_more(0, true);
        assert_eq!(next(&queue), Some(Work::Join { cell: 0, guest: 2 }));
        assert_eq!(queue.take_apart(0), Some(1));
        assert_eq!(queue.after(0, 2), WorkerFate::Out);
        assert_eq!(queue.after(0, 1), WorkerFate::Last(vec![]));
        assert_eq!(next(&queue), None);
    }

    #[test]
    fn a_worker_that_panics_keeps_nobody_waiting() {
        let queue = running(2, 10);
        let waited = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| next(&queue));
            let panicked = scope.spawn(|| {
                let _watched = queue.watch();
                std::panic::resume_unwind(Box::new("a worker"));
            });
            assert!(panicked.join().is_err());
            waiting.join().unwrap()
        });
        assert_eq!(waited, None);
        assert_eq!(queue.take(0, 10, false), [0; 0]);
        assert_eq!(next(&queue), None);
    }
}
