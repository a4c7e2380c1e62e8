// SPDX-License-Identifier: BSD-2-Clause
//! How often a race by time was played, which is known of a guest that is lost in it too.

use nlproof_agent::{Batch, Body, Record};
use nlproof_base::counted;

use super::overheard::{Listener, Overheard};
use crate::targets::Target;

/// A target whose races are counted.
pub type Played<'t> = Overheard<'t, Count>;

/// What was heard of races.
#[derive(Debug, Default)]
pub struct Count {
    rounds: u32,
    deeds: u32,
    first_ns: Option<u64>,
    last_ns: u64,
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
        self.first_ns.get_or_insert(record.t_ns);
        self.last_ns = record.t_ns;
    }
}

impl<'t> Played<'t> {
    /// Counts what this target plays from now on.
    pub fn new(target: &'t mut dyn Target) -> Self {
        Self::by(Count::default(), target)
    }

    /// What was played, in words; `None`: no race.
    pub fn words(&self) -> Option<String> {
        let Count { rounds, deeds, first_ns, last_ns } = &self.listener;
        let seconds = last_ns.saturating_sub(first_ns.filter(|_| *rounds > 0)?) as f64 / 1e9;
        let rounds = counted(*rounds, "round");
        Some(format!(
            "played: {rounds} of requests, {} with cards, in {seconds:.1} s",
            counted(*deeds, "deed")
        ))
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
        let mut played = Played::new(&mut sim);
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
}
