// SPDX-License-Identifier: BSD-2-Clause
//! `test-matrix`: the main job.

use std::num::NonZeroUsize;
use std::path::Path;

use super::args::{ProjectArgs, TestMatrixArgs};
use super::exit::{CliError, ExitCode};
use super::interrupt;
use super::out::say;
use super::project::Project;
use super::targets::Targets;
use crate::golden::layers;
use crate::matrix::{Cell, CellStatus, Engine, RunResult, Wanted};
use crate::report::{Screen, write_json, write_junit};
use crate::vector::Vector;

pub(super) fn main(project: &ProjectArgs, args: &TestMatrixArgs) -> Result<ExitCode, CliError> {
    let project = Project::find(project)?;
    let cells = project.cells(&args.cells)?;
    let vectors = project.vectors(&args.vectors)?;
    let targets = Targets::new(&args.guest, &project)?;
    if args.list {
        list(&project, &cells, &vectors, &targets)?;
        return Ok(ExitCode::OK);
    }
    if args.dry_run {
        dry_run(&cells, &vectors, &targets);
        return Ok(ExitCode::OK);
    }
    let goldens = project.goldens();
    let divergences = project.divergences()?;
    refuse_unreviewed(&goldens)?;
    if let Some(directory) = &args.report_dir {
        std::fs::create_dir_all(directory)
            .map_err(|error| CliError::Output { what: directory.display().to_string(), error })?;
    }
    let targets = targets.keep_consoles_in(args.report_dir.as_deref());
    let engine = Engine {
        open: &|cell, on_stage| targets.open(cell, on_stage),
        goldens: &goldens,
        divergences: &divergences,
        raw: args.report_dir.clone(),
        jobs: args.jobs.unwrap_or_else(default_jobs),
        cancel: interrupt::flag(),
    };
    let mut screen = Screen::new(is_ci());
    let result =
        engine.run(&Wanted { cells: &cells, vectors: &vectors }, &mut |event| screen.consume(event))?;
    if let Err(error) = screen.finish() {
        return Err(CliError::Output { what: "progress".into(), error });
    }
    if let Some(directory) = &args.report_dir {
        write_reports(directory, &result)?;
    }
    say!("{}", closing_line(&result));
    Ok(exit_code(&result, args.require_all))
}

/// One guest a processor: under TCG each keeps one busy, and its memory (512 MiB) is small beside that.
fn default_jobs() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Under CI a `.new` file in the tree means that somebody forgot to review it.
fn refuse_unreviewed(goldens: &crate::golden::Store) -> Result<(), CliError> {
    let pending = goldens.pending()?;
    if pending.is_empty() {
        return Ok(());
    }
    let text = format!("{} recorded goldens await review (nlproof review)", pending.len());
    if is_ci() {
        return Err(CliError::Usage(text));
    }
    eprintln!("note: {text}");
    Ok(())
}

fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

fn write_reports(directory: &Path, result: &RunResult) -> Result<(), CliError> {
    let json = directory.join("report.json");
    write_json(&json, result)
        .map_err(|error| CliError::Output { what: json.display().to_string(), error })?;
    let junit = directory.join("junit.xml");
    write_junit(&junit, result)
        .map_err(|error| CliError::Output { what: junit.display().to_string(), error })?;
    eprintln!("report: {}", json.display());
    Ok(())
}

/// The run in one line, on standard output.
fn closing_line(result: &RunResult) -> String {
    let mut passed = 0;
    let mut bad = 0;
    for counts in result.cells.iter().map(|cell| cell.counts()) {
        passed += counts.passed;
        bad += counts.failed + counts.inconclusive + counts.no_golden;
    }
    let not_run = |status: &CellStatus| matches!(status, CellStatus::NotRun { .. });
    let ran = result.cells.iter().filter(|cell| !not_run(&cell.status)).count();
    let skipped = result.cells.len() - ran;
    let broken = |status: &CellStatus| status.failure().is_some();
    let lost = match result.cells.iter().filter(|cell| broken(&cell.status)).count() {
        0 => String::new(),
        count => format!("; {count} cells lost their guest, image or module"),
    };
    let interrupted = if result.interrupted { "; interrupted" } else { "" };
    format!(
        "test-matrix: {passed} vectors passed, {bad} did not, in {ran} cells; {skipped} cells not run{lost}{interrupted}"
    )
}

/// The worst of what happened decides: a lost guest hides comparisons, so it comes before them.
fn exit_code(result: &RunResult, require_all: bool) -> ExitCode {
    let any = |wanted: fn(&CellStatus) -> bool| result.cells.iter().any(|cell| wanted(&cell.status));
    if result.interrupted {
        ExitCode::INTERRUPTED
    } else if any(|status| matches!(status, CellStatus::BuildFailed(_))) {
        ExitCode::BUILD
    } else if any(|status| matches!(status, CellStatus::Refused(_))) {
        ExitCode::REFUSED
    } else if any(|status| {
        matches!(status, CellStatus::GuestFailed(_) | CellStatus::LoadFailed(_) | CellStatus::ModuleFailed(_))
    }) {
        ExitCode::GUEST
    } else if any(|status| matches!(status, CellStatus::Failed)) {
        ExitCode::COMPARISON
    } else if !any(|status| matches!(status, CellStatus::Passed))
        || (require_all && any(|status| matches!(status, CellStatus::NotRun { .. })))
    {
        ExitCode::NOTHING_RAN
    } else {
        ExitCode::OK
    }
}

fn list(project: &Project, cells: &[Cell], vectors: &[Vector], targets: &Targets) -> Result<(), CliError> {
    say!("cells:");
    for cell in cells {
        match targets.obstacle(cell) {
            None => say!("  {:<30} profile {}", cell.name(), cell.profile),
            Some((reason, _)) => {
                say!("  {:<30} profile {}; cannot run here: {reason}", cell.name(), cell.profile)
            }
        }
    }
    say!("\nvectors:");
    let goldens = project.goldens();
    let (mut observed, mut predicted, mut none) = (0, 0, 0);
    for vector in vectors {
        say!("  {:<30} {}", vector.id, vector.about);
        for cell in cells {
            match goldens.find(layers(cell.profile), &vector.id)? {
                None => none += 1,
                Some(found) if found.golden.origins.iter().any(|origin| origin.is_observed()) => {
                    observed += 1
                }
                Some(_) => predicted += 1,
            }
        }
    }
    say!("\n{} vectors by suite:", vectors.len());
    let mut suites: Vec<&str> = vectors.iter().filter_map(|vector| vector.id.split('/').next()).collect();
    suites.dedup();
    for suite in suites {
        let count = vectors.iter().filter(|vector| vector.id.split('/').next() == Some(suite)).count();
        say!("  {suite:<30} {count}");
    }
    say!("\ngoldens over these cells: {observed} observed, {predicted} predicted, {none} missing");
    Ok(())
}

fn dry_run(cells: &[Cell], vectors: &[Vector], targets: &Targets) {
    for cell in cells {
        match targets.obstacle(cell) {
            None => say!("{:<30} would run {} vectors", cell.name(), vectors.len()),
            Some((reason, remedy)) => {
                say!("{:<30} would not run: {reason}\n{:<30}   to run it: {remedy}", cell.name(), "");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::matrix::{CellResult, ModuleKind, TargetKind};

    fn run(statuses: Vec<CellStatus>, interrupted: bool) -> RunResult {
        let cell = Cell {
            target: TargetKind::Sim,
            release: None,
            profile: iface_core::Profile::R15,
            module: ModuleKind::Stock,
            without: vec![],
        };
        let result = |status| CellResult {
            cell: cell.clone(),
            status,
            facts: vec![],
            vectors: vec![],
            duration: Duration::ZERO,
        };
        RunResult { cells: statuses.into_iter().map(result).collect(), interrupted }
    }

    #[test]
    fn the_worst_decides_the_exit_code() {
        let not_run = || CellStatus::NotRun { reason: "r".into(), remedy: "m".into() };
        let passed = || CellStatus::Passed;
        let cases = [
            (vec![passed(), not_run()], false, ExitCode::OK),
            (vec![passed(), not_run()], true, ExitCode::NOTHING_RAN),
            (vec![passed()], true, ExitCode::OK),
            (vec![not_run()], false, ExitCode::NOTHING_RAN),
            (vec![], false, ExitCode::NOTHING_RAN),
            (vec![passed(), CellStatus::Failed], false, ExitCode::COMPARISON),
            (vec![CellStatus::GuestFailed("x".into()), CellStatus::Failed], false, ExitCode::GUEST),
            (vec![CellStatus::BuildFailed("x".into()), passed()], false, ExitCode::BUILD),
            (
                vec![CellStatus::GuestFailed("x".into()), CellStatus::Refused("x".into())],
                false,
                ExitCode::REFUSED,
            ),
            (vec![passed(), CellStatus::LoadFailed("x".into())], false, ExitCode::GUEST),
            (vec![CellStatus::Failed, CellStatus::ModuleFailed("x".into())], false, ExitCode::GUEST),
        ];
        for (statuses, require_all, expected) in cases {
            let result = run(statuses, false);
            assert_eq!(exit_code(&result, require_all), expected, "{result:?}");
        }
        assert_eq!(exit_code(&run(vec![passed()], true), false), ExitCode::INTERRUPTED);
    }
}
