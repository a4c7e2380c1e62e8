// SPDX-License-Identifier: BSD-2-Clause
//! `atf`: FreeBSD's own tests in guests, with the release's own code and with the module.

mod cell;
mod guest;
mod report;
mod script;
mod session;
mod tests;
pub(super) mod verdict;

use serde_json::json;

use super::args::{AtfArgs, GuestArgs, ProjectArgs};
use super::exit::{CliError, ExitCode};
use super::interrupt;
use super::out::{say, tell};
use super::project::Project;
use super::targets::Targets;
use super::test_matrix::fresh_report_dir;
use crate::atf::{Comparison, Outcome, Run, comparisons, is_counted};
use crate::matrix::{Cell, TargetKind};
use crate::releases::Age;
use cell::run;
use tests::Suite;

/// Number of network stacks made ahead: test programs make their own.
const NO_STACKS: u32 = 0;

pub(super) fn main(project: &ProjectArgs, args: &AtfArgs) -> Result<ExitCode, CliError> {
    let project = Project::find(project)?
        .with_modules(&args.guest.kmod)
        .with_kernels(&args.cells.kernel, &args.cells.release)?;
    let cells = cells(&project, args)?;
    interrupt::tasks();
    let mut suites: Vec<(Cell, Suite)> = Vec::new();
    for cell in cells {
        // The archive is read once for both cells of a release.
        let known =
            suites.iter().find(|(other, _)| other.release == cell.release).map(|(_, suite)| suite.clone());
        let suite = match known {
            Some(suite) => suite,
            None => Suite::of(&project, &cell, &args.programs)?,
        };
        suites.push((cell, suite));
    }
    if args.list {
        list(&suites);
        return Ok(ExitCode::OK);
    }
    let guest = GuestArgs { stacks: args.guest.stacks.or(Some(NO_STACKS)), ..args.guest.clone() };
    let consoles = args.report_dir.as_ref().map(|directory| directory.join("atf"));
    let all: Vec<_> = suites.iter().map(|(cell, _)| cell.clone()).collect();
    let _claim = consoles.as_ref().map(|directory| fresh_report_dir(directory, &all)).transpose()?;
    let targets = Targets::new(&guest, &project)?.keep_consoles_in(consoles.as_deref());
    let mut runs: Vec<Run> = Vec::new();
    for (cell, suite) in &suites {
        let one = run(&targets, cell, suite, args.guest.timeout_factor);
        tell!("{:<30} {}", cell.name(), one.line());
        let interrupted = one.interrupted;
        runs.push(one);
        if interrupted {
            break;
        }
    }
    let found = comparisons(&runs);
    match args.json {
        true => {
            let text = serde_json::to_string_pretty(&json!({ "runs": runs, "comparisons": found }));
            say!("{}", text.map_err(|error| CliError::unwritten("JSON".as_ref())(error.into()))?);
        }
        false => show(&runs, &found),
    }
    let written = match &args.report_dir {
        Some(directory) => report::add(&project, directory, &runs)?,
        None => ExitCode::OK,
    };
    Ok(verdict::code(&runs).or(written))
}

/// The guests' cells that are asked for; if no release is named, those of the newest one here that has tests.
fn cells(project: &Project, args: &AtfArgs) -> Result<Vec<Cell>, CliError> {
    let mut cells = project.cells(&args.cells)?;
    cells.retain(|cell| cell.target == TargetKind::Freebsd);
    if cells.is_empty() {
        return Err(CliError::Usage("the simulator runs no programs\n  help: leave out --target sim".into()));
    }
    if args.cells.release.is_empty() && project.own.is_empty() {
        let mut here = Vec::new();
        for cell in &cells {
            if tests::has_tests(project, cell)? {
                here.push(cell.release_or_profile());
            }
        }
        let newest = here.into_iter().max_by_key(|release| Age::of(release)).ok_or_else(|| {
            CliError::NothingRan(
                "no release here has FreeBSD's own tests\n  help: nlproof image fetch --release RELEASE --sets tests.txz"
                    .into(),
            )
        })?;
        tell!("{newest} is the newest release here that has tests.txz");
        cells.retain(|cell| cell.release_or_profile() == newest);
    }
    Ok(cells)
}

fn list(suites: &[(Cell, Suite)]) {
    let mut known: Vec<&str> = Vec::new();
    for (cell, suite) in suites {
        let release = cell.release.as_deref().unwrap_or_default();
        if known.contains(&release) {
            continue;
        }
        known.push(release);
        match suite {
            Suite::Missing { reason, remedy } => say!("{release}: {reason}; to have it: {remedy}"),
            Suite::There(tests) => {
                say!("{release}: {}", nlproof_base::counted(tests.selection.programs.len(), "test program"));
                for one in &tests.selection.programs {
                    let cases: String = one.cases.iter().map(|case| format!(":{case}")).collect();
                    let needs: Vec<_> =
                        one.program.metadata.iter().map(|(key, value)| format!("{key}={value}")).collect();
                    let name = format!("{}{cases}", one.program.path);
                    say!("{}", format!("  {name:<44} {}", needs.join("; ")).trim_end());
                }
                for directory in &tests.selection.absent {
                    say!("  {}: not run: {}", directory.path, directory.reason());
                }
            }
        }
    }
}

/// Shows what is worth looking at: what was not run by its reasons, what ended badly, and what differs.
fn show(runs: &[Run], found: &[Comparison]) {
    for run in runs {
        say!("{}", run.cell);
        if let Some(failure) = &run.failure {
            say!("  {}", failure.reason().replace('\n', "\n  "));
        }
        let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
        for case in &run.cases {
            let Outcome::NotRun(reason) = &case.outcome else { continue };
            match reasons.iter_mut().find(|(known, _)| known == reason) {
                Some((_, cases)) => cases.push(&case.name),
                None => reasons.push((reason, vec![&case.name])),
            }
        }
        for (reason, cases) in reasons {
            say!("  not run: {reason}: {}", cases.join(", "));
        }
        for case in run.cases.iter().filter(|case| case.outcome.is_bad()) {
            let counted = if is_counted(case, run, runs) { "" } else { " [with both]" };
            say!("  {}: {}: {}{counted}", case.outcome.word(), case.name, case.outcome.reason());
        }
        for complaint in &run.complaints {
            say!("  {}", complaint.text);
        }
    }
    for one in found {
        for case in &one.differing {
            let of = |told: &Option<String>| told.clone().unwrap_or_else(|| "not there".into());
            say!("{}: {}: stock {}; rust {}", one.release, case.name, of(&case.stock), of(&case.rust));
        }
    }
    for run in runs {
        say!("atf: {}: {}", run.cell, run.line());
    }
    for one in found {
        say!("atf: {}: {}", one.release, one.line());
    }
}
