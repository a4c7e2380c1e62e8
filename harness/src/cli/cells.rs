// SPDX-License-Identifier: BSD-2-Clause
//! The cells that a user selects: of the matrix, of kernels of their own, and of releases that are here and not listed.

use std::collections::BTreeSet;

use iface_core::Profile;
use nlproof_base::ReleaseName;
use nlproof_image::{Dists, OwnKernel};

use super::args::CellArgs;
use super::directories::{cache_directory, places};
use super::exit::CliError;
use super::out::tell;
use super::own::{one_profile, profile_for};
use super::project::Project;
use crate::file::nearest;
use crate::golden::{Origin, profile_of_name};
use crate::matrix::{Cell, LoadKind, Matrix, ModuleKind, Selection, Soft, TargetKind};
use crate::releases::Age;

impl Project {
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
    pub(super) fn is_own(&self, cell: &Cell) -> bool {
        let release = cell.release.as_deref();
        self.own.iter().any(|own| Some(own.release.name.as_str()) == release)
    }

    /// The remedy for a release that no cell has: the one that was probably meant, or how to make a cell of it.
    fn unknown_release(&self, wanted: &str, matrix: &Matrix) -> Result<String, CliError> {
        let (dists, _) = places()?;
        let cells: Vec<_> =
            matrix.cells.iter().map(|cell| (cell.release.is_some(), cell.release_or_profile())).collect();
        let names = |is_release| {
            let mut seen = BTreeSet::new();
            let of_kind = cells.iter().filter(move |(other, _)| *other == is_release);
            of_kind.map(|(_, name)| name.as_str()).filter(|name| seen.insert(*name)).collect::<Vec<_>>()
        };
        let (releases, profiles) = (names(true), names(false));
        let what = format!("no cell of the matrix has the release `{wanted}`");
        let here = dists.list().iter().any(|name| name == wanted);
        let profile = profile_of_name(wanted);
        let meant = (!here).then(|| meant(wanted, releases.iter().chain(&profiles).copied())).flatten();
        if let Some(meant) = meant {
            return Ok(format!("{what}\n  help: did you mean `{meant}`?"));
        }
        let there_are = format!(
            "there are the releases {}, and the simulator's profiles {}",
            releases.join(", "),
            profiles.join(", ")
        );
        if wanted.parse::<ReleaseName>().is_err() || !wanted.contains(['.', '-']) {
            return Ok(format!("{what}\n  help: {there_are}"));
        }
        let profile = profile.map_or("PROFILE".to_owned(), |profile| profile.to_string());
        let place = dists.search.first().map(|path| path.join(wanted)).unwrap_or_default();
        Ok(format!(
            "{what}\n  help: {there_are}\n  to run it: put its MANIFEST, base.txz and kernel.txz into {}; to have it in every \
             run, add to {}: `- {{target: freebsd, release: {wanted}, profile: \"{profile}\"}}`; for a kernel of your own \
             --kernel PATH",
            place.display(),
            self.root.join("matrix.yaml").display()
        ))
    }
}

/// The release that a misspelt one probably meant. Of two versions a digit makes the difference: that is another release,
/// no slip.
fn meant<'n>(wanted: &'n str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let is_version = |letter: char| letter.is_ascii_digit() || letter == '.';
    let version = |name: &'n str| name.split(|letter| !is_version(letter)).find(|part| !part.is_empty());
    let mut same_version = names.filter(|name| version(name) == version(wanted));
    // A kind that FreeBSD has is no slip either, however near another one is.
    match Age::of(&wanted.to_uppercase()) {
        Some(_) => same_version.find(|name| name.eq_ignore_ascii_case(wanted)),
        None => nearest(wanted, same_version),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_in_a_release_s_name_finds_it_and_another_version_finds_nothing() {
        let names =
            ["13", "15", "14.0-STABLE", "14.0-STABLE-DEBUG", "15.0-RELEASE", "15.1-RELEASE", "15.1-STABLE"];
        for (wanted, expected) in [
            ("15.1-RELASE", Some("15.1-RELEASE")),
            ("15.0-RELAESE", Some("15.0-RELEASE")),
            ("15.1RELEASE", Some("15.1-RELEASE")),
            ("14.0-stable", Some("14.0-STABLE")),
            ("14.0-STABLE-DEBG", Some("14.0-STABLE-DEBUG")),
            ("17", None),
            ("15.2-RELEASE", None),
            ("15.2-RELASE", None),
            ("15.0-STABLE", None),
            ("MYKERNEL", None),
        ] {
            assert_eq!(meant(wanted, names.into_iter()), expected, "{wanted}");
        }
    }
}
