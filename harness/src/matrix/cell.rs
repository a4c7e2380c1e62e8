// SPDX-License-Identifier: BSD-2-Clause
//! One cell of the matrix: where vectors run, and what is expected of it.

use std::fmt;

use iface_core::Profile;
use nlproof_base::ReleaseName;

use crate::golden::{Origin, profile_of};

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

/// One cell: target × release × module, with the profile whose goldens hold for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// Where vectors run.
    pub target: TargetKind,
    /// The release as its directory names it; the simulator has none.
    pub release: Option<ReleaseName>,
    /// The behaviour that is expected.
    pub profile: Profile,
    /// Whose code answers.
    pub module: ModuleKind,
    /// Vectors that this kernel cannot be asked.
    pub without: Vec<Without>,
    /// What fails in it does not fail a run: its release is one that is only tried.
    pub soft: bool,
}

/// A vector that a cell leaves out, and why: one that stops this kernel, say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Without {
    /// The vector's id.
    pub vector: String,
    /// Why.
    pub reason: String,
}

impl Cell {
    /// The cell's name in reports and on the command line: `sim/14.0`, `freebsd/14.0-STABLE/stock`.
    pub fn name(&self) -> String {
        match &self.release {
            Some(release) => format!("{}/{release}/{}", self.target, self.module),
            None => format!("{}/{}", self.target, self.profile),
        }
    }

    /// Whether one of a golden's origins is an observation of the cell's own release; for the simulator, of a release
    /// of the profile that it plays. Otherwise the golden is a prediction here, whoever recorded it.
    pub fn observed(&self, origins: &[Origin]) -> bool {
        origins.iter().any(|origin| match origin {
            Origin::Predicted { .. } => false,
            Origin::Observed { release, osreldate, .. } => match &self.release {
                Some(own) => own.as_str() == release,
                None => profile_of(*osreldate) == Some(self.profile),
            },
        })
    }

    /// Why the cell leaves a vector out, if it does.
    pub fn leaves_out(&self, vector: &str) -> Option<String> {
        let without = self.without.iter().find(|without| without.vector == vector)?;
        Some(format!("is left out here: {}", without.reason))
    }

    /// The cell's name as part of a file's name.
    pub fn file_name(&self) -> String {
        self.name().replace('/', "-")
    }

    /// What stands for the release in reports: the release, or the simulator's profile.
    pub fn release_or_profile(&self) -> String {
        self.release.as_deref().map_or_else(|| self.profile.to_string(), str::to_owned)
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
