// SPDX-License-Identifier: BSD-2-Clause
//! `report.json`: the run for machines.

use std::io;
use std::path::Path;
use std::time::Duration;

use nlproof_files::write_whole;
use serde::Serialize;

use super::schema::{Cell, Complaint, Counts, Divergence, Lost, REPORT_SCHEMA, Report, Vector};
use crate::golden::{Compared, Origin};
use crate::matrix::{CellResult, CellStatus, LoadKind, LostGuest, Outcome, RunResult};
use crate::targets::Loss;

/// Writes `report.json`; it appears whole or not at all.
///
/// # Errors
/// The file cannot be written.
pub fn write_json(path: &Path, run: &RunResult) -> io::Result<()> {
    let report = Report {
        schema: REPORT_SCHEMA,
        nlproof: env!("CARGO_PKG_VERSION").to_owned(),
        interrupted: run.interrupted,
        selection: run.vectors.selection.clone(),
        slice: run.vectors.slice.map(|slice| slice.to_string()),
        missing: run.missing.clone(),
        cells: run.cells.iter().map(cell).collect(),
        atf: run.atf.clone(),
    };
    write_whole(path, &json_file(&report)?)
}

/// The bytes of a file with this value as JSON, as people read it.
///
/// # Errors
/// None that can occur if its types are plain.
pub(crate) fn json_file(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    Ok(text)
}

fn cell(result: &CellResult) -> Cell {
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
        load: (result.cell.load != LoadKind::Kldload).then(|| result.cell.load.to_string()),
        build_of: result.cell.build_of.as_ref().map(ToString::to_string),
        layer: result.cell.layer.clone(),
        soft: result.cell.soft.is_some(),
        soft_because: result.cell.soft.map(|soft| soft.word().to_owned()),
        origin: result.standing().map(|standing| standing.word().to_owned()),
        recorded: result.recorded.iter().map(Origin::line).collect(),
        status: status.to_owned(),
        failure: failure.map(str::to_owned),
        reason: reason.map(str::to_owned),
        remedy: remedy.map(str::to_owned),
        fallbacks: result.fallbacks,
        losses: result.losses.iter().map(lost).collect(),
        complaints: result.complaints.iter().map(complaint).collect(),
        facts: result.facts.iter().map(|fact| (fact.label().to_owned(), fact.text().into())).collect(),
        counts: Counts {
            passed: counts.passed,
            failed: counts.failed,
            lost: counts.lost,
            inconclusive: counts.inconclusive,
            no_golden: counts.no_golden,
            not_run: counts.not_run,
        },
        duration_ms: millis(result.duration),
        guest_time_ms: Some(millis(result.guest_time)),
        vectors: result.vectors.iter().map(vector).collect(),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn complaint(complaint: &crate::targets::Complaint) -> Complaint {
    Complaint { text: complaint.text.clone(), fingerprint: complaint.fingerprint.clone() }
}

fn lost(lost: &LostGuest) -> Lost {
    let Loss { kind, fingerprint, calls, text } = lost.loss.clone();
    Lost { vector: lost.vector.clone(), kind, fingerprint, calls, text }
}

fn vector(result: &crate::matrix::VectorResult) -> Vector {
    let (reason, divergence) = match &result.outcome {
        Outcome::Failed(divergence) => (None, Some(divergence)),
        Outcome::Inconclusive(reason)
        | Outcome::NotRun(reason)
        | Outcome::Violated(reason)
        | Outcome::Lost(reason)
        | Outcome::Survived(reason) => (Some(reason.as_str()), None),
        Outcome::Passed | Outcome::NoGolden => (None, None),
    };
    Vector {
        id: result.id.clone(),
        status: result.outcome.word().to_owned(),
        origin: result.standing.map(|standing| standing.word().to_owned()),
        golden: result.golden_layer.clone(),
        duration_us: u64::try_from(result.duration.as_micros()).unwrap_or(u64::MAX),
        reason: reason.map(str::to_owned),
        divergence: divergence.map(|divergence| Divergence {
            kernel: divergence.compared == Compared::Kernel,
            step: divergence.step.clone(),
            golden_line: divergence.line,
            missing: divergence.missing,
            extra: divergence.extra,
            within: divergence.within.clone(),
            hunk: divergence.hunk.clone(),
            fingerprint: divergence.fingerprint.clone(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::{CellStatus, Outcome, VectorResult};
    use crate::report::report_schema;
    use crate::report::summary::tests::sample_run;

    #[test]
    fn the_report_says_what_happened() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.json");
        write_json(&path, &sample_run()).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(report["schema"], REPORT_SCHEMA);
        let cell = &report["cells"][0];
        assert_eq!(cell["status"], "failed");
        assert_eq!(cell["release"], "14.0-STABLE");
        assert_eq!(
            (&cell["origin"], &cell["vectors"][0]["origin"]),
            (&"other-build".into(), &"this-kernel".into())
        );
        let recorded = format!("observed: 14.0-STABLE osreldate=1400507 kernel=sha256:{}", "a".repeat(64));
        assert_eq!(cell["recorded"], serde_json::json!([recorded]));
        assert_eq!(cell["soft_because"], serde_json::Value::Null);
        assert_eq!(cell["counts"]["inconclusive"], 1);
        assert_eq!(cell["vectors"][1]["divergence"]["step"], "step 0");
        assert_eq!(cell["vectors"][4]["reason"], "needs linux");
    }

    #[test]
    fn every_outcome_and_every_failure_is_in_the_schema() {
        let mut run = sample_run();
        let outcomes = [
            Outcome::Passed,
            Outcome::Violated("a rule".into()),
            Outcome::Inconclusive("a hole".into()),
            Outcome::Lost("stated".into()),
            Outcome::Survived("stated".into()),
            Outcome::NoGolden,
            Outcome::NotRun("linux".into()),
        ];
        run.cells[0].vectors.extend(outcomes.map(|outcome| VectorResult::without("link/x", outcome)));
        let reason = || "it says".to_owned();
        for status in [
            CellStatus::Passed,
            CellStatus::BuildFailed(reason()),
            CellStatus::Refused(reason()),
            CellStatus::LoadFailed(reason()),
            CellStatus::ModuleFailed(reason()),
            CellStatus::GuestFailed(reason()),
            CellStatus::NotRun { reason: reason(), remedy: reason() },
        ] {
            let mut cell = run.cells[0].clone();
            cell.status = status;
            run.cells.push(cell);
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.json");
        write_json(&path, &run).unwrap();
        let mut report: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let schema = serde_json::to_value(report_schema()).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let wrong: Vec<_> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        report["cells"][0]["vectors"][0]["status"] = "won".into();
        assert!(!validator.is_valid(&report));
    }
}
