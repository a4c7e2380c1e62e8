// SPDX-License-Identifier: BSD-2-Clause
//! `image export` and `image check`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use nlproof_image::{Console, Format};

use super::kernel::SourceArgs;

/// Which code answers in an exported image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ExportModule {
    /// The Rust-backed module answers, from the first interface on.
    Rust,
    /// The module is loaded, and only counts what the kernel's own code answers.
    Observe,
    /// The kernel's own code.
    None,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ImageExportArgs {
    /// The release's directory name, such as 14.0-STABLE, or a branch (`14`). With --kernel or --src the release whose
    /// userland it gets [default there: the newest here that is not newer than the kernel].
    #[arg(required_unless_present_any = ["kernel", "src"])]
    pub(in crate::cli) release: Option<String>,
    /// Put this kernel in: a directory with `kernel` and *.ko, a kernel.txz, or a kernel file.
    #[arg(long, value_name = "PATH", conflicts_with = "src")]
    pub(in crate::cli) kernel: Option<PathBuf>,
    /// Build a kernel from this source tree first, and put that in.
    #[arg(long, value_name = "TREE")]
    pub(in crate::cli) src: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) source: SourceArgs,
    /// Which code answers. With a module, it is verified first, and the loader loads it before the kernel starts.
    #[arg(long, value_enum, default_value_t = ExportModule::None)]
    pub(in crate::cli) module: ExportModule,
    /// Format of the file: raw, qcow2, vmdk, vhdx, or box for Vagrant with libvirt.
    #[arg(long, default_value = "qcow2")]
    pub(in crate::cli) format: Format,
    /// The file to write [default: RELEASE.FORMAT here]. What it was made of is written beside it, to
    /// FILE.provenance.json.
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,
    /// Size of the disk, such as 20G [default: 4G, or what the system takes]. The file is as small as what is in it.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(in crate::cli) size: Option<u64>,
    /// Name of the machine.
    #[arg(long, value_name = "NAME", default_value = "freebsd", value_parser = nlproof_image::host_name)]
    pub(in crate::cli) hostname: String,
    /// A file with the public keys that may log in [default: ~/.ssh/*.pub]. May be given more than once.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) authorized_key: Vec<PathBuf>,
    /// The user who logs in; another one than root is made at the first boot, in the group wheel.
    #[arg(long, value_name = "NAME", default_value = "root", value_parser = nlproof_image::user_name)]
    pub(in crate::cli) user: String,
    /// Where the machine talks and listens: serial, video or both.
    #[arg(long, value_name = "CONSOLE", default_value = "both")]
    pub(in crate::cli) console: Console,
    /// Leave out documentation, compilers and whatever else nlproof's own guests go without.
    #[arg(long)]
    pub(in crate::cli) small: bool,
    /// Replace a file that is there.
    #[arg(long)]
    pub(in crate::cli) force: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CheckImageArgs {
    /// An exported image, with FILE.provenance.json beside it.
    #[arg(value_name = "FILE")]
    pub(in crate::cli) file: PathBuf,
}

/// A size in bytes, with a unit or without.
fn size(text: &str) -> Result<u64, String> {
    crate::cli::size::size(text).ok_or_else(|| "a size is a number of bytes, or one with K, M, G or T".into())
}
