// SPDX-License-Identifier: BSD-2-Clause
//! `record`: the answers of targets become goldens for review.

mod disagreements;
mod one_cell;
mod unaccepted;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use one_cell::OneCell;
use unaccepted::keep_unaccepted;

use super::args::{ProjectArgs, WhatArgs};
use super::exit::{CliError, ExitCode};
use super::interrupt;
use super::out::{say, tell};
use super::project::Project;
use super::targets::{Targets, open_error, open_shown, sim_trace};
use crate::golden::{Build, Origin, Recorder};
use crate::matrix::{Cell, ModuleKind, mismatch};
use crate::targets::{Facts, OpenError};
use crate::vector::Vector;

pub(super) fn main(project: &ProjectArgs, args: &WhatArgs) -> Result<ExitCode, CliError> {
    let project = Project::find(project)?.with_kernels(&args.cells.kernel, &args.cells.release)?;
    let vectors = project.vectors(&args.vectors)?;
    let targets = Targets::new(&args.guest, &project)?.traced(sim_trace(args.trace));
    let [goldens, kernel_goldens] = project.goldens().both();
    let own = own_layers(&project.matrix()?.cells);
    let mut recorders =
        Recorders { wire: Recorder::new(&goldens, own.clone()), kernel: Recorder::new(&kernel_goldens, own) };
    let mut tally = Tally::default();
    interrupt::tasks();
    let mut cells = project.cells(&args.cells)?;
    cells.retain(|cell| match &cell.build_of {
        Some(release) if !project.is_own(cell) => {
            let name = cell.name();
            say!(
                "{name}: nothing is recorded from it: another build of {release}, whose goldens hold for it"
            );
            false
        }
        _ => true,
    });
    let here = cells.iter().filter(|cell| targets.unavailable_reason(cell).is_none());
    let releases = here.filter_map(|cell| cell.release.as_deref()).collect();
    let stock = cells.iter().any(|cell| cell.module == ModuleKind::Stock);
    let probes = cells.iter().any(|cell| cell.module == ModuleKind::Rust || cell.release.is_none());
    let stores = [stock.then_some(&goldens), probes.then_some(&kernel_goldens)];
    keep_unaccepted(stores.into_iter().flatten(), &vectors, &releases).map_err(CliError::Files)?;
    // Who has a layer of its own has room for what differs: the others come first, and share theirs.
    cells.sort_by_key(|cell| cell.layer.is_some());
    for cell in &cells {
        match record_cell(cell, &vectors, &targets, &mut recorders, &mut tally) {
            Ok(()) => {}
            Err(error @ (CliError::Build(_) | CliError::Refused(_) | CliError::Guest(_))) => {
                tell!("error: {}: {error}", cell.name());
                tally.failed.push(error.exit_code());
            }
            Err(error) => return Err(error),
        }
    }
    say!("{}", tally.closing_line());
    Ok(tally.exit_code())
}

/// Layers of releases that have one of their own.
fn own_layers(cells: &[Cell]) -> BTreeMap<String, String> {
    cells.iter().filter_map(|cell| Some((cell.release.as_ref()?.to_string(), cell.layer.clone()?))).collect()
}

struct Recorders<'a> {
    wire: Recorder<'a>,
    kernel: Recorder<'a>,
}

#[derive(Default)]
struct Tally {
    /// Goldens that await review now; several cells may have added to one.
    written: BTreeSet<PathBuf>,
    unchanged: usize,
    refused: usize,
    /// Answers for which no layer exists.
    disagreeing: usize,
    /// Exit codes of cells that were not recorded to their end.
    failed: Vec<ExitCode>,
}

impl Tally {
    fn closing_line(&self) -> String {
        let Tally { written, unchanged, refused, disagreeing, failed } = self;
        let written = written.len();
        let mut line = format!("{written} written for review, {unchanged} unchanged, {refused} rejected");
        if *disagreeing > 0 {
            line.push_str(&format!(", {disagreeing} not recorded because another one disagrees"));
        }
        match failed.len() {
            0 => {}
            1 => line.push_str("; 1 cell failed"),
            count => line.push_str(&format!("; {count} cells failed")),
        }
        if written > 0 {
            line.push_str("; see them with: nlproof review");
        }
        line
    }

    /// An answer that is missing outweighs one that was not recorded.
    fn exit_code(&self) -> ExitCode {
        match self {
            Tally { failed, .. } if !failed.is_empty() => failed[0],
            Tally { refused: 1.., .. } => ExitCode::GUEST,
            Tally { disagreeing: 1.., .. } => ExitCode::COMPARISON,
            Tally { written, unchanged: 0, .. } if written.is_empty() => ExitCode::NOTHING_RAN,
            _ => ExitCode::OK,
        }
    }
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
        Err(OpenError::Unavailable { reason, remedy }) => {
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
    let origin = origin(cell, target.facts());
    let mut one = OneCell::new(cell, origin, recorders, tally);
    let mut open = || open_shown(targets, cell).map_err(open_error);
    let run = one
        .record_together(&mut open, &mut target, &together)
        .and_then(|()| one.record_apart(&mut open, &mut target, &apart));
    one.disagreements.say(cell, &one.origin);
    match one.failed {
        Some(error) => Err(error.into()),
        None => run,
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
            build: kernel.build.as_ref().map(|own| Build {
                ident: own.ident.clone(),
                revision: own.revision.clone(),
                version: own.version.clone(),
            }),
        },
        None => Origin::Predicted {
            profile: cell.profile.to_string(),
            revision: cell.profile.revision().map(str::to_owned),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_asked_comes_before_what_was_not_recorded() {
        let tally = |written, refused, disagreeing, failed: &[ExitCode]| {
            let written = (0..written).map(|number| PathBuf::from(format!("{number}.trace.new"))).collect();
            let tally = Tally { written, unchanged: 0, refused, disagreeing, failed: failed.to_vec() };
            (tally.exit_code(), tally.closing_line())
        };
        assert_eq!(tally(0, 0, 0, &[]).0, ExitCode::NOTHING_RAN);
        assert_eq!(tally(1, 0, 0, &[]).0, ExitCode::OK);
        let (code, line) = tally(9, 0, 2, &[]);
        assert_eq!(code, ExitCode::COMPARISON);
        assert!(line.contains("0 rejected, 2 not recorded because another one disagrees; see"), "{line}");
        assert_eq!(tally(9, 1, 2, &[]).0, ExitCode::GUEST);
        let (code, line) = tally(9, 1, 2, &[ExitCode::BUILD]);
        assert_eq!(code, ExitCode::BUILD);
        assert!(line.contains("; 1 cell failed; see"), "{line}");
    }
}
