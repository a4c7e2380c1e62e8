// SPDX-License-Identifier: BSD-2-Clause
//! From `--kernel` to cells: which kernel, over which userland, held to which goldens.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use iface_core::Profile;
use nlproof_base::ReleaseName;
use nlproof_image::{Dists, Found, OwnKernel};

use super::args::{KernelArgs, OwnArgs};
use super::default_cell::release_here;
use super::directories::{cache_directory, places};
use super::exit::CliError;
use super::out::tell;
use super::project::{OwnCells, Project};
use super::source::{FromTree, from_tree};
use crate::golden::{nearest_profile, profile_of};
use crate::matrix::{Cell, LoadKind, Matrix, ModuleKind, TargetKind};
use crate::targets::OwnRelease;

/// The line of facts that says that a profile is a guess.
const PROFILE: &str = "profile";

/// Default name of a kernel from a source tree.
const FROM_TREE: &str = "src";

impl Project {
    /// The same, with the cells of these kernels beyond those of the matrix; `bases` are the releases that the user names.
    pub(super) fn with_kernels(mut self, args: &KernelArgs, bases: &[String]) -> Result<Project, CliError> {
        if args.is_asked_for() {
            self.own = own_cells(args, bases, &self.matrix()?, &self.modules()?)?;
        }
        Ok(self)
    }
}

/// The requested kernels. `bases` are the releases that the user names: the one whose userland is wanted.
pub(super) fn own_cells(
    args: &KernelArgs,
    bases: &[String],
    matrix: &Matrix,
    modules: &[String],
) -> Result<Vec<OwnCells>, CliError> {
    if let [_, second, ..] = bases {
        return Err(CliError::Usage(format!(
            "--kernel runs over the userland of one release\n  help: leave out --release {second}"
        )));
    }
    let (dists, _) = places()?;
    let profile = one_profile(&args.own)?;
    let mut found: Vec<OwnCells> = Vec::new();
    for text in &args.own.kernel {
        let (name, path) = named(text);
        let own = own(name, &path, profile, bases.first().map(String::as_str), &dists, matrix)?;
        if let Some(other) = found.iter().find(|other| other.release.name == own.release.name) {
            return Err(CliError::Usage(format!(
                "two kernels are called {}: {} and {}\n  help: name them: --kernel NAME=PATH",
                own.release.name,
                other.release.kernel.path.display(),
                path.display()
            )));
        }
        found.push(own);
    }
    if let Some(text) = &args.own.src {
        let (name, path) = named(text);
        let FromTree { kernel, tree, .. } = from_tree(&args.source, &path, modules)?;
        let base = bases.first().map(String::as_str);
        let mut own = cells_of(kernel, name.or(Some(FROM_TREE)), profile, base, &dists, matrix)?;
        let release = Arc::make_mut(&mut own.release);
        release.notes.push(("source tree".into(), tree.path.display().to_string()));
        release.notes.push(("source revision".into(), tree.told()));
        release.tree = Some(tree.path);
        found.push(own);
    }
    Ok(found)
}

/// The profile that is asked for: a kernel has one.
pub(super) fn one_profile(args: &OwnArgs) -> Result<Option<Profile>, CliError> {
    match args.profile[..] {
        [] => Ok(None),
        [profile] => Ok(Some(profile)),
        [_, second, ..] => {
            Err(CliError::Usage(format!("a kernel has one profile\n  help: leave out --profile {second}")))
        }
    }
}

/// `NAME=PATH`, or a path; a file that is called so is meant as it stands.
fn named(text: &str) -> (Option<&str>, PathBuf) {
    match text.split_once('=') {
        Some((name, path)) if !Path::new(text).exists() => (Some(name), PathBuf::from(path)),
        _ => (None, PathBuf::from(text)),
    }
}

fn own(
    name: Option<&str>,
    path: &Path,
    profile: Option<Profile>,
    base: Option<&str>,
    dists: &Dists,
    matrix: &Matrix,
) -> Result<OwnCells, CliError> {
    let kernel = OwnKernel::open(path, &cache_directory()?.join("kernels"))
        .map_err(|error| CliError::Usage(error.to_string()))?;
    cells_of(kernel, name, profile, base, dists, matrix)
}

/// The cells of a kernel.
pub(super) fn cells_of(
    kernel: OwnKernel,
    name: Option<&str>,
    profile: Option<Profile>,
    base: Option<&str>,
    dists: &Dists,
    matrix: &Matrix,
) -> Result<OwnCells, CliError> {
    let full = format!("{}+{}", kernel.osrelease, name.unwrap_or(&kernel.ident));
    let full: ReleaseName = full.parse().map_err(|error| {
        CliError::Usage(format!("{error}\n  help: give it a name: --kernel NAME={}", kernel.path.display()))
    })?;
    let mut notes = Vec::new();
    let (base, newer) = match base {
        Some(base) => (release_here(dists, base), None),
        None => userland(dists, kernel.osreldate)?,
    };
    if newer.is_some() {
        let what = format!("{base} is newer than the kernel; no older userland is here");
        tell!("note: {full}: {what}");
        notes.push(("userland's age".to_owned(), what));
    }
    let profile_is_meant = profile.is_some();
    let (profile, guess) = profile_for(kernel.osreldate, profile);
    if let Some(guess) = guess {
        tell!("note: {full}: {guess}");
        notes.push((PROFILE.to_owned(), guess));
    }
    tell!("{full}: {}, over the userland of {base}, profile {profile}", kernel.info.version);
    let cells = [ModuleKind::Stock, ModuleKind::Rust].map(|module| {
        let same = |cell: &&Cell| {
            cell.release.as_deref() == Some(kernel.osrelease.as_str()) && cell.module == module
        };
        // What is known of the release whose branch it is of holds for it too.
        let listed = matrix.cells.iter().find(same);
        Cell {
            target: TargetKind::Freebsd,
            release: Some(full.clone()),
            profile,
            profile_is_meant,
            module,
            load: LoadKind::Kldload,
            without: listed.map_or_else(Vec::new, |cell| cell.without.clone()),
            build_of: listed.and_then(|cell| cell.release.clone()),
            layer: listed.and_then(|cell| cell.layer.clone()),
            kin: matrix.kin(profile, listed.and_then(|cell| cell.layer.as_deref())),
            plays: None,
            soft: None,
        }
    });
    let release = OwnRelease { name: full, kernel, base, tree: None, notes };
    Ok(OwnCells { release: Arc::new(release), cells: cells.into() })
}

/// The profile of a kernel, and what to say if it is a guess.
pub(super) fn profile_for(osreldate: u32, wanted: Option<Profile>) -> (Profile, Option<String>) {
    match wanted.or_else(|| profile_of(osreldate)) {
        Some(profile) => (profile, None),
        None => {
            let profile = nearest_profile(osreldate);
            let what = format!(
                "profile {profile} is a guess: no profile is known for osreldate {osreldate}, and this one is nearest \
                 (--profile names another)"
            );
            (profile, Some(what))
        }
    }
}

/// The newest release here that is not newer than the kernel; if there is none, the newest, and its version.
fn userland(dists: &Dists, osreldate: u32) -> Result<(String, Option<Version>), CliError> {
    let with_base = |name: &String| matches!(dists.find_any(name), Ok(Found::Sets(_)));
    let here: Vec<String> = dists.list().into_iter().filter(with_base).collect();
    let places: Vec<_> = dists.search.iter().map(|path| path.display().to_string()).collect();
    newest_not_above(here.iter().map(String::as_str), version_of(osreldate)).ok_or_else(|| {
        CliError::NothingRan(format!(
            "no release is here whose userland the kernel could run with; looked in: {}\n  help: nlproof image fetch \
             --release RELEASE",
            places.join(", ")
        ))
    })
}

/// Major and minor.
type Version = (u32, u32);

fn version_of(osreldate: u32) -> Version {
    (osreldate / 100_000, osreldate / 1_000 % 100)
}

fn newest_not_above<'a>(
    names: impl Iterator<Item = &'a str>,
    kernel: Version,
) -> Option<(String, Option<Version>)> {
    let parsed = names.filter_map(|name| {
        let mut words = name.splitn(3, '-');
        let (major, minor) = words.next()?.split_once('.')?;
        let version = (major.parse().ok()?, minor.parse().ok()?);
        // Of one version the plain one: what has more behind it is a special build.
        Some((version, words.nth(1).is_none(), name))
    });
    let all: Vec<(Version, bool, &str)> = parsed.collect();
    let not_above = all.iter().filter(|(version, ..)| *version <= kernel).max();
    match not_above {
        Some((_, _, name)) => Some(((*name).to_owned(), None)),
        None => all.iter().max().map(|(version, _, name)| ((*name).to_owned(), Some(*version))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_userland_that_is_not_newer_is_taken() {
        let here = ["14.0-STABLE", "14.0-STABLE-DEBUG", "15.0-RELEASE", "15.1-RELEASE", "MYKERNEL"];
        for (kernel, expected, newer) in [
            (1_400_507, "14.0-STABLE", false),
            (1_403_000, "14.0-STABLE", false),
            (1_500_068, "15.0-RELEASE", false),
            (1_600_001, "15.1-RELEASE", false),
            (1_302_001, "15.1-RELEASE", true),
        ] {
            let (name, above) = newest_not_above(here.into_iter(), version_of(kernel)).unwrap();
            assert_eq!((name.as_str(), above.is_some()), (expected, newer), "{kernel}");
        }
        assert_eq!(newest_not_above(["MYKERNEL"].into_iter(), (14, 0)), None);
    }

    #[test]
    fn a_profile_beyond_the_table_is_said_to_be_a_guess() {
        assert_eq!(profile_for(1_400_507, None), (Profile::R14_0, None));
        assert_eq!(profile_for(1_400_507, Some(Profile::R16)), (Profile::R16, None));
        assert_eq!(profile_for(1_700_003, Some(Profile::R15)), (Profile::R15, None));
        let (profile, guess) = profile_for(1_700_003, None);
        assert_eq!(profile, Profile::R16);
        assert!(
            guess.unwrap().starts_with("profile 16 is a guess: no profile is known for osreldate 1700003")
        );
    }

    #[test]
    fn a_name_stands_before_the_path_unless_the_path_has_an_equals_sign() {
        assert_eq!(named("mine=/k"), (Some("mine"), "/k".into()));
        assert_eq!(named("/boot/kernel"), (None, "/boot/kernel".into()));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a=b");
        std::fs::write(&path, "").unwrap();
        let text = path.to_str().unwrap();
        assert_eq!(named(text), (None, path.clone()));
    }
}
