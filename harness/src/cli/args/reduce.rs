// SPDX-License-Identifier: BSD-2-Clause
//! `reduce`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::cells::CellArgs;
use super::fuzz::duration;
use super::guest::GuestArgs;
use crate::reduction::Keep;

#[derive(Debug, Args)]
pub(in crate::cli) struct ReduceArgs {
    /// A vector's id, the file of one (its name ends in .yaml), or `REPORT#N`, problem N of a report directory as `report show`
    /// numbers them.
    #[arg(value_name = "REPORT#N|VECTOR")]
    pub(in crate::cli) what: String,
    /// What has to stay, in the same place: `differs` (two cells answer differently, see --against), `panics`, `lost` (another
    /// end of the guest), `violated` (a rule of the kernel trace), `malformed` (an answer), `complains` (on the console); or a
    /// text of the conversation or of the console. Of a report's problem: what the report says.
    #[arg(long, value_name = "WHAT|TEXT")]
    pub(in crate::cli) keep: Option<Keep>,
    /// With `--keep differs`, the cell that is compared with, such as sim/14.0 [default: stock code for the module, else the
    /// simulator of the same branch].
    #[arg(long, value_name = "CELL")]
    pub(in crate::cli) against: Option<String>,
    /// Write the vector to this file, and its conversation beside it as .txt [default: beside the vector, with `-reduced`
    /// behind its name]. A file that is there stays.
    #[arg(long, short, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,
    /// Have so many tries at work at a time, each in a guest of its own [default: one a processor].
    #[arg(long, short, value_name = "N")]
    pub(in crate::cli) jobs: Option<NonZeroUsize>,
    /// End after so many tries, those of an interrupted run included.
    #[arg(long, value_name = "N", default_value_t = 2000)]
    pub(in crate::cli) tries: usize,
    /// End after so long: seconds, or with s, m or h behind it.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(in crate::cli) time: Option<Duration>,
    /// Make each request up to so many times until it shows what has to stay: for what does not come every time, such as a race.
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN)]
    pub(in crate::cli) attempts: NonZeroUsize,
    #[command(flatten)]
    pub(in crate::cli) cells: CellArgs,
    #[command(flatten)]
    pub(in crate::cli) guest: GuestArgs,
}
