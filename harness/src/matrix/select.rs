// SPDX-License-Identifier: BSD-2-Clause
//! The selection of cells and vectors for a run.

use super::cell::{Cell, LoadKind, ModuleKind, TargetKind};
use super::config::Matrix;
use crate::vector::Vector;

/// Which cells. An empty list selects all.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// The targets that are wanted.
    pub targets: Vec<TargetKind>,
    /// Releases (or, for the simulator, profiles): exact, or the beginning up to a dot or dash, so that `14`
    /// selects every release of branch 14. One that is the whole name of a target's cell is no beginning there:
    /// `14.0-STABLE` does not select `14.0-STABLE-DEBUG`.
    pub releases: Vec<String>,
    /// The modules that are wanted.
    pub modules: Vec<ModuleKind>,
    /// The ways in which the module comes into the kernel; it is the module's cells alone that have one.
    pub loads: Vec<LoadKind>,
}

impl Selection {
    /// The selected cells, in the matrix's order.
    pub fn cells(&self, matrix: &Matrix) -> Vec<Cell> {
        matrix.cells.iter().filter(|cell| self.matches(cell, matrix)).cloned().collect()
    }

    /// The first requested release that no cell has.
    pub fn unknown_release(&self, matrix: &Matrix) -> Option<&str> {
        let has =
            |wanted: &str| matrix.cells.iter().any(|cell| is_prefix(wanted, &cell.release_or_profile()));
        self.releases.iter().map(String::as_str).find(|wanted| !has(wanted))
    }

    fn matches(&self, cell: &Cell, matrix: &Matrix) -> bool {
        let release = cell.release_or_profile();
        let is_a_name = |wanted: &str| {
            matrix
                .cells
                .iter()
                .any(|other| other.target == cell.target && other.release_or_profile() == wanted)
        };
        let by_release = |wanted: &String| {
            if is_a_name(wanted) { *wanted == release } else { is_prefix(wanted, &release) }
        };
        (self.targets.is_empty() || self.targets.contains(&cell.target))
            && (self.modules.is_empty() || self.modules.contains(&cell.module))
            && (self.loads.is_empty() || cell.module == ModuleKind::Stock || self.loads.contains(&cell.load))
            && (self.releases.is_empty() || self.releases.iter().any(by_release))
    }
}

fn is_prefix(wanted: &str, release: &str) -> bool {
    match release.strip_prefix(wanted) {
        Some(rest) => rest.is_empty() || rest.starts_with(['.', '-']),
        None => false,
    }
}

/// Which vectors. An empty list selects all.
#[derive(Debug, Clone, Default)]
pub struct VectorFilter {
    /// Suites: the first part of the id.
    pub suites: Vec<String>,
    /// Parts of ids; one that equals a whole id selects that vector alone.
    pub filters: Vec<String>,
}

impl VectorFilter {
    /// The selected vectors, in their order.
    pub fn select(&self, vectors: Vec<Vector>) -> Vec<Vector> {
        let ids: Vec<String> = vectors.iter().map(|vector| vector.id.clone()).collect();
        vectors.into_iter().filter(|vector| self.matches(&vector.id, &ids)).collect()
    }

    fn matches(&self, id: &str, ids: &[String]) -> bool {
        let suite = id.split('/').next().unwrap_or_default();
        let by_filter =
            |filter: &String| if ids.contains(filter) { id == filter } else { id.contains(filter.as_str()) };
        (self.suites.is_empty() || self.suites.iter().any(|wanted| wanted == suite))
            && (self.filters.is_empty() || self.filters.iter().any(by_filter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_selects_its_releases_and_no_other() {
        assert!(is_prefix("14", "14.0-STABLE"));
        assert!(is_prefix("14.0-STABLE", "14.0-STABLE"));
        assert!(is_prefix("14.0", "14.0-STABLE"));
        assert!(!is_prefix("1", "14.0-STABLE"));
        assert!(!is_prefix("14.0-STABLE-DEBUG", "14.0-STABLE"));
    }

    #[test]
    fn a_whole_name_is_no_beginning() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("matrix.yaml");
        let cell =
            |release: &str| format!("  - {{target: freebsd, release: {release}, profile: \"14.0\"}}\n");
        let text = format!(
            "cells:\n  - {{target: sim, profile: \"14.0\"}}\n{}{}",
            cell("14.0-STABLE"),
            cell("14.0-STABLE-DEBUG")
        );
        std::fs::write(&path, text).expect("it can be written");
        let matrix = crate::matrix::load_matrix(&path).expect("it is right");
        let selected = |release: &str| -> Vec<String> {
            let selection = Selection { releases: vec![release.into()], ..Selection::default() };
            selection.cells(&matrix).iter().map(|cell| cell.release_or_profile().to_string()).collect()
        };
        assert_eq!(selected("14.0-STABLE"), ["14.0-STABLE"]);
        assert_eq!(selected("14.0"), ["14.0", "14.0-STABLE", "14.0-STABLE-DEBUG"]);
        assert_eq!(selected("15"), [""; 0]);
        let unknown = Selection {
            releases: ["14.0", "15", "14.0-STAB"].map(str::to_owned).into(),
            ..Selection::default()
        };
        assert_eq!(unknown.unknown_release(&matrix), Some("15"));
    }

    #[test]
    fn how_the_module_is_loaded_says_nothing_of_stock_cells() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("matrix.yaml");
        let cell =
            |more: &str| format!("  - {{target: freebsd, release: 14.0-STABLE, profile: \"14.0\"{more}}}\n");
        let [stock, rust, boot] = ["", ", module: rust", ", module: rust, load: boot"].map(cell);
        std::fs::write(&path, format!("cells:\n{stock}{rust}{boot}")).expect("it can be written");
        let matrix = crate::matrix::load_matrix(&path).expect("it is right");
        let selected = |modules: &[ModuleKind], loads: &[LoadKind]| -> Vec<String> {
            let selection =
                Selection { modules: modules.to_vec(), loads: loads.to_vec(), ..Selection::default() };
            selection.cells(&matrix).iter().map(Cell::name).collect()
        };
        let [stock, rust, boot] =
            ["stock", "rust", "rust-boot"].map(|name| format!("freebsd/14.0-STABLE/{name}"));
        assert_eq!(selected(&[], &[LoadKind::Kldload]), [stock.clone(), rust.clone()]);
        assert_eq!(selected(&[ModuleKind::Rust], &[LoadKind::Boot]), std::slice::from_ref(&boot));
        assert_eq!(selected(&[], &[]), [stock, rust, boot]);
    }

    #[test]
    fn a_whole_id_selects_that_vector_alone_and_a_part_all_that_have_it() {
        let ids = ["link/create-lo", "link/create-lo-twice", "addr/add"].map(str::to_owned);
        let selected = |suites: &[&str], filters: &[&str]| -> Vec<String> {
            let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
            let filter = VectorFilter { suites: owned(suites), filters: owned(filters) };
            ids.iter().filter(|id| filter.matches(id, &ids)).cloned().collect()
        };
        assert_eq!(selected(&[], &["link/create-lo"]), ["link/create-lo"]);
        assert_eq!(selected(&[], &["create-lo"]).len(), 2);
        assert_eq!(selected(&["addr"], &[]), ["addr/add"]);
        assert_eq!(selected(&["addr"], &["create"]), [""; 0]);
        assert_eq!(selected(&[], &[]).len(), 3);
    }
}
