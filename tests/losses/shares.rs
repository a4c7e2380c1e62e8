// SPDX-License-Identifier: BSD-2-Clause
//! One cell that several guests share, with the simulator in the place of guests: the share of each, and the cost of a
//! guest that is lost or does not start.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use iface_sim::Fault;
use nlproof::matrix::{CellResult, CellStatus, GuestRequest, Outcome};
use nlproof::targets::{Fact, Facts, Finish, Loss, OpenError, SimTarget, SimTrace, Target, TargetError};
use nlproof::vector::Vector;
use nlproof_agent::{Batch, Record};

use crate::engine::{cell, run_side_by_side, vectors};

/// For another guest to do what it is waited for; only a broken engine takes that long.
const LIMIT: Duration = Duration::from_secs(60);

/// Something that happened to a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// The guest of this number was asked for; whether beside others.
    Opening(usize, bool),
    /// The guest runs so many vectors.
    Runs(usize, usize),
    /// The guest was asked for its end.
    Ended(usize),
}

/// What happened in all guests of a cell, in order.
#[derive(Default)]
struct Log {
    said: Mutex<Vec<Said>>,
    changed: Condvar,
}

impl Log {
    fn say(&self, said: Said) {
        self.said.lock().unwrap().push(said);
        self.changed.notify_all();
    }

    /// Waits until something was said.
    fn wait(&self, wanted: impl Fn(&Said) -> bool) {
        let said = self.said.lock().unwrap();
        let (said, timeout) =
            self.changed.wait_timeout_while(said, LIMIT, |said| !said.iter().any(&wanted)).unwrap();
        assert!(!timeout.timed_out(), "{said:?}");
    }
}

/// How the guests of a cell are.
#[derive(Clone, Copy)]
struct Plan {
    jobs: usize,
    stacks: Option<usize>,
    /// What a guest waits for before it runs anything: which of them is faster is not what is tested.
    before: fn(&Log, usize),
    /// In which place of its first share a guest is lost, and which of the guests that were opened it is, from 1.
    dies: fn(GuestRequest<'_>, usize) -> Option<usize>,
    /// Whether it comes up.
    opens: fn(GuestRequest<'_>) -> bool,
    fault: fn(GuestRequest<'_>) -> Option<Fault>,
}

const PLAN: Plan = Plan {
    jobs: 2,
    stacks: Some(10_000),
    before: |log, guest| {
        if guest == 1 {
            log.wait(|said| matches!(said, Said::Runs(2, _)));
        }
    },
    dies: |_, _| None,
    opens: |_| true,
    fault: |_| None,
};

/// One guest alone: nobody is waited for.
const ALONE: Plan = Plan { jobs: 1, before: |_, _| (), ..PLAN };

/// The simulator as a guest that was restored.
struct Guest {
    sim: SimTarget,
    facts: Facts,
    number: usize,
    log: Arc<Log>,
    before: fn(&Log, usize),
    dies: Option<usize>,
}

impl Target for Guest {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn run(&mut self, batch: &Batch, on_record: &mut dyn FnMut(Record)) -> Result<(), TargetError> {
        self.log.say(Said::Runs(self.number, batch.programs.len()));
        (self.before)(&self.log, self.number);
        let Some(place) = self.dies.take() else { return self.sim.run(batch, on_record) };
        let before = Batch { programs: batch.programs.iter().take(place).cloned().collect() };
        self.sim.run(&before, on_record)?;
        let [kind, fingerprint, text] = ["qemu-failed", "signal 9", "qemu was killed"].map(str::to_owned);
        Err(TargetError::Guest(Loss { kind, fingerprint, calls: vec![], text }))
    }

    fn finish(&mut self) -> Finish {
        self.log.say(Said::Ended(self.number));
        Finish { counters: [("guests".to_owned(), 1)].into(), ..Finish::default() }
    }
}

/// Vectors that several guests share.
fn enough() -> Vec<Vector> {
    vectors("link")
}

struct Ran {
    result: CellResult,
    notes: Vec<String>,
    said: Vec<Said>,
}

fn run(plan: Plan, vectors: &[Vector]) -> Ran {
    let log = Arc::new(Log::default());
    let opened = AtomicUsize::new(0);
    let (result, notes) = run_side_by_side(plan.jobs, &cell("sim/14.0"), vectors, &|request, _| {
        log.say(Said::Opening(request.number, request.restore_only));
        if !(plan.opens)(request) {
            return Err(OpenError::Guest("no state of it is saved".into()));
        }
        let sim = SimTarget::traced(request.cell.profile, SimTrace::Counted);
        let sim = (plan.fault)(request).into_iter().fold(sim, SimTarget::inject);
        let facts = Facts { stacks: plan.stacks, ..sim.facts().clone() };
        let (number, log, before, dies) = (
            request.number,
            Arc::clone(&log),
            plan.before,
            (plan.dies)(request, opened.fetch_add(1, Ordering::SeqCst) + 1),
        );
        Ok(Box::new(Guest { sim, facts, number, log, before, dies }))
    });
    let said = log.said.lock().unwrap().clone();
    Ran { result, notes, said }
}

impl Ran {
    fn outcomes(&self) -> Vec<(&str, &Outcome)> {
        self.result.vectors.iter().map(|vector| (vector.id.as_str(), &vector.outcome)).collect()
    }

    /// How many vectors a guest was given.
    fn given(&self, guest: usize) -> usize {
        let ran = self.said.iter().filter_map(|said| match said {
            Said::Runs(by, count) if *by == guest => Some(count),
            _ => None,
        });
        ran.sum()
    }

    fn fact(&self, name: &str) -> Option<String> {
        self.result.facts.iter().find(|fact| fact.label() == name).map(Fact::text)
    }

    fn inconclusive(&self) -> Vec<&str> {
        let all = self.result.vectors.iter().filter(|it| matches!(it.outcome, Outcome::Inconclusive(_)));
        all.map(|vector| vector.id.as_str()).collect()
    }

    /// How many ran.
    fn ran(&self) -> usize {
        self.result.vectors.len() - self.result.counts().not_run
    }
}

#[test]
fn guests_side_by_side_find_what_one_finds() {
    let all = enough();
    let (one, two) = (run(ALONE, &all), run(PLAN, &all));
    assert_eq!(one.said, [Said::Opening(1, false), Said::Runs(1, one.ran()), Said::Ended(1)]);
    assert_eq!(one.fact("guests"), None);
    assert_eq!(one.outcomes(), two.outcomes());
    assert_eq!((one.result.status, &two.result.status), (CellStatus::Passed, &CellStatus::Passed));
    let ids: Vec<_> = all.iter().map(|vector| vector.id.as_str()).collect();
    assert_eq!(two.outcomes().into_iter().map(|(id, _)| id).collect::<Vec<_>>(), ids);
    assert!(two.said.contains(&Said::Opening(2, true)), "{:?}", two.said);
    assert!(two.given(1) > 0 && two.given(2) > 0, "{:?}", two.said);
    assert_eq!(two.given(1) + two.given(2), two.ran());
    assert_eq!(two.fact("guests"), Some("2 side by side, at most".into()));
    assert_eq!(two.fact("module counters"), Some("guests 2".into()));
    assert_eq!(two.notes, [""; 0]);
}

#[test]
fn what_fails_in_one_guest_fails_the_cell() {
    let fault: fn(GuestRequest<'_>) -> _ = |request| (request.number == 2).then_some(Fault::EpochNotLeft);
    let ran = run(Plan { fault, ..PLAN }, &enough());
    assert_eq!(ran.result.status, CellStatus::Failed);
    let failed = ran.result.counts().failed;
    assert!((1..=ran.given(2)).contains(&failed), "{failed} {:?}", ran.said);
}

#[test]
fn what_cannot_be_shared_or_is_too_little_is_run_by_one() {
    let few = vectors("limits");
    assert!(few.len() < 64, "{}", few.len());
    let plan = Plan { jobs: 2, ..ALONE };
    for (plan, vectors) in [(Plan { stacks: None, ..plan }, enough()), (plan, few)] {
        let ran = run(plan, &vectors);
        assert_eq!(ran.given(1), ran.ran());
        assert_eq!(ran.said.iter().filter(|said| matches!(said, Said::Opening(..))).count(), 1);
        assert_eq!(ran.fact("guests"), None);
        assert_eq!(ran.result.status, CellStatus::Passed);
    }
}

#[test]
fn more_vectors_than_stacks_are_run_in_fresh_guests() {
    let ran = run(Plan { stacks: Some(100), ..PLAN }, &enough());
    assert_eq!(ran.result.status, CellStatus::Passed);
    assert_eq!(ran.given(1) + ran.given(2), ran.ran());
    let opened = ran.said.iter().filter(|said| matches!(said, Said::Opening(..))).count();
    assert!(opened >= ran.ran().div_ceil(100), "{:?}", ran.said);
    // At most two at a time: none is opened while its number is in use.
    assert!(
        ran.said.iter().all(|said| matches!(said, Said::Opening(1 | 2, _) | Said::Runs(..) | Said::Ended(_)))
    );
    assert_eq!(ran.fact("module counters"), Some(format!("guests {opened}")));
}

#[test]
fn a_guest_that_is_lost_beside_another_costs_one_vector() {
    let dies: fn(GuestRequest<'_>, usize) -> _ = |_, opened| (opened == 2).then_some(3);
    let ran = run(Plan { dies, ..PLAN }, &enough());
    let [lost] = ran.result.losses.as_slice() else { panic!("{:?}", ran.result.losses) };
    assert_eq!(ran.inconclusive(), [lost.vector.as_str()]);
    assert_eq!(ran.result.counts().passed, ran.ran() - 1);
    assert!(ran.notes.iter().any(|note| note.starts_with("guest 2 lost in ")), "{:?}", ran.notes);
    let expected = format!("in {}: qemu was killed [signal 9]", lost.vector);
    assert_eq!(ran.result.status, CellStatus::GuestFailed(expected));
}

#[test]
fn what_the_last_guest_leaves_is_run_although_the_other_has_ended() {
    let dies: fn(GuestRequest<'_>, usize) -> _ = |_, opened| (opened == 2).then_some(0);
    // The second guest is lost in its first share when the first guest has run all others.
    let before: fn(&Log, usize) = |log, guest| match guest {
        1 => log.wait(|said| matches!(said, Said::Runs(2, _))),
        _ => log.wait(|said| matches!(said, Said::Ended(1))),
    };
    let ran = run(Plan { dies, before, ..PLAN }, &enough());
    assert_eq!(ran.result.losses.len(), 1);
    assert_eq!(ran.result.counts().passed, ran.ran() - 1);
    // Whoever looks last goes on alone.
    let alone = ran.said.iter().filter(|said| matches!(said, Said::Opening(_, false)));
    assert_eq!(alone.count(), 2, "{:?}", ran.said);
}

#[test]
fn a_second_guest_that_does_not_come_up_fails_nothing_and_is_told() {
    let opens: fn(GuestRequest<'_>) -> bool = |request| !request.restore_only;
    let before: fn(&Log, usize) = |log, _| log.wait(|said| matches!(said, Said::Opening(2, true)));
    let ran = run(Plan { opens, before, ..PLAN }, &enough());
    assert_eq!(ran.result.status, CellStatus::Passed);
    assert_eq!(ran.given(1), ran.ran());
    assert_eq!(ran.notes, ["no guest 2 beside: no state of it is saved"]);
    assert_eq!(ran.said.iter().filter(|said| matches!(said, Said::Opening(..))).count(), 2);
    assert_eq!(ran.fact("guests"), None);
}

#[test]
fn a_cell_whose_guests_all_die_is_given_up_by_all() {
    let ran = run(Plan { dies: |_, _| Some(0), ..PLAN }, &enough());
    // Two may be lost at once.
    assert!((8..=9).contains(&ran.result.losses.len()), "{:?}", ran.result.losses.len());
    assert_eq!(ran.inconclusive().len(), ran.result.losses.len());
    assert_eq!(ran.result.vectors.len(), enough().len());
    assert_eq!(ran.result.counts().passed, 0);
}
