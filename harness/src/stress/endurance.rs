// SPDX-License-Identifier: BSD-2-Clause
//! The module under load: loaded and unloaded while clients ask, asked while its mode is switched, and told of
//! interfaces that come and go. What the kernel has allocated before and after shows what is lost.

use std::time::{Duration, Instant};

use nlproof_agent::Counted;
use nlproof_base::counted;

use super::phase::{KINDS, Phase};
use crate::targets::freebsd::programs::Outcome;
use crate::targets::{FreebsdTarget, TargetError};

/// A command that only looks.
pub(super) const LOOK: Duration = Duration::from_secs(60);
/// Limit for each round of a phase, under hardware virtualisation.
const ROUND: Duration = Duration::from_secs(2);
/// Limit for an attempt to unload, which the module gives up after ten seconds, and a load.
const ATTEMPT: Duration = Duration::from_secs(30);

/// What became of a phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseResult {
    /// The phase.
    pub phase: Phase,
    /// How long it took, on this host's clock.
    pub duration: Duration,
    /// What was counted, for people.
    pub output: String,
    /// Faults found.
    pub failed: Vec<String>,
}

/// The sum of what each part of a phase under load says.
fn unloads(output: &str) -> String {
    let words = |line: &str| -> Option<(u32, u32)> {
        let (unloaded, refused) = line.split_once(' ')?;
        Some((unloaded.parse().ok()?, refused.parse().ok()?))
    };
    let add = |sum: (u32, u32), part: (u32, u32)| (sum.0 + part.0, sum.1 + part.1);
    let (unloaded, refused) = output.lines().filter_map(words).fold((0, 0), add);
    format!("unloaded {}, refused {}", counted(unloaded, "time"), counted(refused, "time"))
}

impl Phase {
    /// Checks of the counts.
    fn judge(self, outcome: &Outcome) -> Vec<String> {
        let mut wrong = Vec::new();
        let counted = self.main(outcome);
        let mut expect = |what: &str, wanted: u64, had: u64| {
            if wanted != had {
                wrong.push(format!("{what}: {had} instead of {wanted}"));
            }
        };
        let asked = counted.asked;
        // A few rounds are over before the switcher has had its turn.
        if matches!(self, Phase::Requests(_) | Phase::Interfaces(_)) && self.rounds() > self.part() {
            expect("phases without a switch of the mode", 0, u64::from(outcome.output.is_empty()));
        }
        match self {
            Phase::Loads(_) | Phase::UnloadUnderLoad(_) => {
                expect("refusals", 0, counted.errors);
                expect("answers of another length", 0, counted.uneven);
            }
            Phase::Requests(_) => {
                let kinds = u64::from(KINDS);
                expect("refusals", asked / kinds, counted.errors);
                // Every row of requests gives an address and takes it away. 14.0 announces each once, and 15.1 one of
                // them twice.
                let rows = (asked / kinds).max(1);
                expect("events beyond the same number for each address", 0, counted.events % rows);
                expect(
                    "events fewer than two for each address",
                    0,
                    (rows * 2).saturating_sub(counted.events),
                );
            }
            Phase::Interfaces(_) => {
                expect("refusals", 0, counted.errors);
                // Two requests a round; every round has the same events.
                expect(
                    "events beyond the same number for each interface",
                    0,
                    counted.events % (asked / 2).max(1),
                );
                expect("rounds without an event", 0, u64::from(counted.events == 0));
            }
        }
        wrong
    }

    /// The counts under load, without those of the preparation.
    fn main(self, outcome: &Outcome) -> Counted {
        let prepared = usize::from(matches!(self, Phase::Requests(_)));
        let parts = outcome.counted.iter().skip(prepared).take(self.parts().count());
        parts.fold(Counted::default(), |sum, part| Counted {
            asked: sum.asked + part.asked,
            answered: sum.answered + part.answered,
            errors: sum.errors + part.errors,
            messages: sum.messages + part.messages,
            bytes: sum.bytes + part.bytes,
            events: sum.events + part.events,
            uneven: sum.uneven + part.uneven,
            ticks: sum.ticks + part.ticks,
        })
    }

    /// For people.
    fn summary(self, outcome: &Outcome) -> String {
        let Counted { answered, errors, messages, bytes, events, .. } = self.main(outcome);
        let beside = match self {
            Phase::Loads(_) => String::new(),
            Phase::UnloadUnderLoad(_) => format!(", {}", unloads(&outcome.output)),
            Phase::Requests(_) | Phase::Interfaces(_) => {
                let switched = counted(outcome.output.len(), "time");
                format!(", {errors} refused, {}, mode switched {switched}", counted(events, "event"))
            }
        };
        let [answered, messages, bytes] = [(answered, "request"), (messages, "message"), (bytes, "byte")]
            .map(|(number, noun)| counted(number, noun));
        format!("{answered} answered by {messages}, {bytes}{beside}")
    }
}

impl FreebsdTarget {
    /// Runs a phase to its end. `on_part` is told how many rounds are done, each time that a part of it has ended.
    ///
    /// # Errors
    /// The guest was lost.
    pub fn endure(&mut self, phase: Phase, on_part: &mut dyn FnMut(u32)) -> Result<PhaseResult, TargetError> {
        let started = Instant::now();
        let round = match phase {
            Phase::UnloadUnderLoad(_) => ATTEMPT,
            Phase::Requests(_) => ROUND / 20,
            Phase::Loads(_) | Phase::Interfaces(_) => ROUND,
        };
        let (steps, groups) = phase.steps();
        let limit = LOOK + round.saturating_mul(phase.rounds());
        let mut done = phase.done_after();
        let outcome = self.in_host_stack_shown(phase.name(), steps, groups, limit, &mut || {
            if let Some(rounds) = done.next().filter(|rounds| *rounds > 0) {
                on_part(rounds);
            }
        })?;
        let duration = started.elapsed();
        let mut failed = phase.judge(&outcome);
        failed.extend(outcome.failed.iter().cloned());
        Ok(PhaseResult { phase, duration, output: phase.summary(&outcome), failed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(phase: Phase, counted: Counted) -> Vec<String> {
        let counts = vec![counted; 3];
        phase.judge(&Outcome { counted: counts, output: "..".into(), ..Outcome::default() })
    }

    #[test]
    fn a_phase_is_held_against_what_its_requests_come_to() {
        let good = Counted { asked: 80, answered: 80, errors: 10, events: 20, ..Counted::default() };
        assert_eq!(counted(Phase::Requests(80), good), [""; 0]);
        assert_eq!(
            counted(Phase::Requests(80), Counted { errors: 11, events: 19, ..good }),
            [
                "refusals: 11 instead of 10",
                "events beyond the same number for each address: 9 instead of 0",
                "events fewer than two for each address: 1 instead of 0"
            ]
        );
        assert_eq!(counted(Phase::Requests(80), Counted { events: 30, ..good }), [""; 0]);
        let unswitched = |rounds| {
            let outcome = Outcome { counted: vec![good; 2], ..Outcome::default() };
            Phase::Requests(rounds).judge(&outcome)
        };
        assert_eq!(unswitched(400), ["phases without a switch of the mode: 1 instead of 0"]);
        assert_eq!(unswitched(64), [""; 0]);
        let loads = Counted { asked: 9, answered: 9, ..Counted::default() };
        assert_eq!(counted(Phase::Loads(3), loads), [""; 0]);
        assert_eq!(counted(Phase::Loads(3), Counted { errors: 1, uneven: 2, ..loads }).len(), 2);
        let interfaces = Counted { asked: 20, answered: 20, events: 30, ..Counted::default() };
        assert_eq!(counted(Phase::Interfaces(10), interfaces), [""; 0]);
        assert_eq!(counted(Phase::Interfaces(10), Counted { events: 31, ..interfaces }).len(), 1);
        assert_eq!(counted(Phase::Interfaces(10), Counted { events: 0, ..interfaces }).len(), 1);
    }

    #[test]
    fn parts_add_up() {
        let parts = |phase: Phase| phase.parts().collect::<Vec<_>>();
        assert_eq!(parts(Phase::Loads(10)), [4, 4, 2]);
        assert_eq!(parts(Phase::Requests(128)), [128]);
        assert_eq!(parts(Phase::UnloadUnderLoad(0)), [0; 0]);
        assert_eq!(Phase::Loads(10).done_after().collect::<Vec<_>>(), [4, 8, 10]);
        assert_eq!(Phase::Requests(200).done_after().collect::<Vec<_>>(), [0, 128, 200]);
        let part = Counted { asked: 8, answered: 8, errors: 1, events: 2, ..Counted::default() };
        let prepared = Counted { asked: 4, answered: 4, events: 7, ..Counted::default() };
        let outcome = Outcome { counted: vec![prepared, part, part, prepared], ..Outcome::default() };
        let sum = Phase::Requests(256).main(&outcome);
        assert_eq!((sum.asked, sum.errors, sum.events), (16, 2, 4));
        assert_eq!(unloads("3 1\n2 0\n"), "unloaded 5 times, refused 1 time");
    }
}
