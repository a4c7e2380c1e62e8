// SPDX-License-Identifier: BSD-2-Clause
//! Turning a trace into a golden for review: in which layer it belongs, and what becomes of the old one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use iface_core::Profile;

use super::cascade::{layers as cascade, profile_of};
use super::compare::{Divergence, compare};
use super::file::Golden;
use super::origin::Origin;
use super::store::{Pending, Store};
use crate::file::FileError;

/// What recording did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// The golden that holds already says the same, from the same origin.
    Unchanged,
    /// A golden was written for review.
    Written(PathBuf),
    /// Another origin vouches for a different trace, and there is no layer for both: nothing was written.
    Disagrees(Disagreement),
}

/// Two cells that look in the same layer and answer differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    /// The golden in the way: one that awaits review, if this run wrote it.
    pub path: PathBuf,
    /// Who else vouches for it.
    pub origins: Vec<Origin>,
    /// How the new recording differs from it.
    pub divergence: Divergence,
}

/// One run's recording. What it has written counts as accepted for the cells that come later, so that two
/// releases that agree share a golden and two that do not get one each, as if they had been recorded and
/// accepted one after the other.
#[derive(Debug)]
pub struct Recorder<'a> {
    store: &'a Store,
    written: BTreeSet<Pending>,
    /// Layers of their own that releases look in before those of their profile.
    own: BTreeMap<String, String>,
}

impl<'a> Recorder<'a> {
    /// Nothing recorded yet. What awaits review from earlier runs does not count, and may be overwritten.
    /// `own` are the layers of their own that releases have, by the releases' names.
    pub fn new(store: &'a Store, own: BTreeMap<String, String>) -> Self {
        Self { store, written: BTreeSet::new(), own }
    }

    /// Records `body` as the golden of `vector` in a cell that looks in `layers`.
    ///
    /// A trace equal to the golden that holds adds its origin to it. A different one replaces that golden if no
    /// other kernel vouches for it, and otherwise goes into the most general layer that is more specific and in which
    /// no release looks that the old golden was recorded from, so that what other releases answered stays. What is
    /// predicted never replaces what was observed: it goes into a layer of its own.
    ///
    /// # Errors
    /// A golden cannot be read or written.
    pub fn record(
        &mut self,
        layers: &[&str],
        vector: &str,
        origin: &Origin,
        body: &str,
    ) -> Result<Recorded, FileError> {
        let Some((position, mut golden)) = self.find(layers, vector)? else {
            let layer = layers.last().copied().unwrap_or("common");
            return self.write(layer, Golden::new(vector, origin.clone(), body));
        };
        let layer = layers[position];
        if golden.body == body {
            if !origin.is_observed() && golden.origins.iter().any(Origin::is_observed) {
                // The prediction came true somewhere: it adds nothing.
                return Ok(Recorded::Unchanged);
            }
            if origin.is_observed() {
                golden.origins.retain(Origin::is_observed);
            }
            return if golden.add_origin(origin.clone()) {
                self.write(layer, golden)
            } else {
                Ok(Recorded::Unchanged)
            };
        }
        if golden.origins.iter().all(|other| replaces(origin, other)) {
            return self.write(layer, Golden::new(vector, origin.clone(), body));
        }
        // The layer must not come before the old golden where that one still holds.
        let stays = golden.origins.iter().filter(|other| !replaces(origin, other));
        let looked_in: BTreeSet<&str> = stays.flat_map(|other| self.looks_in(other)).collect();
        let free = layers.iter().take(position).rev().find(|layer| !looked_in.contains(*layer));
        match free {
            Some(layer) => self.write(layer, Golden::new(vector, origin.clone(), body)),
            // A prediction for another profile is no more than that: if it still holds, it is recorded again, elsewhere.
            None if !golden.origins.iter().any(Origin::is_observed) => {
                self.write(layer, Golden::new(vector, origin.clone(), body))
            }
            None => Ok(self.disagreement(layer, golden, origin, body)),
        }
    }

    fn disagreement(&self, layer: &str, golden: Golden, origin: &Origin, body: &str) -> Recorded {
        let Some(divergence) = compare(self.store.compared(), &golden, body) else {
            return Recorded::Unchanged;
        };
        let pending = Pending { layer: layer.to_owned(), vector: golden.vector.clone() };
        let path = if self.written.contains(&pending) {
            self.store.new_path(layer, &golden.vector)
        } else {
            self.store.file(layer, &golden.vector)
        };
        let origins = golden.origins.into_iter().filter(|other| !replaces(origin, other)).collect();
        Recorded::Disagrees(Disagreement { path, origins, divergence })
    }

    /// The layers in which an origin's cells look, as far as their branch is known.
    fn looks_in(&self, origin: &Origin) -> Vec<&str> {
        let profile = profile_of_origin(origin).map(cascade).unwrap_or_default();
        let own = match origin {
            Origin::Observed { release, .. } => self.own.get(release),
            Origin::Predicted { .. } => None,
        };
        own.map(String::as_str).into_iter().chain(profile.iter().copied()).collect()
    }

    /// The golden that holds, with the position of its layer in `layers`.
    fn find(&self, layers: &[&str], vector: &str) -> Result<Option<(usize, Golden)>, FileError> {
        for (position, layer) in layers.iter().enumerate() {
            let pending = Pending { layer: (*layer).to_owned(), vector: vector.to_owned() };
            let golden = if self.written.contains(&pending) {
                self.store.read_new(layer, vector)?
            } else {
                self.store.read(layer, vector)?
            };
            if let Some(golden) = golden {
                return Ok(Some((position, golden)));
            }
        }
        Ok(None)
    }

    fn write(&mut self, layer: &str, golden: Golden) -> Result<Recorded, FileError> {
        let path = self.store.write_new(layer, &golden)?;
        self.written.insert(Pending { layer: layer.to_owned(), vector: golden.vector });
        Ok(Recorded::Written(path))
    }
}

/// The profile of an origin; `None` for an unknown branch.
fn profile_of_origin(origin: &Origin) -> Option<Profile> {
    match origin {
        Origin::Observed { osreldate, .. } => profile_of(*osreldate),
        Origin::Predicted { profile, .. } => profile.parse().ok(),
    }
}

/// Whether a trace of origin `new` may take the place of one of origin `old`.
fn replaces(new: &Origin, old: &Origin) -> bool {
    match (new, old) {
        // What a release answers takes the place of what somebody's own kernel did.
        (Origin::Observed { build: None, .. }, Origin::Observed { build: Some(_), .. }) => true,
        (Origin::Observed { release: a, .. }, Origin::Observed { release: b, .. }) => a == b,
        (Origin::Observed { .. }, Origin::Predicted { .. }) => true,
        (Origin::Predicted { profile: a, .. }, Origin::Predicted { profile: b, .. }) => a == b,
        (Origin::Predicted { .. }, Origin::Observed { .. }) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYERS_14: [&str; 3] = ["freebsd-14.0", "freebsd-14", "common"];
    const LAYERS_15: [&str; 2] = ["freebsd-15", "common"];

    fn observed(release: &str) -> Origin {
        Origin::Observed {
            release: release.into(),
            osreldate: 1,
            kernel_sha256: "a".repeat(64),
            module: None,
            build: None,
        }
    }

    fn predicted(profile: &str) -> Origin {
        Origin::predicted(profile)
    }

    fn record_and_accept(store: &Store, layers: &[&str], origin: &Origin, body: &str) -> Vec<String> {
        Recorder::new(store, BTreeMap::new()).record(layers, "v", origin, body).unwrap();
        let pending = store.pending().unwrap();
        for one in &pending {
            store.accept(one).unwrap();
        }
        pending.into_iter().map(|one| one.layer).collect()
    }

    #[test]
    fn releases_that_agree_share_a_golden_and_one_that_differs_gets_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path());
        assert_eq!(record_and_accept(&store, &LAYERS_14, &observed("14.0"), "a\n"), ["common"]);
        assert_eq!(record_and_accept(&store, &LAYERS_15, &observed("15.1"), "b\n"), ["freebsd-15"]);
        assert_eq!(store.find(&LAYERS_14, "v").unwrap().unwrap().golden.body, "a\n");
        assert_eq!(store.find(&LAYERS_15, "v").unwrap().unwrap().golden.body, "b\n");
        assert!(record_and_accept(&store, &LAYERS_15, &observed("15.1"), "b\n").is_empty());
    }

    #[test]
    fn one_run_over_two_releases_records_what_two_runs_would() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path());
        // An earlier run's leftover is not what this run found.
        store.write_new("common", &Golden::new("v", observed("13"), "stale\n")).unwrap();
        let mut recorder = Recorder::new(&store, BTreeMap::new());
        recorder.record(&LAYERS_14, "v", &observed("14.0"), "a\n").unwrap();
        recorder.record(&LAYERS_15, "v", &observed("15.1"), "b\n").unwrap();
        recorder.record(&LAYERS_14, "w", &observed("14.0"), "same\n").unwrap();
        recorder.record(&LAYERS_15, "w", &observed("15.1"), "same\n").unwrap();
        let new = |layer, vector| {
            store.read_new(layer, vector).unwrap().map(|golden| (golden.body, golden.origins.len()))
        };
        assert_eq!(new("common", "v"), Some(("a\n".into(), 1)));
        assert_eq!(new("freebsd-15", "v"), Some(("b\n".into(), 1)));
        assert_eq!(new("common", "w"), Some(("same\n".into(), 2)));
        assert_eq!(new("freebsd-15", "w"), None);
    }

    #[test]
    fn an_observation_overrules_a_prediction() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path());
        record_and_accept(&store, &LAYERS_14, &predicted("14.0"), "guess\n");
        assert_eq!(record_and_accept(&store, &LAYERS_14, &observed("14.0"), "fact\n"), ["common"]);
        let golden = store.find(&LAYERS_14, "v").unwrap().unwrap().golden;
        assert_eq!((golden.body.as_str(), golden.origins), ("fact\n", vec![observed("14.0")]));
    }

    #[test]
    fn a_golden_of_its_own_does_not_come_before_the_one_of_a_sister() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path());
        let (r14_0, r14_3) = (cascade(Profile::R14_0), cascade(Profile::R14_3));
        let kernel = |osreldate: u32| Origin::Observed {
            release: osreldate.to_string(),
            osreldate,
            kernel_sha256: "a".repeat(64),
            module: None,
            build: None,
        };
        assert_eq!(record_and_accept(&store, r14_0, &kernel(1_400_507), "a\n"), ["common"]);
        assert_eq!(record_and_accept(&store, r14_3, &predicted("14.3"), "b\n"), ["freebsd-14.3"]);
        assert_eq!(store.find(r14_0, "v").unwrap().unwrap().golden.body, "a\n");
        // What nobody of branch 14 looks at any more is no reason.
        let cascade_15 = cascade(Profile::R15);
        assert_eq!(record_and_accept(&store, cascade_15, &kernel(1_501_000), "a\n"), ["common"]);
        assert_eq!(record_and_accept(&store, r14_0, &kernel(1_400_507), "c\n"), ["freebsd-14"]);
    }

    #[test]
    fn a_shared_prediction_makes_room_for_a_new_one() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path());
        let (seed, r13) = (cascade(Profile::Seed), cascade(Profile::R13));
        record_and_accept(&store, cascade(Profile::R15), &observed("15.1"), "fact\n");
        assert_eq!(record_and_accept(&store, r13, &predicted("13"), "old\n"), ["freebsd-13"]);
        assert_eq!(record_and_accept(&store, seed, &predicted("seed"), "old\n"), ["freebsd-13"]);
        assert_eq!(record_and_accept(&store, r13, &predicted("13"), "new\n"), ["freebsd-13"]);
        assert_eq!(record_and_accept(&store, seed, &predicted("seed"), "old\n"), ["freebsd-seed"]);
        assert_eq!(store.find(r13, "v").unwrap().unwrap().golden.body, "new\n");
    }

    #[test]
    fn a_prediction_never_overrules_an_observation() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path());
        record_and_accept(&store, &LAYERS_14, &observed("14.0"), "fact\n");
        assert!(record_and_accept(&store, &LAYERS_15, &predicted("15"), "fact\n").is_empty());
        assert_eq!(record_and_accept(&store, &LAYERS_15, &predicted("15"), "guess\n"), ["freebsd-15"]);
        assert_eq!(store.find(&LAYERS_14, "v").unwrap().unwrap().golden.body, "fact\n");
        record_and_accept(&store, &["common"], &observed("14.0"), "fact\n");
        let refused =
            Recorder::new(&store, BTreeMap::new()).record(&["common"], "v", &predicted("14.0"), "guess\n");
        let Ok(Recorded::Disagrees(refused)) = refused else { panic!("{refused:?}") };
        assert_eq!((refused.path, refused.origins), (store.file("common", "v"), vec![observed("14.0")]));
    }

    #[test]
    fn two_kernels_of_one_profile_that_disagree_are_told_apart_and_nothing_is_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path());
        let mut recorder = Recorder::new(&store, BTreeMap::new());
        recorder.record(&LAYERS_14, "v", &observed("14.0"), "step 0\n  a\n").unwrap();
        recorder.record(&LAYERS_15, "v", &observed("15.0"), "step 0\n  b\n").unwrap();
        let second = recorder.record(&LAYERS_15, "v", &observed("15.1"), "step 0\n  c\n").unwrap();
        let Recorded::Disagrees(disagreement) = second else { panic!("{second:?}") };
        // What it disagrees with was written by this run, and is named so.
        assert_eq!(disagreement.path, store.new_path("freebsd-15", "v"));
        assert_eq!(disagreement.origins, [observed("15.0")]);
        assert_eq!(disagreement.divergence.hunk, ["  step 0", "-   b", "+   c"]);
        let others = recorder.record(&LAYERS_15, "w", &observed("15.1"), "step 0\n").unwrap();
        assert!(matches!(others, Recorded::Written(_)), "the other vectors are recorded");
        assert_eq!(store.read_new("freebsd-15", "v").unwrap().unwrap().body, "step 0\n  b\n");
    }

    #[test]
    fn a_release_with_a_layer_of_its_own_records_there_what_differs() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path());
        let cascade_15 = cascade(Profile::R15);
        let own = BTreeMap::from([("15.0".to_owned(), "freebsd-15.0".to_owned())]);
        let layers_15_0 = [&["freebsd-15.0"][..], cascade_15].concat();
        let kernel = |release: &str, osreldate| Origin::Observed {
            release: release.into(),
            osreldate,
            kernel_sha256: "a".repeat(64),
            module: None,
            build: None,
        };
        let (r15_0, r15_1) = (kernel("15.0", 1_500_068), kernel("15.1", 1_501_000));
        let mut recorder = Recorder::new(&store, own.clone());
        recorder.record(cascade_15, "v", &r15_1, "a\n").unwrap();
        recorder.record(&layers_15_0, "v", &r15_0, "b\n").unwrap();
        recorder.record(&layers_15_0, "w", &r15_0, "same\n").unwrap();
        recorder.record(cascade_15, "w", &r15_1, "same\n").unwrap();
        let pending: Vec<_> =
            store.pending().unwrap().into_iter().map(|one| (one.layer, one.vector)).collect();
        let of = |layer: &str, vector: &str| (layer.to_owned(), vector.to_owned());
        assert_eq!(pending, [of("common", "v"), of("common", "w"), of("freebsd-15.0", "v")]);
        // A third that looks in the same layer finds it taken.
        let third = kernel("15.2", 1_502_000);
        let recorded = recorder.record(&layers_15_0, "v", &third, "c\n").unwrap();
        assert!(matches!(recorded, Recorded::Disagrees(_)), "{recorded:?}");
    }
}
