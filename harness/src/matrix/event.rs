// SPDX-License-Identifier: BSD-2-Clause
//! The stream of run events. The engine emits it; every reporter only consumes it.

use super::cell::Cell;
use super::outcome::{CellResult, RunResult, VectorResult};
use crate::targets::BytesProgress;
use crate::trace::Trace;

/// Something happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// The run begins.
    RunStarted {
        /// Cells of the run.
        cells: &'a [Cell],
        /// How many vectors each has at most.
        vectors: usize,
    },
    /// A cell begins.
    CellStarted {
        /// The cell that this happens in.
        cell: &'a Cell,
    },
    /// A cell that takes its time says what it is doing.
    Stage {
        /// The cell that this happens in.
        cell: &'a Cell,
        /// What it is doing: `extract base`, `boot`.
        stage: &'a str,
        /// How far the stage is, where that is known.
        bytes: Option<BytesProgress>,
    },
    /// Something that the user should know and that changes no result.
    Note {
        /// The cell that this happens in.
        cell: &'a Cell,
        /// The sentence.
        text: &'a str,
    },
    /// A vector has run to its end, and is over next.
    VectorAnswered {
        /// The cell that this happens in.
        cell: &'a Cell,
        /// The vector's id.
        id: &'a str,
        /// What it said.
        trace: &'a Trace,
    },
    /// A vector is over.
    VectorFinished {
        /// The cell that this happens in.
        cell: &'a Cell,
        /// Result of the vector.
        result: &'a VectorResult,
    },
    /// A cell is over, or was not run.
    CellFinished {
        /// Result of the cell.
        result: &'a CellResult,
    },
    /// The run is over.
    RunFinished {
        /// Result of the run.
        result: &'a RunResult,
    },
}
