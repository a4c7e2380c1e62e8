// SPDX-License-Identifier: BSD-2-Clause
//! The time of programs, by phases: what the agent tells of each, and what is left of the time on this machine.

use std::time::{Duration, Instant};

use nlproof_agent::{Batch, Body, Phase, Record};

use super::overheard::{Listener, Overheard};
use crate::targets::{StartPart, Target};

/// The time of one program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spent {
    /// The program's name: the vector's id.
    pub name: String,
    /// From the end of the one before, or the batch's start, to its own end, on this machine's clock.
    pub all: Duration,
    /// What the agent tells, in the order of [`Phase::ALL`]. `None`: this target tells nothing.
    pub(crate) told: Option<[Duration; Phase::ALL.len()]>,
}

impl Spent {
    /// The time of a phase; `None` if the target does not tell it.
    pub fn of(&self, phase: Phase) -> Option<Duration> {
        self.told.as_ref().and_then(|told| told.get(phase as usize)).copied()
    }

    /// The rest: the agent's writing, the way to this machine, and what nlproof does with the records meanwhile.
    /// Nothing if the two clocks differ by more than that.
    pub fn transfer(&self) -> Option<Duration> {
        self.told.map(|told| self.all.saturating_sub(told.iter().sum()))
    }

    /// Adds the time of another program. What only one of them has told of is the time of that one.
    pub fn add(&mut self, other: &Self) {
        self.all += other.all;
        if let Some(told) = other.told {
            let sum = self.told.get_or_insert_default();
            sum.iter_mut().zip(told).for_each(|(sum, told)| *sum += told);
        }
    }

    /// The named parts in order, the rest last; none if the target tells nothing.
    pub fn parts(&self) -> Vec<(&'static str, Duration)> {
        let named = Phase::ALL.into_iter().filter_map(|phase| Some((phase.name(), self.of(phase)?)));
        named.chain(self.transfer().map(|rest| ("transfer", rest))).collect()
    }

    fn hear(&mut self, spent: &[(Phase, u64)]) {
        let told = self.told.get_or_insert_default();
        for (phase, ns) in spent {
            if let Some(sum) = told.get_mut(*phase as usize) {
                *sum = sum.saturating_add(Duration::from_nanos(*ns));
            }
        }
    }
}

/// A target whose programs are timed.
pub type Timed<'t> = Overheard<'t, Times>;

/// What was heard of the time of programs.
#[derive(Debug)]
pub struct Times {
    /// The end of the last program, or the batch's start.
    since: Instant,
    open: Spent,
    ended: Vec<Spent>,
}

impl<'t> Timed<'t> {
    /// Times what this target runs from now on.
    pub fn new(target: &'t mut dyn Target) -> Self {
        Self::by(Times::from(Instant::now()), target)
    }

    /// The times of the programs that have ended, in the order of their ends.
    pub fn spent(&self) -> &[Spent] {
        &self.listener.ended
    }
}

impl Times {
    fn from(since: Instant) -> Self {
        Self { since, open: Spent::default(), ended: Vec::new() }
    }

    /// Hears a record that came at this moment.
    fn hear_at(&mut self, batch: &Batch, record: &Record, now: Instant) {
        match &record.body {
            Body::Spent(spent) => self.open.hear(spent),
            Body::End { .. } => {
                let named = batch.programs.iter().find(|program| program.id == record.program);
                let all = now.saturating_duration_since(self.since);
                self.since = now;
                let name = named.map_or_else(String::new, |program| program.name.clone());
                self.ended.push(Spent { name, all, ..std::mem::take(&mut self.open) });
            }
            _ => {}
        }
    }
}

impl Listener for Times {
    fn begins(&mut self) {
        (self.since, self.open) = (Instant::now(), Spent::default());
    }

    fn hear(&mut self, batch: &Batch, record: &Record) {
        self.hear_at(batch, record, Instant::now());
    }
}

/// Of many starts, the middle time of each part, in the order in which parts appear first.
pub fn middle_parts(starts: &[Vec<StartPart>]) -> Vec<StartPart> {
    let mut names: Vec<&'static str> = Vec::new();
    for (name, _) in starts.iter().flatten() {
        if !names.contains(name) {
            names.push(name);
        }
    }
    let middle = |name| {
        let of_name = |parts: &Vec<StartPart>| {
            parts.iter().filter(|(other, _)| *other == name).map(|(_, time)| *time).sum::<Duration>()
        };
        let mut times: Vec<_> = starts.iter().map(of_name).collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default()
    };
    names.into_iter().map(|name| (name, middle(name))).collect()
}

#[cfg(test)]
mod tests {
    use nlproof_agent::NO_STEP;

    use super::*;
    use crate::targets::{SimTarget, SimTrace};

    const MS: Duration = Duration::from_millis(1);

    fn record(program: u32, body: Body) -> Record {
        Record { program, step: NO_STEP, t_ns: 0, body }
    }

    fn hear(records: Vec<(u32, Body)>) -> Vec<Spent> {
        let since = Instant::now();
        let (mut times, batch) = (Times::from(since), Batch { programs: Vec::new() });
        let at = |ms: u32| since + MS * ms;
        for (ms, body) in records {
            times.hear_at(&batch, &record(0, body), at(ms));
        }
        times.ended
    }

    #[test]
    fn what_both_processes_tell_is_added_and_the_rest_is_transfer() {
        let child = Body::Spent(vec![(Phase::Requests, 3_000_000), (Phase::Reading, 1_000_000)]);
        let parent = Body::Spent(vec![(Phase::Stack, 2_000_000), (Phase::Reading, 500_000)]);
        let end = Body::End { died: None };
        let spent =
            hear(vec![(1, Body::Start { pid: 1 }), (8, child), (9, parent), (10, end.clone()), (14, end)]);
        let [first, second] = &spent[..] else { panic!("{spent:?}") };
        assert_eq!(first.all, 10 * MS);
        assert_eq!(first.of(Phase::Reading), Some(MS + MS / 2));
        assert_eq!((first.of(Phase::Stack), first.of(Phase::Command)), (Some(2 * MS), Some(Duration::ZERO)));
        assert_eq!(first.transfer(), Some(3 * MS + MS / 2));
        assert_eq!(first.parts().iter().map(|(_, time)| *time).sum::<Duration>(), first.all);
        // The second one told nothing, and nothing of the first is held for its own.
        assert_eq!((second.all, second.of(Phase::Reading), second.transfer()), (4 * MS, None, None));
        assert_eq!(second.parts(), []);
        let mut both = first.clone();
        both.add(second);
        assert_eq!((both.all, both.of(Phase::Requests)), (14 * MS, Some(3 * MS)));
    }

    #[test]
    fn clocks_that_differ_leave_nothing_for_the_transfer() {
        let spent =
            hear(vec![(1, Body::Spent(vec![(Phase::Events, 2_000_000)])), (1, Body::End { died: None })]);
        assert_eq!(spent[0].transfer(), Some(Duration::ZERO));
    }

    #[test]
    fn a_target_that_tells_nothing_has_a_time_alone() {
        let mut sim = SimTarget::traced(iface_core::Profile::R15, SimTrace::Off);
        let mut timed = Timed::new(&mut sim);
        timed.run(&Batch { programs: Vec::new() }, &mut |_| ()).unwrap();
        assert_eq!((timed.spent(), timed.start_parts()), (&[][..], &[][..]));
    }

    #[test]
    fn the_middle_of_each_part_is_taken_by_itself() {
        let start = |process, state| vec![("process", process * MS), ("state", state * MS)];
        let starts = [start(1, 9), start(5, 2), start(3, 3)];
        assert_eq!(middle_parts(&starts), [("process", 3 * MS), ("state", 3 * MS)]);
        assert_eq!(middle_parts(&[]), []);
    }
}
