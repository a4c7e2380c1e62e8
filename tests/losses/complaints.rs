// SPDX-License-Identifier: BSD-2-Clause
//! Kernels that complain while vectors run: a complaint that the stock code's kernel does not have is blamed on the
//! module.

use nlproof::matrix::{CellResult, CellStatus, ModuleKind};
use nlproof::targets::{Complaint, Facts, Finish, SimTarget, Target, TargetError};
use nlproof_agent::{Batch, Record};

use crate::engine::{cell, run_cells, vectors};

/// The simulator in a guest whose kernel says something at the end.
struct Complaining {
    sim: SimTarget,
    said: Vec<&'static str>,
}

impl Target for Complaining {
    fn facts(&self) -> &Facts {
        self.sim.facts()
    }

    fn run(&mut self, batch: &Batch, on_record: &mut dyn FnMut(Record)) -> Result<(), TargetError> {
        self.sim.run(batch, on_record)
    }

    fn finish(&mut self) -> Finish {
        let complaint = |name: &&str| Complaint { text: format!("says {name}"), fingerprint: (*name).into() };
        Finish { console: self.said.iter().map(complaint).collect(), ..Finish::default() }
    }
}

/// Runs the cells of these names with what the kernels of stock code and of the module say. The results by the time at
/// which they were told.
fn run(cells: &[&str], jobs: usize, stock: &[&'static str], rust: &[&'static str]) -> Vec<CellResult> {
    let cells: Vec<_> = cells.iter().map(|name| cell(name)).collect();
    let (result, told) = run_cells(jobs, &cells, &vectors("limits"), &|request, _| {
        let said = match request.cell.module {
            ModuleKind::Stock => stock,
            ModuleKind::Rust => rust,
        };
        Ok(Box::new(Complaining { sim: SimTarget::new(request.cell.profile), said: said.to_vec() }))
    });
    assert_eq!(result.cells.iter().map(|cell| cell.cell.clone()).collect::<Vec<_>>(), cells);
    told
}

const STOCK: &str = "freebsd/14.0-STABLE-DEBUG/stock";
const RUST: &str = "freebsd/14.0-STABLE-DEBUG/rust";

fn status<'a>(results: &'a [CellResult], name: &str) -> &'a CellStatus {
    &results.iter().find(|result| result.cell.name() == name).unwrap().status
}

#[test]
fn a_complaint_of_the_stock_code_is_not_the_modules_whichever_cell_ends_first() {
    for cells in [[RUST, STOCK], [STOCK, RUST]] {
        for jobs in [1, 2] {
            let results = run(&cells, jobs, &["reversal", "more"], &["reversal"]);
            let CellStatus::GuestFailed(reason) = status(&results, RUST) else { panic!("{results:?}") };
            assert_eq!(reason, &format!("says reversal; {STOCK} says so too: it is not the module's"));
            assert_eq!(status(&results, STOCK), &CellStatus::GuestFailed("says reversal; says more".into()));
            // The one that waits for the other is told after it.
            assert_eq!(results.last().unwrap().cell.name(), RUST);
        }
    }
}

#[test]
fn a_complaint_that_the_stock_code_has_not_is_the_modules() {
    let results = run(&[RUST, STOCK], 1, &[], &["reversal"]);
    assert_eq!(status(&results, STOCK), &CellStatus::Passed);
    assert_eq!(
        status(&results, RUST),
        &CellStatus::ModuleFailed(format!("says reversal; {STOCK} does not say so"))
    );
    // A cell that nobody complains of waits for nobody.
    let results = run(&[RUST, STOCK], 1, &["reversal"], &[]);
    assert_eq!(status(&results, RUST), &CellStatus::Passed);
    assert_eq!(results[0].cell.name(), RUST);
}

#[test]
fn without_the_stock_code_nobody_is_blamed() {
    let results = run(&[RUST, "freebsd/14.0-STABLE/stock"], 1, &[], &["reversal"]);
    let CellStatus::GuestFailed(reason) = status(&results, RUST) else { panic!("{results:?}") };
    assert!(reason.ends_with("was not looked at (--module stock,rust does)"), "{reason}");
}
