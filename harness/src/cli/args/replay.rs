// SPDX-License-Identifier: BSD-2-Clause
//! `replay`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(in crate::cli) struct ReplayArgs {
    /// The directory of the recording.
    pub(in crate::cli) recording: PathBuf,
    /// Stop so many instructions before the one of interest, or before that of --at.
    #[arg(long, value_name = "N")]
    pub(in crate::cli) back: Option<u64>,
    /// Stop when so many instructions have been run, instead of where the kernel died or the vector ended.
    #[arg(long, value_name = "ICOUNT")]
    pub(in crate::cli) at: Option<u64>,
    /// Open QEMU's gdb stub at this port of 127.0.0.1 where the replay stops, and hold the guest there until Ctrl-C.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) gdb: Option<u16>,
    /// Replay so many times, and compare each with the first.
    #[arg(long, value_name = "N", default_value = "1")]
    pub(in crate::cli) times: NonZeroUsize,
    /// The kernel with its debug information, kernel.debug, for gdb [default: the kernel's file, which has symbols and no
    /// lines].
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) debug: Option<PathBuf>,
}
