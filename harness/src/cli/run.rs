// SPDX-License-Identifier: BSD-2-Clause
//! `run VECTOR`: one vector in one cell, the conversation decoded.

use super::args::{ProjectArgs, RunArgs};
use super::exit::{CliError, ExitCode};
use super::interrupt;
use super::out::{say, say_text, tell};
use super::project::Project;
use super::targets::{Targets, lost, open_error, open_shown, sim_trace};
use crate::file::nearest;
use crate::golden::{Compared, compare, layers};
use crate::ktrace::has_golden;
use crate::matrix::{Cell, Conversation, ConversationError, ModuleKind, converse, mismatch};
use crate::target::{LinuxTarget, Target};
use crate::trace::{RawLine, Trace};
use crate::vector::Vector;

pub(super) fn main(project: &ProjectArgs, args: &RunArgs) -> Result<ExitCode, CliError> {
    let project = Project::find(project)?;
    let vectors = project.all_vectors()?;
    let vector = find_vector(&args.vector, &vectors)?;
    interrupt::flag();
    let (mut target, cell): (Box<dyn Target>, Option<Cell>) = if args.linux {
        (Box::new(LinuxTarget::open().map_err(open_error)?), None)
    } else {
        let targets = Targets::new(&args.guest, &project)?.traced(sim_trace(args.trace));
        let cell = project.first_cell_here(&targets, &args.cells)?;
        let target = open_shown(&targets, &cell);
        (target.map_err(open_error)?, Some(cell))
    };
    one(&project, target.as_mut(), cell.as_ref(), vector, args.raw)
}

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
    let run = converse(target, &[vector], &mut |conversation| seen = Some(conversation));
    let os = target.facts().os;
    match (run, seen) {
        (Ok(()), Some(conversation)) => {
            show(&conversation, os, raw);
            verdict(project, cell, &conversation)
        }
        (Ok(()), None) => Err(CliError::Guest("the target ended without a word about the vector".into())),
        (Err(ConversationError::Vector(error)), _) => Err(error.into()),
        (Err(ConversationError::Target(error)), _) => Err(lost(error)),
    }
}

/// The vector of this id.
pub(super) fn find_vector<'a>(id: &str, vectors: &'a [Vector]) -> Result<&'a Vector, CliError> {
    vectors.iter().find(|vector| vector.id == id).ok_or_else(|| unknown(id, vectors))
}

fn unknown(id: &str, vectors: &[Vector]) -> CliError {
    let help = match nearest(id, vectors.iter().map(|vector| vector.id.as_str())) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "nlproof test-matrix --list shows them all".into(),
    };
    CliError::Usage(format!("no vector `{id}`\n  help: {help}"))
}

fn show(conversation: &Conversation<'_>, os: nlproof_wire::Os, raw: bool) {
    say!("{}: {}", conversation.vector.id, conversation.vector.about);
    if raw {
        for record in &conversation.records {
            match serde_json::to_string(&RawLine::new(&conversation.vector.id, record)) {
                Ok(line) => say!("{line}"),
                Err(error) => tell!("warning: a record could not be shown: {error}"),
            }
        }
        say_text!(Trace::from_records(os, &conversation.records, true).to_text());
    } else {
        say_text!(conversation.trace.to_text());
    }
}

fn verdict(
    project: &Project,
    cell: Option<&Cell>,
    conversation: &Conversation<'_>,
) -> Result<ExitCode, CliError> {
    if let Some((_, lossy)) = conversation.trace.loss() {
        say!("inconclusive: {lossy}");
        return Ok(ExitCode::GUEST);
    }
    let Some(cell) = cell else {
        say!("no comparison: there are no goldens for Linux");
        return Ok(ExitCode::OK);
    };
    let mut golden = project.goldens().find(layers(cell.profile), &conversation.vector.id)?;
    if cell.module == ModuleKind::Rust {
        let divergences = project.divergences()?;
        golden = golden.map(|found| divergences.apply(cell.profile, found)).transpose()?;
    }
    match golden {
        None => {
            say!("no golden in {}", cell.name());
            Ok(ExitCode::COMPARISON)
        }
        Some(found) => match compare(Compared::Wire, &found.golden.body, &conversation.trace.to_text()) {
            None => {
                say!("{}: equal to the golden of {}", cell.name(), found.layer);
                kernel_verdict(project, cell, conversation)
            }
            Some(divergence) => {
                say!("{}: differs from the golden of {}\n  {divergence}", cell.name(), found.layer);
                Ok(ExitCode::COMPARISON)
            }
        },
    }
}

/// Compares the kernel's part, if there is one.
fn kernel_verdict(
    project: &Project,
    cell: &Cell,
    conversation: &Conversation<'_>,
) -> Result<ExitCode, CliError> {
    let kernel = &conversation.kernel;
    if !kernel.present {
        return Ok(ExitCode::OK);
    }
    if kernel.lost > 0 {
        say!("inconclusive: {} records of the kernel trace were lost", kernel.lost);
        return Ok(ExitCode::GUEST);
    }
    for violation in &conversation.violations {
        say!("{}: kernel trace: {violation}", cell.name());
    }
    if !conversation.violations.is_empty() {
        return Ok(ExitCode::COMPARISON);
    }
    if !has_golden(&conversation.vector.id) {
        return Ok(ExitCode::OK);
    }
    let store = project.goldens().kernel();
    let Some(found) = store.find(layers(cell.profile), &conversation.vector.id)? else {
        say!("{}: no golden of the kernel trace", cell.name());
        return Ok(ExitCode::COMPARISON);
    };
    match compare(Compared::Kernel, &found.golden.body, &kernel.to_text()) {
        None => Ok(ExitCode::OK),
        Some(divergence) => {
            say!("{}: differs from the golden of {}\n  {divergence}", cell.name(), found.layer);
            Ok(ExitCode::COMPARISON)
        }
    }
}
