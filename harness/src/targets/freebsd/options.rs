// SPDX-License-Identifier: BSD-2-Clause
//! The choices of a run for its guests: accelerator, start, image, processors, and the machine that follows from them.

use std::path::PathBuf;
use std::sync::Arc;

use nlproof_guest::Tasks;
use nlproof_image::{BuildOptions, Cache, Dists};
use nlproof_kmod::FAULTNIC;

use super::lost::LostConsole;
use super::own::OwnRelease;
use super::recorded::RecordingPlace;
use crate::vm::{Accelerator, AcceleratorKind, HostPort, TranslationLog, VmConfig};

/// Default memory of a guest, in MiB: enough for 14 and 15 with all modules of the image.
pub const MEMORY_MIB: u32 = 512;
/// Default number of network stacks in a saved guest for vectors, each about a third of a MiB. Making one takes the
/// longer the more there are (the kernel looks through lists of names for each), a restore a second: more vectors than
/// these are run in several guests (`Facts::stacks`).
pub const STACKS: u32 = 256;

/// Whether a saved state may be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Start {
    /// A saved state is used, and made where there is none.
    #[default]
    Warm,
    /// The guest is booted; no state is used or made.
    Cold,
    /// A saved state is used. Where there is none, or where it cannot be restored, there is no guest, and nothing is
    /// changed: another run of the same guest deals with it.
    Saved,
}

/// How guests are run.
#[derive(Clone)]
pub struct FreebsdOptions {
    /// Where release directories are.
    pub dists: Dists,
    /// Kernels that are no release's, found before those directories are searched.
    pub own: Vec<Arc<OwnRelease>>,
    /// Where images are kept.
    pub cache: Cache,
    /// Directory of this program's cache: `$XDG_CACHE_HOME/nlproof`.
    pub state: PathBuf,
    /// Bytes that the cache may have ([`over_limit`](super::limit::over_limit)).
    pub cache_limit: u64,
    /// Which accelerator is wanted.
    pub accelerator: Accelerator,
    /// Whether a saved state may be used.
    pub start: Start,
    /// Whether the release's own `/etc/rc` starts the guest instead of a few lines of ours.
    pub stock_rc: bool,
    /// The directory that holds `kmod-src`, if there is one: otherwise the program's own copy is used.
    pub checkout: PathBuf,
    /// Kernel modules that a guest has loaded when it starts, where its kernel has them; `nlproof_faultnic` is built.
    pub modules: Vec<String>,
    /// The modules without which a guest is of no use.
    pub demanded: Vec<String>,
    /// Virtual processors of a guest.
    pub cpus: u32,
    /// Memory of a guest, in MiB.
    pub memory_mib: u32,
    /// Free space in a guest's root file system, in MiB.
    pub free_mib: u32,
    /// How many network stacks wait in a saved guest; none: it is a plain system.
    pub stacks: u32,
    /// Whether the guest's clocks count instructions (TCG only).
    pub instruction_clock: bool,
    /// Have QEMU log which blocks of instructions it translates, from the moment on in which the guest is restored or
    /// booted (TCG only).
    pub translation_log: Option<TranslationLog>,
    /// Where everything that comes to the guest is logged, so that each of its instructions can be come to again (TCG, one
    /// processor, a guest that is booted).
    pub recording: Option<RecordingPlace>,
    /// Every limit is multiplied by this.
    pub patience_factor: f64,
    /// Have the module, where one is loaded, record which probes fire while vectors run.
    pub kernel_trace: bool,
    /// Where to keep the console's log, if anywhere; what a dying kernel says is kept beside it, with the extension
    /// `textdump`.
    pub console: Option<PathBuf>,
    /// Where to keep the console's log of a guest that is lost, if it is kept nowhere else.
    pub lost_console: Option<LostConsole>,
    /// The program that supervises QEMU: nlproof itself.
    pub supervisor: PathBuf,
    /// The runtime on which guests are waited for, and the token that interrupts them.
    pub tasks: Tasks,
}

impl FreebsdOptions {
    /// The kernel of one's own that has this name.
    pub fn own_release(&self, name: &str) -> Option<&Arc<OwnRelease>> {
        self.own.iter().find(|own| own.name.as_str() == name)
    }

    /// Nested virtualisation can run a small guest and fail on a loader that changes processor modes: if
    /// nobody insists on KVM, a guest that does not come up under it is booted under TCG.
    pub(super) fn may_fall_back(&self, tried: &AcceleratorKind) -> bool {
        self.accelerator == Accelerator::Auto && *tried == AcceleratorKind::Kvm && !self.tasks.is_cancelled()
    }
}

/// The options with which guests' images are built; `stock_rc`: with the release's own `/etc/rc`, `modules`: with
/// these kernel modules.
pub fn image_options(stock_rc: bool, modules: &[String]) -> BuildOptions {
    // No kernel has this one as a file: it is put into the guest that runs.
    let modules = modules.iter().filter(|name| *name != FAULTNIC).cloned().collect();
    BuildOptions { stock_rc, modules, ..BuildOptions::default() }
}

/// The same, without what a run keeps beside the guest: logs are no part of a saved guest.
pub(super) fn without_logs(options: &FreebsdOptions) -> FreebsdOptions {
    FreebsdOptions { console: None, translation_log: None, ..options.clone() }
}

/// The machine, but for its disk.
pub(super) fn machine(options: &FreebsdOptions) -> VmConfig {
    let mut config = VmConfig::default();
    config.memory_mib(options.memory_mib).cpus(options.cpus).ssh(HostPort::Any);
    config.instruction_clock(options.instruction_clock);
    if let Some(log) = &options.translation_log {
        config.translation_log(log.clone());
    }
    if let Some(console) = &options.console {
        config.serial_log(console).textdump(console.with_extension("textdump"));
    }
    config
}
