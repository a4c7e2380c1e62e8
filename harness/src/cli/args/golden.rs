// SPDX-License-Identifier: BSD-2-Clause
//! The commands about goldens.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::cells::{CellArgs, VectorArgs};
use super::guest::GuestArgs;
use crate::matrix::Slice;

#[derive(Debug, Args)]
pub(in crate::cli) struct ReviewArgs {
    /// Fail (exit 100) if anything awaits review, or a golden belongs to no vector; for CI.
    #[arg(long)]
    pub(in crate::cli) check: bool,
    /// Also show goldens that only gain an origin.
    #[arg(long)]
    pub(in crate::cli) all: bool,
    /// Do not use a pager on a terminal [default: `$PAGER`, else less(1)].
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
    /// A cell of the matrix (`freebsd/14.0-STABLE/stock`, `sim/15`), its release (`14.0-STABLE`), or a branch (`14`). A
    /// branch means its newest release that is here, else that was recorded, else that the matrix has. A profile alone
    /// (`14.3`) is the simulator's cell if one of the two names can be nothing else.
    pub(in crate::cli) from: String,
    /// The other cell.
    pub(in crate::cli) to: String,
    #[command(flatten)]
    pub(in crate::cli) vectors: VectorArgs,
    /// Show every difference with every vector, instead of summing up many by message and attribute.
    #[arg(long)]
    pub(in crate::cli) all: bool,
    /// Exit with 100 if a vector differs.
    #[arg(long)]
    pub(in crate::cli) exit_code: bool,
    /// Write straight to a terminal too. Without, a pager shows it there: `$PAGER`, else less(1).
    #[arg(long)]
    pub(in crate::cli) no_pager: bool,
    /// Run the vectors in both cells now and compare their answers, instead of the goldens.
    #[arg(long)]
    pub(in crate::cli) live: bool,
    /// Run at most this many guests side by side [default: one a processor].
    #[arg(long, short, value_name = "N", requires = "live")]
    pub(in crate::cli) jobs: Option<NonZeroUsize>,
    #[command(flatten, next_help_heading = "With --live")]
    pub(in crate::cli) guest: GuestArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CoverageArgs {
    /// Show every row with the number of its vectors and one of them, not only missing rows; with --kernel-blocks every
    /// block with the vector that reached it first.
    #[arg(long)]
    pub(in crate::cli) rows: bool,
    /// Run the vectors in cells and show which basic blocks of the kernel's own code ran, which did not, and which
    /// vector reached each first.
    ///
    /// QEMU logs which blocks of instructions it translates, so the kernel is unchanged, and guests run under TCG.
    /// Without --function and --file, the files of sys/netlink with the probes' and the module's functions are looked
    /// at; without debug information of the kernel, only these functions. Exit code 100: no vector reaches a block, and
    /// tests/unreached/RELEASE.yaml has no reason for that; or a vector reaches one that has a reason.
    #[arg(long)]
    pub(in crate::cli) kernel_blocks: bool,
    #[command(flatten, next_help_heading = "With --kernel-blocks")]
    pub(in crate::cli) blocks: BlocksArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct BlocksArgs {
    /// A function of the kernel. May be given more than once.
    #[arg(long, value_name = "NAME", requires = "kernel_blocks")]
    pub(in crate::cli) function: Vec<String>,
    /// All functions of a source file of the kernel (`iface.c`, `netlink/route/iface.c`). May be given more than once.
    #[arg(long, value_name = "PATH", requires = "kernel_blocks")]
    pub(in crate::cli) file: Vec<String>,
    /// The kernel's debug information, kernel.debug, for source files and lines: of several the one of the same build
    /// [default: kernel.debug or kernel-dbg.txz in the release directory]. May be given more than once.
    #[arg(long, value_name = "FILE", requires = "kernel_blocks")]
    pub(in crate::cli) debug: Vec<PathBuf>,
    /// Run one slice of the vectors; --merge adds up what --json wrote of each.
    #[arg(long, value_name = "K/N", requires = "kernel_blocks")]
    pub(in crate::cli) partition: Option<Slice>,
    /// Run at most this many guests side by side [default: one a processor].
    #[arg(long, short, value_name = "N", requires = "kernel_blocks")]
    pub(in crate::cli) jobs: Option<NonZeroUsize>,
    /// Write functions, blocks and the first vector of each to this file.
    #[arg(long, value_name = "FILE", requires = "kernel_blocks")]
    pub(in crate::cli) json: Option<PathBuf>,
    /// Write an lcov tracefile for other viewers; blocks without a source line are not in it.
    #[arg(long, value_name = "FILE", requires = "kernel_blocks")]
    pub(in crate::cli) lcov: Option<PathBuf>,
    /// Also write blocks.json to this report directory, and show it in the directory's report.html: run `test-matrix
    /// --report-dir DIR` for the same cells first.
    #[arg(long, value_name = "DIR", requires = "kernel_blocks")]
    pub(in crate::cli) report_dir: Option<PathBuf>,
    /// Run nothing; add up files that --json wrote. May be given more than once.
    #[arg(long, value_name = "FILE", requires = "kernel_blocks", conflicts_with_all = ["partition", "cost"])]
    pub(in crate::cli) merge: Vec<PathBuf>,
    /// Write tests/unreached/RELEASE.yaml anew: reasons are kept, and new blocks get the reason `unexplained`.
    #[arg(long, requires = "kernel_blocks")]
    pub(in crate::cli) write_list: bool,
    /// Afterwards run the same without QEMU's log, and print what each took.
    #[arg(long, requires = "kernel_blocks")]
    pub(in crate::cli) cost: bool,
    #[command(flatten)]
    pub(in crate::cli) cells: CellArgs,
    #[command(flatten)]
    pub(in crate::cli) vectors: VectorArgs,
    #[command(flatten)]
    pub(in crate::cli) guest: GuestArgs,
}
