// SPDX-License-Identifier: BSD-2-Clause
//! The boot of a guest, up to an agent and a module in it.

use std::time::{Duration, Instant};

use nlproof_image::{KERNEL_LABEL, SeedCard};

use super::connection::{Link, guest_failure, open_failure};
use super::keys::Keys;
use super::loaded_module::{Loaded, load, loaded_by_loader};
use super::options::machine;
use super::starter::{AGENT_DIRECTORY, StartRequest, Started, Starter, agent, launch_parts, models};
use crate::guest::{Ssh, install_agent};
use crate::targets::{Explained, OnStage, OpenError, agents};
use crate::vm::{ConsoleEvent, DiskWrites, GuestFailure, Seed, Vm, VmConfig, Wait};

/// Limit up to an authenticated command, under hardware virtualisation.
const BOOT_LIMIT: Duration = Duration::from_secs(60);
/// Limit from QEMU's start to the guest's message on the console that sshd listens.
const READY_LIMIT: Duration = Duration::from_secs(20);
/// Limit for mounting the kernel's disk.
const MOUNT_LIMIT: Duration = Duration::from_secs(5);

impl Starter<'_> {
    /// Boots the guest to run vectors in it.
    pub(super) async fn boot(&self, why: &str, on_stage: &mut OnStage<'_>) -> Result<Started, OpenError> {
        let started = Instant::now();
        let mut config = machine(self.request.options);
        let image = self.request.image;
        config.raw_disk(image.root_disk(), DiskWrites::Discard).kernel_disk(image.kernel_disk());
        let recording = self.request.options.recording.as_ref();
        let card = if recording.is_some() { SeedCard::E1000 } else { SeedCard::Virtio };
        let (keys, seed) = Keys::fresh(card)?;
        match recording {
            Some(place) => place.record(&mut config, &seed)?,
            None => drop(config.seed(Seed::Bytes(seed))),
        }
        let (mut vm, mut link) = self.boot_machine(&config, &keys, on_stage).await?;
        let module = self.load(&mut vm, &mut link, on_stage).await?;
        let kernel = link.ask(&mut vm).await?;
        let how = format!("cold ({why}), {:.1} s", started.elapsed().as_secs_f64());
        let mut parts = launch_parts(&vm);
        let launched: Duration = parts.iter().map(|(_, time)| *time).sum();
        parts.push(("boot", started.elapsed().saturating_sub(launched)));
        let models = models(&mut vm).await;
        Ok(Started { vm, link, keys, how, fell_back: false, stacks: None, kernel, module, models, parts })
    }

    pub(super) async fn boot_machine(
        &self,
        config: &VmConfig,
        keys: &Keys,
        on_stage: &mut OnStage<'_>,
    ) -> Result<(Vm, Link), OpenError> {
        let StartRequest { tools, options, .. } = self.request;
        on_stage(&format!("boot under {}", self.accelerator.kind), None);
        let mut vm = Vm::start(config, self.accelerator.kind, tools, &self.patience)
            .await
            .map_err(|error| OpenError::Guest(error.into()))?;
        match self.bring_up(&mut vm, keys, on_stage).await {
            Ok(link) => Ok((vm, link)),
            Err(OpenError::Guest(cause)) => Err(OpenError::Guest(match &options.lost_console {
                Some(console) => Explained::behind(cause, console.keep(&vm, vm.last_words())),
                None => cause,
            })),
            Err(error) => Err(error),
        }
    }

    /// Waits until the guest can be talked to, and puts the agent into it.
    async fn bring_up(
        &self,
        vm: &mut Vm,
        keys: &Keys,
        on_stage: &mut OnStage<'_>,
    ) -> Result<Link, OpenError> {
        let mut link = Link::new(vm, keys, agent(), &self.patience)?;
        // Who connects before the guest listens waits for QEMU to try again, which takes it twice as long each time.
        let ready = Wait::new("the guest's start-up", READY_LIMIT);
        match vm.wait_for(&ready, |event| *event == ConsoleEvent::Ready).await {
            // A message of the kernel may have torn the word apart.
            Ok(_) | Err(GuestFailure::Hung(_)) => {}
            Err(failure) => return Err(guest_failure(failure)),
        }
        let connected = link.connect(vm, BOOT_LIMIT).await.map(drop);
        connected.map_err(|error| open_failure(error, vm))?;
        if self.request.image.kernel_disk().is_some() {
            let ssh = link.ssh(vm).await.map_err(|error| OpenError::Guest(error.into()))?;
            mount_kernel(ssh, vm).await?;
        }
        on_stage("install the agent", None);
        let ssh = link.ssh(vm).await.map_err(|error| OpenError::Guest(error.into()))?;
        let installed = install_agent(ssh, AGENT_DIRECTORY, agents::FREEBSD, vm).await;
        installed.map_err(|error| open_failure(error, vm))?;
        Ok(link)
    }

    pub(super) async fn load(
        &self,
        vm: &mut Vm,
        link: &mut Link,
        on_stage: &mut OnStage<'_>,
    ) -> Result<Option<Loaded>, OpenError> {
        if let Some(cards) = self.request.cards {
            on_stage("load nlproof_faultnic", None);
            let ssh = link.ssh(vm).await.map_err(|error| OpenError::Guest(error.into()))?;
            if let Some(why) = cards.load(ssh, vm).await? {
                on_stage(&format!("the kernel does not take nlproof_faultnic: {why}"), None);
            }
        }
        let Some(module) = self.request.module else { return Ok(None) };
        if self.request.by_loader {
            on_stage("ask the module that the loader loaded", None);
            let ssh = link.ssh(vm).await.map_err(|error| OpenError::Guest(error.into()))?;
            return loaded_by_loader(module, ssh, vm).await.map(Some);
        }
        on_stage("load the module", None);
        let ssh = link.ssh(vm).await.map_err(|error| OpenError::Guest(error.into()))?;
        load(module, ssh, vm).await.map(Some)
    }
}

/// Has the modules of the kernel that runs where they are looked for, in place of those of the release's own.
async fn mount_kernel(ssh: &Ssh, vm: &mut Vm) -> Result<(), OpenError> {
    let wait = Wait::new("the kernel's disk to be mounted", MOUNT_LIMIT);
    let command = format!("mount -t ufs -o ro /dev/gpt/{KERNEL_LABEL} /boot");
    let output = ssh.run(&command, &wait, vm).await.map_err(|error| open_failure(error, vm))?;
    if output.status.is_success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(OpenError::Guest(
        format!("`{command}` in the guest ended with {}: {}", output.status, said.trim_end()).into(),
    ))
}
