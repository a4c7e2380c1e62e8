// SPDX-License-Identifier: BSD-2-Clause
//! The goldens that a vector was held against: one in full, the others by what differs from it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::facets::Facets;
use crate::file::FileError;
use crate::golden::{Compared, Golden, Origin, Store, unified};
use crate::matrix::{Outcome, RunResult, VectorResult};
use crate::trace::with_names;

/// Lines around a difference between two goldens.
const AROUND: usize = 2;
/// A golden longer than this is shown in part, in lines: that of a dump of thousands would be most of the page.
const LONGEST: usize = 400;

/// What the vectors of a cell came to, by their ids.
pub(super) type Outcomes<'r> = BTreeMap<&'r str, &'r VectorResult>;

/// A golden, with the cells that equal it.
#[derive(Debug, Serialize)]
pub(super) struct Conversation {
    layer: String,
    origins: Vec<String>,
    cells: Vec<String>,
    /// The whole text of the first; of others, how they differ from it.
    text: String,
}

/// Whether the golden that a vector names is of the kernel trace.
pub(super) fn about_kernel(vector: &VectorResult) -> bool {
    matches!(&vector.outcome, Outcome::Failed(divergence) if divergence.compared == Compared::Kernel)
}

/// The goldens of a vector, and what occurs in them. First comes one that a kernel vouches for, if there is one, and of
/// these the one that most cells equal.
pub(super) fn conversations(
    run: &RunResult,
    goldens: &Store,
    outcomes: &[Outcomes<'_>],
    id: &str,
) -> Result<(Vec<Conversation>, Facets), FileError> {
    let mut found: Vec<(String, Golden, Vec<String>)> = Vec::new();
    for (cell, of_cell) in run.cells.iter().zip(outcomes) {
        let Some(vector) = of_cell.get(id).filter(|vector| !about_kernel(vector)) else { continue };
        let Some(layer) = &vector.golden_layer else { continue };
        let equal = (vector.outcome == Outcome::Passed).then(|| cell.cell.name());
        match found.iter_mut().find(|(known, _, _)| known == layer) {
            Some((_, _, cells)) => cells.extend(equal),
            None => {
                if let Some(golden) = goldens.read(layer, id)? {
                    found.push((layer.clone(), golden, equal.into_iter().collect()));
                }
            }
        }
    }
    found.sort_by_key(|(_, golden, cells)| {
        (!golden.origins.iter().any(Origin::is_observed), std::cmp::Reverse(cells.len()))
    });
    let mut facets = Facets::default();
    found.iter().for_each(|(_, golden, _)| facets.add(&golden.body));
    let first = found.first().map(|(_, golden, _)| golden.body.clone()).unwrap_or_default();
    let shown = found.into_iter().enumerate().map(|(place, (layer, golden, cells))| {
        let text = match place {
            0 => shortened(&golden.body),
            _ => shortened(&unified(&first, &golden.body, AROUND)),
        };
        let origins = golden.origins.iter().map(ToString::to_string).collect();
        Conversation { layer, origins, cells, text: with_names(&text) }
    });
    Ok((shown.collect(), facets))
}

/// The beginning of a text that is too long to be read anyway.
fn shortened(text: &str) -> String {
    let lines = text.lines().count();
    if lines <= LONGEST {
        return text.to_owned();
    }
    let begin: String = text.split_inclusive('\n').take(LONGEST).collect();
    format!("{begin}... {} lines more are in the golden's file\n", lines - LONGEST)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::golden::Standing;
    use crate::matrix::{Cell, CellResult, ModuleKind};
    use crate::report::summary::tests::sample_run;

    fn accepted(root: &Path, layer: &str, origin: Origin, body: &str) {
        let path = root.join(layer).join("link/a.trace");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, Golden::new("link/a", origin, body).to_text()).unwrap();
    }

    /// A run of two cells, whose vector was held against the goldens of these layers.
    fn run_of(layers: [&str; 2]) -> RunResult {
        let mut run = sample_run();
        let one = run.cells.remove(0);
        let modules = [ModuleKind::Stock, ModuleKind::Rust];
        run.cells = std::iter::zip(layers, modules)
            .map(|(layer, module)| CellResult {
                cell: Cell { module, ..one.cell.clone() },
                vectors: vec![VectorResult {
                    golden_layer: Some(layer.into()),
                    standing: Some(Standing::Predicted),
                    ..one.vectors[0].clone()
                }],
                ..one.clone()
            })
            .collect();
        run
    }

    #[test]
    fn what_was_observed_comes_first_and_others_by_what_differs() {
        let directory = tempfile::tempdir().unwrap();
        let goldens = Store::new(directory.path());
        let observed = format!("observed: 14.0-STABLE osreldate=1 kernel=sha256:{}", "a".repeat(64));
        accepted(directory.path(), "old", Origin::predicted("13"), "step 0\n  > getlink request\n  mtu 1\n");
        accepted(
            directory.path(),
            "new",
            Origin::parse(&observed).unwrap(),
            "step 0\n  > getlink request\n  mtu 2\n",
        );
        let run = run_of(["old", "new"]);
        let outcomes: Vec<Outcomes<'_>> =
            run.cells.iter().map(|cell| BTreeMap::from([("link/a", &cell.vectors[0])])).collect();
        let (shown, facets) = conversations(&run, &goldens, &outcomes, "link/a").unwrap();
        let layers: Vec<_> = shown.iter().map(|one| one.layer.as_str()).collect();
        assert_eq!(layers, ["new", "old"]);
        assert_eq!(shown[0].text, "step 0\n  > getlink request\n  mtu 2\n");
        assert!(shown[1].text.contains("-  mtu 2\n+  mtu 1\n"), "{}", shown[1].text);
        assert_eq!(shown[1].cells, ["freebsd/14.0-STABLE/stock"]);
        assert_ne!(facets, Facets::default());
    }

    #[test]
    fn one_golden_of_two_cells_is_shown_once() {
        let directory = tempfile::tempdir().unwrap();
        accepted(directory.path(), "common", Origin::predicted("14.0"), "step 0\n");
        let run = run_of(["common", "common"]);
        let outcomes: Vec<Outcomes<'_>> =
            run.cells.iter().map(|cell| BTreeMap::from([("link/a", &cell.vectors[0])])).collect();
        let (shown, _) = conversations(&run, &Store::new(directory.path()), &outcomes, "link/a").unwrap();
        assert_eq!(shown.len(), 1);
        assert_eq!(shown[0].cells, ["freebsd/14.0-STABLE/stock", "freebsd/14.0-STABLE/rust"]);
    }

    #[test]
    fn very_long_texts_are_shown_in_part() {
        assert_eq!(shortened("a\nb\n"), "a\nb\n");
        let text = shortened(&"x\n".repeat(LONGEST + 7));
        assert!(text.ends_with("x\n... 7 lines more are in the golden's file\n"));
        assert_eq!(text.lines().count(), LONGEST + 1);
    }
}
