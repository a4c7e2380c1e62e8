// SPDX-License-Identifier: BSD-2-Clause
//! One cell, with targets of the test's own.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use nlproof::golden::{Divergences, Store};
use nlproof::matrix::{Cell, CellResult, Engine, Opener, Timings, VectorsOfRun, Wanted, load_matrix};
use nlproof::vector::{Vector, load_suite};

/// The project's own vectors, goldens and matrix.
fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests")
}

/// The vectors of a suite.
pub(crate) fn vectors(suite: &str) -> Vec<Vector> {
    let prefix = format!("{suite}/");
    let mut suite = load_suite(&tests().join("vectors")).unwrap_or_else(|errors| panic!("{errors:?}"));
    suite.vectors.retain(|vector| vector.id.starts_with(&prefix));
    suite.vectors
}

/// The matrix's cell of that name.
pub(crate) fn cell(name: &str) -> Cell {
    let matrix = load_matrix(&tests().join("matrix.yaml")).unwrap();
    matrix.cells.into_iter().find(|cell| cell.name() == name).unwrap()
}

/// Runs the vectors in the cell.
pub(crate) fn run(cell: &Cell, vectors: &[Vector], open: &Opener<'_>) -> CellResult {
    let never = AtomicBool::new(false);
    let engine = Engine {
        open,
        goldens: &Store::new(&tests().join("golden")),
        divergences: &Divergences::default(),
        timings: &Timings::default(),
        follow_stock: false,
        raw: None,
        jobs: std::num::NonZeroUsize::MIN,
        cancel: &never,
    };
    let wanted = Wanted { cells: std::slice::from_ref(cell), vectors, about: VectorsOfRun::default() };
    let mut result = engine.run(&wanted, &mut |_| ()).unwrap();
    assert_eq!(result.cells.len(), 1);
    result.cells.remove(0)
}
