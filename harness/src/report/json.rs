// SPDX-License-Identifier: BSD-2-Clause
//! `report.json`: the run for machines. The schema's number rises when a reader would misread.

use std::io;
use std::path::Path;

use serde::Serialize;

use crate::matrix::{CellResult, CellStatus, Outcome, RunResult};

/// Version of `report.json`.
pub const REPORT_SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    nlproof: &'static str,
    interrupted: bool,
    cells: Vec<Cell<'a>>,
}

#[derive(Serialize)]
struct Cell<'a> {
    name: String,
    target: String,
    release: String,
    profile: String,
    module: String,
    /// `observed`, `predicted`, or null when nothing was compared.
    origin: Option<&'static str>,
    /// `passed`, `failed`, `not-run`.
    status: &'static str,
    /// `comparison`, or a word of [`CellStatus::failure`], for a failed cell.
    failure: Option<&'static str>,
    reason: Option<&'a str>,
    remedy: Option<&'a str>,
    facts: serde_json::Map<String, serde_json::Value>,
    counts: Counts,
    duration_ms: u64,
    vectors: Vec<Vector<'a>>,
}

#[derive(Serialize)]
struct Counts {
    passed: usize,
    failed: usize,
    inconclusive: usize,
    no_golden: usize,
    not_run: usize,
}

#[derive(Serialize)]
struct Vector<'a> {
    id: &'a str,
    status: &'static str,
    origin: Option<&'static str>,
    golden: Option<&'a str>,
    duration_us: u64,
    reason: Option<&'a str>,
    divergence: Option<Divergence<'a>>,
}

#[derive(Serialize)]
struct Divergence<'a> {
    step: &'a str,
    golden_line: usize,
    missing: usize,
    extra: usize,
    hunk: &'a [String],
}

/// Writes `report.json`; it appears whole or not at all.
///
/// # Errors
/// The file cannot be written.
pub fn write_json(path: &Path, run: &RunResult) -> io::Result<()> {
    let report = Report {
        schema: REPORT_SCHEMA,
        nlproof: env!("CARGO_PKG_VERSION"),
        interrupted: run.interrupted,
        cells: run.cells.iter().map(cell).collect(),
    };
    let mut text = serde_json::to_vec_pretty(&report)?;
    text.push(b'\n');
    super::file::write_whole(path, &text)
}

fn cell(result: &CellResult) -> Cell<'_> {
    let (status, failure, reason, remedy) = match &result.status {
        CellStatus::Passed => ("passed", None, None, None),
        CellStatus::Failed => ("failed", Some("comparison"), None, None),
        CellStatus::NotRun { reason, remedy } => {
            ("not-run", None, Some(reason.as_str()), Some(remedy.as_str()))
        }
        broken => {
            let (word, reason) = broken.failure().unzip();
            ("failed", word, reason, None)
        }
    };
    let counts = result.counts();
    Cell {
        name: result.cell.name(),
        target: result.cell.target.to_string(),
        release: result.cell.release_or_profile(),
        profile: result.cell.profile.to_string(),
        module: result.cell.module.to_string(),
        origin: result.origin(),
        status,
        failure,
        reason,
        remedy,
        facts: result.facts.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect(),
        counts: Counts {
            passed: counts.passed,
            failed: counts.failed,
            inconclusive: counts.inconclusive,
            no_golden: counts.no_golden,
            not_run: counts.not_run,
        },
        duration_ms: u64::try_from(result.duration.as_millis()).unwrap_or(u64::MAX),
        vectors: result.vectors.iter().map(vector).collect(),
    }
}

fn vector(result: &crate::matrix::VectorResult) -> Vector<'_> {
    let (reason, divergence) = match &result.outcome {
        Outcome::Failed(divergence) => (None, Some(divergence)),
        Outcome::Inconclusive(reason) | Outcome::NotRun(reason) => (Some(reason.as_str()), None),
        Outcome::Passed | Outcome::NoGolden => (None, None),
    };
    Vector {
        id: &result.id,
        status: result.outcome.word(),
        origin: result.observed.map(|observed| if observed { "observed" } else { "predicted" }),
        golden: result.golden_layer.as_deref(),
        duration_us: u64::try_from(result.duration.as_micros()).unwrap_or(u64::MAX),
        reason,
        divergence: divergence.map(|divergence| Divergence {
            step: &divergence.step,
            golden_line: divergence.line,
            missing: divergence.missing,
            extra: divergence.extra,
            hunk: &divergence.hunk,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::summary::tests::sample;

    #[test]
    fn the_report_says_what_happened() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.json");
        write_json(&path, &RunResult { cells: vec![sample()], interrupted: false }).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(report["schema"], REPORT_SCHEMA);
        let cell = &report["cells"][0];
        assert_eq!(cell["status"], "failed");
        assert_eq!(cell["release"], "14.0-STABLE");
        assert_eq!(cell["counts"]["inconclusive"], 1);
        assert_eq!(cell["vectors"][1]["divergence"]["step"], "step 0");
        assert_eq!(cell["vectors"][4]["reason"], "needs linux");
    }
}
