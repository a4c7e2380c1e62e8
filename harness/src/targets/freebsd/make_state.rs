// SPDX-License-Identifier: BSD-2-Clause
//! The making of a state that later runs go on from.

use std::fs;
use std::time::{Duration, Instant};

use nlproof_agent::{Batch, Listen, TOKEN_LEN};
use nlproof_base::random;
use nlproof_files::require;
use nlproof_image::SeedCard;

use super::connection::{Link, open_failure};
use super::keys::Keys;
use super::making::Making;
use super::not_started::NotMade;
use super::options::{FreebsdOptions, machine, without_logs};
use super::restore::answer;
use super::snapshot::Saved;
use super::starter::{GUEST_WRITES, MIB, SnapshotSlot, StartRequest, Starter, agent, models};
use crate::guest::start_listener;
use crate::targets::{Cause, Explained, OnStage, OpenError};
use crate::vm::{AGENT_PORT, CACHE_REMEDY, DiskWrites, Seed, Vm, Wait, create_overlay, save};

/// For what the guest has not written to its disk yet.
const SYNC_LIMIT: Duration = Duration::from_secs(5);
/// For a guest that is about to be saved; sshd(8) clears up in a fraction of a second.
const REST_LIMIT: Duration = Duration::from_secs(2);
/// For the agent to listen.
const LISTEN_LIMIT: Duration = Duration::from_secs(5);
/// Limit for each network stack that is made before the state is saved.
const STACK_LIMIT: Duration = Duration::from_millis(100);
/// The guest's side of the forward to the agent: every address.
const ANY: [u8; 4] = [0; 4];

impl Starter<'_> {
    /// Boots the guest, saves it as soon as everything is ready in it, and ends it. What to say about it.
    pub(super) async fn make(
        &self,
        slot: &SnapshotSlot,
        on_stage: &mut OnStage<'_>,
    ) -> Result<String, NotMade> {
        let StartRequest { image, tools, options, .. } = self.request;
        // Memory that is a file ends QEMU where the file finds no room.
        let needed = u64::from(options.memory_mib) * MIB + 2 * GUEST_WRITES;
        require(&image.dir, needed, CACHE_REMEDY).map_err(NotMade::because)?;
        let making = slot.store.begin(&slot.key).map_err(NotMade::because)?;
        let making = making.ok_or_else(|| NotMade::because("another run is making it"))?;
        let snapshot = &making.snapshot;
        create_overlay(tools, &image.root_disk(), &snapshot.live()).map_err(NotMade::because)?;
        // The console of the boot belongs to the snapshot; the run's own gets it when it is restored.
        let mut config = machine(&without_logs(options));
        config.overlay_disk(snapshot.live(), DiskWrites::Keep).memory_file(snapshot.memory(), true);
        let (keys, seed) = Keys::fresh(SeedCard::Virtio)?;
        snapshot.keep_seed(&seed).map_err(NotMade::because)?;
        config.kernel_disk(image.kernel_disk()).seed(Seed::File(snapshot.seed()));
        let (mut vm, mut link) = self.boot_machine(&config, &keys, on_stage).await?;
        let module = self.load(&mut vm, &mut link, on_stage).await?;
        let kernel = link.ask(&mut vm).await?;
        if options.stacks > 0 {
            on_stage("make network stacks", None);
        }
        let token = random::<TOKEN_LEN>().map_err(NotMade::because)?;
        let listen = Listen { address: ANY, port: AGENT_PORT, token, stacks: options.stacks };
        let wait = Wait::new("the agent to listen", LISTEN_LIMIT + STACK_LIMIT * options.stacks);
        let ssh = link.ssh(&mut vm).await.map_err(NotMade::because)?;
        if let Err(error) = start_listener(ssh, &agent(), &listen, &wait, &mut vm).await {
            return Err(NotMade::Guest(self.not_listening(open_failure(error, &vm), &vm)));
        }
        self.settle(&mut vm, &mut link, token).await?;
        let models = models(&mut vm).await;
        on_stage("save the guest's state", None);
        let saving = Instant::now();
        let saved = Saved { token, keys, kernel, module, models };
        self.save(&mut vm, making, saved).await.map_err(NotMade::Snapshot)?;
        Ok(format!("state saved in {:.1} s", saving.elapsed().as_secs_f64()))
    }

    /// Ends the connection, has the agent answer as it will answer once the guest is restored, and lets the guest finish
    /// whatever that leaves to do: otherwise each restore does it again.
    async fn settle(&self, vm: &mut Vm, link: &mut Link, token: [u8; TOKEN_LEN]) -> Result<(), NotMade> {
        let ssh = link.ssh(vm).await.map_err(NotMade::because)?;
        let wait = Wait::new("the guest's buffers to be written", SYNC_LIMIT);
        ssh.run("sync", &wait, vm).await.map_err(NotMade::because)?;
        link.disconnect();
        link.use_direct(vm, token)?;
        link.run(&Batch { programs: Vec::new() }, &answer(), vm, &mut |_| ())
            .await
            .map_err(NotMade::because)?;
        // One that never rests is as good, and slower.
        let wait = Wait::new("the guest to come to rest", REST_LIMIT);
        vm.rests(&wait).await.map(drop).map_err(NotMade::because)
    }

    /// The error for an agent that does not listen in a guest: of the two things that it needs, memory may be short.
    fn not_listening(&self, error: OpenError, vm: &Vm) -> OpenError {
        let FreebsdOptions { stacks, memory_mib, lost_console, .. } = self.request.options;
        let OpenError::Guest(cause) = error else { return error };
        let mut more = String::new();
        if *stacks > 0 {
            more = format!(
                "\n  help: {stacks} network stacks were made in {memory_mib} MiB; --stacks makes fewer, --memory gives more"
            );
        }
        if let Some(console) = lost_console {
            more.push_str(&console.keep(vm, vm.last_words()));
        }
        OpenError::Guest(Explained::behind(cause, more))
    }

    async fn save(&self, vm: &mut Vm, making: Making, saved: Saved) -> Result<(), Cause> {
        let snapshot = &making.snapshot;
        let copy = || fs::copy(snapshot.live(), snapshot.overlay()).map(drop);
        save(vm, &snapshot.state(), copy).await?;
        vm.copy_serial_log(&snapshot.console())?;
        Ok(making.keep(&self.request.image.dir, saved)?)
    }
}
