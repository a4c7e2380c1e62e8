// SPDX-License-Identifier: BSD-2-Clause
//! One cell, with targets of the test's own.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use nlproof::golden::{Divergences, Store};
use nlproof::matrix::{
    Cell, CellResult, Emit, Engine, Event, Opener, RunRequest, RunResult, Timings, VectorsOfRun, load_matrix,
};
use nlproof::vector::{Vector, load_vector};
use nlproof_guest::Tasks;

/// The project's own vectors, goldens and matrix.
fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests")
}

/// The vectors of a suite but for those that state losses: each of them takes a guest of its own. Only its files are read:
/// without optimisation all of them take seconds.
pub(crate) fn vectors(suite: &str) -> Vec<Vector> {
    let root = tests().join("vectors");
    let entries = std::fs::read_dir(root.join(suite)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let vectors = files.iter().map(|file| load_vector(&root, file).unwrap());
    // Those that the simulator plays, too: it has no carp(4).
    let played = |vector: &Vector| !vector.needs.modules.iter().any(|module| module == "carp");
    vectors.filter(|vector| vector.losses.is_empty() && played(vector)).collect()
}

/// The vector of this id.
pub(crate) fn vector(id: &str) -> Vector {
    let root = tests().join("vectors");
    load_vector(&root, &root.join(format!("{id}.yaml"))).unwrap()
}

/// The matrix's cell of that name.
pub(crate) fn cell(name: &str) -> Cell {
    let matrix = load_matrix(&tests().join("matrix.yaml")).unwrap();
    matrix.cells.into_iter().find(|cell| cell.name() == name).unwrap()
}

/// Runs the vectors in the cell, in one target at a time.
pub(crate) fn run(cell: &Cell, vectors: &[Vector], open: &Opener<'_>) -> CellResult {
    run_side_by_side(1, cell, vectors, open).0
}

/// Runs the vectors in the cell, in at most so many targets side by side. What was noted meanwhile.
pub(crate) fn run_side_by_side(
    jobs: usize,
    cell: &Cell,
    vectors: &[Vector],
    open: &Opener<'_>,
) -> (CellResult, Vec<String>) {
    let mut notes = Vec::new();
    let mut ended = Vec::new();
    let mut result = run_engine(jobs, std::slice::from_ref(cell), vectors, open, &mut |event| match event {
        Event::Note { text, .. } => notes.push((*text).to_owned()),
        Event::CellFinished { result } => ended.push(result.cell.name()),
        _ => {}
    });
    assert_eq!(result.cells.len(), 1);
    assert_eq!(ended, [cell.name()]);
    (result.cells.remove(0), notes)
}

/// Runs the vectors in the cells. The result, and each cell's in the order in which they were told.
pub(crate) fn run_cells(
    jobs: usize,
    cells: &[Cell],
    vectors: &[Vector],
    open: &Opener<'_>,
) -> (RunResult, Vec<CellResult>) {
    let mut told = Vec::new();
    let result = run_engine(jobs, cells, vectors, open, &mut |event| {
        if let Event::CellFinished { result } = event {
            told.push((*result).clone());
        }
    });
    (result, told)
}

fn run_engine(
    jobs: usize,
    cells: &[Cell],
    vectors: &[Vector],
    open: &Opener<'_>,
    hear: &mut Emit<'_>,
) -> RunResult {
    let tasks = Tasks::start().unwrap();
    let engine = Engine {
        open,
        goldens: &Store::new(&tests().join("golden")),
        divergences: &Divergences::default(),
        timings: &Timings::default(),
        follow_stock: false,
        raw: None,
        jobs: NonZeroUsize::new(jobs).unwrap(),
        tasks: &tasks,
    };
    engine.run(&RunRequest { cells, vectors, about: VectorsOfRun::default() }, hear).unwrap()
}
