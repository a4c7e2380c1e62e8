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

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::time::{Duration, Instant};

use nlproof_agent::{Batch, Listen, TOKEN_LEN};
use nlproof_base::random;
use nlproof_files::require;
use nlproof_image::{Image, KERNEL_LABEL, SeedCard};

use super::connection::{Link, guest_failure, open_failure};
use super::faulty_cards::FaultyCards;
use super::keys::Keys;
use super::late::patiently;
use super::limit::{over_limit, remove_victim};
use super::loaded_module::{Loaded, load, loaded_by_loader};
use super::module::Prepared;
use super::not_started::{NoSlot, NotMade, NotRestored};
use super::options::{FreebsdOptions, Start, machine, without_logs};
use super::snapshots::{Making, Saved, Snapshot, Snapshots, key};
use crate::guest::{Ssh, agent_path, install_agent, start_listener};
use crate::targets::RunningKernel;
use crate::targets::agents;
use crate::targets::{Cause, Explained, OnStage, OpenError, StartPart};
use crate::vector::CARD_MODELS;
use crate::vm::{
    AGENT_PORT, CACHE_REMEDY, ConsoleEvent, DiskWrites, GuestFailure, Launched, Patience, Seed,
    SelectedAccelerator, TEMPORARY_REMEDY, Tools, Vm, Wait, create_overlay, device_models, machine_identity,
    overlay_directory, restore, save,
};

/// Limit up to an authenticated command, under hardware virtualisation.
const BOOT_LIMIT: Duration = Duration::from_secs(60);
/// Limit from QEMU's start to the guest's message on the console that sshd listens.
const READY_LIMIT: Duration = Duration::from_secs(20);
/// Limit from a loaded state to the agent's answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// For what the guest has not written to its disk yet.
const SYNC_LIMIT: Duration = Duration::from_secs(5);
/// For a guest that is about to be saved; sshd(8) clears up in a fraction of a second.
const REST_LIMIT: Duration = Duration::from_secs(2);
/// For the agent to listen.
const LISTEN_LIMIT: Duration = Duration::from_secs(5);
/// Limit for each network stack that is made before the state is saved.
const STACK_LIMIT: Duration = Duration::from_millis(100);
/// Limit for mounting the kernel's disk.
const MOUNT_LIMIT: Duration = Duration::from_secs(5);
/// Where the agent is put in the guest.
const AGENT_DIRECTORY: &str = "/root";
/// The guest's side of the forward to the agent: every address.
const ANY: [u8; 4] = [0; 4];

const MIB: u64 = 1024 * 1024;
/// Bytes that a guest's disk grows by while it boots and runs as many vectors as it takes. Measured were 0.7 MiB from a
/// saved state and 1.4 MiB with the release's own rc; this is for one that has more to write.
const GUEST_WRITES: u64 = 8 * MIB;

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
struct SnapshotSlot {
    store: Snapshots,
    key: String,
}

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

struct Starter<'a> {
    request: &'a StartRequest<'a>,
    accelerator: &'a SelectedAccelerator,
    patience: Patience,
}

impl Starter<'_> {
    fn slot(&self) -> Result<SnapshotSlot, NoSlot> {
        let StartRequest { image, module, cards, options, tools, .. } = self.request;
        let directory = image.dir.to_str().ok_or(NoSlot::Name)?;
        let store = Snapshots::beside(&image.dir).ok_or(NoSlot::NoCache)?;
        let machine = machine_identity(&machine(&without_logs(options)), self.accelerator.kind, tools)
            .map_err(|cause| NoSlot::Qemu { path: tools.qemu.clone(), cause })?;
        let agent = agent_path(AGENT_DIRECTORY, agents::FREEBSD);
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

    async fn restore_patiently(
        &self,
        snapshot: &Snapshot,
        saved: &Saved,
        on_stage: &mut OnStage<'_>,
    ) -> Result<Started, NotRestored> {
        let began = Instant::now();
        let mut told = (on_stage, String::new());
        let on_late = |(on_stage, late): &mut (&mut OnStage<'_>, String), reason: &NotRestored| {
            let reason = first_line(reason);
            on_stage(&format!("the restore took too long: {reason}; once more, with more time"), None);
            *late = format!(" after one that took too long: {reason}");
        };
        let started = patiently(&mut told, &self.patience, on_late, async |(on_stage, _), patience| {
            self.restore(snapshot, saved, patience, on_stage).await
        });
        let started = started.await?;
        let how = format!("warm ({:.1} s{})", began.elapsed().as_secs_f64(), told.1);
        Ok(Started { how, ..started })
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
        let why = format!("warm restore failed: {}", first_line(reason));
        on_stage(&why, None);
        Ok(why)
    }

    async fn restore(
        &self,
        snapshot: &Snapshot,
        saved: &Saved,
        patience: &Patience,
        on_stage: &mut OnStage<'_>,
    ) -> Result<Started, NotRestored> {
        let StartRequest { image, options, tools, .. } = self.request;
        on_stage(&format!("restore under {}", self.accelerator.kind), None);
        let mut config = machine(options);
        config.overlay_disk(snapshot.overlay(), DiskWrites::Discard).memory_file(snapshot.memory(), false);
        config.kernel_disk(image.kernel_disk()).seed(Seed::File(snapshot.seed()));
        if let Some(console) = &options.console {
            // The kept log begins with the boot that the state comes from.
            let boot = fs::read(snapshot.console()).map_err(NotRestored::Console)?;
            let append = || OpenOptions::new().create(true).append(true).open(console)?.write_all(&boot);
            // No fault of the snapshot, which would go.
            if let Err(error) = append() {
                let path = console.display();
                on_stage(&format!("the log of the boot is not kept in {path}: {error}"), None);
            }
        }
        let mut vm = restore(&config, self.accelerator.kind, tools, patience, &snapshot.state()).await?;
        let loaded = Instant::now();
        let agent = agent_path(AGENT_DIRECTORY, agents::FREEBSD);
        let mut link = Link::new(&vm, &saved.keys, agent, patience)?;
        link.use_direct(&vm, saved.token)?;
        // Its greeting sets the guest's clock, which stands where it stood when the state was saved.
        link.run(&Batch { programs: Vec::new() }, &answer(), &mut vm, &mut |_| ()).await?;
        let mut parts = launch_parts(&vm);
        parts.push(("first answer", loaded.elapsed()));
        let Saved { kernel, keys, module, models, .. } = saved.clone();
        let stacks = usize::try_from(options.stacks).ok().filter(|stacks| *stacks > 0);
        Ok(Started {
            vm,
            link,
            keys,
            how: String::new(),
            fell_back: false,
            stacks,
            kernel,
            module,
            models,
            parts,
        })
    }

    /// Boots the guest to run vectors in it.
    async fn boot(&self, why: &str, on_stage: &mut OnStage<'_>) -> Result<Started, OpenError> {
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

    async fn boot_machine(
        &self,
        config: &crate::vm::VmConfig,
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
                Some(console) => Explained::behind(cause, console.keep(&vm)),
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
        let agent = agent_path(AGENT_DIRECTORY, agents::FREEBSD);
        let mut link = Link::new(vm, keys, agent, &self.patience)?;
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

    async fn load(
        &self,
        vm: &mut Vm,
        link: &mut Link,
        on_stage: &mut OnStage<'_>,
    ) -> Result<Option<Loaded>, OpenError> {
        if let Some(cards) = self.request.cards {
            on_stage("load the faulty cards", None);
            let ssh = link.ssh(vm).await.map_err(|error| OpenError::Guest(error.into()))?;
            if let Some(why) = cards.load(ssh, vm).await? {
                on_stage(&format!("the kernel does not take the faulty cards: {why}"), None);
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

    /// Boots the guest, saves it as soon as everything is ready in it, and ends it. What to say about it.
    async fn make(&self, slot: &SnapshotSlot, on_stage: &mut OnStage<'_>) -> Result<String, NotMade> {
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
        let agent = agent_path(AGENT_DIRECTORY, agents::FREEBSD);
        let wait = Wait::new("the agent to listen", LISTEN_LIMIT + STACK_LIMIT * options.stacks);
        let ssh = link.ssh(&mut vm).await.map_err(NotMade::because)?;
        if let Err(error) = start_listener(ssh, &agent, &listen, &wait, &mut vm).await {
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
            more.push_str(&console.keep(vm));
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

/// The wait for the agent in a guest that goes on from its state.
fn answer() -> Wait {
    Wait::new("the restored agent", ANSWER_LIMIT)
}

/// The models of devices that this machine's QEMU has; one that does not tell has none.
async fn models(vm: &mut Vm) -> Vec<String> {
    let models: Vec<_> = CARD_MODELS.iter().map(|model| model.name).collect();
    device_models(vm.qmp(), &models).await.unwrap_or_default()
}

/// The parts of a start up to a guest that runs.
fn launch_parts(vm: &Vm) -> Vec<StartPart> {
    let Launched { process, set_up, state } = vm.launched();
    vec![("process", process), ("set-up", set_up), ("state", state)]
}

/// The first line of what an error says: the guest's console may follow.
fn first_line(error: &NotRestored) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// Whether a guest's writes find room on this machine.
fn room_for_writes() -> Result<(), Cause> {
    require(&overlay_directory(), GUEST_WRITES, TEMPORARY_REMEDY).map_err(Cause::from)
}
