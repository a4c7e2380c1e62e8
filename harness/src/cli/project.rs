// SPDX-License-Identifier: BSD-2-Clause
//! The project on disk: matrix, vectors, goldens.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::args::{ProjectArgs, VectorArgs};
use super::directories::cache_directory;
use super::exit::CliError;
use super::unknown::{unknown_selection, unknown_vector};
use crate::file::FileError;
use crate::golden::{Divergences, Store, strays};
use crate::matrix::{Cell, Matrix, Soft, VectorFilter, load_matrix};
use crate::releases::{Releases, load_releases};
use crate::targets::{ModuleOptions, OwnRelease};
use crate::vector::{Listing, Vector, lint, lint_modules, list, load_suite, load_vector, path_of};

/// A kernel of one's own with its cells: the stock code's and the module's.
#[derive(Debug, Clone)]
pub(super) struct OwnCells {
    pub(super) release: Arc<OwnRelease>,
    pub(super) cells: Vec<Cell>,
}

/// A loaded project.
pub(super) struct Project {
    /// The directory with matrix.yaml, vectors/ and golden/.
    pub(super) root: PathBuf,
    /// Kernel modules that guests have beyond those of the matrix.
    pub(super) kmods: Vec<String>,
    /// Kernels that are no release's.
    pub(super) own: Vec<OwnCells>,
    /// The matrix's own cells and what is known of releases, once they were read.
    read: OnceLock<Matrix>,
}

impl Project {
    /// Finds the project's `tests` directory: where the user says, in the checkout that this is, or beside the program.
    pub(super) fn find(args: &ProjectArgs) -> Result<Project, CliError> {
        if let Some(root) = &args.tests {
            return Ok(Project::at(root.clone()));
        }
        let here = std::env::current_dir()
            .map_err(|error| CliError::Usage(format!("the current directory cannot be read: {error}")))?;
        let installed = std::env::current_exe().ok().as_deref().and_then(installed_tests);
        here.ancestors()
            .map(|directory| directory.join("tests"))
            .chain(installed.clone())
            .find(|tests| tests.join("matrix.yaml").is_file())
            .map(Project::at)
            .ok_or_else(|| {
                let installed = installed.as_deref().unwrap_or(Path::new("share/nlproof/tests")).display();
                CliError::Usage(format!(
                    "no tests/matrix.yaml in {} or above, and none in {installed}\n  help: run this in a checkout of \
                     nlproof, or name its tests: --tests DIR, or NLPROOF_TESTS",
                    here.display()
                ))
            })
    }

    fn at(root: PathBuf) -> Project {
        Project { root, kmods: Vec::new(), own: Vec::new(), read: OnceLock::new() }
    }

    /// The same, with these kernel modules in guests beyond those of the matrix.
    pub(super) fn with_modules(mut self, kmods: &[String]) -> Project {
        self.kmods.extend_from_slice(kmods);
        self
    }

    /// The kernels that are no release's.
    pub(super) fn own_releases(&self) -> Vec<Arc<OwnRelease>> {
        self.own.iter().map(|own| Arc::clone(&own.release)).collect()
    }

    /// The subject of a command about one release: the kernel given in its place, or the release itself.
    pub(super) fn subject(&self, release: &str) -> String {
        self.own.first().map_or_else(|| release.to_owned(), |own| own.release.name.to_string())
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

    /// The matrix, with the cells of soft releases marked.
    pub(super) fn matrix(&self) -> Result<Matrix, CliError> {
        let mut matrix = match self.read.get() {
            Some(matrix) => matrix.clone(),
            None => {
                let matrix = self.read_matrix()?;
                self.read.get_or_init(|| matrix).clone()
            }
        };
        matrix.cells.extend(self.own.iter().flat_map(|own| own.cells.clone()));
        Ok(matrix)
    }

    fn read_matrix(&self) -> Result<Matrix, CliError> {
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

    /// The vectors' files; none is read.
    pub(super) fn listing(&self) -> Result<Listing, CliError> {
        list(&self.root.join("vectors")).map_err(CliError::Files)
    }

    /// One vector, linted. The others are not read, so that one that is broken keeps nobody from this one.
    pub(super) fn vector(&self, id: &str) -> Result<Vector, CliError> {
        let root = self.root.join("vectors");
        // Where it stands as its id says, no other file is even looked at.
        let path = path_of(&root, id).ok().filter(|path| path.symlink_metadata().is_ok());
        let path = match path {
            Some(path) => path,
            None => {
                let listing = self.listing()?;
                let found = listing.files.iter().find(|(other, _)| other == id);
                let Some((_, path)) = found else {
                    return Err(CliError::Usage(unknown_vector(id, &listing)));
                };
                path.clone()
            }
        };
        let vector = load_vector(&root, &path)?;
        let errors = lint(&vector);
        if !errors.is_empty() {
            return Err(CliError::Files(errors));
        }
        self.demand_modules(std::slice::from_ref(&vector))?;
        Ok(vector)
    }

    /// The vector of an id, or of a file whose name ends in `.yaml`.
    pub(super) fn vector_or_file(&self, name: &str) -> Result<Vector, CliError> {
        if !name.ends_with(".yaml") {
            return self.vector(name);
        }
        let path = Path::new(name);
        let vector = load_vector(path.parent().unwrap_or(Path::new("")), path)?;
        let errors = lint(&vector);
        if !errors.is_empty() {
            return Err(CliError::Files(errors));
        }
        self.demand_modules(std::slice::from_ref(&vector))?;
        Ok(vector)
    }

    /// Files among the goldens that belong to no vector, or stand where no cell looks.
    pub(super) fn strays(&self) -> Result<Vec<FileError>, CliError> {
        let listing = self.listing()?;
        let ids: Vec<_> = listing.ids().collect();
        let matrix = self.matrix()?;
        let own: Vec<_> = matrix.cells.iter().filter_map(|cell| cell.layer.as_deref()).collect();
        strays(&self.root.join("golden"), &ids, &own).map_err(CliError::Files)
    }

    /// All vectors, linted; then those selected.
    pub(super) fn vectors(&self, args: &VectorArgs) -> Result<Vec<Vector>, CliError> {
        let suite = load_suite(&self.root.join("vectors")).map_err(CliError::Files)?;
        let errors: Vec<_> = suite.vectors.iter().flat_map(lint).collect();
        if !errors.is_empty() {
            return Err(CliError::Files(errors));
        }
        self.demand_modules(&suite.vectors)?;
        let ids: Vec<_> = suite.vectors.iter().map(|vector| vector.id.as_str()).collect();
        if let Some(unknown) = unknown_selection(args, &ids) {
            return Err(CliError::Usage(unknown));
        }
        let filter = VectorFilter { suites: args.suite.clone(), filters: args.filter.clone() };
        let vectors = filter.select(suite.vectors);
        if vectors.is_empty() {
            return Err(CliError::Usage(
                "no vector matches all that is asked for\n  help: nlproof test-matrix --list shows them all"
                    .into(),
            ));
        }
        Ok(vectors)
    }

    /// A guest has the modules that the matrix lists, and those that the user names. A vector that needs another one would run nowhere.
    fn demand_modules(&self, vectors: &[Vector]) -> Result<(), CliError> {
        let listed = self.modules()?;
        let errors: Vec<_> = vectors.iter().flat_map(|vector| lint_modules(vector, &listed)).collect();
        if errors.is_empty() { Ok(()) } else { Err(CliError::Files(errors)) }
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
            by_loader: false,
            faults: false,
        })
    }

    /// Where the module deviates on purpose.
    pub(super) fn divergences(&self) -> Result<Divergences, CliError> {
        let listing = self.listing()?;
        let ids: Vec<_> = listing.ids().collect();
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
