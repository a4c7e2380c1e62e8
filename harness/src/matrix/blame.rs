// SPDX-License-Identifier: BSD-2-Clause
//! Attribution of a kernel's complaint: to the module if the stock code of the same release, asked the same, has none
//! like it.

use std::sync::{Mutex, PoisonError};

use super::cell::{Cell, ModuleKind};
use super::outcome::{CellResult, CellStatus, Outcome};
use crate::targets::Complaint;

/// Where nobody can tell.
const UNKNOWN: &str =
    "whether the stock code's cell says so too was not looked at (--module stock,rust does)";

/// Texts of a kernel's complaints.
pub(super) fn told(complaints: &[Complaint]) -> String {
    complaints.iter().map(|complaint| complaint.text.as_str()).collect::<Vec<_>>().join("; ")
}

/// Attributes complaints again for cells that are now in one report and may have run in different jobs.
pub fn settle(cells: &mut [CellResult]) {
    for at in 0..cells.len() {
        let open = cells.get(at).filter(|result| is_open(result));
        let status =
            open.map(|result| judged(result, cells.iter().find(|other| is_twin(&other.cell, &result.cell))));
        if let (Some(status), Some(result)) = (status, cells.get_mut(at)) {
            result.status = status;
        }
    }
}

/// Whether a cell runs the stock code of the release in which the other one runs the module.
fn is_twin(stock: &Cell, of: &Cell) -> bool {
    let alike = (stock.target, &stock.release) == (of.target, &of.release);
    alike && stock.module == ModuleKind::Stock && of.module == ModuleKind::Rust
}

/// Whether a cell failed only because of complaints that may not be the module's.
pub(super) fn is_open(result: &CellResult) -> bool {
    let CellStatus::GuestFailed(reason) = &result.status else { return false };
    result.cell.module == ModuleKind::Rust
        && result.losses.is_empty()
        && result.complaints.iter().any(|complaint| reason.starts_with(&complaint.text))
}

/// Outcome of a cell whose fate [is open](is_open), decided by the stock code's cell.
fn judged(result: &CellResult, stock: Option<&CellResult>) -> CellStatus {
    let all = told(&result.complaints);
    let Some(stock) = stock else { return CellStatus::GuestFailed(format!("{all}; {UNKNOWN}")) };
    let (shared, own): (Vec<Complaint>, Vec<Complaint>) =
        result.complaints.iter().cloned().partition(|complaint| {
            stock.complaints.iter().any(|other| other.fingerprint == complaint.fingerprint)
        });
    let name = stock.cell.name();
    match (own.is_empty(), ran_whole(stock)) {
        (true, _) => CellStatus::GuestFailed(format!("{all}; {name} says so too: it is not the module's")),
        (false, true) if shared.is_empty() => {
            CellStatus::ModuleFailed(format!("{all}; {name} does not say so"))
        }
        (false, true) => CellStatus::ModuleFailed(format!(
            "{}; {name} does not say so; what both say: {}",
            told(&own),
            told(&shared)
        )),
        (false, false) => CellStatus::GuestFailed(format!(
            "{all}; {name}, which could tell whose it is, did not run to its end"
        )),
    }
}

/// Whether a cell had every vector run.
fn ran_whole(result: &CellResult) -> bool {
    let ran = matches!(result.status, CellStatus::Passed | CellStatus::Failed | CellStatus::GuestFailed(_));
    let some = result.vectors.iter().any(|vector| !matches!(vector.outcome, Outcome::NotRun(_)));
    ran && some && result.losses.is_empty()
}

/// Cells that have ended. One whose fate is open waits for its twin, if that is to run.
pub(super) struct Ended<'a> {
    cells: &'a [Cell],
    results: Mutex<Vec<(usize, CellResult)>>,
    open: Mutex<Vec<(usize, CellResult)>>,
}

impl<'a> Ended<'a> {
    /// None of these has ended.
    pub(super) fn none_of(cells: &'a [Cell]) -> Self {
        Self { cells, results: Mutex::default(), open: Mutex::default() }
    }

    /// A cell has ended. The results that are known now, each with its cell's place.
    pub(super) fn end(&self, place: usize, result: CellResult) -> Vec<(usize, CellResult)> {
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.push((place, result));
        let mut known = Vec::new();
        // One that is known may make another one known.
        while let Some(at) = open.iter().position(|(_, result)| !self.waits(result, &results)) {
            let (place, result) = open.swap_remove(at);
            let result = settled(result, &results);
            results.push((place, result.clone()));
            known.push((place, result));
        }
        known
    }

    /// Results of the cells that still wait when no further cell ends.
    pub(super) fn rest(self) -> Vec<(usize, CellResult)> {
        let results = self.results.into_inner().unwrap_or_else(PoisonError::into_inner);
        let open = self.open.into_inner().unwrap_or_else(PoisonError::into_inner);
        open.into_iter().map(|(place, result)| (place, settled(result, &results))).collect()
    }

    fn waits(&self, result: &CellResult, results: &[(usize, CellResult)]) -> bool {
        let is_its = |cell: &Cell| is_twin(cell, &result.cell);
        is_open(result)
            && self.cells.iter().any(is_its)
            && !results.iter().any(|(_, other)| is_its(&other.cell))
    }
}

fn settled(mut result: CellResult, results: &[(usize, CellResult)]) -> CellResult {
    if is_open(&result) {
        let stock = results.iter().find(|(_, other)| is_twin(&other.cell, &result.cell));
        result.status = judged(&result, stock.map(|(_, stock)| stock));
    }
    result
}

#[cfg(test)]
mod tests {
    use iface_core::Profile;

    use super::*;
    use crate::matrix::VectorResult;
    use crate::matrix::tests::{self, cell_result};

    fn cell(module: ModuleKind) -> Cell {
        Cell { module, ..tests::cell(Some("r"), Profile::R14_0) }
    }

    fn complaint(name: &str) -> Complaint {
        Complaint { text: format!("the console says in link/a: {name}"), fingerprint: name.into() }
    }

    /// A cell that ran and whose kernel said these.
    fn result(module: ModuleKind, said: &[&str]) -> CellResult {
        let complaints: Vec<_> = said.iter().map(|name| complaint(name)).collect();
        let status = match complaints.is_empty() {
            true => CellStatus::Passed,
            false => CellStatus::GuestFailed(told(&complaints)),
        };
        let vectors = vec![VectorResult::without("link/a", Outcome::Passed)];
        CellResult { complaints, vectors, ..cell_result(cell(module), status) }
    }

    #[test]
    fn what_the_stock_code_says_too_is_not_the_modules_and_all_else_is() {
        let rust = result(ModuleKind::Rust, &["a", "b"]);
        let by = |said: &[&str]| judged(&rust, Some(&result(ModuleKind::Stock, said)));
        assert_eq!(
            by(&["b", "c", "a"]),
            CellStatus::GuestFailed(
                "the console says in link/a: a; the console says in link/a: b; freebsd/r/stock says so too: it is \
                 not the module's"
                    .into()
            )
        );
        assert_eq!(
            by(&["a"]),
            CellStatus::ModuleFailed(
                "the console says in link/a: b; freebsd/r/stock does not say so; what both say: the console says \
                 in link/a: a"
                    .into()
            )
        );
        let CellStatus::ModuleFailed(reason) = by(&[]) else { panic!("{:?}", by(&[])) };
        assert!(reason.ends_with("link/a: b; freebsd/r/stock does not say so"), "{reason}");
        let CellStatus::GuestFailed(reason) = judged(&rust, None) else { panic!("nobody can tell") };
        assert!(reason.ends_with("was not looked at (--module stock,rust does)"), "{reason}");
        let mut lost = result(ModuleKind::Stock, &["a"]);
        lost.vectors[0].outcome = Outcome::NotRun("the guest was lost before its turn".into());
        let CellStatus::GuestFailed(reason) = judged(&rust, Some(&lost)) else { panic!("half a run") };
        assert!(reason.ends_with("did not run to its end"), "{reason}");
    }

    #[test]
    fn cells_of_one_report_that_ran_apart_are_looked_at_again() {
        let mut rust = result(ModuleKind::Rust, &["a"]);
        rust.status = judged(&rust, None);
        let mut cells = [rust, result(ModuleKind::Stock, &[])];
        settle(&mut cells[..1]);
        assert!(matches!(cells[0].status, CellStatus::GuestFailed(_)), "{:?}", cells[0].status);
        settle(&mut cells);
        assert!(matches!(cells[0].status, CellStatus::ModuleFailed(_)), "{:?}", cells[0].status);
        let judged = cells.clone();
        settle(&mut cells);
        assert_eq!(cells, judged);
    }

    #[test]
    fn a_cell_waits_for_its_twin_and_for_no_other() {
        let cells = [cell(ModuleKind::Rust), cell(ModuleKind::Stock)];
        let places =
            |ended: Vec<(usize, CellResult)>| ended.into_iter().map(|(place, _)| place).collect::<Vec<_>>();
        let ended = Ended::none_of(&cells);
        assert_eq!(places(ended.end(0, result(ModuleKind::Rust, &["a"]))), [0; 0]);
        let known = ended.end(1, result(ModuleKind::Stock, &["a"]));
        assert!(matches!(known[1].1.status, CellStatus::GuestFailed(_)), "{known:?}");
        assert_eq!(places(known), [1, 0]);
        assert_eq!(ended.rest(), []);
        // A twin that never comes, one that is not wanted, and nothing to ask it.
        let ended = Ended::none_of(&cells);
        assert_eq!(places(ended.end(0, result(ModuleKind::Rust, &["a"]))), [0; 0]);
        assert_eq!(places(ended.rest()), [0]);
        let ended = Ended::none_of(&cells[..1]);
        assert_eq!(places(ended.end(0, result(ModuleKind::Rust, &["a"]))), [0]);
        let ended = Ended::none_of(&cells);
        assert_eq!(places(ended.end(0, result(ModuleKind::Rust, &[]))), [0]);
    }
}
