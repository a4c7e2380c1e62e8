// SPDX-License-Identifier: BSD-2-Clause
//! `coverage`: the rows of the inventory that the vectors reach.

use std::collections::BTreeMap;

use iface_core::Profile;
use nlproof_base::counted;

use super::args::{CoverageArgs, ProjectArgs, VectorArgs};
use super::exit::{CliError, ExitCode};
use super::kernel_blocks;
use super::out::{say, tell};
use super::project::Project;
use crate::coverage::{Inventory, Reach, Reached, Verdict};
use crate::matrix::{TargetKind, mismatch};
use crate::targets::{SimTarget, Target as _};

pub(super) fn main(project: &ProjectArgs, args: &CoverageArgs) -> Result<ExitCode, CliError> {
    let project = Project::find(project)?
        .with_modules(&args.blocks.guest.kmod)
        .with_kernels(&args.blocks.cells.kernel, &args.blocks.cells.release)?;
    if args.kernel_blocks {
        return kernel_blocks::main(&project, args);
    }
    demand_kernel_blocks(args)?;
    let inventory = Inventory::load(&project.root.join("inventory.yaml"))?;
    let vectors = project.vectors(&VectorArgs { suite: vec![], filter: vec![] })?;
    let goldens = project.goldens();
    let matrix = project.matrix()?;
    let only = &args.blocks.cells.kernel.own.profile;
    let wanted = |profile: &Profile| only.is_empty() || only.contains(profile);
    for stray in project.strays()? {
        tell!("note: {stray}");
    }
    let (mut told, mut failed) = (0, false);
    for profile in Profile::ALL.into_iter().filter(wanted) {
        let ids = vectors.iter().map(|vector| vector.id.as_str());
        let sim = matrix.cells.iter().any(|cell| cell.target == TargetKind::Sim && cell.profile == profile);
        let sim = sim.then(|| SimTarget::new(profile));
        let plays = |id: &str| {
            let vector = vectors.iter().find(|vector| vector.id == id);
            sim.as_ref().zip(vector).is_some_and(|(sim, vector)| mismatch(vector, sim.facts()).is_none())
        };
        let reach = Reach::of(profile, &inventory, &goldens, ids, plays)?;
        if reach.observed + reach.predicted == 0 {
            say!(
                "profile {profile}: nothing can be told: no kernel was recorded and no cell of the simulator plays it"
            );
            continue;
        }
        show(&reach, args.rows);
        told += 1;
        failed |= reach.failed();
    }
    if told == 0 {
        return Err(CliError::NothingRan(
            "none of these profiles has goldens\n  help: nlproof record makes them".into(),
        ));
    }
    Ok(if failed { ExitCode::COMPARISON } else { ExitCode::OK })
}

/// Rejects options that select cells or vectors: they mean nothing to the inventory.
fn demand_kernel_blocks(args: &CoverageArgs) -> Result<(), CliError> {
    let (cells, vectors) = (&args.blocks.cells, &args.blocks.vectors);
    let given = [
        ("--target", !cells.target.is_empty()),
        ("--release", !cells.release.is_empty()),
        ("--module", !cells.module.is_empty()),
        ("--suite", !vectors.suite.is_empty()),
        ("--filter", !vectors.filter.is_empty()),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((option, _)) => Err(CliError::Usage(format!(
            "{option} is for cells, and the inventory is held against goldens\n  help: --kernel-blocks runs vectors in \
             cells; --profile selects a profile"
        ))),
        None => Ok(()),
    }
}

fn show(reach: &Reach<'_>, all: bool) {
    let observed = counted(reach.observed, "golden");
    say!("profile {}: {observed} observed, {} predicted", reach.profile, reach.predicted);
    let mut kinds: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for reached in &reach.rows {
        let [rows, hit, gaps] = kinds.entry(&reached.row.kind).or_default();
        *rows += 1;
        *hit += usize::from(matches!(reached.verdict(), Verdict::Reached | Verdict::NoGap));
        *gaps += usize::from(reached.verdict() == Verdict::Gap);
    }
    say!("  {:<20} {:>5} {:>8} {:>5} {:>10}", "kind", "rows", "reached", "gaps", "unreached");
    for (kind, [rows, hit, gaps]) in &kinds {
        say!("  {kind:<20} {rows:>5} {hit:>8} {gaps:>5} {:>10}", rows - hit - gaps);
    }
    for reached in &reach.rows {
        match reached.verdict() {
            Verdict::Reached if all => say!("  {:<60} {}", reached.row.name(), example(reached)),
            Verdict::Reached => {}
            Verdict::Gap => {
                say!("  gap: {}: {}", reached.row.name(), reached.row.gap.as_deref().unwrap_or_default());
            }
            Verdict::Unreached => say!("  UNREACHED: {} ({})", reached.row.name(), reached.row.kind),
            Verdict::NoGap => {
                say!("  NO GAP: {}: {}; remove `gap` from the row", reached.row.name(), example(reached));
            }
        }
    }
}

/// How many vectors reach the row, and the first.
fn example(reached: &Reached<'_>) -> String {
    let count = |vectors: &[String], word: &str| match vectors.first() {
        Some(first) => format!("{} {word} ({first})", vectors.len()),
        None => String::new(),
    };
    let (observed, predicted) =
        (count(&reached.observed, "observed"), count(&reached.predicted, "predicted"));
    [observed, predicted].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ")
}
