// SPDX-License-Identifier: BSD-2-Clause
//! Which rows of the inventory one profile's goldens reach.

use iface_core::Profile;

use super::inventory::{Inventory, Row};
use crate::file::FileError;
use crate::golden::{Origin, Store, layers, profile_of};
use crate::trace::messages;

/// The rows that the goldens of one profile reach.
#[derive(Debug)]
pub struct Reach<'a> {
    /// The profile.
    pub profile: Profile,
    /// Goldens that a kernel of this profile produced.
    pub observed: usize,
    /// Goldens that are predictions for this profile.
    pub predicted: usize,
    /// The inventory's rows that exist in the profile.
    pub rows: Vec<Reached<'a>>,
}

/// One row, and the vectors that reach it.
#[derive(Debug)]
pub struct Reached<'a> {
    /// The row.
    pub row: &'a Row,
    /// Ids of the vectors whose observed golden holds it.
    pub observed: Vec<String>,
    /// Ids of the vectors whose predicted golden holds it.
    pub predicted: Vec<String>,
}

/// The verdict on a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A vector reaches it, as declared.
    Reached,
    /// No vector reaches it, and the inventory says why.
    Gap,
    /// No vector reaches it.
    Unreached,
    /// A vector reaches what the inventory calls a gap.
    NoGap,
}

impl Reached<'_> {
    /// The verdict on the row.
    pub fn verdict(&self) -> Verdict {
        match (self.observed.is_empty() && self.predicted.is_empty(), self.row.gap.is_some()) {
            (false, false) => Verdict::Reached,
            (true, true) => Verdict::Gap,
            (true, false) => Verdict::Unreached,
            (false, true) => Verdict::NoGap,
        }
    }
}

impl<'a> Reach<'a> {
    /// Looks through the goldens of `vectors`. `plays` says whether the simulator runs a vector in a cell of this
    /// profile: then the golden that holds is what it answers, whoever recorded it, and a prediction. A golden that
    /// merely holds is no evidence.
    ///
    /// # Errors
    /// A golden cannot be read.
    pub fn of<'v>(
        profile: Profile,
        inventory: &'a Inventory,
        goldens: &Store,
        vectors: impl Iterator<Item = &'v str>,
        plays: impl Fn(&str) -> bool,
    ) -> Result<Self, FileError> {
        let rows = inventory.rows.iter().filter(|row| row.profiles.contains(&profile));
        let rows = rows.map(|row| Reached { row, observed: Vec::new(), predicted: Vec::new() }).collect();
        let mut reach = Reach { profile, observed: 0, predicted: 0, rows };
        for vector in vectors {
            let Some(found) = goldens.find(layers(profile), vector)? else { continue };
            let origins = &found.golden.origins;
            let observed = origins.iter().any(|origin| observed(origin, profile));
            if !observed && !plays(vector) {
                continue;
            }
            reach.observed += usize::from(observed);
            reach.predicted += usize::from(!observed);
            let messages = messages(&found.golden.body);
            for reached in &mut reach.rows {
                if messages.iter().any(|message| reached.row.matches(message)) {
                    let list = if observed { &mut reached.observed } else { &mut reached.predicted };
                    list.push(vector.to_owned());
                }
            }
        }
        Ok(reach)
    }

    /// Whether a row is not as the inventory says.
    pub fn failed(&self) -> bool {
        self.rows.iter().any(|reached| matches!(reached.verdict(), Verdict::Unreached | Verdict::NoGap))
    }
}

fn observed(origin: &Origin, wanted: Profile) -> bool {
    matches!(origin, Origin::Observed { osreldate, build: None, .. } if profile_of(*osreldate) == Some(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::Golden;

    fn row(message: &str, gap: Option<&str>) -> Row {
        Row {
            kind: "messages".into(),
            message: message.into(),
            has: vec![],
            attr: None,
            value: None,
            to: None,
            profiles: Profile::ALL.to_vec(),
            gap: gap.map(Into::into),
        }
    }

    fn store(origin: Origin) -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let store = Store::new(directory.path());
        let golden = Golden::new("link/a", origin, "step 0\n  > newlink request\n");
        store.write_new("common", &golden).expect("it can be written");
        store.accept(&store.pending().expect("it can be listed")[0]).expect("it can be accepted");
        (directory, store)
    }

    fn kernel(osreldate: u32) -> Origin {
        Origin::Observed {
            release: "R".into(),
            osreldate,
            kernel_sha256: "0".repeat(64),
            module: None,
            build: None,
        }
    }

    #[test]
    fn a_row_is_reached_unreached_a_gap_or_wrongly_called_one() {
        let inventory = Inventory {
            rows: vec![
                row("> newlink", None),
                row("> dellink", None),
                row("> setlink", Some("because")),
                row("> newlink", Some("because")),
            ],
        };
        let (_directory, store) = store(kernel(1_400_507));
        let reach =
            Reach::of(Profile::R14_0, &inventory, &store, ["link/a", "link/none"].into_iter(), |_| false);
        let reach = reach.expect("the golden can be read");
        let verdicts: Vec<_> = reach.rows.iter().map(Reached::verdict).collect();
        assert_eq!(verdicts, [Verdict::Reached, Verdict::Unreached, Verdict::Gap, Verdict::NoGap]);
        assert_eq!((reach.observed, reach.predicted), (1, 0));
        assert!(reach.failed());
    }

    #[test]
    fn a_golden_of_another_branch_is_no_evidence() {
        let inventory = Inventory { rows: vec![row("> newlink", None)] };
        for (origin, plays, observed, predicted) in [
            (kernel(1_400_507), false, 0, 0),
            (kernel(1_400_507), true, 0, 1),
            (kernel(1_501_000), false, 1, 0),
            (kernel(1_501_000), true, 1, 0),
            (Origin::predicted("15"), true, 0, 1),
            (Origin::predicted("15"), false, 0, 0),
        ] {
            let (_directory, store) = store(origin);
            let reach = Reach::of(Profile::R15, &inventory, &store, ["link/a"].into_iter(), |_| plays);
            let reach = reach.expect("the golden can be read");
            assert_eq!((reach.observed, reach.predicted), (observed, predicted));
            assert_eq!(reach.failed(), observed + predicted == 0);
        }
    }
}
