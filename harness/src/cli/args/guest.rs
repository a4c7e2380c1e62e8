// SPDX-License-Identifier: BSD-2-Clause
//! How guests are run, and the commands that are about one guest.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::cells::CellArgs;

/// How guests are run.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct GuestArgs {
    /// How QEMU runs the guest; `auto` tries KVM by running a few instructions under it.
    #[arg(long, value_enum, default_value_t = AccelArg::Auto)]
    pub(in crate::cli) accel: AccelArg,
    /// Boot every guest instead of restoring it from the state that was saved after an earlier boot.
    #[arg(long)]
    pub(in crate::cli) cold: bool,
    /// Start guests with the release's own /etc/rc; without, a few lines do what a guest needs, and
    /// sooner.
    #[arg(long)]
    pub(in crate::cli) stock_rc: bool,
    /// Virtual processors of each guest. With more than one, requests of several sockets really overlap; goldens
    /// are those of one.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub(in crate::cli) cpus: u32,
    /// Load the Rust-backed module even if verification rejects it; every report says so.
    #[arg(long)]
    pub(in crate::cli) unverified: bool,
    /// Multiply every time limit by this, for slow machines.
    #[arg(
        long,
        value_name = "FACTOR",
        default_value_t = 1.0,
        env = "NLPROOF_TIMEOUT_FACTOR",
        hide_env_values = true
    )]
    pub(in crate::cli) timeout_factor: f64,
}

/// The accelerator wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum AccelArg {
    /// KVM if it runs a guest, else TCG.
    Auto,
    /// KVM.
    Kvm,
    /// TCG, QEMU's own translation.
    Tcg,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ShellArgs {
    #[command(flatten)]
    pub(in crate::cli) cells: CellArgs,
    #[command(flatten)]
    pub(in crate::cli) guest: GuestArgs,
    /// Run this in the guest instead of a shell on the terminal, and exit as it does.
    #[arg(last = true, value_name = "COMMAND")]
    pub(in crate::cli) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ConsoleArgs {
    /// The report directory.
    pub(in crate::cli) report: PathBuf,
    /// The cell, such as freebsd/14.0-STABLE/stock; not needed if only one kept a console. Of several guests that shared it
    /// each is shown.
    pub(in crate::cli) cell: Option<String>,
    /// Only what kernels said when they panicked or stopped in their debugger: message, registers, backtrace; with a
    /// debugger in the kernel also its locks, processes and the stacks of all threads.
    #[arg(long)]
    pub(in crate::cli) textdump: bool,
}
