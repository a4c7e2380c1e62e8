// SPDX-License-Identifier: BSD-2-Clause
//! What is done with network cards: asked for, waited for, told.

use alloc::string::String;
use alloc::vec::Vec;

use nlproof_agent::{Act, Body, Deed, ErrorStage};

use crate::cards::Cards;
use crate::reporter::Reporter;
use crate::sys::clock::Deadline;
use crate::sys::{Errno, io};

/// Between two looks while nothing else is to be done, in milliseconds.
const LOOK_MS: i32 = 5;
/// For the process outside to say that it is too late, in milliseconds.
const SLACK_MS: u32 = 2000;

/// What came of something that was done.
#[cfg_attr(not(feature = "freebsd"), expect(dead_code, reason = "nothing is done on Linux"))]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The kernel has noticed.
    Noticed,
    /// The kernel has not noticed, and it is time.
    Unnoticed,
    /// Something failed: what.
    Failed(String),
}

impl Cards {
    /// Says what is done, which is what the harness waits for.
    pub(crate) fn announce(&self, reporter: &Reporter<'_>, act: &Act, told: bool) {
        let name = self.card(act).map(|card| card.name.clone()).unwrap_or_default();
        reporter.report(Body::Hardware { card: act.card, name, deed: act.deed, told });
        reporter.pass_on();
    }

    /// Begins to wait, for a card that comes until its driver has come to rest, if that is wanted; `None`: that failed, which is reported.
    pub(crate) fn begin_act(&self, reporter: &Reporter<'_>, act: &Act, rest: bool) -> Option<Deadline> {
        match self.start(act, rest) {
            Ok(()) => Some(Deadline::after_ms(act.limit_ms)),
            Err(Errno(errno)) => {
                let text = "the process that looks after network cards cannot be asked".into();
                reporter.report(Body::Error { stage: ErrorStage::Isolate, errno, text });
                None
            }
        }
    }

    /// Reports what came of it, if that is news. Whether the kernel is where it should be.
    pub(crate) fn tell(&self, reporter: &Reporter<'_>, act: &Act, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Noticed => true,
            Outcome::Unnoticed => {
                let wait = self.card(act).map(|card| act.deed.wait(card)).unwrap_or_default();
                let (limit_ms, foreknown) = (act.limit_ms, act.unnoticed);
                reporter.report(Body::Unnoticed { wait, limit_ms, foreknown });
                foreknown
            }
            Outcome::Failed(text) => {
                reporter.report(Body::Error { stage: ErrorStage::Isolate, errno: 0, text });
                false
            }
        }
    }

    /// What has come of it, if anything, or that it is too late: the process outside may be held by the kernel, in a
    /// devctl(8) that does not come back, and then says nothing any more.
    pub(crate) fn outcome_in_time(&self, act: &Act, until: Deadline) -> Option<Outcome> {
        let late = || until.passed_by_ms(SLACK_MS).then_some(Outcome::Unnoticed);
        self.outcome(act, until).or_else(late)
    }

    /// Does it while nobody looks. Whether the kernel has noticed.
    fn quietly(&self, reporter: &Reporter<'_>, act: &Act) -> bool {
        self.announce(reporter, act, false);
        let Some(until) = self.begin_act(reporter, act, true) else { return false };
        loop {
            match self.outcome_in_time(act, until) {
                Some(outcome) => return self.tell(reporter, act, outcome),
                None => io::poll(&mut [], LOOK_MS).ok(),
            };
        }
    }

    /// Plugs the cards that are there from the beginning. Whether all came.
    pub(crate) fn plug_all(&self, reporter: &Reporter<'_>) -> bool {
        let cards = (0..).zip(&self.cards).filter(|(_, card)| card.plugged);
        cards.map(|(card, _)| act(card, Deed::Plug)).all(|act| self.quietly(reporter, &act))
    }

    /// Pulls all cards, whatever became of them. Whether their interfaces are gone. Those without hardware go with the network
    /// stack.
    pub(crate) fn unplug_all(&self, reporter: &Reporter<'_>) -> bool {
        let cards = (0..).zip(&self.cards).filter(|(_, card)| card.is_hardware());
        cards.fold(true, |gone, (card, _)| self.quietly(reporter, &act(card, Deed::Unplug)) && gone)
    }
}

fn act(card: u32, deed: Deed) -> Act {
    Act { card, deed, limit_ms: deed.limit_ms(), unnoticed: false }
}

/// What is done with cards while something else goes on: one act after the other, and then from the first again.
pub(crate) struct Meanwhile {
    acts: Vec<Act>,
    /// How many have been begun.
    begun: usize,
    /// The one that is waited for, until then.
    waiting: Option<(Act, Deadline)>,
    /// Something went wrong, which was reported.
    broken: bool,
}

impl Meanwhile {
    pub(crate) fn new(acts: &[Act]) -> Self {
        Self { acts: acts.into(), begun: 0, waiting: None, broken: false }
    }

    /// How many acts have ended.
    pub(crate) fn done(&self) -> usize {
        self.begun - usize::from(self.waiting.is_some())
    }

    /// Goes on without waiting.
    pub(crate) fn tick(&mut self, cards: Option<&Cards>, reporter: &Reporter<'_>) {
        let Some(cards) = cards.filter(|_| !self.broken && !self.acts.is_empty()) else { return };
        match self.waiting {
            Some((act, until)) => {
                if let Some(outcome) = cards.outcome_in_time(&act, until) {
                    self.broken = !cards.tell(reporter, &act, outcome);
                    self.waiting = None;
                }
            }
            None => {
                let Some(act) = self.acts.get(self.begun % self.acts.len()).copied() else { return };
                cards.announce(reporter, &act, false);
                self.begun += 1;
                self.waiting = cards.begin_act(reporter, &act, false).map(|until| (act, until));
                self.broken = self.waiting.is_none();
            }
        }
    }

    /// Ends what has begun, and the turn that it is in, so that the cards are as they were.
    pub(crate) fn finish(&mut self, cards: Option<&Cards>, reporter: &Reporter<'_>) {
        while !self.broken && (self.waiting.is_some() || !self.begun.is_multiple_of(self.acts.len().max(1))) {
            self.tick(cards, reporter);
            io::poll(&mut [], LOOK_MS).ok();
        }
    }
}
