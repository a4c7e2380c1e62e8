// SPDX-License-Identifier: BSD-2-Clause
//! A simulator that makes a mistake that nobody can hear: the kernel trace shows it, and names the line.

use iface_sim::Fault;
use nlproof::matrix::{CellResult, CellStatus, Outcome};
use nlproof::targets::{SimTarget, SimTrace};

use crate::engine::{cell, run, vectors};

fn with(fault: Option<Fault>, trace: SimTrace) -> CellResult {
    run(&cell("sim/14.0"), &vectors("link"), &|request, _| {
        let sim = SimTarget::traced(request.cell.profile, trace);
        Ok(Box::new(match fault {
            Some(fault) => sim.inject(fault),
            None => sim,
        }))
    })
}

fn violation(result: &CellResult, vector: &str) -> String {
    let found = result.vectors.iter().find(|result| result.id == vector).unwrap();
    match &found.outcome {
        Outcome::Violated(what) => what.clone(),
        other => panic!("{vector}: {other:?}"),
    }
}

#[test]
fn a_reference_that_is_not_released_is_found_with_the_line_that_took_it() {
    assert_eq!(with(None, SimTrace::Counted).status, CellStatus::Passed);
    let result = with(Some(Fault::ReferenceNotReleased), SimTrace::Counted);
    assert_eq!(result.status, CellStatus::Failed);
    let what = violation(&result, "link/create-lo");
    assert!(
        what.starts_with("a reference was taken and not released: step 0: reference-taken index=4"),
        "{what}"
    );
    assert!(what.contains("\n    in request-in message=newlink flags=request|ack|excl|create"), "{what}");
    // What is said is the same: without the kernel's part nobody would know.
    assert_eq!(with(Some(Fault::ReferenceNotReleased), SimTrace::Off).status, CellStatus::Passed);
}

#[test]
fn an_epoch_that_is_not_left_is_found_with_the_line_that_entered_it() {
    let result = with(Some(Fault::EpochNotLeft), SimTrace::Counted);
    let what = violation(&result, "link/create-lo");
    let expected = "the epoch is not left as often as it is entered: step 1: epoch-enter depth=1\n    in request-in message=getlink";
    assert!(what.starts_with(expected), "{what}");
    // And where what sleeps comes later on, inside the epoch that lasts.
    let what = violation(&result, "link/delete-by-index");
    assert!(what.contains("epoch"), "{what}");
}
