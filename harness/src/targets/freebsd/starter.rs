// SPDX-License-Identifier: BSD-2-Clause
//! What every start of a guest has in common: which guest is wanted, and what a started one is.

use nlproof_image::Image;

use super::connection::Link;
use super::faulty_cards::FaultyCards;
use super::keys::Keys;
use super::loaded_module::Loaded;
use super::module::Prepared;
use super::options::FreebsdOptions;
use super::snapshots::Snapshots;
use crate::guest::agent_path;
use crate::targets::{RunningKernel, StartPart, agents};
use crate::vector::CARD_MODELS;
use crate::vm::{Launched, Patience, SelectedAccelerator, Tools, Vm, device_models};

/// Where the agent is put in the guest.
pub(super) const AGENT_DIRECTORY: &str = "/root";

pub(super) const MIB: u64 = 1024 * 1024;
/// Bytes that a guest's disk grows by while it boots and runs as many vectors as it takes. Measured were 0.7 MiB from a
/// saved state and 1.4 MiB with the release's own rc; this is for one that has more to write.
pub(super) const GUEST_WRITES: u64 = 8 * MIB;

/// A guest with the agent in place.
pub(super) struct Started {
    pub(super) vm: Vm,
    pub(super) link: Link,
    pub(super) keys: Keys,
    /// A note for people: restored or booted, and why.
    pub(super) how: String,
    /// There was a saved state, and it could not be restored.
    pub(super) fell_back: bool,
    /// How many network stacks wait in it.
    pub(super) stacks: Option<usize>,
    pub(super) kernel: RunningKernel,
    pub(super) module: Option<Loaded>,
    /// The models of devices that can be plugged.
    pub(super) models: Vec<String>,
    /// The parts of the start that took place last: of the restore, or of the boot.
    pub(super) parts: Vec<StartPart>,
}

/// Which guest is wanted.
pub(super) struct StartRequest<'a> {
    pub(super) image: &'a Image,
    pub(super) module: Option<&'a Prepared>,
    /// The image's loader loads it.
    pub(super) by_loader: bool,
    pub(super) cards: Option<&'a FaultyCards>,
    pub(super) options: &'a FreebsdOptions,
    pub(super) tools: &'a Tools,
}

/// Where the snapshot of this guest is, if there is one.
pub(super) struct SnapshotSlot {
    pub(super) store: Snapshots,
    pub(super) key: String,
}

/// The choices for one start.
pub(super) struct Starter<'a> {
    pub(super) request: &'a StartRequest<'a>,
    pub(super) accelerator: &'a SelectedAccelerator,
    pub(super) patience: Patience,
}

/// Where the agent is in the guest.
pub(super) fn agent() -> String {
    agent_path(AGENT_DIRECTORY, agents::FREEBSD)
}

/// The models of cards, and of the controllers that they need, that this machine's QEMU has; one that does not tell has none.
pub(super) async fn models(vm: &mut Vm) -> Vec<String> {
    let models: Vec<_> =
        CARD_MODELS.iter().flat_map(|model| model.controller.into_iter().chain([model.name])).collect();
    device_models(vm.qmp(), &models).await.unwrap_or_default()
}

/// The parts of a start up to a guest that runs.
pub(super) fn launch_parts(vm: &Vm) -> Vec<StartPart> {
    let Launched { process, set_up, state } = vm.launched();
    vec![("process", process), ("set-up", set_up), ("state", state)]
}
