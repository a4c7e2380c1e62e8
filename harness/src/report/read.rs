// SPDX-License-Identifier: BSD-2-Clause
//! `report.json`, read back into a run's result.

use std::path::Path;
use std::time::Duration;

use clap::ValueEnum as _;
use iface_sim::Release;
use serde::de::Error as _;

use super::schema::{self, OLDEST_SCHEMA, REPORT_SCHEMA, Report};
use crate::file::{FileError, Limit, parse_json, read_any};
use crate::golden::{Compared, Divergence, Origin, Standing};
use crate::matrix::{
    Cell, CellResult, CellStatus, LoadKind, LostGuest, ModuleKind, Outcome, RunResult, Slice, Soft,
    TargetKind, VectorResult, VectorsOfRun,
};
use crate::targets::{Complaint, Fact, Loss};

/// Reads `report.json`, or the one in this directory. What a report does not tell comes back empty: which vectors a
/// cell leaves out; in one of schema 1, which builds the goldens were recorded from ([`Standing::Observed`]).
///
/// # Errors
/// There is no report, or it is none, or another version of nlproof wrote it in a form that this one does not know.
pub fn read_report(path: &Path) -> Result<RunResult, FileError> {
    let file = if path.is_dir() { path.join("report.json") } else { path.to_owned() };
    let wrong = |what: String| FileError::whole(&file, what);
    let bytes = read_any(&file, Limit::REPORT).map_err(|error| {
        error.help("a report is what `nlproof test-matrix --report-dir DIR` leaves in DIR")
    })?;
    // The schema is looked at first: another one's fields would only be unknown.
    let value: serde_json::Value = parse_json(&file, &bytes)?;
    match value.get("schema").and_then(serde_json::Value::as_u64) {
        Some(number) if (u64::from(OLDEST_SCHEMA)..=u64::from(REPORT_SCHEMA)).contains(&number) => {}
        Some(number) => {
            return Err(wrong(format!(
                "is a report of schema {number}; this nlproof reads schemas {OLDEST_SCHEMA} to {REPORT_SCHEMA}"
            ))
            .help("read it with the nlproof that wrote it"));
        }
        None => return Err(wrong("is no report of nlproof: it has no `schema`".into())),
    }
    let report: Report = parse_json(&file, &bytes)?;
    run(report).map_err(|error| wrong(error.to_string()))
}

fn run(report: Report) -> Result<RunResult, serde_json::Error> {
    let slice =
        report.slice.map(|text| text.parse::<Slice>()).transpose().map_err(serde_json::Error::custom)?;
    Ok(RunResult {
        cells: report.cells.into_iter().map(cell).collect::<Result<_, _>>()?,
        interrupted: report.interrupted,
        vectors: VectorsOfRun { selection: report.selection, slice },
        missing: report.missing,
        atf: report.atf,
    })
}

fn cell(cell: schema::Cell) -> Result<CellResult, serde_json::Error> {
    let unknown =
        |what: &str, word: &str| serde_json::Error::custom(format!("{}: no {what} `{word}`", cell.name));
    let target = TargetKind::from_str(&cell.target, false).map_err(|_| unknown("target", &cell.target))?;
    let module = ModuleKind::from_str(&cell.module, false).map_err(|_| unknown("module", &cell.module))?;
    let load = cell.load.as_deref().map_or(Ok(LoadKind::Kldload), |word| {
        LoadKind::from_str(word, false).map_err(|_| unknown("way to load", word))
    })?;
    let profile = cell.profile.parse().map_err(|_| unknown("profile", &cell.profile))?;
    let reason = cell.reason.clone().unwrap_or_default();
    let status = match (cell.status.as_str(), cell.failure.as_deref()) {
        ("passed", None) => CellStatus::Passed,
        ("not-run", None) => CellStatus::NotRun { reason, remedy: cell.remedy.clone().unwrap_or_default() },
        ("failed", Some("comparison")) => CellStatus::Failed,
        ("failed", Some("build")) => CellStatus::BuildFailed(reason),
        ("failed", Some("verification")) => CellStatus::Refused(reason),
        ("failed", Some("load")) => CellStatus::LoadFailed(reason),
        ("failed", Some("module")) => CellStatus::ModuleFailed(reason),
        ("failed", Some("guest")) => CellStatus::GuestFailed(reason),
        (status, failure) => {
            return Err(unknown("status", &format!("{status} {}", failure.unwrap_or_default())));
        }
    };
    let facts = cell.facts.iter().map(|(name, value)| {
        let text = value.as_str().ok_or_else(|| unknown("text in fact", name))?;
        Ok(Fact::read(name, text))
    });
    let facts = facts.collect::<Result<_, serde_json::Error>>()?;
    let name = |name: &String| name.parse().map_err(|_| unknown("name of a release", name));
    let release = (target != TargetKind::Sim).then(|| name(&cell.release)).transpose()?;
    let plays = Release::named(&cell.release).filter(|_| target == TargetKind::Sim);
    let soft = match (cell.soft, cell.soft_because.as_deref()) {
        (false, None) => None,
        // Schema 1 knew one reason.
        (true, None) => Some(Soft::Tried),
        (_, Some(word)) => {
            let soft = Soft::ALL.into_iter().find(|soft| soft.word() == word);
            Some(soft.ok_or_else(|| unknown("reason to be soft", word))?)
        }
    };
    let recorded = cell.recorded.iter().map(|line| {
        Origin::parse(line).map_err(|what| serde_json::Error::custom(format!("{}: {what}", cell.name)))
    });
    let recorded = recorded.collect::<Result<_, _>>()?;
    let (build_of, layer) = (cell.build_of.as_ref().map(name).transpose()?, cell.layer.clone());
    Ok(CellResult {
        cell: Cell {
            target,
            release,
            profile,
            profile_is_meant: false,
            module,
            load,
            without: Vec::new(),
            build_of,
            layer,
            kin: Vec::new(),
            plays,
            soft,
        },
        status,
        fallbacks: cell.fallbacks,
        losses: cell.losses.into_iter().map(lost).collect(),
        complaints: cell.complaints.into_iter().map(complaint).collect(),
        facts,
        vectors: cell.vectors.into_iter().map(vector).collect::<Result<_, _>>()?,
        recorded,
        duration: Duration::from_millis(cell.duration_ms),
        guest_time: Duration::from_millis(cell.guest_time_ms.unwrap_or(cell.duration_ms)),
    })
}

fn complaint(complaint: schema::Complaint) -> Complaint {
    Complaint { text: complaint.text, fingerprint: complaint.fingerprint }
}

fn lost(lost: schema::Lost) -> LostGuest {
    let schema::Lost { vector, kind, fingerprint, calls, text } = lost;
    LostGuest { vector, loss: Loss { kind, fingerprint, calls, text } }
}

fn vector(vector: schema::Vector) -> Result<VectorResult, serde_json::Error> {
    let reason = vector.reason.unwrap_or_default();
    let outcome = match (vector.status.as_str(), vector.divergence) {
        ("passed", None) => Outcome::Passed,
        ("failed", Some(divergence)) => Outcome::Failed(Divergence {
            compared: if divergence.kernel { Compared::Kernel } else { Compared::Wire },
            step: divergence.step,
            line: divergence.golden_line,
            within: divergence.within,
            hunk: divergence.hunk,
            missing: divergence.missing,
            extra: divergence.extra,
            fingerprint: divergence.fingerprint,
        }),
        ("violated", None) => Outcome::Violated(reason),
        ("lost", None) => Outcome::Lost(reason),
        ("survived", None) => Outcome::Survived(reason),
        ("inconclusive", None) => Outcome::Inconclusive(reason),
        ("no-golden", None) => Outcome::NoGolden,
        ("not-run", None) => Outcome::NotRun(reason),
        (status, _) => {
            return Err(serde_json::Error::custom(format!("{}: no outcome `{status}`", vector.id)));
        }
    };
    let standing = vector.origin.map(|word| {
        Standing::from_word(&word)
            .ok_or_else(|| serde_json::Error::custom(format!("{}: no origin `{word}`", vector.id)))
    });
    Ok(VectorResult {
        standing: standing.transpose()?,
        id: vector.id,
        outcome,
        duration: Duration::from_micros(vector.duration_us),
        golden_layer: vector.golden,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::summary::tests::sample_run;
    use crate::report::write_json;

    #[test]
    fn what_was_written_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let statuses = [
            CellStatus::Passed,
            CellStatus::Failed,
            CellStatus::BuildFailed("a".into()),
            CellStatus::Refused("b".into()),
            CellStatus::LoadFailed("c".into()),
            CellStatus::ModuleFailed("d".into()),
            CellStatus::GuestFailed("e".into()),
            CellStatus::NotRun { reason: "f".into(), remedy: "g".into() },
        ];
        let mut run = sample_run();
        let one = run.cells.remove(0);
        run.cells = statuses.into_iter().map(|status| CellResult { status, ..one.clone() }).collect();
        run.cells[0].cell = Cell { target: TargetKind::Sim, release: None, ..one.cell.clone() };
        run.cells[2].cell.soft = Some(Soft::Tried);
        run.cells[3].cell.soft = Some(Soft::NeverObserved);
        run.cells[4].cell.build_of = Some("14.0-STABLE".parse().unwrap());
        run.cells[5].cell.layer = Some("freebsd-14.0-mine".into());
        run.cells[1].facts = vec![Fact::line("z", "1"), Fact::line("a", "2")];
        run.vectors.slice = Some(Slice { index: 2, of: 3 });
        run.missing = vec!["3/3".into()];
        write_json(&directory.path().join("report.json"), &run).unwrap();
        assert_eq!(read_report(directory.path()), Ok(run));
    }

    #[test]
    fn a_report_of_schema_1_is_read_and_does_not_know_which_build_was_recorded() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.json");
        write_json(&path, &sample_run()).unwrap();
        let mut old: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        old["schema"] = 1.into();
        let cell = old["cells"][0].as_object_mut().unwrap();
        for new in ["soft_because", "recorded"] {
            assert!(cell.remove(new).is_some(), "{new}");
        }
        cell["soft"] = true.into();
        cell["origin"] = "observed".into();
        cell["vectors"][0]["origin"] = "observed".into();
        cell["vectors"][1]["origin"] = "predicted".into();
        assert!(cell["vectors"][1]["divergence"].as_object_mut().unwrap().remove("fingerprint").is_some());
        std::fs::write(&path, old.to_string()).unwrap();
        let run = read_report(&path).unwrap();
        let cell = &run.cells[0];
        assert_eq!(cell.cell.soft, Some(Soft::Tried));
        assert_eq!(cell.standings(), [(Standing::Observed, 1), (Standing::Predicted, 1)]);
        assert_eq!(cell.recorded, []);
        let Outcome::Failed(divergence) = &cell.vectors[1].outcome else { panic!() };
        assert_eq!(divergence.fingerprint, "");
    }

    #[test]
    fn what_is_no_report_is_refused_with_its_cause() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.json");
        write_json(&path, &sample_run()).unwrap();
        let good = std::fs::read_to_string(&path).unwrap();
        for (from, to, what) in [
            ("\"schema\": 2", "\"schema\": 99", "schema 99; this nlproof reads schemas 1 to 2"),
            ("\"schema\": 2", "\"scheme\": 2", "has no `schema`"),
            ("\"schema\": 2", "\"schema\": 0", "is a report of schema 0"),
            ("\"this-kernel\"", "\"seen\"", "no origin `seen`"),
            ("\"soft_because\": null", "\"soft_because\": \"love\"", "no reason to be soft `love`"),
            ("\"observed: 14.0", "\"seen: 14.0", "neither `observed:` nor `predicted:`"),
            ("\"target\": \"freebsd\"", "\"target\": \"netbsd\"", "no target `netbsd`"),
            ("\"profile\": \"14.0\"", "\"profile\": \"12\"", "no profile `12`"),
            ("\"status\": \"inconclusive\"", "\"status\": \"fine\"", "no outcome `fine`"),
            ("\"failure\": \"comparison\"", "\"failure\": \"love\"", "no status `failed love`"),
            ("\"interrupted\"", "\"interupted\"", "unknown field `interupted`"),
            ("{", "", "report.json:2:"),
            ("\"release\": \"14.0-STABLE\"", "\"release\": \"../../x\"", "no name of a release"),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good, "{from}");
            std::fs::write(&path, bad).unwrap();
            let error = read_report(&path).unwrap_err().to_string();
            assert!(error.contains(what), "{from}: {error}");
        }
        assert!(read_report(&directory.path().join("none")).unwrap_err().help.is_some());
    }
}
