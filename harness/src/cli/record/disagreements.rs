// SPDX-License-Identifier: BSD-2-Clause
//! Answers of a cell that contradict another cell with the same goldens: each difference once, with the vectors
//! that show it and the remedy.

use std::fmt::Write as _;

use crate::cli::out::say;
use crate::golden::{Disagreement, Origin};
use crate::matrix::Cell;

/// The disagreements of one cell.
#[derive(Default)]
pub(super) struct Disagreements {
    /// The first of each kind, with the vectors that show the same.
    kinds: Vec<(Disagreement, Vec<String>)>,
}

impl Disagreements {
    /// Adds what a vector showed.
    pub(super) fn add(&mut self, vector: &str, new: Disagreement) {
        let key = |one: &Disagreement| {
            (one.divergence.compared, one.divergence.fingerprint.clone(), one.origins.clone())
        };
        let known = self.kinds.iter_mut().find(|(known, _)| key(known) == key(&new));
        match known {
            Some((_, vectors)) => vectors.push(vector.to_owned()),
            None => self.kinds.push((new, vec![vector.to_owned()])),
        }
    }

    /// Prints the disagreements, if any.
    pub(super) fn say(&self, cell: &Cell, origin: &Origin) {
        if let Some(text) = self.text(cell, origin) {
            say!("{text}");
        }
    }

    fn text(&self, cell: &Cell, origin: &Origin) -> Option<String> {
        if self.kinds.is_empty() {
            return None;
        }
        let mut text = String::new();
        for (disagreement, vectors) in &self.kinds {
            let others: Vec<_> = disagreement.origins.iter().map(ToString::to_string).collect();
            let not_recorded = match vectors.as_slice() {
                [one] => one.clone(),
                several => format!("{} vectors", several.len()),
            };
            // Writing to a String cannot fail.
            write!(
                text,
                "{}: {not_recorded} not recorded: the golden says otherwise, and another one vouches for it\n  \
                 here: {origin}\n  golden: {}\n    {}\n  {}\n",
                cell.name(),
                others.join(", "),
                disagreement.path.display(),
                disagreement.divergence,
            )
            .unwrap_or_default();
            if vectors.len() > 1 {
                writeln!(text, "  the same in all of them: {}", vectors.join(", ")).unwrap_or_default();
            }
        }
        text.push_str(&remedy(cell));
        Some(text)
    }
}

fn remedy(cell: &Cell) -> String {
    match (&cell.release, &cell.layer) {
        (None, _) => {
            "  help: a prediction never replaces an observation: mend what the simulator plays, or remove the golden by \
             hand if nobody answers so any more"
                .into()
        }
        (Some(release), None) => format!(
            "  help: to keep both, give {release} goldens of its own: `layer: freebsd-{release}` in its cells of \
             tests/matrix.yaml; then\n    nlproof record --release {release}\n  writes there what differs; what agrees \
             stays shared"
        ),
        (Some(_), Some(layer)) => format!(
            "  help: {layer}, its own layer, has another kernel's golden: give it another `layer` in tests/matrix.yaml, \
             or remove the golden by hand"
        ),
    }
}

#[cfg(test)]
mod tests {
    use iface_core::Profile;

    use super::*;
    use crate::golden::{Compared, Golden, compare};
    use crate::matrix::tests::{cell, kernel};

    fn disagreement(vector: &str, seen: &str) -> Disagreement {
        let origin = kernel("15.0-RELEASE", 1_500_068, "a");
        let golden = Golden::new(vector, origin.clone(), "step 0\n  < newlink\n      caps 1\n");
        Disagreement {
            path: format!("tests/golden/freebsd-15/{vector}.trace.new").into(),
            origins: vec![origin],
            divergence: compare(Compared::Wire, &golden, seen).unwrap(),
        }
    }

    #[test]
    fn both_kernels_are_named_and_a_difference_is_shown_once() {
        let here = cell(Some("15.1-RELEASE"), Profile::R15);
        let origin = kernel("15.1-RELEASE", 1_501_000, "b");
        let mut all = Disagreements::default();
        assert_eq!(all.text(&here, &origin), None);
        for vector in ["link/a", "link/b"] {
            all.add(vector, disagreement(vector, "step 0\n  < newlink\n      caps 2\n"));
        }
        all.add("link/c", disagreement("link/c", "step 0\n  < newlink\n      caps 3\n"));
        let text = all.text(&here, &origin).unwrap();
        for part in [
            "freebsd/15.1-RELEASE/stock: 2 vectors not recorded",
            "  here: 15.1-RELEASE (osreldate 1501000, kernel bbbbbbbbbbbb)\n",
            "  golden: 15.0-RELEASE (osreldate 1500068, kernel aaaaaaaaaaaa)\n",
            "tests/golden/freebsd-15/link/a.trace.new\n",
            "  the same in all of them: link/a, link/b\n",
            "freebsd/15.1-RELEASE/stock: link/c not recorded",
            "`layer: freebsd-15.1-RELEASE`",
            "nlproof record --release 15.1-RELEASE\n",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
        assert_eq!(text.matches("+       caps 2").count(), 1, "{text}");
        assert_eq!(text.matches("help:").count(), 1, "{text}");
    }

    #[test]
    fn what_to_do_depends_on_who_disagrees() {
        assert!(remedy(&cell(None, Profile::R15)).contains("a prediction never replaces an observation"));
        let own = Cell { layer: Some("freebsd-15.0".into()), ..cell(Some("15.0-RELEASE"), Profile::R15) };
        assert!(remedy(&own).contains("freebsd-15.0, its own layer, has another kernel's golden"));
    }
}
