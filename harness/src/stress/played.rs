// SPDX-License-Identifier: BSD-2-Clause
//! How often a race by time was played, told while it goes on, and known of a guest that is lost in it too.

use nlproof_agent::{Batch, Body, Record};
use nlproof_base::counted;

use super::overheard::{Listener, Overheard};
use crate::targets::Target;

/// A target whose races are counted.
pub type Played<'t> = Overheard<'t, Count>;

/// How long a race goes on between two words of how far it is, in nanoseconds.
const TELL_NS: u64 = 60_000_000_000;

/// What was heard of races.
#[derive(Debug)]
pub struct Count {
    rounds: u32,
    deeds: u32,
    first_ns: Option<u64>,
    last_ns: u64,
    /// When somebody is told next.
    due_ns: u64,
    tell: fn(&str),
}

impl Count {
    fn new(tell: fn(&str)) -> Self {
        Self { rounds: 0, deeds: 0, first_ns: None, last_ns: 0, due_ns: 0, tell }
    }

    /// What was played, in words; `None`: no race.
    fn words(&self) -> Option<String> {
        let seconds = self.last_ns.saturating_sub(self.first_ns.filter(|_| self.rounds > 0)?) as f64 / 1e9;
        let rounds = counted(self.rounds, "round");
        Some(format!("{rounds} of requests, {} with cards, in {seconds:.1} s", counted(self.deeds, "deed")))
    }
}

impl Listener for Count {
    fn hear(&mut self, _: &Batch, record: &Record) {
        let Some(_) = record.in_step() else { return };
        match &record.body {
            Body::Race { round, .. } => self.rounds = self.rounds.max(round.saturating_add(1)),
            Body::Hardware { .. } => self.deeds += 1,
            Body::Raced { .. } => {}
            _ => return,
        }
        if self.first_ns.is_none() {
            self.first_ns = Some(record.t_ns);
            self.due_ns = record.t_ns.saturating_add(TELL_NS);
        }
        self.last_ns = record.t_ns;
        if record.t_ns >= self.due_ns {
            self.due_ns = record.t_ns.saturating_add(TELL_NS);
            if let Some(words) = self.words() {
                (self.tell)(&format!("playing: {words}"));
            }
        }
    }
}

impl<'t> Played<'t> {
    /// Counts what this target plays from now on, and tells how far a race is after each minute of it.
    pub fn new(target: &'t mut dyn Target, tell: fn(&str)) -> Self {
        Self::by(Count::new(tell), target)
    }

    /// What was played, in words; `None`: no race.
    pub fn words(&self) -> Option<String> {
        Some(format!("played: {}", self.listener.words()?))
    }
}

#[cfg(test)]
mod tests {
    use nlproof_agent::{Deed, NO_STEP};

    use super::*;
    use crate::targets::{SimTarget, SimTrace};

    #[test]
    fn rounds_and_deeds_are_counted_up_to_a_loss() {
        let mut sim = SimTarget::traced(iface_core::Profile::R15, SimTrace::Off);
        let mut played = Played::new(&mut sim, |words| panic!("told too early: {words}"));
        assert_eq!(played.words(), None);
        let batch = Batch { programs: Vec::new() };
        let deed = || Body::Hardware { card: 0, name: "nic1".into(), deed: Deed::Detach, told: false };
        let round = |round| Body::Race { round, lane: 0, data: vec![] };
        for (step, t_ns, body) in [
            (NO_STEP, 0, deed()),
            (1, 1_000_000_000, round(0)),
            (1, 2_000_000_000, deed()),
            (1, 3_500_000_000, round(6)),
        ] {
            played.listener.hear(&batch, &Record { program: 0, step, t_ns, body });
        }
        let words = "played: 7 rounds of requests, 1 deed with cards, in 2.5 s";
        assert_eq!(played.words().as_deref(), Some(words));
    }

    #[test]
    fn how_far_a_race_is_is_told_each_minute() {
        use std::sync::Mutex;
        static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());
        let mut count = Count::new(|words| TOLD.lock().unwrap().push(words.to_owned()));
        let batch = Batch { programs: Vec::new() };
        for second in [5, 20, 64, 65, 66, 140] {
            let body = Body::Race { round: second, lane: 0, data: vec![] };
            count
                .hear(&batch, &Record { program: 0, step: 1, t_ns: u64::from(second) * 1_000_000_000, body });
        }
        let told = TOLD.lock().unwrap().clone();
        let words = |rounds: u32, seconds: f64| {
            format!("playing: {rounds} rounds of requests, 0 deeds with cards, in {seconds:.1} s")
        };
        assert_eq!(told, [words(66, 60.0), words(141, 135.0)]);
    }
}
