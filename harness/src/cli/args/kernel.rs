// SPDX-License-Identifier: BSD-2-Clause
//! Kernels of one's own, wherever a release is chosen.

use clap::Args;
use iface_core::Profile;

/// Kernels that are no release's.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct KernelArgs {
    /// Run this kernel: a directory with `kernel` and *.ko, as make installkernel leaves it, a kernel.txz, or a kernel file.
    /// --release is then the release whose userland it gets [default: the newest here that is not newer than the kernel].
    /// Its cell is called RELEASE+NAME [default: its configuration's name]. May be given more than once.
    #[arg(long, value_name = "[NAME=]PATH")]
    pub(in crate::cli) kernel: Vec<String>,
    /// The profile whose goldens hold for the kernel, or for a release that the matrix does not list [default: by its
    /// osreldate].
    #[arg(long, value_name = "PROFILE")]
    pub(in crate::cli) profile: Option<Profile>,
}

impl KernelArgs {
    /// Whether a kernel of one's own is asked for.
    pub(in crate::cli) fn is_asked_for(&self) -> bool {
        !self.kernel.is_empty()
    }
}
