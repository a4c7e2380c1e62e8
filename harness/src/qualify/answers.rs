// SPDX-License-Identifier: BSD-2-Clause
//! What a cell answered to each vector, from its raw trace.

use std::collections::BTreeMap;
use std::path::Path;

use crate::file::FileError;
use crate::matrix::{CellResult, Outcome};
use crate::report::{Seen, seen};
use crate::vector::Vector;

/// A cell's result with the directory of the report that it stands in.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The cell.
    pub result: &'a CellResult,
    /// The directory with its raw trace.
    pub directory: &'a Path,
}

/// What was answered to one vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// A whole trace, as text.
    Said(String),
    /// The guest was lost in it, as the vector states.
    Lost,
    /// The vector did not run. Why.
    NotRun(String),
    /// There is no whole trace. Why.
    Hole(String),
}

/// The answers of a cell, by vector.
pub(super) type Answers = BTreeMap<String, Answer>;

/// What the raw trace of a cell tells of its vectors.
pub(super) fn seen_of<'v>(
    told: Told<'_>,
    vectors: &'v [Vector],
) -> Result<BTreeMap<String, Seen<'v>>, FileError> {
    let of_cell = |vector: &&Vector| told.result.vectors.iter().any(|result| result.id == vector.id);
    let wanted = vectors.iter().filter(of_cell).map(|vector| (vector.id.as_str(), vector)).collect();
    seen(told.directory, &told.result.cell, &wanted)
}

/// The answers of a cell.
pub(super) fn answers(result: &CellResult, seen: &BTreeMap<String, Seen<'_>>) -> Answers {
    let answer = |outcome: &Outcome, id: &str| match (outcome, seen.get(id)) {
        (Outcome::NotRun(reason), _) => Answer::NotRun(reason.clone()),
        (Outcome::Lost(_), _) => Answer::Lost,
        (Outcome::Inconclusive(reason), _) => Answer::Hole(reason.clone()),
        (_, None) => Answer::Hole("the raw trace has nothing of it".into()),
        (_, Some(seen)) => match seen.run.trace.loss() {
            Some((_, lossy)) => Answer::Hole(lossy.to_string()),
            None => Answer::Said(seen.run.trace.to_text()),
        },
    };
    result.vectors.iter().map(|one| (one.id.clone(), answer(&one.outcome, &one.id))).collect()
}
