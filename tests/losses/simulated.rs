// SPDX-License-Identifier: BSD-2-Clause
//! The simulator as a guest that is lost: the engine's part of it, which needs no guest.

use std::sync::atomic::{AtomicUsize, Ordering};

use nlproof::matrix::{Cell, CellResult, CellStatus, Outcome};
use nlproof::target::{Facts, Loss, OpenError, SimTarget, Target, TargetError};
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
            text: text.into(),
        }))
    }
}

/// Opens one target after the other, each of which dies where the list says.
fn run_mortals(cell: &Cell, suite: &str, deaths: &[Option<usize>]) -> CellResult {
    let opened = AtomicUsize::new(0);
    run(cell, &vectors(suite), &|cell, _| match deaths.get(opened.fetch_add(1, Ordering::SeqCst)) {
        Some(dies_in) => Ok(Box::new(Mortal { sim: SimTarget::new(cell.profile), dies_in: *dies_in })),
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
