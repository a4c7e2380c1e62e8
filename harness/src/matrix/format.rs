// SPDX-License-Identifier: BSD-2-Clause
//! `tests/matrix.yaml` as it is written.

use nlproof_image::INTERFACE_MODULES;
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::file::{profile, schema_of};

/// The matrix: where vectors run, and by whose goldens they are judged.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawMatrix {
    /// Kernel modules that every guest has loaded, where its kernel has them as files.
    #[serde(default = "interface_modules")]
    pub(super) modules: Vec<String>,
    /// The cells.
    #[schemars(with = "Vec<RawCell>", length(min = 1))]
    pub(super) cells: Vec<Spanned<RawCell>>,
}

/// One cell.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawCell {
    /// What answers.
    pub(super) target: RawTarget,
    /// The release directory of a real kernel, such as 14.0-STABLE. The simulator has none.
    #[schemars(with = "Option<String>")]
    pub(super) release: Option<Spanned<String>>,
    /// The branch whose goldens hold.
    #[schemars(schema_with = "profile")]
    pub(super) profile: Spanned<String>,
    /// Which code answers in a real kernel.
    #[serde(default)]
    pub(super) module: RawModule,
    /// How the module comes into the kernel.
    #[serde(default)]
    pub(super) load: RawLoad,
    /// The release of which this kernel is another build.
    #[schemars(with = "Option<String>")]
    pub(super) build_of: Option<Spanned<String>>,
    /// A layer of goldens of its own.
    #[schemars(with = "Option<String>")]
    pub(super) layer: Option<Spanned<String>>,
    /// A release of the profile for the simulator to play, such as 15.0, where it is not the one that stands for the
    /// profile.
    #[schemars(with = "Option<String>")]
    pub(super) plays: Option<Spanned<String>>,
    /// Vectors that are left out, each with the reason.
    #[serde(default)]
    #[schemars(with = "Vec<RawWithout>")]
    pub(super) without: Vec<Spanned<RawWithout>>,
}

/// A vector that is left out of a cell.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawWithout {
    /// The vector, such as link/create-lo; with a `*` at its end every vector whose id begins so.
    pub(super) vector: String,
    /// Why it is left out; reports say so.
    #[schemars(length(min = 1))]
    pub(super) reason: String,
}

/// What answers in a cell.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawTarget {
    /// The embedded simulator.
    Sim,
    /// A real kernel in a guest.
    Freebsd,
}

/// Which code answers in a real kernel.
#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawModule {
    /// The kernel's own.
    #[default]
    Stock,
    /// The Rust-backed module, loaded into that kernel.
    Rust,
}

/// How the module comes into the kernel.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawLoad {
    /// Into one that runs, by kldload(8).
    #[default]
    Kldload,
    /// By the loader, before the kernel looks for devices.
    Boot,
}

/// The schema of `matrix.yaml`.
pub fn matrix_schema() -> Schema {
    schema_of::<RawMatrix>("The cells of nlproof's matrix")
}

fn interface_modules() -> Vec<String> {
    INTERFACE_MODULES.iter().map(|name| (*name).to_owned()).collect()
}
