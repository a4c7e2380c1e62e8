// SPDX-License-Identifier: BSD-2-Clause
//! The caller's options for an image, and the progress of a build.

use std::{collections::BTreeSet, fmt, path::PathBuf};

use crate::loader_module::LoaderModule;
use crate::modules::{self, INTERFACE_MODULES};

/// The caller's options for an image. All but `makefs` and `demanded` is part of the image's key in the cache.
#[derive(Debug, Clone)]
pub struct BuildOptions {
    /// Keep the release's own `/etc/rc` (with a short `rc.conf`) rather than the six lines that start
    /// addresses and sshd.
    pub stock_rc: bool,
    /// Kernel modules that are loaded at the start, by name, where the kernel has them: what the guest will be asked
    /// for. Of the kernel's other modules it gets only what these depend on, and what a guest needs anyway.
    pub modules: Vec<String>,
    /// Kernel modules among them that must be there: a kernel that has one neither in itself nor as a file is an
    /// error. They do not change what is built.
    pub demanded: Vec<String>,
    /// A module that the loader loads, beside the kernel's own.
    pub loader_module: Option<LoaderModule>,
    /// Free space in the guest's root file system, in MiB.
    pub free_mib: u32,
    /// The `makefs` program; `None` looks for it in `PATH` and in the usual system directories.
    pub makefs: Option<PathBuf>,
}

impl Default for BuildOptions {
    fn default() -> Self {
        let modules = INTERFACE_MODULES.iter().map(|name| (*name).to_owned()).collect();
        Self { stock_rc: false, modules, demanded: vec![], loader_module: None, free_mib: 64, makefs: None }
    }
}

impl BuildOptions {
    /// The modules that may be named to loader and shell, sorted, each once.
    pub(crate) fn module_names(&self) -> BTreeSet<&str> {
        self.modules.iter().map(String::as_str).filter(|name| modules::is_name(name)).collect()
    }
}

/// What a build is at. The two extractions run side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Another process builds the same image.
    Wait,
    /// Verify and extract `base.txz`; in compressed bytes.
    Base,
    /// Verify and extract `kernel.txz`; in compressed bytes.
    Kernel,
    /// Write the guest's configuration; in files.
    Configure,
    /// Run `makefs`; in bytes of the file system.
    Filesystem,
    /// Put a kernel of one's own and its modules on a disk.
    OwnKernel,
    /// Verify a ready VM image; in its bytes.
    VerifyImage,
    /// Unpack a ready VM image; in packed bytes.
    Unpack,
    /// Boot a ready VM image and make it ours.
    Provision,
    /// Put boot code, partition table and file system into one disk; in bytes of the file system.
    Assemble,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Wait => "wait for another build",
            Self::Base => "verify and extract base.txz",
            Self::Kernel => "verify and extract kernel.txz",
            Self::Configure => "configure",
            Self::Filesystem => "make the file system",
            Self::OwnKernel => "put the kernel on a disk",
            Self::VerifyImage => "verify the ready image",
            Self::Unpack => "unpack the ready image",
            Self::Provision => "boot the ready image and make it ours",
            Self::Assemble => "assemble the disk",
        })
    }
}

/// How far a stage is. A stage is done when `bytes_done` reaches `bytes_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The stage.
    pub stage: Stage,
    /// What is done of it.
    pub bytes_done: u64,
    /// Amount of the whole work; 0 when it is not known.
    pub bytes_total: u64,
}
