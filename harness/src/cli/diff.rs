// SPDX-License-Identifier: BSD-2-Clause
//! `diff CELL CELL`: what differs on the wire between two cells, by their goldens.

use std::collections::BTreeMap;

use super::args::{DiffArgs, ProjectArgs};
use super::exit::{CliError, ExitCode};
use super::out::{say, tell};
use super::project::Project;
use super::targets::places;
use crate::file::nearest;
use crate::golden::{Change, Found, changes, layers};
use crate::matrix::Cell;
use crate::releases::newest_of;

pub(super) fn main(project: &ProjectArgs, args: &DiffArgs) -> Result<ExitCode, CliError> {
    let project = Project::find(project)?;
    let matrix = project.matrix()?;
    let here = places()?.0.list();
    let (from, to) = (cell(&matrix.cells, &args.from, &here)?, cell(&matrix.cells, &args.to, &here)?);
    let goldens = project.goldens();
    let mut differences: BTreeMap<Change, Vec<String>> = BTreeMap::new();
    let (mut compared, mut different, mut missing) = (0, 0, 0);
    for vector in project.vectors(&args.vectors)? {
        let pair =
            (goldens.find(layers(from.profile), &vector.id)?, goldens.find(layers(to.profile), &vector.id)?);
        let (Some(old), Some(new)) = pair else {
            missing += 1;
            continue;
        };
        compared += 1;
        let changes = changes(&old.golden.body, &new.golden.body);
        different += usize::from(!changes.is_empty());
        for change in changes {
            let vectors = differences.entry(change).or_default();
            let id = described(&vector.id, [(from, &old), (to, &new)]);
            if !vectors.contains(&id) {
                vectors.push(id);
            }
        }
    }
    say!("{} -> {}", from.name(), to.name());
    let mut rows: Vec<_> = differences.into_iter().collect();
    // What most vectors show comes first.
    rows.sort_by_key(|(change, vectors)| (std::cmp::Reverse(vectors.len()), change.clone()));
    for (change, vectors) in &rows {
        say!("\n{}", change.place);
        if let Some(from) = &change.from {
            say!("  - {from}");
        }
        if let Some(to) = &change.to {
            say!("  + {to}");
        }
        say!("    {}", shown(vectors, args.all));
    }
    say!(
        "\n{different} of {compared} vectors differ, in {} ways; {missing} have no golden in one of the cells",
        rows.len()
    );
    Ok(ExitCode::OK)
}

/// A vector's id; with a mark if the golden of one of the cells is a prediction there, whoever recorded it.
fn described(id: &str, goldens: [(&Cell, &Found); 2]) -> String {
    let observed = goldens.iter().all(|(cell, found)| cell.observed(&found.golden.origins));
    if observed { id.to_owned() } else { format!("{id} (predicted)") }
}

fn shown(vectors: &[String], all: bool) -> String {
    const SOME: usize = 3;
    if all || vectors.len() <= SOME {
        return vectors.join(", ");
    }
    format!("{}, and {} more", vectors[..SOME].join(", "), vectors.len() - SOME)
}

/// A cell by its name, or by its release or profile alone, or by its branch: the newest release of it that is here, or
/// else in the matrix.
fn cell<'a>(cells: &'a [Cell], name: &str, here: &[String]) -> Result<&'a Cell, CliError> {
    let by_name = cells.iter().find(|cell| cell.name() == name);
    let by_part = || cells.iter().find(|cell| cell.release_or_profile() == name);
    let by_branch = || {
        let known = || cells.iter().filter_map(|cell| cell.release.as_deref());
        let is_here = |release: &&str| here.iter().any(|other| other == release);
        let local = newest_of(name, known().filter(is_here));
        let release = local.or_else(|| newest_of(name, known()))?;
        tell!("{name}: {release} is the newest{}", if local.is_some() { " here" } else { "" });
        cells.iter().find(|cell| cell.release.as_deref() == Some(release))
    };
    by_name.or_else(by_part).or_else(by_branch).ok_or_else(|| {
        let names: Vec<_> = cells.iter().map(Cell::name).collect();
        let help = match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the cells are: {}", names.join(", ")),
        };
        CliError::Usage(format!("no cell `{name}`\n  help: {help}"))
    })
}

#[cfg(test)]
mod tests {
    use iface_core::Profile;

    use super::*;
    use crate::golden::{Golden, Origin};
    use crate::matrix::{ModuleKind, TargetKind};

    #[test]
    fn what_another_branch_answered_is_a_prediction_here() {
        let sim = |profile| Cell {
            target: TargetKind::Sim,
            release: None,
            profile,
            module: ModuleKind::Stock,
            without: Vec::new(),
            soft: false,
        };
        let origin = |release: &str, osreldate| Origin::Observed {
            release: release.into(),
            osreldate,
            kernel_sha256: "a".repeat(64),
            module: None,
        };
        let found = |origin| Found {
            layer: "common".into(),
            path: "common/v.trace".into(),
            golden: Golden::new("v", origin, ""),
        };
        let old = found(origin("14.0-STABLE", 1_400_507));
        let new = found(origin("15.1-RELEASE", 1_501_000));
        let (r14_0, r14_3, r15) = (sim(Profile::R14_0), sim(Profile::R14_3), sim(Profile::R15));
        assert_eq!(described("v", [(&r14_0, &old), (&r15, &new)]), "v");
        assert_eq!(described("v", [(&r14_3, &old), (&r15, &new)]), "v (predicted)");
        assert_eq!(described("v", [(&r14_0, &old), (&r15, &old)]), "v (predicted)");
    }
}
