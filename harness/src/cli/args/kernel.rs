// SPDX-License-Identifier: BSD-2-Clause
//! Kernels of one's own, wherever a release is chosen.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use iface_core::Profile;

/// Kernels that are no release's, and how one is built.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct KernelArgs {
    #[command(flatten)]
    pub(in crate::cli) own: OwnArgs,
    #[command(flatten)]
    pub(in crate::cli) source: SourceArgs,
}

/// Which kernels.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct OwnArgs {
    /// Run this kernel: a directory with `kernel` and *.ko, as make installkernel leaves it, a kernel.txz, or a kernel file.
    /// --release is then the release whose userland it gets [default: the newest here that is not newer than the kernel].
    /// Its cell is called RELEASE+NAME [default: its configuration's name]. May be given more than once.
    #[arg(long, value_name = "[NAME=]PATH")]
    pub(in crate::cli) kernel: Vec<String>,
    /// The profile whose goldens hold for the kernel, or for a release that the matrix does not list [default: by its
    /// osreldate]; for `coverage` without --kernel-blocks a profile to look at, where it may be given more than once.
    #[arg(long, value_name = "PROFILE")]
    pub(in crate::cli) profile: Vec<Profile>,
    /// Build a kernel from this source tree first, by FreeBSD's own build, and run that; a module for it is compiled
    /// against the tree. Its cell is called RELEASE+src, or RELEASE+NAME.
    #[arg(long, value_name = "[NAME=]TREE")]
    pub(in crate::cli) src: Option<String>,
}

/// How a kernel is built from a source tree.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct SourceArgs {
    /// The kernel's configuration, a file in sys/amd64/conf of the tree.
    #[arg(long, value_name = "NAME", default_value = "GENERIC")]
    pub(in crate::cli) kernconf: String,
    /// Give make(1) a further argument, such as SRCCONF=FILE. May be given more than once.
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    pub(in crate::cli) make_arg: Vec<String>,
}

/// `kernel`.
#[derive(Debug, Args)]
pub(in crate::cli) struct KernelsArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: KernelCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum KernelCommand {
    /// Build the kernel of a source tree, or its changed parts, with the modules that the matrix needs.
    ///
    /// FreeBSD's own build does it: tools/build/make.py, on FreeBSD make(1). Exit code 101: it failed.
    Build {
        /// The source tree, such as /usr/src.
        #[arg(long, value_name = "TREE")]
        src: PathBuf,
        #[command(flatten)]
        source: SourceArgs,
    },
    /// List the objects that builds have left: tree, configuration, revision, size.
    List,
    /// Remove objects of builds.
    Rm {
        /// A tree, or a key as `kernel list` shows it.
        #[arg(required = true, value_name = "TREE|KEY")]
        trees: Vec<String>,
    },
}

impl KernelArgs {
    /// Whether a kernel of one's own is asked for.
    pub(in crate::cli) fn is_asked_for(&self) -> bool {
        !self.own.kernel.is_empty() || self.own.src.is_some()
    }
}
