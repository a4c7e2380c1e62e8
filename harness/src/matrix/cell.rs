// SPDX-License-Identifier: BSD-2-Clause
//! One cell of the matrix: where vectors run, and what is expected of it.

use std::fmt;

use iface_core::Profile;
use iface_sim::Release;
use nlproof_base::ReleaseName;

use crate::golden::{Origin, Standing, layers, profile_of};
use crate::vector::{LossCode, StatedLoss, Vector};

/// Where vectors run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum)]
pub enum TargetKind {
    /// The embedded simulator, in this process.
    Sim,
    /// A FreeBSD guest under QEMU.
    Freebsd,
}

/// Whose interface code answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum)]
pub enum ModuleKind {
    /// The release's own C code; in the simulator, the Rust core.
    Stock,
    /// The Rust-backed kernel module.
    Rust,
}

/// How the module comes into a kernel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum)]
pub enum LoadKind {
    /// Into one that runs.
    #[default]
    Kldload,
    /// By the loader, before the kernel looks for devices.
    Boot,
}

impl fmt::Display for LoadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LoadKind::Kldload => "kldload",
            LoadKind::Boot => "boot",
        })
    }
}

/// One cell: target × release × module, with the profile whose goldens hold for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// Where vectors run.
    pub target: TargetKind,
    /// The release as its directory names it; the simulator has none.
    pub release: Option<ReleaseName>,
    /// The behaviour that is expected.
    pub profile: Profile,
    /// The user named the profile for this very kernel (`--profile`), so that another one than the kernel's is meant.
    pub profile_is_meant: bool,
    /// Whose code answers.
    pub module: ModuleKind,
    /// How the module comes into the kernel, where it is the module.
    pub load: LoadKind,
    /// Vectors that this kernel cannot be asked.
    pub without: Vec<Without>,
    /// The release that this kernel is another build of: it should answer as that release does.
    pub build_of: Option<ReleaseName>,
    /// A layer of goldens of its own, in which it looks before those of its profile.
    pub layer: Option<String>,
    /// Releases that are held to the same goldens, for a kernel of which vectors say nothing themselves: where those lose
    /// their guest it may too.
    pub kin: Vec<ReleaseName>,
    /// The release of its profile that the simulator plays; `None`: the one that stands for the profile.
    pub plays: Option<Release>,
    /// Why a failure in this cell does not fail a run, if so.
    pub soft: Option<Soft>,
}

/// Why a failure in a cell does not fail a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Soft {
    /// The release is `soft`: failures do not count.
    Tried,
    /// No golden was recorded from its release: that an answer differs from a prediction does not count. Whatever needs
    /// no golden does: a lost guest, a module that misbehaves, a broken rule.
    NeverObserved,
}

impl Soft {
    /// Both.
    pub const ALL: [Soft; 2] = [Soft::Tried, Soft::NeverObserved];

    /// The word in machine-readable reports.
    pub fn word(self) -> &'static str {
        match self {
            Soft::Tried => "tried",
            Soft::NeverObserved => "never-observed",
        }
    }
}

impl fmt::Display for Soft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Soft::Tried => "its release is soft",
            Soft::NeverObserved => "its release was never observed",
        })
    }
}

/// A vector that a cell leaves out, and why: one that stops this kernel, say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Without {
    /// The vector's id; with a `*` at its end every vector whose id begins so.
    pub vector: String,
    /// Why.
    pub reason: String,
}

/// A loss that a vector states, as it concerns a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stated<'v> {
    /// The loss.
    pub loss: &'v StatedLoss,
    /// The release of which it is stated, for a kernel of its kin: that one may be lost in the same way, and need not be.
    pub of: Option<&'v str>,
}

impl fmt::Display for Stated<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.of {
            Some(release) => write!(f, "of {release}, whose goldens hold here: {}", self.loss),
            None => self.loss.fmt(f),
        }
    }
}

impl Cell {
    /// The cell's name in reports and on the command line: `sim/14.0`, `freebsd/14.0-STABLE/stock`; with the module loaded
    /// by the loader `freebsd/14.0-STABLE/rust-boot`.
    pub fn name(&self) -> String {
        match &self.release {
            Some(release) if self.load == LoadKind::Boot => {
                format!("{}/{release}/{}-{}", self.target, self.module, self.load)
            }
            Some(release) => format!("{}/{release}/{}", self.target, self.module),
            None => format!("{}/{}", self.target, self.release_or_profile()),
        }
    }

    /// The directories below `golden/` in which the cell looks, most specific first.
    pub fn layers(&self) -> Vec<&str> {
        self.layer.as_deref().into_iter().chain(layers(self.profile).iter().copied()).collect()
    }

    /// The standing of a golden in this cell by its origins, and the kernels among them that count. `kernel` is the
    /// SHA-256 of the kernel that answers, in hex, where one is known.
    ///
    /// The digest decides whether it is this very kernel, whatever its release is called; else the release's name, and
    /// for the simulator the branch or release that it plays. What neither fits is a prediction here, whoever recorded it.
    pub fn standing<'o>(&self, origins: &'o [Origin], kernel: Option<&str>) -> (Standing, Vec<&'o Origin>) {
        let matching = |fits: &dyn Fn(&str, u32, &str) -> bool| -> Vec<&'o Origin> {
            let fits = |origin: &&Origin| match origin {
                // A kernel of somebody's own shows what no branch does.
                Origin::Observed { build: Some(_), .. } if self.release.is_none() => false,
                Origin::Observed { release, osreldate, kernel_sha256, .. } => {
                    fits(release, *osreldate, kernel_sha256)
                }
                Origin::Predicted { .. } => false,
            };
            origins.iter().filter(fits).collect()
        };
        if let Some(kernel) = kernel {
            let same = matching(&|_, _, sha256| sha256 == kernel);
            if !same.is_empty() {
                return (Standing::ThisKernel, same);
            }
        }
        let mut known = matching(&|release, osreldate, _| match &self.release {
            Some(own) => own.as_str() == release,
            None => match self.plays {
                Some(played) => played.osreldates().contains(&osreldate),
                None => profile_of(osreldate) == Some(self.profile),
            },
        });
        if known.is_empty() {
            known = matching(&|release, _, _| self.build_of.as_deref() == Some(release));
        }
        match (known.is_empty(), kernel) {
            (true, _) => (Standing::Predicted, known),
            (false, Some(_)) => (Standing::OtherBuild, known),
            (false, None) => (Standing::Observed, known),
        }
    }

    /// Whether its kernel is one of that release, or another build of it.
    pub fn is_of(&self, release: &str) -> bool {
        [&self.release, &self.build_of].into_iter().flatten().any(|own| own.as_str() == release)
    }

    /// Why the cell leaves a vector out, if it does.
    pub fn leaves_out(&self, vector: &str) -> Option<String> {
        let is_it = |without: &&Without| match without.vector.strip_suffix('*') {
            Some(beginning) => vector.starts_with(beginning),
            None => without.vector == vector,
        };
        let without = self.without.iter().find(is_it)?;
        Some(format!("is left out here: {}", without.reason))
    }

    /// How the cell's guest is lost in a vector, if the vector states that: of its release, else of its kin, of which there
    /// can be several ways.
    pub fn losses<'v>(&self, vector: &'v Vector) -> Vec<Stated<'v>> {
        let Some(release) = self.release.as_deref() else { return Vec::new() };
        let code = match self.module {
            ModuleKind::Stock => LossCode::Stock,
            ModuleKind::Rust => LossCode::Rust,
        };
        if let Some(loss) = vector.losses.iter().find(|loss| loss.is_about(release, code)) {
            return vec![Stated { loss, of: None }];
        }
        let inherited = |loss: &'v StatedLoss| {
            let of =
                loss.kernels.iter().find(|name| self.kin.iter().any(|kin| kin.as_str() == name.as_str()))?;
            loss.is_about(of, code).then_some(Stated { loss, of: Some(of) })
        };
        vector.losses.iter().filter_map(inherited).collect()
    }

    /// The cell's name as part of a file's name.
    pub fn file_name(&self) -> String {
        self.name().replace('/', "-")
    }

    /// The name that reports show as the release: the release, or what the simulator plays.
    pub fn release_or_profile(&self) -> String {
        let played = || self.plays.map_or_else(|| self.profile.to_string(), |release| release.name().into());
        self.release.as_deref().map_or_else(played, str::to_owned)
    }
}

impl fmt::Display for TargetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TargetKind::Sim => "sim",
            TargetKind::Freebsd => "freebsd",
        })
    }
}

impl fmt::Display for ModuleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ModuleKind::Stock => "stock",
            ModuleKind::Rust => "rust",
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::matrix::{CellResult, CellStatus};

    /// The stock cell of a release, or the simulator's of a profile.
    pub(crate) fn cell(release: Option<&str>, profile: Profile) -> Cell {
        Cell {
            target: if release.is_some() { TargetKind::Freebsd } else { TargetKind::Sim },
            release: release.map(|name| name.parse().unwrap()),
            profile,
            profile_is_meant: false,
            module: ModuleKind::Stock,
            load: LoadKind::Kldload,
            without: Vec::new(),
            build_of: None,
            layer: None,
            kin: Vec::new(),
            plays: None,
            soft: None,
        }
    }

    /// A cell that came to this, in no time and without vectors.
    pub(crate) fn cell_result(cell: Cell, status: CellStatus) -> CellResult {
        CellResult {
            cell,
            status,
            fallbacks: 0,
            losses: vec![],
            complaints: vec![],
            facts: vec![],
            vectors: vec![],
            recorded: vec![],
            duration: Duration::ZERO,
            guest_time: Duration::ZERO,
        }
    }

    /// The origin of what a stock kernel answered; its digest is this digit again and again.
    pub(crate) fn kernel(release: &str, osreldate: u32, digit: &str) -> Origin {
        Origin::Observed {
            release: release.into(),
            osreldate,
            kernel_sha256: digit.repeat(64),
            module: None,
            build: None,
        }
    }

    #[test]
    fn the_digest_decides_then_the_release_then_nothing() {
        let (r14, r15) = (kernel("14.0-STABLE", 1_400_507, "a"), kernel("15.1-RELEASE", 1_501_000, "b"));
        let both = [r14.clone(), r15.clone()];
        let of = |cell: &Cell, sha256: Option<&str>| {
            let (standing, by) = cell.standing(&both, sha256);
            (standing, by.into_iter().cloned().collect::<Vec<_>>())
        };
        let r14_cell = cell(Some("14.0-STABLE"), Profile::R14_0);
        let (a, c) = ("a".repeat(64), "c".repeat(64));
        assert_eq!(of(&r14_cell, Some(&a)), (Standing::ThisKernel, vec![r14.clone()]));
        assert_eq!(of(&r14_cell, Some(&c)), (Standing::OtherBuild, vec![r14.clone()]));
        assert_eq!(of(&r14_cell, None), (Standing::Observed, vec![r14.clone()]));
        // One kernel under another name is that kernel.
        let mine = cell(Some("mine"), Profile::R14_0);
        assert_eq!(of(&mine, Some(&a)), (Standing::ThisKernel, vec![r14.clone()]));
        assert_eq!(of(&mine, Some(&c)), (Standing::Predicted, vec![]));
        let sister = cell(Some("15.0-RELEASE"), Profile::R15);
        assert_eq!(of(&sister, Some(&c)), (Standing::Predicted, vec![]));
        let debug =
            Cell { build_of: Some("14.0-STABLE".parse().unwrap()), ..cell(Some("DEBUG"), Profile::R14_0) };
        assert_eq!(of(&debug, Some(&c)), (Standing::OtherBuild, vec![r14.clone()]));
    }

    #[test]
    fn the_simulator_is_compared_with_the_branch_that_it_plays() {
        let origins = [kernel("14.0-STABLE", 1_400_507, "a"), Origin::predicted("15")];
        let standing = |profile| cell(None, profile).standing(&origins, None).0;
        assert_eq!(standing(Profile::R14_0), Standing::Observed);
        assert_eq!(standing(Profile::R14_3), Standing::Predicted);
        assert_eq!(standing(Profile::R15), Standing::Predicted, "its own prediction is one");
    }

    #[test]
    fn the_simulator_that_plays_a_release_is_compared_with_that_release() {
        let cell = Cell { plays: Some(Release::R15_0), ..cell(None, Profile::R15) };
        assert_eq!(cell.name(), "sim/15.0");
        let by = |osreldate| cell.standing(&[kernel("r", osreldate, "a")], None).0;
        assert_eq!(by(1_500_068), Standing::Observed);
        assert_eq!(by(1_501_000), Standing::Predicted);
    }

    #[test]
    fn what_somebodys_own_kernel_answered_is_nobody_elses() {
        let Origin::Observed { osreldate, kernel_sha256, module, .. } = kernel("x", 1_400_507, "a") else {
            unreachable!()
        };
        let build =
            Some(crate::golden::Build { ident: "MINE".into(), revision: None, version: "FreeBSD".into() });
        let release = "14.0-STABLE+mine".to_owned();
        let origins = [Origin::Observed { release, osreldate, kernel_sha256, module, build }];
        let standing = |cell: &Cell, sha256: Option<&str>| cell.standing(&origins, sha256).0;
        let own = Cell {
            build_of: Some("14.0-STABLE".parse().unwrap()),
            ..cell(Some("14.0-STABLE+mine"), Profile::R14_0)
        };
        assert_eq!(standing(&own, Some(&"a".repeat(64))), Standing::ThisKernel);
        assert_eq!(standing(&own, Some(&"c".repeat(64))), Standing::OtherBuild);
        let release = cell(Some("14.0-STABLE"), Profile::R14_0);
        assert_eq!(standing(&release, Some(&"c".repeat(64))), Standing::Predicted);
        assert_eq!(standing(&cell(None, Profile::R14_0), None), Standing::Predicted);
    }

    #[test]
    fn a_layer_of_its_own_comes_first() {
        let own = Cell { layer: Some("freebsd-15.0".into()), ..cell(Some("15.0-RELEASE"), Profile::R15) };
        assert_eq!(own.layers(), ["freebsd-15.0", "freebsd-15", "common"]);
        assert_eq!(cell(None, Profile::R15).layers(), ["freebsd-15", "common"]);
    }
}
