// SPDX-License-Identifier: BSD-2-Clause
//! `kmod`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::kernel::KernelArgs;

#[derive(Debug, Args)]
pub(in crate::cli) struct KmodArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: KmodCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum KmodCommand {
    /// Build nlproof_iface.ko for the kernel of a release, or find it in the cache, and verify it.
    ///
    /// Exit code 102: verification rejects it, and no file is written.
    ///
    /// The release directory needs src.txz; this machine needs clang, ld.lld and a rustc with its source
    /// (kmod-src/README.md names the packages).
    Build {
        /// The release's directory name, such as 14.0-STABLE, or a branch (`14`): the newest of it that is there.
        #[arg(long, required_unless_present_any = ["kernel", "src"])]
        release: Option<String>,
        #[command(flatten)]
        kernel: KernelArgs,
        /// Copy the module to this file.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Write the module even if verification rejects it.
        #[arg(long)]
        unverified: bool,
    },
}
