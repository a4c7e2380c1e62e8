// SPDX-License-Identifier: BSD-2-Clause
//! The judgement on a vector once more, from what a raw trace kept of it.

use super::cell::Cell;
use super::judge::{Answerer, judge};
use super::outcome::VectorResult;
use super::share::goldens_of;
use super::vector_run::VectorRun;
use crate::file::FileError;
use crate::golden::{Divergences, Store};

/// The result of a vector whose run was [made again](super::reread), by these goldens. `kernel` is the SHA-256 of the
/// kernel that answered, in hex.
///
/// What dtrace(1) heard of stock code is not read back, and is not judged again.
///
/// # Errors
/// A golden cannot be read, or a declared deviation is about a line that its golden does not have.
pub fn rejudge(
    cell: &Cell,
    kernel: Option<&str>,
    run: &VectorRun<'_>,
    goldens: &Store,
    divergences: &Divergences,
) -> Result<VectorResult, FileError> {
    let (golden, told) = goldens_of(goldens, divergences, cell, run.vector)?;
    Ok(judge(&Answerer { cell, kernel, stock: None }, run, golden, told).result)
}
