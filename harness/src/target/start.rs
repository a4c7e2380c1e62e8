// SPDX-License-Identifier: BSD-2-Clause
//! How a guest comes to run: from a saved state where there is one, else by a boot.
//!
//! The first boot of an image saves its state as soon as the agent is in place, before any vector: the state
//! is that of a guest in which nothing has happened, and later runs start where the first one did. That
//! costs the first run a tenth of a second for the state and one more ssh handshake, because the connection
//! that brought the agent is closed before (a saved guest would wait for its other end for ever).
//!
//! A state that cannot be restored is removed, and the guest is booted; stage and facts say so.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use nlproof_image::Image;

use super::OnStage;
use super::agents;
use super::error::OpenError;
use super::freebsd::{FreebsdOptions, connect, machine, open_failure};
use super::snapshots::{Making, Snapshot, Snapshots, key};
use crate::guest::{Ssh, agent_path, install_agent};
use crate::vm::{
    DiskWrites, Patience, SelectedAccelerator, Tools, Vm, Wait, create_overlay, machine_identity, restore,
    save,
};

/// From QEMU's start to an authenticated command, under hardware virtualisation.
const BOOT_LIMIT: Duration = Duration::from_secs(60);
/// From a loaded state to an authenticated command.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// Where the agent is put in the guest.
const AGENT_DIRECTORY: &str = "/root";

/// Whether a saved state may be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Start {
    /// A saved state is used, and made where there is none.
    #[default]
    Warm,
    /// The guest is booted; no state is used or made.
    Cold,
}

/// A guest with the agent in place.
pub(super) struct Started {
    pub(super) vm: Vm,
    pub(super) ssh: Ssh,
    /// The agent's path in the guest.
    pub(super) agent: String,
    /// Whether it was restored or booted, and why, for people.
    pub(super) how: String,
    /// There was a saved state, and it could not be restored.
    pub(super) fell_back: bool,
}

/// Where the snapshot of this guest is, if there is one.
struct Place {
    store: Snapshots,
    key: String,
}

/// Restores the guest or boots it.
pub(super) fn start(
    image: &Image,
    accelerator: &SelectedAccelerator,
    options: &FreebsdOptions,
    tools: &Tools,
    on_stage: &mut OnStage<'_>,
) -> Result<Started, OpenError> {
    let starter = Starter {
        image,
        accelerator,
        options,
        tools,
        patience: Patience::new(accelerator.kind, options.patience_factor)
            .with_cancel(Arc::clone(&options.cancel)),
    };
    if options.start == Start::Cold {
        return starter.boot(None, "warm start is off", on_stage);
    }
    let place = match starter.place() {
        Ok(place) => place,
        Err(reason) => return starter.boot(None, &format!("no warm start: {reason}"), on_stage),
    };
    let mut why = "no snapshot yet".to_owned();
    let mut fell_back = false;
    let restored = match place.store.find(&place.key) {
        Ok(None) => Ok(None),
        Ok(Some(snapshot)) => starter.restore(&snapshot, on_stage).map(Some),
        Err(reason) => Err(reason),
    };
    match restored {
        Ok(Some(started)) => return Ok(started),
        Ok(None) => {}
        Err(_) if options.cancel.load(Ordering::SeqCst) => return Err(OpenError::Interrupted),
        Err(reason) => {
            place.store.remove(&place.key);
            let first = reason.lines().next().unwrap_or_default();
            why = format!("warm restore failed: {first}");
            fell_back = true;
            on_stage(&why, None);
        }
    }
    let making = place.store.begin(&place.key).map_err(|error| error.to_string()).and_then(|making| {
        let making = making.ok_or("another run is making the snapshot")?;
        create_overlay(tools, &image.disk(), &making.snapshot.live()).map_err(|error| error.to_string())?;
        Ok(making)
    });
    let started = match making {
        Ok(making) => starter.boot(Some(making), &why, on_stage),
        Err(reason) => starter.boot(None, &format!("{why}; no snapshot made: {reason}"), on_stage),
    };
    place.store.sweep();
    started.map(|started| Started { fell_back, ..started })
}

struct Starter<'a> {
    image: &'a Image,
    accelerator: &'a SelectedAccelerator,
    options: &'a FreebsdOptions,
    tools: &'a Tools,
    patience: Patience,
}

impl Starter<'_> {
    fn place(&self) -> Result<Place, String> {
        let image = self.image.dir.to_str().ok_or("the cache's name is not UTF-8")?;
        let store = Snapshots::beside(&self.image.dir).ok_or("the image is in no cache")?;
        let machine = machine_identity(
            &machine(&FreebsdOptions { console: None, ..self.options.clone() }),
            self.accelerator.kind,
            self.tools,
        )
        .map_err(|error| format!("{}: {error}", self.tools.qemu.display()))?;
        let agent = agent_path(AGENT_DIRECTORY, agents::FREEBSD);
        let parts: Vec<&str> =
            [image, agent.as_str()].into_iter().chain(machine.iter().map(String::as_str)).collect();
        Ok(Place { store, key: key(&parts) })
    }

    fn restore(&self, snapshot: &Snapshot, on_stage: &mut OnStage<'_>) -> Result<Started, String> {
        on_stage(&format!("restore under {}", self.accelerator), None);
        let started = Instant::now();
        let mut config = machine(self.options);
        config.overlay_disk(snapshot.overlay(), DiskWrites::Discard);
        if let Some(console) = &self.options.console {
            // The kept log begins with the boot that the state comes from.
            let append = |text: Vec<u8>| -> io::Result<()> {
                OpenOptions::new().create(true).append(true).open(console)?.write_all(&text)
            };
            fs::read(snapshot.console())
                .and_then(append)
                .map_err(|error| format!("{}: {error}", console.display()))?;
        }
        let mut vm = restore(&config, self.accelerator.kind, self.tools, &self.patience, &snapshot.state())
            .map_err(|error| error.to_string())?;
        let ssh =
            connect(&mut vm, self.image, ANSWER_LIMIT, &self.patience).map_err(|error| error.to_string())?;
        let agent = agent_path(AGENT_DIRECTORY, agents::FREEBSD);
        // The guest's clock stands where it stood when the state was saved.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let command = format!("date -u -f %s {now} && test -x {agent}");
        let wait = Wait::new("the guest's clock to be set", ANSWER_LIMIT);
        let output = ssh.run(&command, &wait, &mut vm).map_err(|error| error.to_string())?;
        if !output.status.is_success() {
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("`{command}` ended with {}: {}", output.status, words.trim_end()));
        }
        let how = format!("warm ({:.1} s)", started.elapsed().as_secs_f64());
        Ok(Started { vm, ssh, agent, how, fell_back: false })
    }

    fn boot(
        &self,
        making: Option<Making>,
        why: &str,
        on_stage: &mut OnStage<'_>,
    ) -> Result<Started, OpenError> {
        on_stage(&format!("boot under {}", self.accelerator), None);
        let started = Instant::now();
        let mut config = machine(self.options);
        match &making {
            Some(making) => config.overlay_disk(making.snapshot.live(), DiskWrites::Keep),
            None => config.raw_disk(self.image.disk(), DiskWrites::Discard),
        };
        let mut vm = Vm::start(&config, self.accelerator.kind, self.tools, &self.patience)
            .map_err(|error| OpenError::Guest(error.to_string()))?;
        let mut ssh = connect(&mut vm, self.image, BOOT_LIMIT, &self.patience)?;
        on_stage("install the agent", None);
        let agent = install_agent(&ssh, AGENT_DIRECTORY, agents::FREEBSD, &mut vm)
            .map_err(|error| open_failure(error, &vm))?;
        let mut how = format!("cold ({why})");
        if let Some(making) = making {
            drop(ssh);
            on_stage("save the guest's state", None);
            let saving = Instant::now();
            how = match self.save(&mut vm, making) {
                Ok(()) => format!("{how}; state saved in {:.1} s", saving.elapsed().as_secs_f64()),
                Err(reason) => format!("{how}; state not saved: {reason}"),
            };
            ssh = connect(&mut vm, self.image, BOOT_LIMIT, &self.patience)?;
        }
        how = format!("{how}, {:.1} s", started.elapsed().as_secs_f64());
        Ok(Started { vm, ssh, agent, how, fell_back: false })
    }

    fn save(&self, vm: &mut Vm, making: Making) -> Result<(), String> {
        let snapshot = &making.snapshot;
        let copy = || fs::copy(snapshot.live(), snapshot.overlay()).map(drop);
        save(vm, &snapshot.state(), copy).map_err(|error| error.to_string())?;
        vm.copy_serial_log(&snapshot.console()).map_err(|error| error.to_string())?;
        making.keep(&self.image.dir).map_err(|error| error.to_string())
    }
}
