// SPDX-License-Identifier: BSD-2-Clause
//! The simulator as a guest that is lost: the engine's part of it, which needs no guest.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use nlproof::matrix::{Cell, CellResult, CellStatus, Outcome};
use nlproof::targets::{Fact, Facts, Finish, Loss, OpenError, SimTarget, Target, TargetError};
use nlproof_agent::{Batch, Record};

use crate::engine::{cell, run, vectors};

/// Is lost in the program with this place, if there is one.
struct Mortal {
    sim: SimTarget,
    dies_in: Option<usize>,
}

impl Target for Mortal {
    fn facts(&self) -> &Facts {
        self.sim.facts()
    }

    fn run(&mut self, batch: &Batch, on_record: &mut dyn FnMut(Record)) -> Result<(), TargetError> {
        let Some(place) = self.dies_in else { return self.sim.run(batch, on_record) };
        let before = Batch { programs: batch.programs.iter().take(place).cloned().collect() };
        self.sim.run(&before, on_record)?;
        let [kind, fingerprint, text] = ["panicked", "page fault | dump_iface", "panic: page fault\n| db>"];
        Err(TargetError::Guest(Loss {
            kind: kind.into(),
            fingerprint: fingerprint.into(),
            calls: vec![],
            text: text.into(),
        }))
    }
}

/// Is good for a few vectors at a time, and tells at its end how many it ran.
struct Short {
    sim: SimTarget,
    facts: Facts,
    ran: u64,
}

impl Target for Short {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn run(&mut self, batch: &Batch, on_record: &mut dyn FnMut(Record)) -> Result<(), TargetError> {
        self.ran += batch.programs.len() as u64;
        self.sim.run(batch, on_record)
    }

    fn finish(&mut self) -> Finish {
        let complaints = if self.ran == 1 { vec!["only one".to_owned()] } else { Vec::new() };
        Finish { counters: BTreeMap::from([("ran".into(), self.ran)]), complaints, ..Finish::default() }
    }
}

fn run_shorts(cell: &Cell, suite: &str, stacks: usize) -> (CellResult, usize) {
    let opened = AtomicUsize::new(0);
    let result = run(cell, &vectors(suite), &|request, _| {
        opened.fetch_add(1, Ordering::SeqCst);
        let sim = SimTarget::new(request.cell.profile);
        let facts = Facts { stacks: Some(stacks), ..sim.facts().clone() };
        Ok(Box::new(Short { sim, facts, ran: 0 }))
    });
    (result, opened.into_inner())
}

#[test]
fn more_vectors_than_stacks_are_run_in_one_target_after_the_other() {
    let all = vectors("limits").len();
    let (result, opened) = run_shorts(&cell("sim/14.0"), "limits", all.div_ceil(3));
    assert_eq!(opened, 3);
    assert_eq!(result.status, CellStatus::Passed);
    assert_eq!(result.counts().passed, all);
    let counters = result.facts.iter().find(|fact| fact.label() == "module counters");
    assert_eq!(counters.map(Fact::text), Some(format!("ran {all}")));
}

#[test]
fn what_any_of_them_complains_of_is_a_failure() {
    let (result, opened) = run_shorts(&cell("sim/14.0"), "limits", 1);
    assert_eq!(opened, vectors("limits").len());
    let CellStatus::GuestFailed(reason) = &result.status else { panic!("{:?}", result.status) };
    assert_eq!(reason, "only one");
}

/// Opens one target after the other; each dies at the vector in the list.
fn run_mortals(cell: &Cell, suite: &str, deaths: &[Option<usize>]) -> CellResult {
    let opened = AtomicUsize::new(0);
    run(cell, &vectors(suite), &|request, _| match deaths.get(opened.fetch_add(1, Ordering::SeqCst)) {
        Some(dies_in) => {
            Ok(Box::new(Mortal { sim: SimTarget::new(request.cell.profile), dies_in: *dies_in }))
        }
        None => Err(OpenError::Guest("no further guest".into())),
    })
}

fn places(result: &CellResult, wanted: fn(&Outcome) -> bool) -> Vec<usize> {
    (0..).zip(&result.vectors).filter(|(_, vector)| wanted(&vector.outcome)).map(|(n, _)| n).collect()
}

#[test]
fn a_lost_guest_costs_the_vector_that_ran() {
    let result = run_mortals(&cell("sim/14.0"), "limits", &[Some(3), Some(0), None]);
    assert_eq!(places(&result, |outcome| matches!(outcome, Outcome::Inconclusive(_))), [3, 4]);
    assert_eq!(places(&result, |outcome| matches!(outcome, Outcome::NotRun(_))), [0; 0]);
    assert_eq!(result.counts().passed, vectors("limits").len() - 2);
    assert_eq!(result.losses.len(), 2);
    assert_eq!(result.losses[0].vector, result.vectors[3].id);
    assert_eq!(result.losses[1].vector, result.vectors[4].id);
    let CellStatus::GuestFailed(reason) = &result.status else { panic!("{:?}", result.status) };
    let expected = format!("in {}: panic: page fault [page fault | dump_iface]; in", result.losses[0].vector);
    assert!(reason.starts_with(&expected), "{reason}");
}

#[test]
fn vectors_that_no_guest_was_left_for_are_not_run() {
    let result = run_mortals(&cell("sim/14.0"), "limits", &[Some(3)]);
    let all = vectors("limits").len();
    assert_eq!(result.counts().passed, 3);
    assert_eq!(result.counts().inconclusive, 1);
    assert_eq!(result.counts().not_run, all - 4);
    let CellStatus::GuestFailed(reason) = &result.status else { panic!("{:?}", result.status) };
    assert!(reason.ends_with("then no further guest"), "{reason}");
}

#[test]
fn a_cell_whose_guests_all_die_ends() {
    let deaths = [Some(0); 100];
    let result = run_mortals(&cell("sim/14.0"), "limits", &deaths);
    assert_eq!(result.losses.len(), 8);
    assert_eq!(result.counts().inconclusive, 8);
    assert_eq!(result.counts().not_run, vectors("limits").len() - 8);
}
