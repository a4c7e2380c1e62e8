// SPDX-License-Identifier: BSD-2-Clause
//! The search in targets: the first run, the tries, and the last run of what is left.

use std::time::{Duration, Instant};

use nlproof_wire::Os;

use super::journal::{Journal, JournalError};
use super::keep::{Keep, Verdict};
use crate::draft::Draft;
use crate::fuzz::{Answer, Crew, LaneError};
use crate::reduce::{Bounds, reduce_side_by_side};
use crate::trace::with_names;
use crate::vector::{Vector, compile};

const OS: Os = Os::FreeBsd;
/// Letters of a line that are shown of a conversation.
const LETTERS: usize = 160;

/// How far a search goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most tries, those of earlier runs included.
    pub tries: usize,
    /// The most time, of this run.
    pub time: Option<Duration>,
    /// A request is made so often until it shows what has to stay.
    pub attempts: usize,
    /// Tries side by side.
    pub jobs: usize,
}

/// How far a search is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Try {
    /// Tries so far.
    pub tries: usize,
    /// Tries of which nobody can say what they show.
    pub unclear: usize,
    /// Messages of the smallest vector so far.
    pub messages: usize,
    /// Steps of that vector.
    pub steps: usize,
}

/// What a search came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The smallest draft that shows it.
    pub draft: Draft,
    /// The name of what it shows; a text has none.
    pub name: Option<String>,
    /// Tries, those of earlier runs included.
    pub tries: usize,
    /// Tries of which nobody can say what they show; they count as those that do not.
    pub unclear: usize,
    /// How long all runs took, in milliseconds.
    pub milliseconds: u64,
    /// Nothing more can be left out.
    pub whole: bool,
    /// The conversation of its last run, or what became of the guest.
    pub conversation: String,
    /// Whether the last run shows it once more.
    pub again: bool,
}

/// Why there is no smaller vector.
#[derive(Debug, thiserror::Error)]
pub enum ReductionError {
    /// The vector does not show what has to stay. What it shows instead.
    #[error("the first run does not show it")]
    NotShown(String),
    /// Nobody can say what the vector shows: the reason.
    #[error("the first run is inconclusive: {0}")]
    Unclear(String),
    /// No target can go on, or the user interrupted.
    #[error("{0}")]
    Lane(#[from] LaneError),
    /// The journal cannot be kept.
    #[error("{0}")]
    Journal(#[from] JournalError),
}

/// A search: who answers, and what has to stay. The first side is the one that shows it, the second one what it is compared
/// with.
#[derive(Debug)]
pub struct Reduction<'a> {
    crew: Crew<'a>,
    sides: Vec<usize>,
    keep: Keep,
    journal: Journal,
}

impl<'a> Reduction<'a> {
    /// A search with so many sides.
    pub fn new(crew: Crew<'a>, sides: usize, keep: Keep, journal: Journal) -> Reduction<'a> {
        Reduction { crew, sides: (0..sides).collect(), keep, journal }
    }

    /// The journal.
    pub fn journal(&mut self) -> &mut Journal {
        &mut self.journal
    }

    /// Makes the draft small.
    ///
    /// # Errors
    /// See [`ReductionError`]. What is known by then is in the journal.
    pub fn run(
        &mut self,
        draft: &Draft,
        limits: Limits,
        on: &mut dyn FnMut(Try),
    ) -> Result<Outcome, ReductionError> {
        let ended = self.search(draft, limits, on);
        self.crew.retire();
        ended
    }

    fn search(
        &mut self,
        draft: &Draft,
        limits: Limits,
        on: &mut dyn FnMut(Try),
    ) -> Result<Outcome, ReductionError> {
        let began = Instant::now();
        let before = self.journal.milliseconds();
        let elapsed = || before + u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if !self.journal.is_begun() {
            self.begin(draft, limits.attempts)?;
        }
        let wanted = self.journal.wanted().map(str::to_owned);
        let mut at =
            Try { tries: 0, unclear: 0, messages: draft.messages().count(), steps: draft.steps.len() };
        let mut failed = None;
        let bounds = Bounds { budget: limits.tries, width: limits.jobs };
        let reduced = reduce_side_by_side(draft, bounds, &mut |drafts| {
            if limits.time.is_some_and(|time| began.elapsed() >= time) {
                return None;
            }
            let answers = self.asked(drafts, wanted.as_deref(), limits.attempts, &elapsed);
            let (answers, unclear) = answers.map_err(|error| failed = Some(error)).ok()?;
            at.tries += drafts.len();
            at.unclear += unclear;
            if let Some((draft, _)) = drafts.iter().zip(&answers).find(|(_, shows)| **shows) {
                (at.messages, at.steps) = (draft.messages().count(), draft.steps.len());
            }
            on(at);
            Some(answers)
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let (_, answer, again) = self.several(&reduced.draft, wanted.as_deref(), limits.attempts)?;
        Ok(Outcome {
            draft: reduced.draft,
            name: wanted,
            tries: reduced.tests,
            unclear: at.unclear,
            milliseconds: elapsed(),
            whole: reduced.whole,
            conversation: said(&answer),
            again,
        })
    }

    /// The first run: what does not show it is not reduced.
    fn begin(&mut self, draft: &Draft, attempts: usize) -> Result<(), ReductionError> {
        let (verdict, answer, _) = self.several(draft, None, attempts)?;
        let wanted = match verdict {
            Verdict::Shows(names) => names.into_iter().next(),
            Verdict::Not => return Err(ReductionError::NotShown(said(&answer))),
            Verdict::Unclear(why) => return Err(ReductionError::Unclear(why)),
        };
        Ok(self.journal.begin(wanted)?)
    }

    /// Asks one draft until it shows it: the last verdict, what was answered, and whether it is shown.
    fn several(
        &mut self,
        draft: &Draft,
        wanted: Option<&str>,
        attempts: usize,
    ) -> Result<(Verdict, Answer, bool), ReductionError> {
        let mut last = (Verdict::Unclear("it cannot be put into bytes".into()), Answer::default(), false);
        let Some(vector) = vector_of(draft) else { return Ok(last) };
        for _ in 0..attempts.max(1) {
            if let Some((verdict, answer)) = self.ask(std::slice::from_ref(&vector))?.pop() {
                let shows = verdict.is_of(wanted);
                last = (verdict, answer, shows);
            }
            if last.2 {
                break;
            }
        }
        Ok(last)
    }

    /// Whether each draft shows it, and of how many nobody can say.
    fn asked(
        &mut self,
        drafts: &[Draft],
        wanted: Option<&str>,
        attempts: usize,
        elapsed: &dyn Fn() -> u64,
    ) -> Result<(Vec<bool>, usize), ReductionError> {
        let mut shows: Vec<Option<bool>> = drafts.iter().map(|draft| self.journal.known(draft)).collect();
        let mut unclear = vec![false; drafts.len()];
        let mut vectors: Vec<Option<Vector>> = Vec::new();
        for (known, draft) in shows.iter_mut().zip(drafts) {
            let vector = if known.is_none() { vector_of(draft) } else { None };
            if known.is_none() && vector.is_none() {
                // What is no vector shows nothing.
                *known = Some(false);
            }
            vectors.push(vector);
        }
        for _ in 0..attempts.max(1) {
            let places: Vec<usize> = (0..drafts.len()).filter(|place| vectors[*place].is_some()).collect();
            let asked: Vec<Vector> = places.iter().filter_map(|place| vectors[*place].take()).collect();
            if asked.is_empty() {
                break;
            }
            let verdicts = self.ask(&asked)?;
            for ((place, vector), (verdict, _)) in places.into_iter().zip(asked).zip(verdicts) {
                unclear[place] = matches!(verdict, Verdict::Unclear(_));
                match verdict.is_of(wanted) {
                    true => shows[place] = Some(true),
                    false => vectors[place] = Some(vector),
                }
            }
        }
        for ((known, unclear), draft) in shows.iter().zip(&unclear).zip(drafts) {
            // What nobody could say is asked again by another run.
            if !unclear && self.journal.known(draft).is_none() {
                self.journal.note(draft, known.unwrap_or(false), elapsed())?;
            }
        }
        let count = unclear.iter().filter(|unclear| **unclear).count();
        Ok((shows.into_iter().map(|known| known.unwrap_or(false)).collect(), count))
    }

    fn ask(&mut self, vectors: &[Vector]) -> Result<Vec<(Verdict, Answer)>, ReductionError> {
        let mut sides = self.crew.run(&self.sides, vectors)?.into_iter();
        let (first, second) = (sides.next().unwrap_or_default(), sides.next().unwrap_or_default());
        let judged = first.into_iter().enumerate();
        Ok(judged.map(|(place, answer)| (self.keep.judge(&answer, second.get(place)), answer)).collect())
    }
}

/// The vector of a draft that can be put into bytes.
fn vector_of(draft: &Draft) -> Option<Vector> {
    draft.vector(OS, "reduce/draft").ok().filter(|vector| compile(vector, OS, 0).is_ok())
}

/// The conversation, or what became of the guest. Long lines are cut: what a kernel lets slip is its memory.
fn said(answer: &Answer) -> String {
    let loss = answer.loss.as_ref().map(|loss| loss.text.clone());
    let text = loss.or_else(|| answer.seen.clone()).or_else(|| answer.hole.clone()).unwrap_or_default();
    let cut = |line: &str| match line.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}... ({} letters)\n", &line[..end], line.chars().count()),
        None => format!("{line}\n"),
    };
    with_names(&text.lines().map(cut).collect::<String>()).trim_end().to_owned()
}
