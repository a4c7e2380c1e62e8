// SPDX-License-Identifier: BSD-2-Clause
//! `diff CELL CELL`: what differs on the wire between two cells, by their goldens.

use std::collections::BTreeMap;

use super::args::{DiffArgs, ProjectArgs};
use super::exit::{CliError, ExitCode};
use super::out::say;
use super::project::Project;
use crate::file::nearest;
use crate::golden::{Change, Found, changes, layers};
use crate::matrix::Cell;

pub(super) fn main(project: &ProjectArgs, args: &DiffArgs) -> Result<ExitCode, CliError> {
    let project = Project::find(project)?;
    let matrix = project.matrix()?;
    let (from, to) = (cell(&matrix.cells, &args.from)?, cell(&matrix.cells, &args.to)?);
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
            let id = described(&vector.id, &old, &new);
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

/// A vector's id; with a mark if one of the goldens is a prediction.
fn described(id: &str, old: &Found, new: &Found) -> String {
    let predicted = |found: &Found| !found.golden.origins.iter().any(|origin| origin.is_observed());
    if predicted(old) || predicted(new) { format!("{id} (predicted)") } else { id.to_owned() }
}

fn shown(vectors: &[String], all: bool) -> String {
    const SOME: usize = 3;
    if all || vectors.len() <= SOME {
        return vectors.join(", ");
    }
    format!("{}, and {} more", vectors[..SOME].join(", "), vectors.len() - SOME)
}

/// A cell by its name, or by its release or profile alone.
fn cell<'a>(cells: &'a [Cell], name: &str) -> Result<&'a Cell, CliError> {
    let by_name = cells.iter().find(|cell| cell.name() == name);
    by_name.or_else(|| cells.iter().find(|cell| cell.release_or_profile() == name)).ok_or_else(|| {
        let names: Vec<_> = cells.iter().map(Cell::name).collect();
        let help = match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the cells are: {}", names.join(", ")),
        };
        CliError::Usage(format!("no cell `{name}`\n  help: {help}"))
    })
}
