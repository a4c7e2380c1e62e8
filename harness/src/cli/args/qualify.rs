// SPDX-License-Identifier: BSD-2-Clause
//! `qualify`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::cells::VectorArgs;
use super::guest::GuestArgs;
use super::kernel::SourceArgs;
use crate::matrix::ModuleKind;

/// Examples below `qualify --help`.
const EXAMPLES: &str = "\
Examples:
  nlproof qualify --baseline 14.0-STABLE --candidate 15.1-RELEASE --module rust
  nlproof qualify --baseline 15.0-RELEASE --candidate /usr/obj/GENERIC/kernel -o mine
  nlproof qualify --baseline reports/last-week --candidate reports/today
  nlproof qualify check qualification.tar.zst --signers allowed_signers";

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, after_help = EXAMPLES)]
pub(in crate::cli) struct QualifyArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: Option<QualifyCommand>,
    /// The kernel that is known: a release, a branch (`14`), a cell (`sim/15`), or a report of an earlier run; of a report
    /// with several cells one is named behind it, as in DIR@freebsd/15.1-RELEASE/stock.
    #[arg(long, value_name = "RELEASE|REPORT[@CELL]", required = true)]
    pub(in crate::cli) baseline: Option<String>,
    /// The kernel that is to be decided on: the same, or a kernel of your own ([NAME=]PATH), or a source tree that a kernel
    /// is built from.
    #[arg(long, value_name = "RELEASE|KERNEL|SRC|REPORT[@CELL]", required = true)]
    pub(in crate::cli) candidate: Option<String>,
    /// `rust`: compare the Rust-backed module in the candidate with the candidate's own code, too.
    #[arg(long, value_enum)]
    pub(in crate::cli) module: Option<ModuleKind>,
    /// Write the files to this new directory, and the bundle beside it, as DIR.tar.zst.
    #[arg(long, short, value_name = "DIR", default_value = "qualification")]
    pub(in crate::cli) output: PathBuf,
    /// Sign with this ssh key [default: ~/.ssh/id_ed25519, id_ecdsa or id_rsa]. For a key with a passphrase, in an agent
    /// (name its .pub) or of another kind than ed25519, ssh-keygen is run, which asks.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) key: Option<PathBuf>,
    /// Add what `nlproof bench kmod` printed: the module's endurance and speed, which are else told as not run.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) bench: Option<PathBuf>,
    /// Add FreeBSD's own tests in the candidate's kernel, from the report that `nlproof atf --report-dir` left; they are else told
    /// as not run. A case that ends otherwise with the module is unexplained.
    #[arg(long, value_name = "REPORT")]
    pub(in crate::cli) atf: Option<PathBuf>,
    /// Run at most this many guests side by side [default: one a processor].
    #[arg(long, short, value_name = "N")]
    pub(in crate::cli) jobs: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(in crate::cli) vectors: VectorArgs,
    #[command(flatten)]
    pub(in crate::cli) guest: GuestArgs,
    #[command(flatten)]
    pub(in crate::cli) source: SourceArgs,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum QualifyCommand {
    /// Check a bundle that somebody made: its signature, its digests, and that its verdict follows from its raw traces.
    ///
    /// Nothing in it is believed: every vector is judged again, the kernels are compared again, and the page is made again,
    /// with the vectors and goldens that are here. Exit code 102: the bundle is rejected; else that of the qualification.
    Check(CheckArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CheckArgs {
    /// The bundle, a .tar.zst.
    pub(in crate::cli) file: PathBuf,
    /// Trust the keys in this file, of the form of ssh-keygen's allowed_signers [default: ~/.ssh/allowed_signers, and your
    /// own ~/.ssh/*.pub].
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) signers: Option<PathBuf>,
    /// Run everything again on this machine, and say what comes out differently. Exit code 100: something does.
    #[arg(long)]
    pub(in crate::cli) rerun: bool,
    #[command(flatten)]
    pub(in crate::cli) guest: GuestArgs,
}
