// SPDX-License-Identifier: BSD-2-Clause
//! The project on disk: matrix, vectors, goldens.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use iface_core::Profile;
use nlproof_base::ReleaseName;
use nlproof_image::{Dists, OwnKernel};

use super::args::{CellArgs, KernelArgs, ProjectArgs, VectorArgs};
use super::directories::{cache_directory, places};
use super::exit::CliError;
use super::out::tell;
use super::own::{OwnCells, one_profile, own_cells, profile_for};
use super::unknown::{unknown_selection, unknown_vector};
use crate::file::{FileError, nearest};
use crate::golden::{Divergences, Origin, Store, profile_of_name, strays};
use crate::matrix::{
    Cell, LoadKind, Matrix, ModuleKind, Selection, Soft, TargetKind, VectorFilter, load_matrix,
};
use crate::releases::{Releases, load_releases};
use crate::targets::{ModuleOptions, OwnRelease};
use crate::vector::{Listing, Vector, lint, list, load_suite, load_vector, path_of};

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

    /// The same, with the cells of these kernels beyond those of the matrix; `bases` are the releases that the user names.
    pub(super) fn with_kernels(mut self, args: &KernelArgs, bases: &[String]) -> Result<Project, CliError> {
        if args.is_asked_for() {
            self.own = own_cells(args, bases, &self.matrix()?, &self.modules()?)?;
        }
        Ok(self)
    }

    /// The kernels that are no release's.
    pub(super) fn own_releases(&self) -> Vec<Arc<OwnRelease>> {
        self.own.iter().map(|own| Arc::clone(&own.release)).collect()
    }

    /// The subject of a command about one release: the kernel given in its place, or the release itself.
    pub(super) fn subject(&self, release: &str) -> String {
        self.own.first().map_or_else(|| release.to_owned(), |own| own.release.name.to_string())
    }

    /// The one cell of this name: of the matrix, of a kernel of one's own, or of a release that is here.
    pub(super) fn cell_named(&self, name: &str) -> Result<Option<Cell>, CliError> {
        let mut matrix = self.matrix()?;
        if let Some(release) = name.split('/').nth(1) {
            let further = self.unlisted(release, None, &matrix)?;
            matrix.cells.extend(further);
        }
        Ok(matrix.cells.into_iter().find(|cell| cell.name() == name))
    }

    /// The cells of a release that is here and that the matrix does not list.
    fn unlisted(&self, name: &str, profile: Option<Profile>, matrix: &Matrix) -> Result<Vec<Cell>, CliError> {
        let (dists, _) = places()?;
        let is_listed = matrix.cells.iter().any(|cell| cell.release.as_deref() == Some(name));
        let (false, Ok(release)) = (is_listed, name.parse::<ReleaseName>()) else { return Ok(Vec::new()) };
        if !dists.list().iter().any(|here| here == name) {
            return Ok(Vec::new());
        }
        let profile_is_meant = profile.is_some();
        let profile = match profile.or_else(|| profile_of_name(name)) {
            Some(profile) => profile,
            None => {
                let osreldate = osreldate(&dists, name)?;
                let (profile, guess) = profile_for(osreldate, None);
                if let Some(guess) = guess {
                    tell!("note: {name}: {guess}");
                }
                profile
            }
        };
        let cell = |module| Cell {
            target: TargetKind::Freebsd,
            release: Some(release.clone()),
            profile,
            profile_is_meant,
            module,
            load: LoadKind::Kldload,
            without: Vec::new(),
            build_of: None,
            layer: None,
            kin: matrix.kin(profile, None),
            plays: None,
            soft: None,
        };
        Ok([ModuleKind::Stock, ModuleKind::Rust].map(cell).into())
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

    /// The selected cells, but those that only repeat others in another way: with the module loaded by the loader. Whoever
    /// wants these says so.
    pub(super) fn cells(&self, args: &CellArgs) -> Result<Vec<Cell>, CliError> {
        let mut cells = self.all_cells(args)?;
        if args.load.kinds.is_empty() {
            cells.retain(|cell| cell.load == LoadKind::Kldload);
        }
        Ok(cells)
    }

    /// The selected cells.
    pub(super) fn all_cells(&self, args: &CellArgs) -> Result<Vec<Cell>, CliError> {
        let mut matrix = self.matrix()?;
        let profile = one_profile(&args.kernel.own)?;
        for release in &args.release {
            let further = self.unlisted(release, profile, &matrix)?;
            matrix.cells.extend(further);
        }
        let mut selection = Selection {
            targets: args.target.clone(),
            releases: args.release.clone(),
            modules: args.module.clone(),
            loads: args.load.kinds.clone(),
        };
        if !self.own.is_empty() {
            // What is named beside them is the userland.
            selection.releases = self.own.iter().map(|own| own.release.name.to_string()).collect();
        }
        if let (true, Some(profile)) = (self.own.is_empty(), profile) {
            // Given for a release of the matrix it overrules the matrix.
            let named = |cell: &Cell| args.release.iter().any(|name| cell.release.as_deref() == Some(name));
            if !matrix.cells.iter().any(named) {
                return Err(CliError::Usage(
                    "--profile is for a kernel or a release\n  help: name it: --kernel PATH, or --release RELEASE".into(),
                ));
            }
            matrix.cells.iter_mut().filter(|cell| named(cell)).for_each(|cell| cell.profile = profile);
        }
        if let Some(unknown) = selection.unknown_release(&matrix) {
            return Err(CliError::Usage(self.unknown_release(unknown, &matrix)?));
        }
        let mut cells = selection.cells(&matrix);
        if args.module.is_empty() {
            // The module is asked for by name: it takes minutes to build, and tools that a kernel's developer may not have.
            cells.retain(|cell| cell.module == ModuleKind::Stock || !self.is_own(cell));
        }
        if cells.is_empty() {
            let names: Vec<_> = matrix.cells.iter().map(Cell::name).collect();
            return Err(CliError::Usage(format!(
                "no cell matches all that is asked for\n  help: the cells are: {}",
                names.join(", ")
            )));
        }
        Ok(cells)
    }

    /// The selected cells, with those whose release no golden was recorded from: there is no answer to hold them to.
    pub(super) fn weighed_cells(&self, args: &CellArgs) -> Result<Vec<Cell>, CliError> {
        let mut cells = self.all_cells(args)?;
        // Whoever runs a kernel of their own wants to know what it changes.
        let real = |cell: &Cell| cell.release.is_some() && cell.soft.is_none() && !self.is_own(cell);
        if cells.iter().any(real) {
            let kernels = self.goldens().kernels()?;
            let observed = |cell: &Cell| {
                kernels
                    .iter()
                    .any(|origin| matches!(origin, Origin::Observed { release, .. } if cell.is_of(release)))
            };
            let matrix = self.matrix()?;
            for cell in cells.iter_mut().filter(|cell| real(cell) && !observed(cell)) {
                cell.soft = Some(Soft::NeverObserved);
                cell.kin = matrix.kin(cell.profile, cell.layer.as_deref());
            }
        }
        Ok(cells)
    }

    /// Whether a cell is one of a kernel that is no release's.
    fn is_own(&self, cell: &Cell) -> bool {
        let release = cell.release.as_deref();
        self.own.iter().any(|own| Some(own.release.name.as_str()) == release)
    }

    /// The remedy for a release that no cell has: the one that was probably meant, or how to make a cell of it.
    fn unknown_release(&self, wanted: &str, matrix: &Matrix) -> Result<String, CliError> {
        let (dists, _) = places()?;
        let cells: Vec<_> = matrix.cells.iter().map(Cell::release_or_profile).collect();
        let mut names: Vec<_> = cells.iter().map(String::as_str).collect();
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(*name));
        let what = format!("no cell of the matrix has the release `{wanted}`");
        let here = dists.list().iter().any(|name| name == wanted);
        let profile = profile_of_name(wanted);
        // Of two versions a digit makes the difference: that is another release, no slip.
        let meant = match (here, profile) {
            (true, _) => None,
            (false, Some(_)) => names.iter().copied().find(|name| name.eq_ignore_ascii_case(wanted)),
            (false, None) => nearest(wanted, names.iter().copied()),
        };
        if let Some(meant) = meant {
            return Ok(format!("{what}\n  help: did you mean `{meant}`?"));
        }
        if wanted.parse::<ReleaseName>().is_err() || !wanted.contains(['.', '-']) {
            return Ok(format!("{what}\n  help: there are {}", names.join(", ")));
        }
        let profile = profile.map_or("PROFILE".to_owned(), |profile| profile.to_string());
        let place = dists.search.first().map(|path| path.join(wanted)).unwrap_or_default();
        Ok(format!(
            "{what}\n  help: there are {}\n  to run it: put its MANIFEST, base.txz and kernel.txz into {}; to have it in every \
             run, add to {}: `- {{target: freebsd, release: {wanted}, profile: \"{profile}\"}}`; for a kernel of your own \
             --kernel PATH",
            names.join(", "),
            place.display(),
            self.root.join("matrix.yaml").display()
        ))
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

/// The version that a release's kernel file states. The kernel is unpacked for that.
fn osreldate(dists: &Dists, name: &str) -> Result<u32, CliError> {
    let usage = |error: &dyn std::fmt::Display| {
        CliError::Usage(format!("{name}: {error}\n  help: --profile PROFILE"))
    };
    let release = dists.find(name).map_err(|error| usage(&error))?;
    let cache = cache_directory()?.join("kmod");
    let file = nlproof_kmod::kernel(&release, &cache).map_err(|error| usage(&error))?;
    Ok(OwnKernel::open(&file, &cache).map_err(|error| usage(&error))?.osreldate)
}

/// Where the archive of a release has the tests: `PREFIX/share/nlproof/tests` of a program `PREFIX/bin/nlproof`.
fn installed_tests(program: &Path) -> Option<PathBuf> {
    Some(program.parent()?.parent()?.join("share/nlproof/tests"))
}
