// SPDX-License-Identifier: BSD-2-Clause
//! What is new since another run: vectors that come to something else than they did there.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::matrix::{Outcome, RunResult};
use crate::report::problems::is_trouble;

/// The changes since a baseline.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Since {
    /// What the baseline is called.
    name: String,
    /// Passed or did not run there, and fails here.
    broken: Vec<Changed>,
    /// The other way round.
    mended: Vec<Changed>,
    /// Comes to something else, and is no better or worse for it.
    other: Vec<Changed>,
    /// Vectors that only this run has, in any cell that both have.
    added: usize,
    /// Vectors that only the baseline has.
    gone: usize,
    /// Cells that only one of the two has.
    not_compared: Vec<String>,
}

/// A vector, and the cells in which it changed so.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Changed {
    id: String,
    cells: Vec<String>,
    was: &'static str,
    is: &'static str,
}

/// Compares a run with a baseline.
pub(super) fn since(name: &str, baseline: &RunResult, run: &RunResult) -> Since {
    let mut since = Since { name: name.to_owned(), ..Since::default() };
    let names = |run: &RunResult| run.cells.iter().map(|cell| cell.cell.name()).collect::<Vec<_>>();
    let (old_names, new_names) = (names(baseline), names(run));
    since.not_compared = (new_names.iter().filter(|name| !old_names.contains(name)))
        .chain(old_names.iter().filter(|name| !new_names.contains(name)))
        .cloned()
        .collect();
    for cell in &run.cells {
        let name = cell.cell.name();
        let Some(old) = baseline.cells.iter().find(|old| old.cell.name() == name) else { continue };
        let mut before: BTreeMap<&str, &Outcome> =
            old.vectors.iter().map(|vector| (vector.id.as_str(), &vector.outcome)).collect();
        for vector in &cell.vectors {
            let Some(was) = before.remove(vector.id.as_str()) else {
                since.added += 1;
                continue;
            };
            let is = &vector.outcome;
            if was.word() == is.word() {
                continue;
            }
            let of_kind = match (is_trouble(was), is_trouble(is)) {
                (false, true) => &mut since.broken,
                (true, false) => &mut since.mended,
                _ => &mut since.other,
            };
            let (was, is) = (was.word(), is.word());
            let same = |known: &&mut Changed| (&known.id, known.was, known.is) == (&vector.id, was, is);
            match of_kind.iter_mut().find(same) {
                Some(known) => known.cells.push(name.clone()),
                None => of_kind.push(Changed { id: vector.id.clone(), cells: vec![name.clone()], was, is }),
            }
        }
        since.gone += before.len();
    }
    since
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::VectorResult;
    use crate::report::summary::tests::sample_run;

    #[test]
    fn what_changed_is_told_by_its_direction() {
        let old = sample_run();
        let mut new = sample_run();
        let cell = &mut new.cells[0];
        cell.vectors[0].outcome = Outcome::Violated("x".into());
        cell.vectors[1].outcome = Outcome::Passed;
        cell.vectors[4].outcome = Outcome::Lost("x".into());
        cell.vectors[6] = VectorResult::without("link/new", Outcome::Passed);
        let since = since("old", &old, &new);
        let one = |changed: &[Changed]| {
            changed.iter().map(|one| format!("{} {} {}", one.id, one.was, one.is)).collect::<Vec<_>>()
        };
        assert_eq!(one(&since.broken), ["link/a passed violated"]);
        assert_eq!(one(&since.mended), ["link/b failed passed"]);
        assert_eq!(one(&since.other), ["link/e not-run lost"]);
        assert_eq!((since.added, since.gone, since.not_compared.len()), (1, 1, 0));
    }

    #[test]
    fn cells_that_only_one_run_has_are_not_compared() {
        let old = sample_run();
        let new = RunResult { cells: vec![], ..sample_run() };
        assert_eq!(since("old", &old, &new).not_compared, ["freebsd/14.0-STABLE/stock"]);
        assert_eq!(since("old", &old, &sample_run()).not_compared, Vec::<String>::new());
    }
}
