// SPDX-License-Identifier: BSD-2-Clause
//! The command line as a whole, and its commands.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::bench::BenchArgs;
use super::golden::{AcceptArgs, CoverageArgs, DiffArgs, ReviewArgs};
use super::guest::{ConsoleArgs, ShellArgs};
use super::image::ImageArgs;
use super::kmod::KmodArgs;
use super::report::{MatrixArgs, ReportArgs};
use super::run::{ReproArgs, RunArgs, ShowTraceArgs, TestMatrixArgs, WhatArgs};
use super::verify::{DecodeArgs, VerifyArgs};
use crate::cli::exit::ExitCode;

/// Proves that a FreeBSD kernel's netlink interface code behaves.
///
/// Vectors (tests/vectors) are sent to real kernels under QEMU and to the embedded simulator; what comes back
/// is compared with golden traces (tests/golden).
#[derive(Debug, Parser)]
#[command(name = "nlproof", version, after_help = ExitCode::help(), max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub(in crate::cli) project: ProjectArgs,
    #[command(subcommand)]
    pub(in crate::cli) command: Command,
}

/// Where the vectors and goldens are.
#[derive(Debug, Args)]
pub(in crate::cli) struct ProjectArgs {
    /// Directory with matrix.yaml, vectors/ and golden/ [default: `tests` here or in a directory above].
    #[arg(long, global = true, env = "NLPROOF_TESTS", hide_env_values = true, value_name = "DIR")]
    pub(in crate::cli) tests: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Run the vectors in every cell of the matrix that can run here.
    ///
    /// Cells that cannot run are listed as `not run` with the reason and what would make them run.
    TestMatrix(TestMatrixArgs),
    /// Run one vector in one cell and show the decoded conversation.
    Run(RunArgs),
    /// Show the way that a vector's requests and events take through the kernel, beside what is said.
    ///
    /// With `--module stock,rust` that of both implementations of one release, beside each other: stock code is
    /// followed by dtrace(1), and what both can tell is compared. Exit code 100: it differs.
    Trace(ShowTraceArgs),
    /// Run a vector again in the cell in which it failed, and keep the guest for a look.
    Repro(ReproArgs),
    /// Log in to a guest of the matrix, started for it and gone afterwards.
    Shell(ShellArgs),
    /// Show the log of a guest's console that a run kept.
    Console(ConsoleArgs),
    /// Record goldens for review, as `.trace.new` files beside the goldens.
    Record(WhatArgs),
    /// Show what has been recorded and not yet accepted, as differences to the goldens that hold.
    Review(ReviewArgs),
    /// Accept recorded goldens.
    Accept(AcceptArgs),
    /// Show what differs on the wire between two cells, by their goldens.
    Diff(DiffArgs),
    /// Show the cells of the matrix and what selects each.
    Matrix(MatrixArgs),
    /// Show, annotate and join the reports of runs.
    Report(ReportArgs),
    /// Show which messages, attributes, flags, errors and events the vectors reach, against tests/inventory.yaml.
    ///
    /// A row counts in a profile only where a golden of that profile holds it. Exit code 100: a row has no
    /// vector, or one that the inventory calls a gap has.
    Coverage(CoverageArgs),
    /// Decode netlink messages from hex or from a file of bytes.
    Decode(DecodeArgs),
    /// Verify a FreeBSD kernel module before anything is loaded, or the test vectors before anything is sent.
    ///
    /// Exit code 102: the module, or a vector, is rejected.
    Verify(VerifyArgs),
    /// Build the Rust-backed kernel module.
    Kmod(KmodArgs),
    /// Measure nlproof's own parts, or put the module under load in a real kernel.
    Bench(BenchArgs),
    /// Fetch releases; build, list and remove guest images.
    Image(ImageArgs),
    /// Show what this machine has, what it lacks, and the command that installs it.
    Doctor,
    /// Hold a QEMU process and clean up behind it (used by nlproof itself).
    #[command(name = "__supervise", hide = true)]
    Supervise {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<std::ffi::OsString>,
    },
}
