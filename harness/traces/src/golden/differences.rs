// SPDX-License-Identifier: BSD-2-Clause
//! Differences of many vectors: each once, with the vectors that show it, and summed up by kind.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::changes::{Change, Place};

/// Differences of vectors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    /// Each with the vectors that show it, in the order in which they were added.
    ways: BTreeMap<Change, Vec<String>>,
    vectors: BTreeSet<String>,
}

/// All differences in one place: one message, or one of its attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind<'d> {
    /// The place.
    pub place: &'d Place,
    /// The differences.
    pub ways: Vec<&'d Change>,
    /// How many vectors show one of them.
    pub vectors: usize,
}

impl Differences {
    /// Adds what differs in a vector; nothing is no difference.
    pub fn add(&mut self, vector: &str, changes: Vec<Change>) {
        for change in changes {
            self.vectors.insert(vector.to_owned());
            let vectors = self.ways.entry(change).or_default();
            // A vector may show the same several times.
            if vectors.last().is_none_or(|last| last != vector) {
                vectors.push(vector.to_owned());
            }
        }
    }

    /// The vectors that differ.
    pub fn vectors(&self) -> &BTreeSet<String> {
        &self.vectors
    }

    /// The differences with their vectors; those of most vectors come first.
    pub fn ways(&self) -> Vec<(&Change, &[String])> {
        let mut ways: Vec<_> =
            self.ways.iter().map(|(change, vectors)| (change, vectors.as_slice())).collect();
        ways.sort_by_key(|(_, vectors)| Reverse(vectors.len()));
        ways
    }

    /// The same by kind; those of most vectors come first.
    pub fn kinds(&self) -> Vec<Kind<'_>> {
        let mut kinds: BTreeMap<&Place, (Vec<&Change>, BTreeSet<&str>)> = BTreeMap::new();
        for (change, vectors) in &self.ways {
            let (ways, shown) = kinds.entry(&change.place).or_default();
            ways.push(change);
            shown.extend(vectors.iter().map(String::as_str));
        }
        let kind =
            |(place, (ways, shown)): (_, (Vec<_>, BTreeSet<_>))| Kind { place, ways, vectors: shown.len() };
        let mut kinds: Vec<_> = kinds.into_iter().map(kind).collect();
        kinds.sort_by_key(|kind| Reverse(kind.vectors));
        kinds
    }
}

#[cfg(test)]
mod tests {
    use super::super::changes::changes;
    use super::*;

    #[test]
    fn a_difference_is_there_once_with_its_vectors_and_kinds_gather_ways() {
        let golden = "step 0\n  < newlink - a=1\n      mtu 1\n      mtu 1\n";
        let mut differences = Differences::default();
        for (vector, mtu) in [("v", "mtu 2"), ("w", "mtu 2"), ("x", "mtu 3"), ("y", "mtu 1")] {
            differences.add(vector, changes(golden, &golden.replace("mtu 1", mtu)));
        }
        differences.add("x", changes(golden, &golden.replace("a=1", "a=2")));
        assert_eq!(differences.vectors().iter().collect::<Vec<_>>(), ["v", "w", "x"]);
        let ways: Vec<_> = differences
            .ways()
            .iter()
            .map(|(change, vectors)| (change.to.clone(), vectors.join(" ")))
            .collect();
        let of = |to: &str, vectors: &str| (Some(to.to_owned()), vectors.to_owned());
        assert_eq!(ways, [of("2", "v w"), of("- a=2", "x"), of("3", "x")]);
        let kinds: Vec<_> = differences
            .kinds()
            .iter()
            .map(|kind| (kind.place.to_string(), kind.ways.len(), kind.vectors))
            .collect();
        assert_eq!(kinds, [("< newlink mtu".to_owned(), 2, 3), ("< newlink".to_owned(), 1, 1)]);
    }

    #[test]
    fn without_changes_nothing_differs() {
        let mut differences = Differences::default();
        differences.add("v", vec![]);
        assert_eq!(differences, Differences::default());
        assert!(differences.kinds().is_empty() && differences.ways().is_empty());
    }
}
