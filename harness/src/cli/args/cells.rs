// SPDX-License-Identifier: BSD-2-Clause
//! Arguments of several commands: cells, vectors, and what is compared.

use clap::Args;

use super::kernel::KernelArgs;
use crate::matrix::{LoadKind, ModuleKind, TargetKind};

/// Which cells.
#[derive(Debug, Args)]
pub(in crate::cli) struct CellArgs {
    /// Only cells of this target.
    #[arg(long, value_enum)]
    pub(in crate::cli) target: Vec<TargetKind>,
    /// Only this release, branch (`14`) or, for the simulator, profile.
    #[arg(long, value_name = "RELEASE")]
    pub(in crate::cli) release: Vec<String>,
    /// Only cells of this module.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(in crate::cli) module: Vec<ModuleKind>,
    #[command(flatten)]
    pub(in crate::cli) load: LoadArgs,
    #[command(flatten)]
    pub(in crate::cli) kernel: KernelArgs,
}

/// How the module comes into the kernel.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct LoadArgs {
    /// Of the module's cells only those in which it comes into the kernel in this way; without it `test-matrix` and `matrix`
    /// take both, all others `kldload`.
    #[arg(long = "load", value_name = "HOW", value_enum, value_delimiter = ',')]
    pub(in crate::cli) kinds: Vec<LoadKind>,
}

/// Which vectors.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct VectorArgs {
    /// Only vectors of this suite (the first part of the id).
    #[arg(long)]
    pub(in crate::cli) suite: Vec<String>,
    /// Only vectors with this in their id; a whole id selects that vector alone.
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) filter: Vec<String>,
}

/// What is compared.
#[derive(Debug, Clone, Copy, Args)]
pub(in crate::cli) struct TraceArgs {
    /// Compare only the messages: the kernel's part is neither traced nor checked.
    #[arg(long)]
    pub(in crate::cli) no_kernel_trace: bool,
}
