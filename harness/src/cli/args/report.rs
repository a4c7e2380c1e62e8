// SPDX-License-Identifier: BSD-2-Clause
//! The commands about the matrix as jobs, and about their reports.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::cells::CellArgs;
use crate::serve::Listen;

#[derive(Debug, Args)]
pub(in crate::cli) struct MatrixArgs {
    #[command(flatten)]
    pub(in crate::cli) cells: CellArgs,
    /// Print a job matrix for a CI system: {"include": [{"cell": ..., "args": ...}, ...]}, on one line.
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// Print only what these cells need of a machine, as arguments of ci/install-debian: sim, guest, module.
    #[arg(long, conflicts_with = "json")]
    pub(in crate::cli) needs: bool,
}

/// Where a page is served.
#[derive(Debug, Args)]
pub(in crate::cli) struct ServeArgs {
    /// Serve the page on this address or port, such as 192.0.2.1, [::1]:8080 or :8080 [default: a free port of
    /// 127.0.0.1]. Others than this machine reach it only if the address is not one of loopback; nothing is encrypted.
    #[arg(long, value_name = "[ADDRESS][:PORT]")]
    pub(in crate::cli) listen: Option<Listen>,
}

fn factor(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(factor) if factor > 1.0 && factor <= 1000.0 => Ok(factor),
        _ => Err("a number above 1 and up to 1000".into()),
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ReportArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: ReportCommand,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct HtmlArgs {
    /// A report directory, or its report.json.
    pub(in crate::cli) report: PathBuf,
    /// The page [default: report.html beside the report].
    #[arg(long, short, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,
    /// Say what is new since this report.
    #[arg(long, value_name = "REPORT")]
    pub(in crate::cli) baseline: Option<PathBuf>,
    /// Show what ran of the kernels' own code, as `coverage --kernel-blocks --json` wrote it [default: blocks.json beside the
    /// report, if it is there]. Blocks of another kernel than the report's are left out, and that is said.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) blocks: Option<PathBuf>,
    /// Show the source of each function beside its blocks, from this tree: a directory that holds sys/. Whether it is the
    /// source of that kernel is yours to know.
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) source: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ReportCommand {
    /// Show a report as the run itself did, its problems numbered. Exits as the run did.
    Show {
        /// A report directory, or its report.json.
        report: PathBuf,
    },
    /// Write a report as one page for a browser (report.html), which needs no server and asks nobody for anything.
    ///
    /// `test-matrix --report-dir` writes it, too. Exits as the run did.
    Html(HtmlArgs),
    /// Serve a report's page to a browser on this machine, and follow the report, until Ctrl-C.
    ///
    /// The address is printed; it holds a token, without which nothing is answered. A page that is open shows the report again
    /// whenever a run has written it anew.
    Serve {
        /// A report directory, or its report.json.
        report: PathBuf,
        /// Say what is new since this report.
        #[arg(long, value_name = "REPORT")]
        baseline: Option<PathBuf>,
        #[command(flatten)]
        serve: ServeArgs,
    },
    /// Show several reports over time: vectors that change their mind, and times of cells.
    ///
    /// A vector is flaky if it came back to what it had been before. A cell is slower if the last report's time a vector is
    /// more than --factor times the median of the others, and its time more than a second above it. Neither changes the exit
    /// code.
    Trend {
        /// Report directories, or their report.json, the oldest first.
        #[arg(required = true)]
        reports: Vec<PathBuf>,
        /// What is slower: more than so many times the median.
        #[arg(long, value_name = "FACTOR", default_value_t = 1.5, value_parser = factor)]
        factor: f64,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Also write a page with a plot of each cell's times.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Print the problems of a report as GitHub Actions' workflow commands (`::error file=...`).
    Annotate {
        /// A report directory, or its report.json.
        report: PathBuf,
    },
    /// Print the raw trace that a run kept of a cell, unpacked: NDJSON, one record a line.
    ///
    /// The file is CELL.ndjson.zst in the report directory; `zstdcat` prints it too.
    Raw {
        /// The report directory.
        report: PathBuf,
        /// The cell, such as sim/14.0 or freebsd/14.0-STABLE/stock; not needed if the report has only one.
        cell: Option<String>,
        /// Only the records of this vector, such as link/create-lo.
        #[arg(long, value_name = "VECTOR")]
        vector: Option<String>,
    },
    /// Join the reports of the jobs of one run: of some cells each, of slices, or both.
    ///
    /// The exit code is that of one run of everything; 104 if a slice or an expected cell has no report.
    Merge {
        /// Report directories, or their report.json.
        #[arg(required = true)]
        reports: Vec<PathBuf>,
        /// Write the joined report.json, junit.xml, raw traces and consoles to this directory.
        #[arg(long, value_name = "DIR")]
        into: PathBuf,
        /// What `matrix --json` wrote: each of its cells must be in a report.
        #[arg(long, value_name = "FILE")]
        expect: Option<PathBuf>,
    },
}
