// SPDX-License-Identifier: BSD-2-Clause
//! The commands that run vectors.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::cells::{CellArgs, TraceArgs, VectorArgs};
use super::guest::{CopyArgs, GuestArgs};
use super::report::ServeArgs;
use crate::matrix::Slice;

// Which vectors run, where and how: all that `record` asks.
#[derive(Debug, Args)]
pub(in crate::cli) struct WhatArgs {
    #[command(flatten)]
    pub(in crate::cli) cells: CellArgs,
    #[command(flatten)]
    pub(in crate::cli) vectors: VectorArgs,
    #[command(flatten)]
    pub(in crate::cli) guest: GuestArgs,
    #[command(flatten)]
    pub(in crate::cli) trace: TraceArgs,
}

#[derive(Debug, Args)]
#[command(mut_arg("listen", |listen| listen.requires("serve")))]
pub(in crate::cli) struct TestMatrixArgs {
    #[command(flatten)]
    pub(in crate::cli) what: WhatArgs,
    /// List cells and vectors, and run nothing.
    #[arg(long)]
    pub(in crate::cli) list: bool,
    /// Show what would run, and run nothing.
    #[arg(long, conflicts_with = "list")]
    pub(in crate::cli) dry_run: bool,
    /// Run at most this many guests side by side, of one cell too [default: one a processor].
    #[arg(long, short, value_name = "N")]
    pub(in crate::cli) jobs: Option<NonZeroUsize>,
    /// Run one slice of the vectors: job K of N that share a run. A vector's slice does not depend on the
    /// other vectors. `report merge` joins the slices' reports.
    #[arg(long, value_name = "K/N")]
    pub(in crate::cli) partition: Option<Slice>,
    /// Write report.json, report.html, junit.xml and the raw traces to this directory.
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) report_dir: Option<PathBuf>,
    /// Say in report.html what is new since this report.
    #[arg(long, value_name = "REPORT", requires = "report_dir")]
    pub(in crate::cli) baseline: Option<PathBuf>,
    /// Serve the run's page to a browser on this machine while it runs, cell by cell. The address is printed.
    #[arg(long)]
    pub(in crate::cli) serve: bool,
    #[command(flatten)]
    pub(in crate::cli) listen: ServeArgs,
    /// Have dtrace(1) follow stock code in guests: the rules that apply are checked, and the probes that both can tell
    /// are compared with the module's golden. Slower; a cell whose guest has no dtrace(1) that works says so.
    #[arg(long, conflicts_with = "no_kernel_trace")]
    pub(in crate::cli) kernel_trace: bool,
    /// Fail if a selected cell cannot run here.
    #[arg(long)]
    pub(in crate::cli) require_all: bool,
    /// Count failures in every cell. Without this option, two kinds of cells are reported but do not fail the run:
    /// cells of a release that tests/releases.yaml calls soft, and cells of a release that no golden was recorded
    /// from, if only their answers differ.
    #[arg(long)]
    pub(in crate::cli) hard: bool,
    /// First download the releases of the selected cells that are not here and that tests/releases.yaml knows.
    #[arg(long)]
    pub(in crate::cli) fetch: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RunArgs {
    /// The vector's id, such as link/create-lo.
    pub(in crate::cli) vector: String,
    #[command(flatten)]
    pub(in crate::cli) cells: CellArgs,
    #[command(flatten)]
    pub(in crate::cli) guest: GuestArgs,
    #[command(flatten)]
    pub(in crate::cli) trace: TraceArgs,
    #[command(flatten)]
    pub(in crate::cli) copy: CopyArgs,
    /// Run on this machine's own Linux kernel, in a network namespace, to compare with FreeBSD.
    #[arg(long, conflicts_with_all = ["target", "release", "module"])]
    pub(in crate::cli) linux: bool,
    /// Record everything that comes to the guest in this new directory, so that `nlproof replay` comes to each of its
    /// instructions again. The guest is booted, under TCG and with one processor.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["linux", "timings", "copy", "copy_out"])]
    pub(in crate::cli) record: Option<PathBuf>,
    /// Exit as `git bisect run` wants it: 0 if the vector is answered as before, 1 if it is not, 125 if that cannot be told,
    /// because the kernel does not build or boot, or the answer has a hole, and 128, which ends the search, if something else
    /// is wrong.
    #[arg(long)]
    pub(in crate::cli) bisect: bool,
    /// Have races by time take so many seconds instead of their own, and say how often they were played, after each minute
    /// and in the end.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(in crate::cli) race_seconds: Option<u32>,
    /// Show every message's bytes too, and values as they came instead of normalised.
    #[arg(long)]
    pub(in crate::cli) raw: bool,
    /// Also show where the time went, from this command's start: the start of the guest, and the phases of the vector.
    #[arg(long)]
    pub(in crate::cli) timings: bool,
    /// Print that as JSON, and nothing else.
    #[arg(long, requires = "timings", conflicts_with = "raw")]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowTraceArgs {
    /// The vector's id, such as link/create-lo.
    pub(in crate::cli) vector: String,
    #[command(flatten)]
    pub(in crate::cli) cells: CellArgs,
    #[command(flatten)]
    pub(in crate::cli) guest: GuestArgs,
    /// Show only probes whose name matches (`request-*`, `nlproof:::event-*`); or have dtrace(1) in the guest also show
    /// a probe of another provider (`fbt::nlmsg_*:entry`, with a /predicate/ behind it if needed). May be given more
    /// than once.
    #[arg(long, value_name = "PATTERN")]
    pub(in crate::cli) probe: Vec<String>,
    /// Show how often each probe fired and how long each kind of span took, instead of the trace.
    #[arg(long)]
    pub(in crate::cli) aggregate: bool,
    /// Print folded stacks with the nanoseconds spent in each, for flame graphs, instead of the trace.
    #[arg(long, conflicts_with = "aggregate")]
    pub(in crate::cli) flame: bool,
    /// Also write the trace to this file in the trace event format, which ui.perfetto.dev opens.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) perfetto: Option<PathBuf>,
    /// Also write the raw trace to this file, one record a line (NDJSON), before normalising. Packed if the name ends
    /// in .zst.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) ndjson: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ReproArgs {
    /// `REPORT#N`, problem N of a report directory as `report show` numbers them, or a vector's id.
    #[arg(value_name = "REPORT#N|VECTOR")]
    pub(in crate::cli) what: String,
    #[command(flatten)]
    pub(in crate::cli) cells: CellArgs,
    #[command(flatten)]
    pub(in crate::cli) guest: GuestArgs,
    #[command(flatten)]
    pub(in crate::cli) copy: CopyArgs,
    /// Show every message's bytes too, and values as they came instead of normalised.
    #[arg(long)]
    pub(in crate::cli) raw: bool,
    /// Record everything that comes to the guest, so that `nlproof replay` comes to each of its instructions again: in
    /// the directory `recorded` of the report. The guest is booted, under TCG and with one processor.
    #[arg(long, conflicts_with_all = ["keep", "gdb", "copy", "copy_out"])]
    pub(in crate::cli) record: bool,
    /// Leave the guest up afterwards, until Ctrl-C, and print the command that logs in.
    #[arg(long)]
    pub(in crate::cli) keep: bool,
    /// Open QEMU's gdb stub before the vector is sent, and print the command that attaches. Time limits are
    /// 1,000 times longer.
    #[arg(long)]
    pub(in crate::cli) gdb: bool,
}
