// SPDX-License-Identifier: BSD-2-Clause
//! The project on disk: matrix, vectors, goldens.

use std::path::{Path, PathBuf};

use super::args::{CellArgs, ProjectArgs, VectorArgs};
use super::exit::CliError;
use super::targets::{Targets, cache_directory, say_newest};
use crate::golden::{Divergences, Origin, Store};
use crate::matrix::{Cell, Matrix, Selection, Soft, VectorFilter, load_matrix};
use crate::releases::{Releases, load_releases, newest_of};
use crate::targets::ModuleOptions;
use crate::vector::{Vector, lint, load_suite};

/// A loaded project.
pub(super) struct Project {
    /// The directory with matrix.yaml, vectors/ and golden/.
    pub(super) root: PathBuf,
    /// Kernel modules that guests have beyond those of the matrix.
    pub(super) kmods: Vec<String>,
}

impl Project {
    /// Finds the project's `tests` directory: where the user says, in the checkout that this is, or beside the program.
    pub(super) fn find(args: &ProjectArgs) -> Result<Project, CliError> {
        if let Some(root) = &args.tests {
            return Ok(Project { root: root.clone(), kmods: Vec::new() });
        }
        let here = std::env::current_dir()
            .map_err(|error| CliError::Usage(format!("the current directory cannot be read: {error}")))?;
        let installed = std::env::current_exe().ok().as_deref().and_then(installed_tests);
        here.ancestors()
            .map(|directory| directory.join("tests"))
            .chain(installed.clone())
            .find(|tests| tests.join("matrix.yaml").is_file())
            .map(|root| Project { root, kmods: Vec::new() })
            .ok_or_else(|| {
                let installed = installed.as_deref().unwrap_or(Path::new("share/nlproof/tests")).display();
                CliError::Usage(format!(
                    "no tests/matrix.yaml in {} or above, and none in {installed}\n  help: run this in a checkout of \
                     nlproof, or name its tests: --tests DIR, or NLPROOF_TESTS",
                    here.display()
                ))
            })
    }

    /// The same, with these kernel modules in guests beyond those of the matrix.
    pub(super) fn with_modules(mut self, kmods: &[String]) -> Project {
        self.kmods.extend_from_slice(kmods);
        self
    }

    /// The kernel modules that guests have.
    pub(super) fn modules(&self) -> Result<Vec<String>, CliError> {
        let mut modules = self.matrix()?.modules;
        let further: Vec<_> = self.kmods.iter().filter(|name| !modules.contains(name)).cloned().collect();
        modules.extend(further);
        Ok(modules)
    }

    /// The project's directory as seen from here, if it is below: what a CI system calls its files.
    pub(super) fn relative_root(&self) -> PathBuf {
        let here = std::env::current_dir().and_then(|here| here.canonicalize());
        match (here, self.root.canonicalize()) {
            (Ok(here), Ok(root)) => root.strip_prefix(here).map_or(root.clone(), PathBuf::from),
            _ => self.root.clone(),
        }
    }

    /// The matrix, with the cells of releases that are only tried.
    pub(super) fn matrix(&self) -> Result<Matrix, CliError> {
        let mut matrix = load_matrix(&self.root.join("matrix.yaml"))?;
        let releases = self.releases()?;
        for cell in &mut matrix.cells {
            let tried = cell.release.as_deref().is_some_and(|release| releases.is_soft(release));
            cell.soft = tried.then_some(Soft::Tried);
        }
        Ok(matrix)
    }

    /// The releases that are known and where they come from.
    pub(super) fn releases(&self) -> Result<Releases, CliError> {
        Ok(load_releases(&self.root.join("releases.yaml"))?)
    }

    /// The selected cells.
    pub(super) fn cells(&self, args: &CellArgs) -> Result<Vec<Cell>, CliError> {
        let matrix = self.matrix()?;
        let selection = Selection {
            targets: args.target.clone(),
            releases: args.release.clone(),
            modules: args.module.clone(),
        };
        let cells = selection.cells(&matrix);
        if cells.is_empty() {
            let names: Vec<_> = matrix.cells.iter().map(Cell::name).collect();
            return Err(CliError::Usage(format!(
                "no cell matches\n  help: the cells are: {}",
                names.join(", ")
            )));
        }
        Ok(cells)
    }

    /// The selected cells, with those whose release no golden was recorded from: there is no answer to hold them to.
    pub(super) fn weighed_cells(&self, args: &CellArgs) -> Result<Vec<Cell>, CliError> {
        let mut cells = self.cells(args)?;
        let real = |cell: &Cell| cell.release.is_some() && cell.soft.is_none();
        if cells.iter().any(real) {
            let kernels = self.goldens().kernels()?;
            let observed = |cell: &Cell| {
                kernels
                    .iter()
                    .any(|origin| matches!(origin, Origin::Observed { release, .. } if cell.is_of(release)))
            };
            for cell in cells.iter_mut().filter(|cell| real(cell)) {
                cell.soft = (!observed(cell)).then_some(Soft::NeverObserved);
            }
        }
        Ok(cells)
    }

    /// The first selected cell that can run here: the simulator, unless the user names another. Of a branch it is a
    /// cell of the newest release that is here, which is said. If none can run, the first, so that opening it says why.
    pub(super) fn first_cell_here(&self, targets: &Targets, args: &CellArgs) -> Result<Cell, CliError> {
        Ok(first_here(self.cells(args)?, targets, args))
    }

    /// All vectors, linted.
    pub(super) fn all_vectors(&self) -> Result<Vec<Vector>, CliError> {
        self.vectors(&VectorArgs { suite: vec![], filter: vec![] })
    }

    /// All vectors, linted; then those selected.
    pub(super) fn vectors(&self, args: &VectorArgs) -> Result<Vec<Vector>, CliError> {
        let suite = load_suite(&self.root.join("vectors")).map_err(CliError::Files)?;
        let errors: Vec<_> = suite.vectors.iter().flat_map(lint).collect();
        if !errors.is_empty() {
            return Err(CliError::Files(errors));
        }
        self.demand_modules(&suite.vectors)?;
        let filter = VectorFilter { suites: args.suite.clone(), filters: args.filter.clone() };
        let vectors = filter.select(suite.vectors);
        if vectors.is_empty() {
            return Err(CliError::Usage(
                "no vector matches\n  help: nlproof test-matrix --list shows them all".into(),
            ));
        }
        Ok(vectors)
    }

    /// A guest has the modules that the matrix lists, and those that the user names. A vector that needs another one would run nowhere.
    fn demand_modules(&self, vectors: &[Vector]) -> Result<(), CliError> {
        let listed = self.modules()?;
        let missing = |vector: &Vector| {
            let module = vector.needs.modules.iter().find(|module| !listed.contains(module))?;
            Some(format!(
                "{} needs the kernel module {module}, which no guest has\n  help: list it in matrix.yaml, `modules: \
                 [{module}, ...]`, or give --kmod {module}",
                vector.id
            ))
        };
        vectors.iter().find_map(missing).map_or(Ok(()), |text| Err(CliError::Usage(text)))
    }

    /// The checkout that the project stands in: kmod-src and harness stand beside tests.
    pub(super) fn checkout(&self) -> PathBuf {
        let beside = self.root.join("..");
        beside.canonicalize().unwrap_or(beside)
    }

    /// How the Rust-backed module is built and judged.
    pub(super) fn module_options(&self, unverified: bool) -> Result<ModuleOptions, CliError> {
        Ok(ModuleOptions {
            checkout: self.checkout(),
            cache: cache_directory()?.join("kmod"),
            policy: self.root.join("fixtures/verify/nlproof_iface.yaml"),
            unverified,
            faults: false,
        })
    }

    /// Where the module deviates on purpose.
    pub(super) fn divergences(&self) -> Result<Divergences, CliError> {
        let vectors = self.all_vectors()?;
        let ids: Vec<_> = vectors.iter().map(|vector| vector.id.as_str()).collect();
        Ok(Divergences::load(&self.root.join("divergences.yaml"), &ids)?)
    }

    /// The goldens.
    pub(super) fn goldens(&self) -> Store {
        Store::new(&self.root.join("golden"))
    }
}

/// Where the archive of a release has the tests: `PREFIX/share/nlproof/tests` of a program `PREFIX/bin/nlproof`.
fn installed_tests(program: &Path) -> Option<PathBuf> {
    Some(program.parent()?.parent()?.join("share/nlproof/tests"))
}

/// The first of these cells that can run here, as [`Project::first_cell_here`] says; there is at least one.
pub(super) fn first_here(mut cells: Vec<Cell>, targets: &Targets, args: &CellArgs) -> Cell {
    let runs = |cell: &Cell| targets.obstacle(cell).is_none();
    let Some(first) = cells.iter().position(runs) else { return cells.swap_remove(0) };
    let (Some(_), [wanted]) = (&cells[first].release, &args.release[..]) else {
        return cells.swap_remove(first);
    };
    let here = |cell: &&Cell| cell.release.is_some() && runs(cell);
    let newest = newest_of(wanted, cells.iter().filter(here).filter_map(|cell| cell.release.as_deref()));
    let at = cells.iter().position(|cell| cell.release.as_deref() == newest && runs(cell)).unwrap_or(first);
    say_newest(wanted, newest.unwrap_or(wanted));
    cells.swap_remove(at)
}
