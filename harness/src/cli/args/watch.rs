// SPDX-License-Identifier: BSD-2-Clause
//! The command that watches a program.

use std::path::PathBuf;

use clap::Args;

use super::cells::CellArgs;
use super::guest::{CopyArgs, GuestArgs};

/// How to begin, below the options.
const EXAMPLES: &str = "Examples:
  nlproof watch --release 15.1-RELEASE -- ifconfig epair create
  nlproof watch --script setup.sh --as-vector link/my-bug
  nlproof watch --copy ./a.out -- ./a.out -v
  nlproof watch --release 14.0-STABLE --module stock,rust -- route -n add 198.51.100.0/24 127.0.0.1";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct WatchArgs {
    #[command(flatten)]
    pub(in crate::cli) cells: CellArgs,
    #[command(flatten)]
    pub(in crate::cli) guest: GuestArgs,
    #[command(flatten)]
    pub(in crate::cli) copy: CopyArgs,
    /// Run this script instead of a command, by the interpreter of its first line, or the guest's sh(1). What stands behind
    /// `--` are its arguments.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) script: Option<PathBuf>,
    /// Give the program what stands on standard input, at most 256 MiB. Without it the program reads nothing.
    #[arg(long)]
    pub(in crate::cli) stdin: bool,
    /// End the program after so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(in crate::cli) timeout: u32,
    /// Leave the guest up afterwards, until Ctrl-C.
    #[arg(long)]
    pub(in crate::cli) keep: bool,
    /// Write what the program said as tests/vectors/ID.yaml: every message by names, raw where there is no name. A vector
    /// that is there stays, but for --force.
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) as_vector: Option<String>,
    /// Write over a vector that is there.
    #[arg(long, requires = "as_vector")]
    pub(in crate::cli) force: bool,
    /// The program and its arguments, each a word. A name is looked for in PATH, a relative path in /root, where --copy puts
    /// files. A single word that is none is a line for the guest's sh(1): 'a; b'.
    #[arg(last = true, value_name = "COMMAND", required_unless_present = "script")]
    pub(in crate::cli) command: Vec<String>,
}
