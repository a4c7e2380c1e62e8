// SPDX-License-Identifier: BSD-2-Clause
//! The commands about goldens.

use clap::Args;

use super::cells::VectorArgs;

#[derive(Debug, Args)]
pub(in crate::cli) struct ReviewArgs {
    /// Fail (exit 100) if anything awaits review, or a golden belongs to no vector: what CI asks.
    #[arg(long)]
    pub(in crate::cli) check: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AcceptArgs {
    /// `LAYER/VECTOR` or part of it, as `review` shows them.
    #[arg(required_unless_present = "all")]
    pub(in crate::cli) goldens: Vec<String>,
    /// Accept everything that awaits review.
    #[arg(long, conflicts_with = "goldens")]
    pub(in crate::cli) all: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DiffArgs {
    /// A cell of the matrix (`freebsd/14.0-STABLE/stock`), or its release or profile (`14.0-STABLE`), or a branch (`14`):
    /// the newest release of it that is there, or else that the matrix has.
    pub(in crate::cli) from: String,
    /// The other.
    pub(in crate::cli) to: String,
    #[command(flatten)]
    pub(in crate::cli) vectors: VectorArgs,
    /// Name every vector that shows a difference, not only the first three.
    #[arg(long)]
    pub(in crate::cli) all: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CoverageArgs {
    /// Only this profile (`14.0`); given alone, it must have goldens.
    #[arg(long, value_name = "PROFILE")]
    pub(in crate::cli) profile: Vec<iface_core::Profile>,
    /// Show every row with the number of its vectors and one of them, not only what is missing.
    #[arg(long)]
    pub(in crate::cli) rows: bool,
}
