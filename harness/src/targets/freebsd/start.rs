// SPDX-License-Identifier: BSD-2-Clause
//! The start of a guest: from a saved state where there is one, else by a boot.
//!
//! The first boot of an image loads the module, if one is wanted, leaves the agent in the guest with network
//! stacks ready, saves the guest's state and ends; then it is restored as in every later run. The state is that of a
//! guest in which no vector has run. No connection is open meanwhile: a saved guest would wait for its other end
//! for ever.
//!
//! A state that cannot be restored is removed, and the guest is booted; stage and facts say so. One whose restore takes too
//! long is restored once more first, with more time and alone.

use std::time::Instant;

use nlproof_files::require;

use super::faulty_cards::FaultyCards;
use super::limit::{over_limit, remove_victim};
use super::module::Prepared;
use super::not_started::{NoSlot, NotMade, NotRestored};
use super::options::{Start, machine, without_logs};
use super::snapshots::{Snapshots, key};
use super::starter::{GUEST_WRITES, SnapshotSlot, StartRequest, Started, Starter, agent};
use crate::targets::{Cause, OnStage, OpenError};
use crate::vector::CARD_MODELS;
use crate::vm::{Patience, SelectedAccelerator, TEMPORARY_REMEDY, machine_identity, overlay_directory};

/// Restores the guest or boots it.
pub(super) async fn start(
    request: &StartRequest<'_>,
    accelerator: &SelectedAccelerator,
    on_stage: &mut OnStage<'_>,
) -> Result<Started, OpenError> {
    let options = request.options;
    let starter = Starter {
        request,
        accelerator,
        patience: Patience::new(accelerator.kind, options.patience_factor)
            .with_cancel(options.tasks.cancel().clone()),
    };
    // A guest whose writes find no room is stopped by QEMU in the middle of whatever it does.
    room_for_writes().map_err(OpenError::Guest)?;
    if options.start == Start::Cold {
        let why = if options.recording.is_some() { "it is recorded" } else { "warm start is off" };
        return starter.boot(why, on_stage).await;
    }
    let slot = match starter.slot() {
        Ok(slot) => slot,
        Err(reason) if options.start == Start::Saved => return Err(OpenError::Guest(reason.into())),
        Err(reason) => {
            let why = format!("no warm start: {reason}");
            on_stage(&why, None);
            return starter.boot(&why, on_stage).await;
        }
    };
    if options.start == Start::Saved {
        return match starter.find_and_restore(&slot, on_stage).await {
            Ok(Some(started)) => Ok(started),
            Ok(None) => Err(OpenError::Guest("no state of it is saved".into())),
            Err(_) if options.tasks.is_cancelled() => Err(OpenError::Interrupted),
            Err(reason) => Err(OpenError::Guest(reason.into())),
        };
    }
    let began = Instant::now();
    let mut why = "no snapshot yet".to_owned();
    let fell_back = match starter.find_and_restore(&slot, on_stage).await {
        Ok(Some(started)) => return Ok(started),
        Ok(None) => false,
        Err(reason) => {
            why = starter.fall_back(&slot, &reason, on_stage)?;
            true
        }
    };
    let made = starter.make(&slot, on_stage).await.map(|said| (said, began.elapsed()));
    let result = match made {
        Ok((said, made)) => match starter.find_and_restore(&slot, on_stage).await {
            Ok(Some(mut started)) => {
                let how = format!("cold ({why}; {said}), {:.1} s", began.elapsed().as_secs_f64());
                started.parts.insert(0, ("state made", made));
                Ok(Started { how, ..started })
            }
            Ok(None) => starter.boot(&format!("{why}; its new snapshot is gone"), on_stage).await,
            Err(reason) => {
                let why = starter.fall_back(&slot, &reason, on_stage)?;
                starter.boot(&why, on_stage).await.map(|started| Started { fell_back: true, ..started })
            }
        },
        Err(NotMade::Guest(error)) => Err(error),
        Err(NotMade::Snapshot(reason)) => {
            on_stage(&format!("this guest cannot be saved, and later runs boot again: {reason}"), None);
            starter.boot(&format!("{why}; no snapshot made: {reason}"), on_stage).await
        }
    };
    slot.store.sweep();
    for victim in over_limit(&options.state, options.cache_limit, Some(&slot.key)) {
        remove_victim(&options.state, &victim);
    }
    result.map(|started| Started { fell_back: fell_back || started.fell_back, ..started })
}

impl Starter<'_> {
    fn slot(&self) -> Result<SnapshotSlot, NoSlot> {
        let StartRequest { image, module, cards, options, tools, .. } = self.request;
        let directory = image.dir.to_str().ok_or(NoSlot::Name)?;
        let store = Snapshots::beside(&image.dir).ok_or(NoSlot::NoCache)?;
        let machine = machine_identity(&machine(&without_logs(options)), self.accelerator.kind, tools)
            .map_err(|cause| NoSlot::Qemu { path: tools.qemu.clone(), cause })?;
        let agent = agent();
        let module = module.map_or(String::new(), Prepared::digest);
        let cards = cards.map_or(String::new(), FaultyCards::digest);
        let stacks = options.stacks.to_string();
        let parts: Vec<&str> = [directory, agent.as_str(), module.as_str(), cards.as_str(), stacks.as_str()]
            .into_iter()
            .chain(machine.iter().map(String::as_str))
            // Which of them this QEMU has is saved.
            .chain(CARD_MODELS.iter().map(|model| model.name))
            .collect();
        Ok(SnapshotSlot { store, key: key(&parts) })
    }

    async fn find_and_restore(
        &self,
        slot: &SnapshotSlot,
        on_stage: &mut OnStage<'_>,
    ) -> Result<Option<Started>, NotRestored> {
        match slot.store.find(&slot.key)? {
            Some((snapshot, saved)) => self.restore_patiently(&snapshot, &saved, on_stage).await.map(Some),
            None => Ok(None),
        }
    }

    /// A snapshot that cannot be restored goes; why the guest is booted instead.
    fn fall_back(
        &self,
        slot: &SnapshotSlot,
        reason: &NotRestored,
        on_stage: &mut OnStage<'_>,
    ) -> Result<String, OpenError> {
        if self.request.options.tasks.is_cancelled() {
            return Err(OpenError::Interrupted);
        }
        // Then nothing is wrong with the snapshot.
        if let Err(full) = room_for_writes() {
            return Err(OpenError::Guest(format!("{reason}; {full}").into()));
        }
        slot.store.remove(&slot.key);
        let why = format!("warm restore failed: {}", reason.first_line());
        on_stage(&why, None);
        Ok(why)
    }
}

/// Whether a guest's writes find room on this machine.
fn room_for_writes() -> Result<(), Cause> {
    require(&overlay_directory(), GUEST_WRITES, TEMPORARY_REMEDY).map_err(Cause::from)
}
