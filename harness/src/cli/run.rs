// SPDX-License-Identifier: BSD-2-Clause
//! `run VECTOR`: one vector in one cell, the conversation decoded.

use nlproof_agent::Batch;
use nlproof_base::counted;

use super::args::{ProjectArgs, RunArgs};
use super::copies::Copies;
use super::default_cell::default_cell;
use super::exit::{CliError, ExitCode};
use super::interrupt;
use super::out::{say, say_text, tell};
use super::project::Project;
use super::targets::{Targets, lost, open_error, open_freebsd_shown, open_shown, sim_trace};
use crate::golden::{Compared, Found, compare};
use crate::ktrace::has_golden;
use crate::matrix::{
    Cell, ModuleKind, TargetKind, VectorRun, VectorRunError, is_stated, mismatch, run_vectors,
};
use crate::targets::{LinuxTarget, Target, TargetError};
use crate::trace::{RawLine, Trace};
use crate::vector::{LossKind, Vector};

pub(super) fn main(project: &ProjectArgs, args: &RunArgs) -> Result<ExitCode, CliError> {
    if !args.bisect {
        return run(project, args);
    }
    for_git(run(project, args))
}

/// What git bisect is told: a wrong command line and an interruption end it, what cannot be told is skipped.
fn for_git(ended: Result<ExitCode, CliError>) -> Result<ExitCode, CliError> {
    match ended {
        Ok(ExitCode::OK) => Ok(ExitCode::OK),
        Ok(ExitCode::COMPARISON) => Ok(ExitCode::BISECT_BAD),
        Ok(_) => Ok(ExitCode::BISECT_SKIP),
        Err(error @ (CliError::Usage(_) | CliError::Files(_) | CliError::Interrupted)) => Err(error),
        Err(error) => {
            // What is told here is no exit code for git.
            let _ = error.told();
            Ok(ExitCode::BISECT_SKIP)
        }
    }
}

fn run(project: &ProjectArgs, args: &RunArgs) -> Result<ExitCode, CliError> {
    let copies = Copies::parse(&args.copy)?;
    let project = Project::find(project)?
        .with_modules(&args.guest.kmod)
        .with_kernels(&args.cells.kernel, &args.cells.release)?;
    let vector = &project.vector(&args.vector)?;
    let tasks = interrupt::tasks();
    if args.linux {
        copies.demand_guest(None)?;
        let mut target = LinuxTarget::open(tasks.clone()).map_err(open_error)?;
        return one(&project, &mut target, None, vector, args.raw);
    }
    let targets = copies.room_in(Targets::new(&args.guest, &project)?.traced(sim_trace(args.trace)));
    let cell = default_cell(&project, &targets, &args.cells)?;
    copies.demand_guest(Some(&cell))?;
    if cell.target == TargetKind::Sim {
        let mut target = open_shown(&targets, &cell).map_err(open_error)?;
        return one(&project, target.as_mut(), Some(&cell), vector, args.raw);
    }
    let mut target = open_freebsd_shown(&targets, &cell).map_err(open_error)?;
    copies.put(&mut target)?;
    let code = one(&project, &mut target, Some(&cell), vector, args.raw)?;
    copies.get(&mut target)?;
    Ok(code)
}

/// What a kernel made of a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// What its golden says, and no rule is broken.
    Same,
    /// Something else.
    Differs,
    /// A rule of kernel traces is broken.
    Violated,
    /// The answer, or the kernel's trace, has a hole.
    Inconclusive,
    /// It panicked.
    Panicked,
    /// Its guest was lost otherwise.
    Lost,
}

impl Seen {
    /// In a word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Seen::Same => "equal to its golden",
            Seen::Differs => "differs",
            Seen::Violated => "breaks a rule",
            Seen::Inconclusive => "inconclusive",
            Seen::Panicked => "panicked",
            Seen::Lost => "its guest was lost",
        }
    }
}

/// Runs one vector in a fresh target of a cell: what became of it, and the conversation. An error: there was no target.
pub(super) fn look(
    project: &Project,
    targets: &Targets,
    cell: &Cell,
    vector: &Vector,
) -> Result<(Seen, String), CliError> {
    let mut target = open_shown(targets, cell).map_err(open_error)?;
    if let Some(reason) = mismatch(vector, target.facts()) {
        return Err(CliError::NothingRan(format!("{} does not apply here: it {reason}", vector.id)));
    }
    let mut seen = None;
    match run_vectors(target.as_mut(), &[vector], &mut |vector_run| seen = Some(vector_run)) {
        Ok(()) => {}
        Err(VectorRunError::Vector(error)) => return Err(error.into()),
        Err(VectorRunError::Target(TargetError::Guest(loss))) => {
            let seen = if loss.kind == PANICKED { Seen::Panicked } else { Seen::Lost };
            return Ok((seen, loss.text));
        }
        Err(VectorRunError::Target(error)) => return Err(lost(error)),
    }
    let Some(vector_run) = seen else { return Ok((Seen::Lost, String::new())) };
    let text = vector_run.trace.to_text();
    if vector_run.trace.loss().is_some() || vector_run.kernel.lost > 0 {
        return Ok((Seen::Inconclusive, text));
    }
    if !vector_run.violations.is_empty() {
        return Ok((Seen::Violated, text));
    }
    let golden = project.goldens().find(&cell.layers(), &vector.id)?;
    let golden = golden.ok_or_else(|| {
        CliError::Usage(format!("{} has no golden in {}: nothing says what is right", vector.id, cell.name()))
    })?;
    let same = compare(Compared::Wire, &golden.golden, &text).is_none();
    Ok((if same { Seen::Same } else { Seen::Differs }, text))
}

/// The word for a guest whose kernel panicked ([`Loss::kind`](crate::targets::Loss::kind)).
const PANICKED: &str = "panicked";

/// Runs one vector in an open target, shows the conversation, and compares it with the golden of the cell.
pub(super) fn one(
    project: &Project,
    target: &mut dyn Target,
    cell: Option<&Cell>,
    vector: &Vector,
    raw: bool,
) -> Result<ExitCode, CliError> {
    if let Some(reason) = mismatch(vector, target.facts()) {
        return Err(CliError::NothingRan(format!("{} does not apply here: it {reason}", vector.id)));
    }
    let mut seen = None;
    let stated = cell.and_then(|cell| cell.loses(vector));
    if stated.is_some_and(|stated| stated.kind == LossKind::Hung) {
        target.expect_hang();
    }
    let mut run = run_vectors(target, &[vector], &mut |vector_run| seen = Some(vector_run));
    if run.is_ok() && !vector.losses.is_empty() {
        // The removal of its jail may be what takes the guest along.
        run = target.run(&Batch { programs: Vec::new() }, &mut |_| ()).map_err(VectorRunError::from);
    }
    let os = target.facts().os;
    match (run, seen) {
        (Ok(()), Some(vector_run)) => {
            show(&vector_run, os, raw);
            let kernel = target.facts().kernel.as_ref().map(|kernel| kernel.sha256.as_str());
            let verdict = verdict(project, cell, kernel, &vector_run)?;
            let Some(stated) = stated else { return Ok(verdict) };
            say!("the guest was to be lost ({stated}), and lives");
            Ok(ExitCode::COMPARISON)
        }
        (Ok(()), None) => Err(CliError::Guest("the target ended without a word about the vector".into())),
        (Err(VectorRunError::Vector(error)), _) => Err(error.into()),
        (Err(VectorRunError::Target(TargetError::Guest(loss))), _)
            if stated.is_some_and(|stated| is_stated(stated, &loss)) =>
        {
            say!("{}\n{}: lost as stated [{}]", loss.text, vector.id, loss.fingerprint);
            Ok(ExitCode::OK)
        }
        (Err(VectorRunError::Target(error)), _) => Err(lost(error)),
    }
}

fn show(vector_run: &VectorRun<'_>, os: nlproof_wire::Os, raw: bool) {
    say!("{}: {}", vector_run.vector.id, vector_run.vector.about);
    if raw {
        for record in &vector_run.records {
            match serde_json::to_string(&RawLine::new(&vector_run.vector.id, record)) {
                Ok(line) => say!("{line}"),
                Err(error) => tell!("warning: a record could not be shown: {error}"),
            }
        }
        say_text!(Trace::from_records(os, &vector_run.records, true).to_text());
    } else {
        say_text!(vector_run.trace.to_text());
    }
}

fn verdict(
    project: &Project,
    cell: Option<&Cell>,
    kernel: Option<&str>,
    vector_run: &VectorRun<'_>,
) -> Result<ExitCode, CliError> {
    if let Some((_, lossy)) = vector_run.trace.loss() {
        say!("inconclusive: {lossy}");
        return Ok(ExitCode::GUEST);
    }
    let Some(cell) = cell else {
        say!("no comparison: there are no goldens for Linux");
        return Ok(ExitCode::OK);
    };
    let mut golden = project.goldens().find(&cell.layers(), &vector_run.vector.id)?;
    if cell.module == ModuleKind::Rust {
        let divergences = project.divergences()?;
        golden = golden.map(|found| divergences.apply(cell.profile, found)).transpose()?;
    }
    match golden {
        None => {
            say!("no golden in {}", cell.name());
            Ok(ExitCode::COMPARISON)
        }
        Some(found) => match compare(Compared::Wire, &found.golden, &vector_run.trace.to_text()) {
            None => {
                say!("{}: equal to {}", cell.name(), whose(cell, kernel, &found));
                kernel_verdict(project, cell, kernel, vector_run)
            }
            Some(divergence) => {
                say!("{}: differs from {}\n  {divergence}", cell.name(), whose(cell, kernel, &found));
                Ok(ExitCode::COMPARISON)
            }
        },
    }
}

/// A golden by its layer, and what it is to the kernel with this digest.
fn whose(cell: &Cell, kernel: Option<&str>, found: &Found) -> String {
    let (standing, by) = cell.standing(&found.golden.origins, kernel);
    format!("the golden of {} ({})", found.layer, standing.told(by, kernel))
}

/// Compares the kernel's part, if there is one.
fn kernel_verdict(
    project: &Project,
    cell: &Cell,
    kernel: Option<&str>,
    vector_run: &VectorRun<'_>,
) -> Result<ExitCode, CliError> {
    let trace = &vector_run.kernel;
    if !trace.present {
        return Ok(ExitCode::OK);
    }
    if trace.lost > 0 {
        say!("inconclusive: {} lost of the kernel trace", counted(trace.lost, "record").verb("was", "were"));
        return Ok(ExitCode::GUEST);
    }
    for violation in &vector_run.violations {
        say!("{}: kernel trace: {violation}", cell.name());
    }
    if !vector_run.violations.is_empty() {
        return Ok(ExitCode::COMPARISON);
    }
    if !has_golden(&vector_run.vector.id) {
        return Ok(ExitCode::OK);
    }
    let store = project.goldens().kernel();
    let Some(found) = store.find(&cell.layers(), &vector_run.vector.id)? else {
        say!("{}: no golden of the kernel trace", cell.name());
        return Ok(ExitCode::COMPARISON);
    };
    match compare(Compared::Kernel, &found.golden, &trace.to_text()) {
        None => Ok(ExitCode::OK),
        Some(divergence) => {
            say!("{}: differs from {}\n  {divergence}", cell.name(), whose(cell, kernel, &found));
            Ok(ExitCode::COMPARISON)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_is_told_good_bad_or_skip_and_what_is_wrong_with_the_command_ends_it() {
        let told = |ended| for_git(ended).map(ExitCode::number).map_err(|error| error.exit_code().number());
        assert_eq!(told(Ok(ExitCode::OK)), Ok(0));
        assert_eq!(told(Ok(ExitCode::COMPARISON)), Ok(1));
        assert_eq!(told(Ok(ExitCode::GUEST)), Ok(125));
        for skipped in
            [CliError::Build("b".into()), CliError::Guest("g".into()), CliError::NothingRan("n".into())]
        {
            assert_eq!(told(Err(skipped)), Ok(125));
        }
        assert_eq!(told(Err(CliError::Usage("u".into()))), Err(2));
        assert_eq!(told(Err(CliError::Interrupted)), Err(130));
    }
}
