// SPDX-License-Identifier: BSD-2-Clause
//! `export`.

use std::path::PathBuf;

use clap::Args;

use super::cells::CellArgs;

#[derive(Debug, Args)]
pub(in crate::cli) struct ExportArgs {
    /// A vector's id, or the file of one (its name ends in .yaml).
    pub(in crate::cli) vector: String,
    /// Write a C program for FreeBSD that needs no other library to this file; `-` is standard output.
    #[arg(long, value_name = "FILE", required_unless_present = "sh", conflicts_with = "sh")]
    pub(in crate::cli) c: Option<PathBuf>,
    /// Write a shell script, of a vector that only runs commands.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) sh: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) cells: CellArgs,
}
