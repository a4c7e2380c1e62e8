// SPDX-License-Identifier: BSD-2-Clause
//! The loop: draw, run, look, keep.

use std::time::{Duration, Instant};

use nlproof_base::counted;
use tokio_util::sync::CancellationToken;

use super::crew::{Answers, Crew, answers_at};
use super::finding::Finding;
use super::generate;
use super::known::Known;
use super::lane::{LaneError, Side};
use super::mutate::mutate;
use super::oracle::{Suspicion, suspicions};
use super::rng::Rng;
use super::settle::{fits, vectors};
use super::state::{FindingsDir, State, StateError};
use crate::draft::Draft;

/// Requests of a round, for users. Tests have smaller ones.
pub const ROUND: usize = 64;
/// How often the state is kept.
const KEPT_EVERY: Duration = Duration::from_secs(5);
/// What a campaign is about.
#[derive(Debug, Clone)]
pub struct Setup {
    /// What chance begins with.
    pub seed: u64,
    /// Who answers, in the order of the lanes' places.
    pub sides: Vec<Side>,
    /// Requests that are made first and changed later.
    pub seeds: Vec<(String, Draft)>,
    /// Vectors of known bugs, by which these are told apart.
    pub bugs: Vec<(String, Draft)>,
    /// What is known by itself.
    pub known: Known,
    /// Requests of a round, [`ROUND`]: with another number the same seed makes other rounds.
    pub round: usize,
}

/// When a campaign ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// After so long, in this run.
    pub time: Option<Duration>,
    /// After so many rounds, in all runs.
    pub rounds: Option<u64>,
}

/// What is told while a campaign runs.
#[derive(Debug)]
pub enum Progress<'a> {
    /// How far it is.
    Round {
        /// Seconds since it began, in all runs.
        seconds: u64,
        /// Requests that were made.
        executions: u64,
        /// Requests that are kept.
        corpus: usize,
        /// Kinds of messages that came.
        shapes: usize,
        /// Blocks that ran, by side.
        blocks: Vec<(&'a str, usize)>,
        /// Faults.
        findings: usize,
    },
    /// Something was met, and is asked again and reduced.
    Met(&'a Suspicion),
    /// A fault was found.
    Found(&'a Finding),
    /// Something to know.
    Note(&'a str),
}

/// Why a campaign cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// A lane cannot.
    #[error("{0}")]
    Lane(#[from] LaneError),
    /// The campaign's directory cannot be used.
    #[error("{0}")]
    State(#[from] StateError),
}

/// A campaign.
#[derive(Debug)]
pub struct Campaign<'a> {
    pub(super) setup: Setup,
    pub(super) crew: Crew<'a>,
    pub(super) dir: FindingsDir,
    pub(super) state: State,
    corpus: Vec<Draft>,
    saved: Instant,
    began: Instant,
    before: u64,
}

impl<'a> Campaign<'a> {
    /// A new campaign, or with `resume` the one in the directory.
    ///
    /// # Errors
    /// The directory has one already, or none, or one of another seed or other sides.
    pub fn new(setup: Setup, crew: Crew<'a>, dir: FindingsDir, resume: bool) -> Result<Self, StateError> {
        let names: Vec<_> = setup.sides.iter().map(|side| side.name.clone()).collect();
        let (state, corpus) = match (resume, dir.is_used()) {
            (false, true) => return Err(StateError::Used(dir.path().to_owned())),
            (false, false) => (State::new(setup.seed, names), Vec::new()),
            (true, _) => {
                let (state, corpus) = dir.load()?;
                let other = |what: String| StateError::Other { path: dir.path().to_owned(), what };
                if state.sides != names {
                    return Err(other(format!("other cells: {}", state.sides.join(", "))));
                }
                if state.seed != setup.seed {
                    return Err(other(format!("another seed: {}", state.seed)));
                }
                (state, corpus)
            }
        };
        Ok(Campaign::of(setup, crew, dir, state, corpus))
    }

    /// A campaign that goes on from this state.
    pub(super) fn of(
        setup: Setup,
        crew: Crew<'a>,
        dir: FindingsDir,
        state: State,
        corpus: Vec<Draft>,
    ) -> Self {
        let now = Instant::now();
        let before = state.milliseconds;
        Campaign { setup, crew, dir, state, corpus, saved: now, began: now, before }
    }

    /// Milliseconds since the campaign began, in all runs.
    pub(super) fn milliseconds(&self) -> u64 {
        let here = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.before.saturating_add(here)
    }

    /// The findings so far.
    pub fn findings(&self) -> &[Finding] {
        &self.state.findings
    }

    /// Runs until a limit, or until `cancel` is cancelled. What is known by then is kept, whatever ends it.
    ///
    /// # Errors
    /// See [`CampaignError`]; an interruption is none.
    pub fn run(
        &mut self,
        limits: Limits,
        cancel: &CancellationToken,
        on: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), CampaignError> {
        let run = self.rounds(limits, cancel, on);
        self.crew.retire();
        self.tell_notes(on);
        let kept = self.save();
        match run {
            Err(CampaignError::Lane(LaneError::Interrupted)) | Ok(()) => Ok(kept?),
            Err(error) => Err(error),
        }
    }

    fn rounds(
        &mut self,
        limits: Limits,
        cancel: &CancellationToken,
        on: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), CampaignError> {
        if !self.setup.bugs.is_empty() {
            let note = format!("{} of known bugs run first", counted(self.setup.bugs.len(), "vector"));
            on(Progress::Note(&note));
        }
        self.learn_bugs()?;
        let over = |campaign: &Self| {
            cancel.is_cancelled()
                || limits.time.is_some_and(|time| campaign.began.elapsed() >= time)
                || limits.rounds.is_some_and(|rounds| campaign.state.round >= rounds)
        };
        while !over(self) {
            let drafts = self.next();
            self.round(drafts, cancel, on)?;
            self.state.milliseconds = self.milliseconds();
            self.tell_notes(on);
            on(self.progress());
            if self.saved.elapsed() >= KEPT_EVERY {
                self.save()?;
            }
        }
        Ok(())
    }

    pub(super) fn save(&mut self) -> Result<(), StateError> {
        self.saved = Instant::now();
        self.dir.save(&self.state)
    }

    fn progress(&self) -> Progress<'_> {
        Progress::Round {
            seconds: self.state.milliseconds / 1000,
            executions: self.state.executions,
            corpus: self.corpus.len(),
            shapes: self.state.shapes.len(),
            blocks: self.state.blocks.iter().map(|(side, blocks)| (side.as_str(), blocks.len())).collect(),
            findings: self.state.findings.len(),
        }
    }

    fn tell_notes(&mut self, on: &mut dyn FnMut(Progress<'_>)) {
        for note in self.crew.take_notes() {
            if self.state.notes.insert(note.clone()) {
                on(Progress::Note(&note));
            }
        }
    }

    /// What the vectors of known bugs show is known.
    fn learn_bugs(&mut self) -> Result<(), CampaignError> {
        let bugs = std::mem::take(&mut self.setup.bugs);
        for chunk in bugs.chunks(self.setup.round) {
            let drafts: Vec<_> = chunk.iter().map(|(_, draft)| draft.clone()).collect();
            let vectors = vectors(&drafts, "bug");
            let all = self.everybody();
            let answers = self.crew.run(&all, &vectors)?;
            for (at, (name, _)) in chunk.iter().enumerate() {
                for suspicion in self.judge(&answers, &Answers::new(), at) {
                    self.setup.known.fingerprints.entry(suspicion.fingerprint()).or_insert(name.clone());
                }
            }
        }
        // QEMU tells of each block once a guest: those of the campaign are to tell all that it reaches.
        self.crew.retire();
        Ok(())
    }

    pub(super) fn everybody(&self) -> Vec<usize> {
        (0..self.setup.sides.len()).collect()
    }

    /// The drafts of the next round: seeds first.
    fn next(&mut self) -> Vec<Draft> {
        let seeds: Vec<_> = self.setup.seeds.iter().skip(self.state.seeded).take(self.setup.round).collect();
        if !seeds.is_empty() {
            return seeds.into_iter().map(|(_, draft)| draft.clone()).collect();
        }
        let mut rng = Rng::of_round(self.state.seed, self.state.round);
        let mut drafts = Vec::with_capacity(self.setup.round);
        while drafts.len() < self.setup.round {
            let draft = match (rng.maybe(&self.corpus), rng.chance(30)) {
                (Some(draft), false) => {
                    let other = rng.maybe(&self.corpus).unwrap_or(draft);
                    mutate(&mut rng, draft, other)
                }
                _ => generate::draft(&mut rng),
            };
            drafts.push(draft);
        }
        drafts
    }

    fn round(
        &mut self,
        drafts: Vec<Draft>,
        cancel: &CancellationToken,
        on: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), CampaignError> {
        let seeding = self.state.seeded < self.setup.seeds.len();
        let count = drafts.len();
        // What does not fit into a message is no request.
        let drafts: Vec<_> = drafts.into_iter().filter(fits).collect();
        let vectors = vectors(&drafts, &format!("{}", self.state.round));
        let all = self.everybody();
        let answers = self.crew.run(&all, &vectors)?;
        let mut fresh = Vec::new();
        for at in 0..vectors.len() {
            if self.is_new(&answers, at) {
                fresh.push(at);
            }
        }
        // What shows something new is asked again: other requests have gone before it by now.
        let once_more: Vec<_> = fresh.iter().filter_map(|at| drafts.get(*at).cloned()).collect();
        let again =
            self.crew.run(&all, &self::vectors(&once_more, &format!("{}-again", self.state.round)))?;
        for (at, draft) in drafts.iter().enumerate() {
            let repeated = fresh.iter().position(|known| *known == at);
            let found = match repeated {
                Some(place) => {
                    let both = (answers_at(&answers, at), answers_at(&again, place));
                    suspicions(&self.setup.sides, &both.0, &both.1)
                }
                None => suspicions(&self.setup.sides, &answers_at(&answers, at), &[]),
            };
            for suspicion in found {
                let loss = answers.get(suspicion.side).and_then(|side| side.get(at)?.loss.clone());
                self.met(draft, &suspicion, loss.as_ref(), cancel, on)?;
            }
        }
        for at in fresh {
            let lost = answers.iter().any(|side| side.get(at).is_some_and(|answer| answer.loss.is_some()));
            if let Some(draft) = drafts.get(at).filter(|_| !lost) {
                self.corpus.extend(self.dir.keep(self.corpus.len(), draft)?);
            }
        }
        self.state.corpus = self.corpus.len();
        self.state.executions += u64::try_from(vectors.len() + once_more.len()).unwrap_or_default();
        if seeding {
            self.state.seeded += count;
        } else {
            self.state.round += 1;
        }
        Ok(())
    }

    /// Whether a request reached something that none before it did.
    fn is_new(&mut self, answers: &Answers, at: usize) -> bool {
        let mut new = false;
        for (side, answers) in self.setup.sides.iter().zip(answers) {
            let Some(answer) = answers.get(at) else { continue };
            let blocks = self.state.blocks.entry(side.name.clone()).or_default();
            for block in &answer.blocks {
                new |= blocks.insert(*block);
            }
            for shape in &answer.shapes {
                new |= self.state.shapes.insert(*shape);
            }
        }
        new
    }

    pub(super) fn judge(&self, first: &Answers, again: &Answers, at: usize) -> Vec<Suspicion> {
        suspicions(&self.setup.sides, &answers_at(first, at), &answers_at(again, at))
    }
}
