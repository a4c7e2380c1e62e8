// SPDX-License-Identifier: BSD-2-Clause
//! The lanes of a campaign, so many of them at work at a time.

use std::sync::{Mutex, PoisonError};

use super::answer::Answer;
use super::lane::{Lane, LaneError};
use crate::vector::Vector;

/// The lanes.
#[derive(Debug)]
pub struct Crew<'a> {
    lanes: Vec<Lane<'a>>,
    jobs: usize,
}

/// What each side answers to each of the requests that it was asked.
pub type Answers = Vec<Vec<Answer>>;

/// What each side answered to one of the requests.
pub(super) fn answers_at(answers: &Answers, at: usize) -> Vec<Option<&Answer>> {
    answers.iter().map(|side| side.get(at)).collect()
}

/// What a lane has done: its place in the work, its side, and what came of it.
type Done = (usize, usize, Result<Vec<Answer>, LaneError>);

/// What a lane is to do.
struct Work<'l, 'a, 'v> {
    lane: &'l mut Lane<'a>,
    vectors: Vec<&'v Vector>,
}

impl<'a> Crew<'a> {
    /// A crew of these lanes, at most `jobs` at work at a time.
    pub fn new(lanes: Vec<Lane<'a>>, jobs: usize) -> Crew<'a> {
        Crew { lanes, jobs: jobs.max(1) }
    }

    /// Has these sides run the requests; others have no answers. Lanes of one side share them.
    ///
    /// # Errors
    /// A lane cannot go on.
    pub fn run(&mut self, sides: &[usize], vectors: &[Vector]) -> Result<Answers, LaneError> {
        let count = self.lanes.iter().map(|lane| lane.side + 1).max().unwrap_or_default();
        let mut answers: Answers = (0..count).map(|_| Vec::new()).collect();
        let most = self.jobs;
        let work = self.share(sides, vectors);
        let jobs = most.min(work.len());
        let queue = Mutex::new(work.into_iter().enumerate());
        // The queue is free while a lane runs.
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        let done: Mutex<Vec<Done>> = Mutex::default();
        let worker = || {
            while let Some((place, work)) = next() {
                let Work { lane, vectors } = work;
                let result = lane.run(&vectors);
                done.lock().unwrap_or_else(PoisonError::into_inner).push((place, lane.side, result));
            }
        };
        match jobs {
            0 | 1 => worker(),
            jobs => std::thread::scope(|scope| {
                for _ in 0..jobs {
                    scope.spawn(worker);
                }
            }),
        }
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(place, ..)| *place);
        for (_, side, result) in done {
            let result = result?;
            if let Some(answers) = answers.get_mut(side) {
                answers.extend(result);
            }
        }
        Ok(answers)
    }

    fn share<'v>(&mut self, sides: &[usize], vectors: &'v [Vector]) -> Vec<Work<'_, 'a, 'v>> {
        let mut work = Vec::new();
        let mut counts = vec![0; self.lanes.len()];
        self.lanes.iter().for_each(|lane| {
            if let Some(count) = counts.get_mut(lane.side) {
                *count += 1;
            }
        });
        let mut turns = vec![0; self.lanes.len()];
        for lane in &mut self.lanes {
            let lanes = counts.get(lane.side).copied().unwrap_or(1).max(1);
            let turn = turns.get_mut(lane.side).map_or(0, |turn| {
                *turn += 1;
                *turn - 1
            });
            let part = vectors.len().div_ceil(lanes);
            let mine = vectors.iter().skip(turn * part).take(part);
            if sides.contains(&lane.side) && turn * part < vectors.len() {
                work.push(Work { lane, vectors: mine.collect() });
            }
        }
        work
    }

    /// How many targets were opened.
    pub fn guests(&self) -> usize {
        self.lanes.iter().map(|lane| lane.guests).sum()
    }

    /// Ends every guest.
    pub fn retire(&mut self) {
        self.lanes.iter_mut().for_each(Lane::retire);
    }

    /// What is to be told and belongs to no request; each once.
    pub(super) fn take_notes(&mut self) -> Vec<String> {
        self.lanes.iter_mut().flat_map(|lane| std::mem::take(&mut lane.notes)).collect()
    }
}
