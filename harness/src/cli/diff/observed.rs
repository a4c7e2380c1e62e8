// SPDX-License-Identifier: BSD-2-Clause
//! Two cells by their goldens: which observation each side really is, and what differs between them.

use std::collections::{BTreeMap, BTreeSet};

use super::show::{Comparison, Side};
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::kinds::{differ, many};
use crate::golden::{Differences, Found as Golden, Origin, Store, changes};
use crate::matrix::{Cell, ModuleKind};
use crate::vector::Vector;

/// Text in front of kernels that answered as predicted.
const PREDICTED: &str = "predicted: ";

/// What one side has for one vector.
struct Seen {
    golden: Golden,
    /// The kernels that it was recorded from and that count here. None: it is a prediction.
    by: Vec<Origin>,
}

/// Summary of the goldens of a side.
#[derive(Default)]
struct Kinds {
    /// By where they come from.
    sources: BTreeMap<String, usize>,
    layers: BTreeMap<String, usize>,
    releases: BTreeSet<String>,
}

/// Compares the goldens of two cells. `kernels` are all that were recorded, for whoever asks for another one.
pub(super) fn look_up(
    goldens: &Store,
    [from, to]: &[&Cell; 2],
    vectors: &[Vector],
    kernels: &BTreeSet<Origin>,
) -> Result<Comparison, CliError> {
    let mut differences = Differences::default();
    let mut sides = [Kinds::default(), Kinds::default()];
    // Compared are two observations; predictions are counted apart.
    let (mut compared, mut one, mut predicted, mut missing, mut shared) = (0, 0, 0, 0, 0);
    let mut different = 0;
    for vector in vectors {
        let seen = [seen(goldens, from, &vector.id)?, seen(goldens, to, &vector.id)?];
        for (side, seen) in sides.iter_mut().zip(&seen) {
            seen.iter().for_each(|seen| side.count(seen));
        }
        let [Some(old), Some(new)] = seen else {
            missing += 1;
            continue;
        };
        shared += usize::from(old.golden.path == new.golden.path);
        let changes = changes(&old.golden.golden.body, &new.golden.golden.body);
        let observed = !old.by.is_empty() && !new.by.is_empty();
        if observed && old.by == new.by {
            one += 1;
        } else if observed {
            compared += 1;
            different += usize::from(!changes.is_empty());
            differences.add(&vector.id, changes);
        } else {
            predicted += 1;
            differences.add(&format!("{} (predicted)", vector.id), changes);
        }
    }
    let of_predictions = differences.vectors().len() - different;
    let ways = differences.ways().len();
    let mut answer = Vec::new();
    if compared == 0 {
        answer = nothing_compared([from, to], &sides, (one, shared), kernels);
    } else {
        answer.push(format!("{}{}", differ(different, compared), in_ways(different, ways)));
        if predicted > 0 {
            answer
                .push(format!("in {predicted} more one side is predicted; {of_predictions} of them differ"));
        }
        if one > 0 {
            answer.push(format!("in {one} more both sides are one observation"));
        }
    }
    if compared == 0 && predicted > 0 && of_predictions > 0 {
        answer.push(format!(
            "what is predicted differs in {of_predictions} of {}{}:",
            many(predicted, "vector"),
            in_ways(of_predictions, ways)
        ));
    }
    if missing > 0 {
        answer.push(format!("{} without a golden in one of the cells", many(missing, "vector")));
    }
    let [old, new] = sides;
    Ok(Comparison {
        sides: [old.side(from), new.side(to)],
        answer,
        differences,
        code: if compared == 0 { ExitCode::NOTHING_RAN } else { ExitCode::OK },
    })
}

pub(super) fn in_ways(vectors: usize, ways: usize) -> String {
    match (vectors, ways) {
        (0, _) => String::new(),
        (_, 1) => ", in one way".into(),
        (_, ways) => format!(", in {ways} ways"),
    }
}

/// What a cell has for a vector. A module is held to what the stock code answers: nothing of it is observed.
fn seen(goldens: &Store, cell: &Cell, vector: &str) -> Result<Option<Seen>, CliError> {
    let Some(golden) = goldens.find(&cell.layers(), vector)? else { return Ok(None) };
    let by = match cell.module {
        ModuleKind::Stock => cell.standing(&golden.golden.origins, None).1.into_iter().cloned().collect(),
        ModuleKind::Rust => Vec::new(),
    };
    Ok(Some(Seen { golden, by }))
}

impl Kinds {
    fn count(&mut self, seen: &Seen) {
        let source = if seen.by.is_empty() {
            let others: Vec<_> = seen.golden.golden.origins.iter().map(short).collect();
            format!("{PREDICTED}as {} answered", others.join(" and "))
        } else {
            let by: Vec<_> = seen.by.iter().map(long).collect();
            format!("observed: {}", by.join(" and "))
        };
        *self.sources.entry(source).or_default() += 1;
        *self.layers.entry(seen.golden.layer.clone()).or_default() += 1;
        self.releases.extend(seen.by.iter().filter_map(release).map(str::to_owned));
    }

    fn side(self, cell: &Cell) -> Side {
        let layers: Vec<_> = self.layers.iter().map(|(layer, count)| format!("{layer} ({count})")).collect();
        let mut lines: Vec<_> = self
            .sources
            .iter()
            .map(|(source, count)| format!("{} {source}", many(*count, "golden")))
            .collect();
        lines.sort_by_key(|line| line.contains(PREDICTED));
        if lines.is_empty() {
            lines.push("no golden".into());
        } else {
            lines.push(format!("in {}", layers.join(", ")));
        }
        Side { name: cell.name(), lines, releases: self.releases.into_iter().collect() }
    }

    fn is_observed(&self) -> bool {
        !self.releases.is_empty()
    }
}

fn release(origin: &Origin) -> Option<&str> {
    match origin {
        Origin::Observed { release, .. } => Some(release),
        Origin::Predicted { .. } => None,
    }
}

fn short(origin: &Origin) -> String {
    release(origin).map_or_else(|| origin.to_string(), str::to_owned)
}

fn long(origin: &Origin) -> String {
    match origin {
        Origin::Observed { release, osreldate, kernel_sha256, .. } => {
            format!("{release}, osreldate {osreldate}, kernel sha256 {kernel_sha256}")
        }
        Origin::Predicted { .. } => origin.to_string(),
    }
}

/// Why nothing was compared, and what to do.
fn nothing_compared(
    cells: [&Cell; 2],
    sides: &[Kinds; 2],
    (one, shared): (usize, usize),
    kernels: &BTreeSet<Origin>,
) -> Vec<String> {
    let mut answer = vec!["nothing was compared:".to_owned()];
    let mut remedies = Vec::new();
    for (cell, kinds) in cells.iter().zip(sides) {
        if kinds.is_observed() {
            continue;
        }
        let name = cell.name();
        answer.push(match (&cell.release, cell.module) {
            (None, _) => format!("  nothing of {name} is observed: no kernel was recorded that behaves as its profile"),
            (Some(release), ModuleKind::Rust) => format!(
                "  nothing of {name} is observed: the module is held to what the stock code of {release} answers"
            ),
            (Some(release), ModuleKind::Stock) => {
                remedies.push(format!("to record it: nlproof record --release {release}"));
                format!("  nothing of {name} is observed: no golden was recorded from {release}")
            }
        });
    }
    if one > 0 && sides.iter().all(Kinds::is_observed) {
        answer.push(format!("  both sides are one observation, in {}", many(one, "golden")));
    } else if shared > 0 {
        answer.push(format!("  both sides look in the same {}", many(shared, "golden")));
    }
    let recorded: Vec<_> = kernels.iter().map(ToString::to_string).collect();
    answer.push(match recorded.as_slice() {
        [] => "  no kernel was recorded".into(),
        recorded => format!("  recorded are: {}", recorded.join(", ")),
    });
    answer.push(format!(
        "  to compare what they answer: nlproof diff --live {} {}",
        cells[0].name(),
        cells[1].name()
    ));
    answer.extend(remedies.into_iter().map(|remedy| format!("  {remedy}")));
    answer
}
