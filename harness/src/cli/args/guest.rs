// SPDX-License-Identifier: BSD-2-Clause
//! Options of guests, and the commands about one guest.

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
    /// Start guests with the release's own /etc/rc, instead of the few lines that a guest needs,
    /// which are faster.
    #[arg(long)]
    pub(in crate::cli) stock_rc: bool,
    /// Virtual processors of each guest. With more than one, requests of several sockets really overlap; goldens
    /// are those of one.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub(in crate::cli) cpus: u32,
    /// Memory of each guest in MiB, or with the suffix M or G [default: 512].
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    pub(in crate::cli) memory: Option<u32>,
    /// Number of network stacks made ahead in a guest; that many vectors run before it is restored again
    /// [default: 256; `shell`: none, it is a plain system].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=4096))]
    pub(in crate::cli) stacks: Option<u32>,
    /// Load a further kernel module of the release's kernel.txz in guests, such as `if_lagg`, with its dependencies; an
    /// image is built for it. May be given more than once.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = kernel_module)]
    pub(in crate::cli) kmod: Vec<String>,
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

/// What is copied between this machine and a guest.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct CopyArgs {
    /// Copy a file or directory of this machine into the guest first. DEST is an absolute path there; if it ends with /
    /// or is a directory, the copy goes into it [default: /root/, where commands begin]. May be given more than once.
    #[arg(long, value_name = "FILE[:DEST]")]
    pub(in crate::cli) copy: Vec<String>,
    /// Copy a file or directory out of the guest afterwards. GUEST is an absolute path there; if LOCAL is a directory,
    /// the copy goes into it [default: the current directory]. A file replaces an existing one, a directory does not.
    /// At most 4 GiB. May be given more than once.
    #[arg(long, value_name = "GUEST[:LOCAL]")]
    pub(in crate::cli) copy_out: Vec<String>,
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
    #[command(flatten)]
    pub(in crate::cli) copy: CopyArgs,
    /// Leave the guest up afterwards, until Ctrl-C.
    #[arg(long)]
    pub(in crate::cli) keep: bool,
    /// Keep the guest's console in this directory, as test-matrix does (`nlproof console DIR`). Without this option
    /// only the console of a lost guest is kept, in the cache.
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) report_dir: Option<PathBuf>,
    /// Run this command in the guest instead of a shell on the terminal, and exit as it does. A single word is a
    /// line for the guest's sh(1) (`'a; b'`), as with ssh; several words stay separate words (`sh -c 'a; b'`).
    #[arg(last = true, value_name = "COMMAND")]
    pub(in crate::cli) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DoctorArgs {
    /// Plug every network card that QEMU has into a guest, and show which of them its kernel sees: driver, interface, media,
    /// whether it notices that the link goes. A kernel that dies of one is told, and the next guest gets the next card.
    #[arg(long)]
    pub(in crate::cli) nics: bool,
    #[command(flatten)]
    pub(in crate::cli) cells: CellArgs,
    #[command(flatten)]
    pub(in crate::cli) guest: GuestArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ConsoleArgs {
    /// The report directory.
    pub(in crate::cli) report: PathBuf,
    /// The cell, such as freebsd/14.0-STABLE/stock; not needed if only one kept a console. If several guests shared it,
    /// each is shown.
    pub(in crate::cli) cell: Option<String>,
    /// Show only what kernels printed when they panicked or stopped in their debugger: message and backtrace; with a
    /// debugger in the kernel also registers, processes and the stacks of all threads. Of a kernel that fell silent it is what
    /// each of its threads waits for, read from its memory.
    #[arg(long)]
    pub(in crate::cli) textdump: bool,
}

/// The name of a kernel module, with or without the `.ko` of its file.
pub(super) fn kernel_module(text: &str) -> Result<String, String> {
    let name = text.strip_suffix(".ko").unwrap_or(text);
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_name { Ok(name.to_owned()) } else { Err("a module's name has letters, digits and `_`".into()) }
}

/// MiB of `512`, `512M` or `2G`.
fn memory(text: &str) -> Result<u32, String> {
    const LEAST: u32 = 128;
    const MOST: u32 = 1 << 20;
    let (digits, factor) = match text.strip_suffix(['G', 'g']) {
        Some(digits) => (digits, 1024),
        None => (text.strip_suffix(['M', 'm']).unwrap_or(text), 1),
    };
    let mib = digits.parse::<u32>().ok().and_then(|number| number.checked_mul(factor));
    mib.filter(|mib| (LEAST..=MOST).contains(mib))
        .ok_or_else(|| format!("from {LEAST} (MiB) to {}G, as in 1024, 1024M or 1G", MOST / 1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_with_its_unit_and_within_its_limits() {
        for (text, mib) in [("512", 512), ("128M", 128), ("2G", 2048), ("1g", 1024), ("1024G", 1 << 20)] {
            assert_eq!(memory(text), Ok(mib), "{text}");
        }
        for text in ["", "M", "64", "1MM", "2GM", "2T", "-1", "1.5G", "9999999999", "4194304G"] {
            assert!(memory(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_module_is_named_with_or_without_its_suffix() {
        assert_eq!(kernel_module("if_lagg.ko"), Ok("if_lagg".into()));
        assert_eq!(kernel_module("pf"), Ok("pf".into()));
        for text in ["", ".ko", "../pf", "a b", "x\ny"] {
            assert!(kernel_module(text).is_err(), "{text:?}");
        }
    }
}
