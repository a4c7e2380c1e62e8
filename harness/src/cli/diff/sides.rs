// SPDX-License-Identifier: BSD-2-Clause
//! Which two cells a user means: kernels with kernels, the simulator with itself, unless the names say otherwise.

use std::collections::BTreeSet;

use crate::cli::exit::CliError;
use crate::cli::out::tell;
use crate::file::nearest;
use crate::golden::Origin;
use crate::matrix::{Cell, ModuleKind};
use crate::releases::newest_of;

/// The tables in which names are looked up.
pub(super) struct Names<'a> {
    /// The cells of the matrix.
    pub(super) cells: &'a [Cell],
    /// The releases that are here.
    pub(super) here: &'a [String],
    /// The kernels that goldens were recorded from.
    pub(super) kernels: &'a BTreeSet<Origin>,
}

/// The cells that one name can mean.
#[derive(Debug, Default)]
struct Meant<'a> {
    /// A real kernel's cell, with a note where the name is not the release's own.
    kernel: Option<(&'a Cell, Option<String>)>,
    /// The simulator's.
    sim: Option<&'a Cell>,
}

impl<'a> Names<'a> {
    /// The two cells that these names mean. A name alone is a release or branch of a kernel, or a profile of the
    /// simulator; where both names can be both, kernels are meant. What was chosen for a branch, and that a kernel meets
    /// the simulator, is said on standard error.
    ///
    /// # Errors
    /// There is no such cell.
    pub(super) fn pair(&self, from: &str, to: &str) -> Result<[&'a Cell; 2], CliError> {
        let [from, to] = [self.meant(from)?, self.meant(to)?];
        let kernels = from.kernel.is_some() && to.kernel.is_some();
        let sims = from.sim.is_some() && to.sim.is_some();
        let chosen = [from, to].map(|meant| match (meant.kernel, meant.sim) {
            (Some((cell, said)), _) if kernels || !sims => {
                said.iter().for_each(|said| tell!("{said}"));
                cell
            }
            (_, Some(cell)) => cell,
            // `meant` found one of the two.
            (Some((cell, _)), None) => cell,
            (None, None) => &self.cells[0],
        });
        let [one, other] = chosen;
        if one.release.is_some() != other.release.is_some() {
            tell!("note: this sets a kernel against the simulator: {} and {}", one.name(), other.name());
        }
        Ok(chosen)
    }

    fn meant(&self, name: &str) -> Result<Meant<'a>, CliError> {
        if let Some(cell) = self.cells.iter().find(|cell| cell.name() == name) {
            return Ok(match cell.release {
                Some(_) => Meant { kernel: Some((cell, None)), sim: None },
                None => Meant { kernel: None, sim: Some(cell) },
            });
        }
        let sim = self.cells.iter().find(|cell| cell.release.is_none() && cell.release_or_profile() == name);
        let release = self.release(name);
        let kernel = release.and_then(|(release, said)| Some((self.of_release(release)?, said)));
        if kernel.is_none() && sim.is_none() {
            return Err(self.unknown(name));
        }
        Ok(Meant { kernel, sim })
    }

    /// The release of that name; else the newest of the branch that is here, that was recorded, or that the matrix has,
    /// with a note about the choice.
    fn release(&self, name: &str) -> Option<(&'a str, Option<String>)> {
        let known = || self.cells.iter().filter_map(|cell| cell.release.as_deref());
        if let Some(release) = known().find(|release| *release == name) {
            return Some((release, None));
        }
        let is_here = |release: &&str| self.here.iter().any(|other| other == release);
        let recorded = |release: &str| {
            let is_it = |origin: &Origin| matches!(origin, Origin::Observed { release: other, .. } if other == release);
            self.kernels.iter().any(is_it)
        };
        let (found, of) = newest_of(name, known().filter(is_here))
            .map(|found| (found, " here"))
            .or_else(|| {
                let found = newest_of(name, known().filter(|release| recorded(release)))?;
                Some((found, " that was recorded"))
            })
            .or_else(|| Some((newest_of(name, known())?, "")))?;
        Some((found, Some(format!("{name}: {found} is the newest{of}"))))
    }

    /// The release's cell; that of the stock code, where there is one.
    fn of_release(&self, release: &str) -> Option<&'a Cell> {
        let of_it = || self.cells.iter().filter(|cell| cell.release.as_deref() == Some(release));
        of_it().find(|cell| cell.module == ModuleKind::Stock).or_else(|| of_it().next())
    }

    fn unknown(&self, name: &str) -> CliError {
        let names: Vec<_> = self.cells.iter().map(Cell::name).collect();
        let parts = self.cells.iter().map(Cell::release_or_profile).collect::<Vec<_>>();
        let known = names.iter().chain(&parts).map(String::as_str);
        let help = match nearest(name, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "the cells are: {}\n  help: a kernel that is not among them is added to tests/matrix.yaml: \
                 `- {{target: freebsd, release: {name}, profile: ...}}`",
                names.join(", ")
            ),
        };
        CliError::Usage(format!("no cell `{name}`\n  help: {help}"))
    }
}

#[cfg(test)]
mod tests {
    use iface_core::Profile;

    use super::*;
    use crate::matrix::tests::cell;

    #[test]
    fn kernels_meet_kernels_and_the_simulator_itself() {
        let rust = Cell { module: ModuleKind::Rust, ..cell(Some("15.1-RELEASE"), Profile::R15) };
        let cells = [
            cell(None, Profile::Seed),
            cell(None, Profile::R13),
            cell(None, Profile::R14_0),
            cell(None, Profile::R14_3),
            cell(None, Profile::R15),
            rust,
            cell(Some("14.0-STABLE"), Profile::R14_0),
            cell(Some("14.5-RELEASE"), Profile::R14_3),
            cell(Some("15.1-RELEASE"), Profile::R15),
            cell(Some("13.5-RELEASE"), Profile::R13),
        ];
        let kernels = BTreeSet::from([Origin::Observed {
            release: "14.0-STABLE".into(),
            osreldate: 1_400_507,
            kernel_sha256: "a".repeat(64),
            module: None,
            build: None,
        }]);
        let pair = |here: &[&str], from: &str, to: &str| {
            let here: Vec<_> = here.iter().map(|name| (*name).to_owned()).collect();
            let names = Names { cells: &cells, here: &here, kernels: &kernels };
            names.pair(from, to).map(|pair| pair.map(Cell::name)).map_err(|error| error.to_string())
        };
        let stock = |release: &str| format!("freebsd/{release}/stock");
        for (here, from, to, expected) in [
            // Two branches are two kernels, though one of them is a profile's name too.
            (&[][..], "14", "15", [stock("14.0-STABLE"), stock("15.1-RELEASE")]),
            (&["14.5-RELEASE"], "14", "15", [stock("14.5-RELEASE"), stock("15.1-RELEASE")]),
            (&[], "14.0-STABLE", "15.1-RELEASE", [stock("14.0-STABLE"), stock("15.1-RELEASE")]),
            // What only the simulator has makes the other name its profile.
            (&[], "14.0", "14.3", ["sim/14.0".into(), "sim/14.3".into()]),
            (&[], "seed", "13", ["sim/seed".into(), "sim/13".into()]),
            (&[], "sim/14.0", "15", ["sim/14.0".into(), "sim/15".into()]),
            (
                &[],
                "freebsd/15.1-RELEASE/rust",
                "14.0",
                ["freebsd/15.1-RELEASE/rust".into(), stock("14.0-STABLE")],
            ),
            // Nothing else is left.
            (&[], "sim/14.0", "14.0-STABLE", ["sim/14.0".into(), stock("14.0-STABLE")]),
        ] {
            assert_eq!(pair(here, from, to), Ok(expected), "{from} {to}");
        }
        let error = pair(&[], "14", "15.1-RELEAS").unwrap_err();
        assert!(error.contains("did you mean `15.1-RELEASE`?"), "{error}");
        let error = pair(&[], "MYKERNEL", "15").unwrap_err();
        assert!(error.contains("`- {target: freebsd, release: MYKERNEL, profile: ...}`"), "{error}");
    }
}
