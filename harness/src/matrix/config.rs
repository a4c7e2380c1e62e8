// SPDX-License-Identifier: BSD-2-Clause
//! `tests/matrix.yaml`: the cells of the matrix.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use iface_core::Profile;
use iface_sim::Release;
use nlproof_base::{NotAReleaseName, ReleaseName};
use serde_saphyr::Spanned;

use super::cell::{Cell, LoadKind, ModuleKind, TargetKind, Without};
use super::format::{RawCell, RawLoad, RawMatrix, RawModule, RawTarget};
use crate::file::{FileError, Position, load_yaml, nearest};
use crate::golden::layers;

/// The matrix as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    /// The cells, in the file's order.
    pub cells: Vec<Cell>,
    /// Kernel modules that every guest has loaded when it starts, where its kernel has them: those that vectors need.
    pub modules: Vec<String>,
    /// The line of each cell in the file, in the order of the cells.
    lines: Vec<u64>,
}

impl Matrix {
    /// The releases that are held to these goldens: a layer of a release's own, if it has one, over those of a profile.
    pub fn kin(&self, profile: Profile, layer: Option<&str>) -> Vec<ReleaseName> {
        let same = |cell: &&Cell| cell.profile == profile && cell.layer.as_deref() == layer;
        let mut releases: Vec<_> =
            self.cells.iter().filter(same).filter_map(|cell| cell.release.clone()).collect();
        let mut seen = BTreeSet::new();
        releases.retain(|release| seen.insert(release.clone()));
        releases
    }

    /// The line of each cell in the file, by the cell's name.
    pub fn lines(&self) -> BTreeMap<String, u64> {
        self.cells.iter().map(Cell::name).zip(self.lines.iter().copied()).collect()
    }
}

/// Loads `matrix.yaml`.
///
/// # Errors
/// The file is not there, is no YAML, has an unknown key or profile, a cell twice, or a cell that does not
/// fit its target.
pub fn load_matrix(path: &Path) -> Result<Matrix, FileError> {
    let raw: RawMatrix = load_yaml(path)?;
    let (mut cells, mut lines): (Vec<Cell>, Vec<u64>) = (Vec::new(), Vec::new());
    for raw in raw.cells {
        let place = Position::from(raw.referenced);
        let cell = validated(path, place, raw.value)?;
        if cells.iter().any(|other| other.name() == cell.name()) {
            return Err(FileError::at(path, place, format!("the cell {} is there twice", cell.name())));
        }
        let same_kernel = |other: &&Cell| cell.release.is_some() && other.release == cell.release;
        if cells.iter().find(same_kernel).is_some_and(|other| other.layer != cell.layer) {
            let what = format!("{} has another `layer` than the release's cell above", cell.name());
            return Err(FileError::at(path, place, what)
                .help("a release's cells are held to the same goldens: give all of them the same layer"));
        }
        cells.push(cell);
        lines.push(place.line);
    }
    if cells.is_empty() {
        return Err(FileError::whole(path, "no cells").help("a matrix has at least `- target: sim`"));
    }
    Ok(Matrix { cells, modules: raw.modules, lines })
}

fn validated(path: &Path, place: Position, raw: RawCell) -> Result<Cell, FileError> {
    let profile = raw.profile.value.parse::<Profile>().map_err(|_| {
        let known = Profile::ALL.map(|profile| profile.to_string());
        let place = Position::from(raw.profile.referenced);
        let error = FileError::at(path, place, format!("unknown profile `{}`", raw.profile.value));
        match nearest(&raw.profile.value, known.iter().map(String::as_str)) {
            Some(name) => error.help(format!("did you mean `{name}`? known: {}", known.join(", "))),
            None => error.help(format!("known: {}", known.join(", "))),
        }
    })?;
    let mut without = Vec::new();
    for Spanned { value, referenced, .. } in raw.without {
        if value.reason.trim().is_empty() {
            let what = format!("no reason to leave out {}", value.vector);
            return Err(FileError::at(path, Position::from(referenced), what));
        }
        without.push(Without { vector: value.vector, reason: value.reason });
    }
    let plays = raw.plays.map(|plays| played(path, profile, raw.target, plays)).transpose()?;
    let layer = raw.layer.map(|layer| own_layer(path, layer)).transpose()?;
    let release = raw.release.map(|release| release_name(path, &release)).transpose()?;
    let build_of = match raw.build_of {
        Some(other) if release.is_none() || release.as_deref() == Some(other.value.as_str()) => {
            let place = Position::from(other.referenced);
            let what = format!("`build-of: {}` is of no use here", other.value);
            return Err(FileError::at(path, place, what)
                .help("it names the release of which another release directory's kernel is a build"));
        }
        other => other.map(|other| release_name(path, &other)).transpose()?,
    };
    let (target, module) = match (raw.target, raw.module) {
        (RawTarget::Sim, RawModule::Stock) if layer.is_some() && plays.is_none() => {
            return Err(FileError::at(path, place, "the simulator runs a profile, which has its layers")
                .help("leave out `layer`, or name the release that it `plays`"));
        }
        (RawTarget::Sim, RawModule::Stock) => (TargetKind::Sim, ModuleKind::Stock),
        (RawTarget::Sim, RawModule::Rust) => {
            return Err(FileError::at(path, place, "the simulator has no kernel module")
                .help("leave out `module`, or use `target: freebsd`"));
        }
        (RawTarget::Freebsd, RawModule::Stock) => (TargetKind::Freebsd, ModuleKind::Stock),
        (RawTarget::Freebsd, RawModule::Rust) => (TargetKind::Freebsd, ModuleKind::Rust),
    };
    if raw.load == RawLoad::Boot && module == ModuleKind::Stock {
        return Err(FileError::at(path, place, "`load: boot` without a module")
            .help("it says how `module: rust` comes into the kernel"));
    }
    let load = match raw.load {
        RawLoad::Kldload => LoadKind::Kldload,
        RawLoad::Boot => LoadKind::Boot,
    };
    match (target, &release) {
        (TargetKind::Sim, Some(release)) => Err(FileError::at(
            path,
            place,
            format!("the simulator runs a profile, not the release {release}"),
        )
        .help("leave out `release`; `plays` names a release of the profile that it can play")),
        (TargetKind::Freebsd, None) => Err(FileError::at(path, place, "a freebsd cell needs a `release`")
            .help("the name of a release directory, such as 14.0-STABLE")),
        _ => Ok(Cell {
            target,
            release,
            profile,
            module,
            load,
            without,
            build_of,
            layer,
            profile_is_meant: false,
            kin: Vec::new(),
            plays,
            soft: None,
        }),
    }
}

fn release_name(path: &Path, name: &Spanned<String>) -> Result<ReleaseName, FileError> {
    let place = Position::from(name.referenced);
    name.value.parse().map_err(|error: NotAReleaseName| FileError::at(path, place, error.to_string()))
}

/// A release that the simulator can play, of that profile.
fn played(
    path: &Path,
    profile: Profile,
    target: RawTarget,
    plays: Spanned<String>,
) -> Result<Release, FileError> {
    let place = Position::from(plays.referenced);
    let wrong = |what: String, help: String| Err(FileError::at(path, place, what).help(help));
    if !matches!(target, RawTarget::Sim) {
        let what = format!("`plays: {}` beside a real kernel", plays.value);
        return wrong(what, "only the simulator plays a release; a kernel is one".into());
    }
    match Release::named(&plays.value) {
        Some(release) if release.profile() == profile => Ok(release),
        Some(release) => wrong(
            format!("{} is of profile {}", plays.value, release.profile()),
            format!("profile: \"{}\"", release.profile()),
        ),
        None => wrong(
            format!("the simulator does not play `{}` as a release of its own", plays.value),
            format!(
                "it plays {}; what differs in another one is added to kmod-src/sim/src/variant.rs",
                Release::ALL.map(Release::name).join(" and ")
            ),
        ),
    }
}

/// The name of a layer that is no profile's.
fn own_layer(path: &Path, layer: Spanned<String>) -> Result<String, FileError> {
    let name = layer.value;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+');
    let what = if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        format!("`{name}` cannot be the name of a directory of goldens")
    } else if let Some(profile) =
        Profile::ALL.into_iter().find(|profile| layers(*profile).contains(&name.as_str()))
    {
        format!("`{name}` is a layer of profile {profile} already")
    } else {
        return Ok(name);
    };
    let place = Position::from(layer.referenced);
    Err(FileError::at(path, place, what)
        .help("a cell's own layer has a name of its own, such as freebsd-15.0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Matrix, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("matrix.yaml");
        std::fs::write(&path, text).unwrap();
        load_matrix(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn a_matrix_is_read() {
        let matrix = load(
            "cells:\n- {target: sim, profile: '14.0'}\n- {target: freebsd, release: 14.0-STABLE, profile: '14.0'}\n",
        )
        .unwrap();
        let names: Vec<_> = matrix.cells.iter().map(Cell::name).collect();
        assert_eq!(names, ["sim/14.0", "freebsd/14.0-STABLE/stock"]);
        assert_eq!(matrix.lines()["freebsd/14.0-STABLE/stock"], 3);
    }

    #[test]
    fn a_module_may_be_loaded_by_the_loader_and_nothing_else_may() {
        let cell = |rest: &str| {
            load(&format!("cells:\n- {{target: freebsd, release: a, profile: '14.0', {rest}}}\n"))
        };
        let boot = cell("module: rust, load: boot").unwrap().cells.remove(0);
        assert_eq!((boot.name().as_str(), boot.load), ("freebsd/a/rust-boot", LoadKind::Boot));
        assert_eq!(cell("module: rust, load: kldload").unwrap().cells[0].name(), "freebsd/a/rust");
        let error = cell("load: boot").unwrap_err();
        assert!(error.contains("`load: boot` without a module"), "{error}");
    }

    #[test]
    fn releases_that_are_held_to_the_same_goldens_are_kin() {
        let matrix = load(
            "cells:\n- {target: sim, profile: '14.0'}\n- {target: freebsd, release: a, profile: '14.0'}\n\
             - {target: freebsd, release: a, profile: '14.0', module: rust}\n\
             - {target: freebsd, release: b, profile: '14.0', layer: freebsd-14.2}\n\
             - {target: freebsd, release: c, profile: '15'}\n\
             - {target: freebsd, release: d, build-of: a, profile: '14.0'}\n",
        )
        .unwrap();
        let kin = |profile, layer| {
            let names: Vec<_> = matrix.kin(profile, layer).iter().map(ToString::to_string).collect();
            names.join(" ")
        };
        assert_eq!(kin(Profile::R14_0, None), "a d");
        assert_eq!(kin(Profile::R14_0, Some("freebsd-14.2")), "b");
        assert_eq!(kin(Profile::R13, None), "");
    }

    #[test]
    fn a_kernel_may_be_another_build_and_have_a_layer_of_its_own() {
        let text = "cells:\n- {target: freebsd, release: x, profile: '15', build-of: y, layer: freebsd-x}\n";
        let cell = load(text).unwrap().cells.remove(0);
        assert!(cell.is_of("x") && cell.is_of("y") && !cell.is_of("z"));
        assert_eq!(cell.layers(), ["freebsd-x", "freebsd-15", "common"]);
    }

    #[test]
    fn the_simulator_may_play_a_release_with_goldens_of_its_own() {
        let text = "cells:\n- {target: sim, profile: '15'}\n\
                    - {target: sim, profile: '15', plays: '15.0', layer: freebsd-15.0}\n";
        let cells = load(text).unwrap().cells;
        assert_eq!(cells[1].name(), "sim/15.0");
        assert_eq!(cells[1].layers(), ["freebsd-15.0", "freebsd-15", "common"]);
    }

    #[test]
    fn a_vector_is_left_out_with_its_reason_and_no_other_is() {
        let text = "cells:\n- {target: sim, profile: '16', without: [{vector: link/a, reason: it panics}]}\n";
        let cell = load(text).unwrap().cells.remove(0);
        assert_eq!(cell.leaves_out("link/a").as_deref(), Some("is left out here: it panics"));
        assert_eq!(cell.leaves_out("link/ab"), None);
        let cell = load(&text.replace("link/a,", "'link/*',")).unwrap().cells.remove(0);
        assert_eq!(cell.leaves_out("link/ab").as_deref(), Some("is left out here: it panics"));
        assert_eq!(cell.leaves_out("links/a"), None);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_place() {
        for (text, expected) in [
            ("cells: []\n", "no cells"),
            ("cells:\n- {target: sim, profile: '14.1'}\n", ":2:26: unknown profile `14.1`"),
            ("cells:\n- {target: sim, profile: '16', release: x}\n", "the simulator runs a profile"),
            ("cells:\n- {target: sim, profile: '16', module: rust}\n", "no kernel module"),
            ("cells:\n- {target: freebsd, profile: '16'}\n", "needs a `release`"),
            ("cells:\n- {target: sim, profile: '16'}\n- {target: sim, profile: '16'}\n", "is there twice"),
            (
                "cells:\n- {target: sim, profile: '16', without: [{vector: v, reason: ''}]}\n",
                "no reason to leave out v",
            ),
            (
                "cells:\n- {target: freebsd, release: ../x, profile: '16'}\n",
                ":2:30: `../x` cannot be the name of a release",
            ),
            (
                "cells:\n- {target: freebsd, release: \"a\\nb\", profile: '16'}\n",
                "`a\\nb` cannot be the name",
            ),
            ("cells:\n- {targt: sim, profile: '16'}\n", "did you mean `target`?"),
            (
                "cells:\n- {target: freebsd, release: x, profile: '15', layer: a/b}\n",
                ":2:55: `a/b` cannot be the name",
            ),
            (
                "cells:\n- {target: freebsd, release: x, profile: '15', layer: freebsd-15}\n",
                "`freebsd-15` is a layer of profile 15 already",
            ),
            (
                "cells:\n- {target: freebsd, release: x, profile: '15', layer: a}\n- {target: freebsd, release: x, profile: '15', module: rust}\n",
                ":3:3: freebsd/x/rust has another `layer`",
            ),
            (
                "cells:\n- {target: freebsd, release: x, profile: '15', build-of: x}\n",
                "`build-of: x` is of no use here",
            ),
            ("cells:\n- {target: sim, profile: '15', build-of: x}\n", "is of no use here"),
            ("cells:\n- {target: sim, profile: '15', layer: x}\n", "a profile, which has its layers"),
            (
                "cells:\n- {target: sim, profile: '15', plays: '15.7'}\n",
                ":2:39: the simulator does not play `15.7` as a release of its own\n  help: it plays 14.2 and 15.0",
            ),
            ("cells:\n- {target: sim, profile: '15', plays: '14.2'}\n", "14.2 is of profile 14.0"),
            (
                "cells:\n- {target: freebsd, release: x, profile: '15', plays: '15.0'}\n",
                "`plays: 15.0` beside a real kernel",
            ),
        ] {
            let error = load(text).unwrap_err();
            assert!(error.contains(expected), "{text:?} gave {error}");
        }
    }
}
