// SPDX-License-Identifier: BSD-2-Clause
//! `record`: what targets answer now becomes goldens for review.

use super::args::{ProjectArgs, WhatArgs};
use super::exit::{CliError, ExitCode};
use super::interrupt;
use super::out::say;
use super::project::Project;
use super::targets::{Targets, lost, open_error, open_shown, sim_trace};
use crate::golden::{Origin, Recorded, Recorder, layers};
use crate::ktrace::has_golden;
use crate::matrix::{Cell, Conversation, ConversationError, ModuleKind, converse, mismatch};
use crate::targets::{Facts, OpenError, Target, TargetError};
use crate::vector::Vector;

pub(super) fn main(project: &ProjectArgs, args: &WhatArgs) -> Result<ExitCode, CliError> {
    let project = Project::find(project)?.with_modules(&args.guest.kmod);
    let vectors = project.vectors(&args.vectors)?;
    let targets = Targets::new(&args.guest, &project)?.traced(sim_trace(args.trace));
    let [goldens, kernel_goldens] = project.goldens().both();
    let mut recorders = Recorders { wire: Recorder::new(&goldens), kernel: Recorder::new(&kernel_goldens) };
    let mut tally = Tally::default();
    interrupt::flag();
    for cell in project.cells(&args.cells)? {
        record_cell(&cell, &vectors, &targets, &mut recorders, &mut tally)?;
    }
    say!(
        "{} written for review, {} unchanged, {} refused; see them with: nlproof review",
        tally.written,
        tally.unchanged,
        tally.refused
    );
    Ok(match tally {
        Tally { refused: 0, written: 0, unchanged: 0 } => ExitCode::NOTHING_RAN,
        Tally { refused: 0, .. } => ExitCode::OK,
        _ => ExitCode::GUEST,
    })
}

struct Recorders<'a> {
    wire: Recorder<'a>,
    kernel: Recorder<'a>,
}

#[derive(Default)]
struct Tally {
    written: usize,
    unchanged: usize,
    refused: usize,
}

fn record_cell(
    cell: &Cell,
    vectors: &[Vector],
    targets: &Targets,
    recorders: &mut Recorders<'_>,
    tally: &mut Tally,
) -> Result<(), CliError> {
    let mut target = match open_shown(targets, cell) {
        Ok(target) => target,
        Err(OpenError::NotHere { reason, remedy }) => {
            say!("{}: not run: {reason}\n  to run it: {remedy}", cell.name());
            return Ok(());
        }
        Err(error) => return Err(open_error(error)),
    };
    if cell.module == ModuleKind::Rust {
        say!("{}: only the kernel's part is recorded: what is said comes from stock kernels", cell.name());
    }
    let applicable = vectors
        .iter()
        .filter(|vector| cell.leaves_out(&vector.id).is_none() && mismatch(vector, target.facts()).is_none());
    let (together, apart): (Vec<_>, Vec<_>) = applicable.partition(|vector| vector.losses.is_empty());
    record_in(target.as_mut(), cell, &together, recorders, tally)?.map_err(lost)?;
    for vector in apart {
        if let Some(stated) = cell.loses(vector) {
            say!("{}: {}: nothing to record: {stated}", cell.name(), vector.id);
            continue;
        }
        // Other kernels do not live through it: this one may not either.
        target = open_shown(targets, cell).map_err(open_error)?;
        match record_in(target.as_mut(), cell, &[vector], recorders, tally)? {
            Ok(()) => {}
            Err(TargetError::Guest(loss)) => {
                say!("{}: {}: refused: {}", cell.name(), vector.id, loss.text);
                tally.refused += 1;
            }
            Err(error) => return Err(lost(error)),
        }
    }
    Ok(())
}

/// Records vectors in an open target; whether the target lived through them.
fn record_in(
    target: &mut dyn Target,
    cell: &Cell,
    vectors: &[&Vector],
    recorders: &mut Recorders<'_>,
    tally: &mut Tally,
) -> Result<Result<(), TargetError>, CliError> {
    let origin = origin(cell, target.facts());
    let mut failed = None;
    let run = converse(target, vectors, &mut |conversation: Conversation<'_>| {
        let id = &conversation.vector.id;
        // A trace with a hole in it is no knowledge about a kernel.
        if let Some((_, lossy)) = conversation.trace.loss() {
            say!("{}: {id}: refused: {lossy}", cell.name());
            tally.refused += 1;
            return;
        }
        let layers = layers(cell.profile);
        // What is said comes from stock kernels; which way it takes only the module tells.
        let wire = (cell.module == ModuleKind::Stock)
            .then(|| recorders.wire.record(layers, id, &origin, &conversation.trace.to_text()));
        let kernel = &conversation.kernel;
        let has_kernel = kernel.present && has_golden(id);
        if has_kernel && (kernel.lost > 0 || !conversation.violations.is_empty()) {
            say!("{}: {id}: refused: the kernel trace is not whole or breaks a rule", cell.name());
            tally.refused += 1;
            return;
        }
        let kernel = has_kernel.then(|| recorders.kernel.record(layers, id, &origin, &kernel.to_text()));
        for recorded in [wire, kernel].into_iter().flatten() {
            match recorded {
                Ok(Recorded::Unchanged) => tally.unchanged += 1,
                Ok(Recorded::Written(path)) => {
                    say!("{}: {id}: {}", cell.name(), path.display());
                    tally.written += 1;
                }
                Err(error) => failed = failed.take().or(Some(error)),
            }
        }
    });
    if let Some(error) = failed {
        return Err(error.into());
    }
    match run {
        Ok(()) => Ok(Ok(())),
        Err(ConversationError::Vector(error)) => Err(error.into()),
        Err(ConversationError::Target(error)) => Ok(Err(error)),
    }
}

/// Who will have said it.
fn origin(cell: &Cell, facts: &Facts) -> Origin {
    match &facts.kernel {
        Some(kernel) => Origin::Observed {
            release: kernel.release.clone(),
            osreldate: kernel.osreldate,
            kernel_sha256: kernel.sha256.clone(),
            module: (cell.module == ModuleKind::Rust).then(|| "rust".to_owned()),
        },
        None => Origin::Predicted { profile: cell.profile.to_string() },
    }
}
