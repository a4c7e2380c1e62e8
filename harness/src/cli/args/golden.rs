// SPDX-License-Identifier: BSD-2-Clause
//! The commands about goldens.

use std::num::NonZeroUsize;

use clap::Args;

use super::cells::VectorArgs;
use super::guest::GuestArgs;

#[derive(Debug, Args)]
pub(in crate::cli) struct ReviewArgs {
    /// Fail (exit 100) if anything awaits review, or a golden belongs to no vector: what CI asks.
    #[arg(long)]
    pub(in crate::cli) check: bool,
    /// Show those too that only name another origin of the same trace.
    #[arg(long)]
    pub(in crate::cli) all: bool,
    /// Write straight to a terminal too. Without, a pager shows it there: `$PAGER`, else less(1).
    #[arg(long)]
    pub(in crate::cli) no_pager: bool,
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
    /// A cell of the matrix (`freebsd/14.0-STABLE/stock`, `sim/15`), or its release (`14.0-STABLE`), or a branch (`14`): the
    /// newest release of it that is here, else that was recorded, else that the matrix has. A profile alone (`14.3`) is the
    /// simulator's cell where one of the two names can be nothing else.
    pub(in crate::cli) from: String,
    /// The other.
    pub(in crate::cli) to: String,
    #[command(flatten)]
    pub(in crate::cli) vectors: VectorArgs,
    /// Show every difference with every vector. Without, many differences are summed up by message and attribute.
    #[arg(long)]
    pub(in crate::cli) all: bool,
    /// Exit with 100 if a vector differs.
    #[arg(long)]
    pub(in crate::cli) exit_code: bool,
    /// Write straight to a terminal too. Without, a pager shows it there: `$PAGER`, else less(1).
    #[arg(long)]
    pub(in crate::cli) no_pager: bool,
    /// Run the vectors in both cells now and compare what they answer, not what was recorded.
    #[arg(long)]
    pub(in crate::cli) live: bool,
    /// Run at most so many guests side by side [default: one a processor].
    #[arg(long, short, value_name = "N", requires = "live")]
    pub(in crate::cli) jobs: Option<NonZeroUsize>,
    #[command(flatten, next_help_heading = "With --live")]
    pub(in crate::cli) guest: GuestArgs,
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
