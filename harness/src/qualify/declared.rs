// SPDX-License-Identifier: BSD-2-Clause
//! Which differences between two kernels are those between their profiles: by the inventory, by the core's table of
//! behaviour, or by goldens that somebody reviewed.
//!
//! A profile explains nothing about two kernels of its own: between those every difference is unexplained.

use std::collections::BTreeMap;

use iface_core::Profile;

use super::compare::{Explained, all_changes};
use super::finding::Class;
use crate::coverage::{Inventory, Row};
use crate::file::FileError;
use crate::golden::{Change, Origin, Store, layers};
use crate::matrix::{mismatch, run_vectors};
use crate::targets::{SimTarget, Target as _};
use crate::vector::Vector;

/// Explains differences by two profiles.
pub(super) struct Profiles<'a> {
    /// The profiles of the first kernel and of the second.
    sides: [Profile; 2],
    inventory: &'a Inventory,
    goldens: &'a Store,
    vectors: BTreeMap<&'a str, &'a Vector>,
    simulators: [SimTarget; 2],
}

impl<'a> Profiles<'a> {
    /// Two profiles, and what is known of them.
    pub(super) fn new(
        sides: [Profile; 2],
        inventory: &'a Inventory,
        goldens: &'a Store,
        vectors: &'a [Vector],
    ) -> Self {
        let vectors = vectors.iter().map(|vector| (vector.id.as_str(), vector)).collect();
        Self { sides, inventory, goldens, vectors, simulators: sides.map(SimTarget::new) }
    }

    /// Explains each difference between two answers to a vector.
    pub(super) fn explain(
        &mut self,
        id: &str,
        from: &str,
        to: &str,
    ) -> Result<Vec<(Change, Explained)>, FileError> {
        let found = all_changes(from, to);
        let [old, new] = self.sides;
        if old == new || found.is_empty() {
            let reason = format!("both are held to profile {new}, and nothing else explains it");
            return Ok(found.into_iter().map(|one| (one, (Class::Unexplained, reason.clone()))).collect());
        }
        let simulated = self.simulated(id);
        let golden = self.between_goldens(id)?;
        let reason = |change: &Change| -> Explained {
            if let Some(row) = self.row(change) {
                (Class::Declared, format!("inventory.yaml: {row}"))
            } else if simulated.contains(change) {
                (Class::Declared, format!("profile {new} does so, and profile {old} does not"))
            } else if let Some((told, _)) = golden.as_ref().filter(|(_, changes)| changes.contains(change)) {
                (Class::Declared, told.clone())
            } else {
                (Class::Unexplained, format!("profiles {old} and {new} do not differ so"))
            }
        };
        Ok(found.into_iter().map(|change| (change.clone(), reason(&change))).collect())
    }

    /// The row of the inventory that only one of the profiles has and that is about this difference.
    fn row(&self, change: &Change) -> Option<String> {
        let [old, new] = self.sides;
        let has = |row: &Row, profile| row.profiles.contains(&profile);
        let told = |row: &&Row, value: &Option<String>| {
            // What says more than where it stands cannot be told from a difference alone.
            let plain = row.has.is_empty() && row.to.is_none();
            let about = row.attr.as_deref() == Some(change.place.attr.as_str());
            let same = name(&row.message) == name(&change.place.message);
            plain && about && same && value.as_deref().is_some_and(|value| row.takes(value))
        };
        let rows = || self.inventory.rows.iter();
        let gained = rows().find(|row| has(row, new) && !has(row, old) && told(row, &change.to));
        let gone = || rows().find(|row| has(row, old) && !has(row, new) && told(row, &change.from));
        gained.or_else(gone).map(Row::name)
    }

    /// The differences between the simulator's answers as the one profile and as the other, if it can be asked.
    fn simulated(&mut self, id: &str) -> Vec<Change> {
        let Some(vector) = self.vectors.get(id) else { return Vec::new() };
        let mut said = Vec::new();
        for simulator in &mut self.simulators {
            if mismatch(vector, simulator.facts()).is_some() {
                return Vec::new();
            }
            let ran = run_vectors(simulator, &[vector], &mut |run| said.push(run.trace.to_text()));
            if ran.is_err() {
                return Vec::new();
            }
        }
        let [old, new] = said.as_slice() else { return Vec::new() };
        all_changes(old, new)
    }

    /// The differences between the goldens of the two profiles, and which goldens those are. A golden that only one
    /// release has is none of its profile's.
    fn between_goldens(&self, id: &str) -> Result<Option<(String, Vec<Change>)>, FileError> {
        let [old, new] = self.sides.map(|profile| self.goldens.find(layers(profile), id));
        let (Some(old), Some(new)) = (old?, new?) else { return Ok(None) };
        let kind = |origins: &[Origin]| match origins.iter().any(Origin::is_observed) {
            true => "observed",
            false => "predicted",
        };
        let told = format!(
            "goldens: {} ({}), {} ({})",
            old.layer,
            kind(&old.golden.origins),
            new.layer,
            kind(&new.golden.origins)
        );
        Ok(Some((told, all_changes(&old.golden.body, &new.golden.body))))
    }
}

/// A message's name without its mark and group: the same in a reply and in an event.
fn name(message: &str) -> &str {
    message.rsplit(' ').next().unwrap_or(message)
}
