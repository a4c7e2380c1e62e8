// SPDX-License-Identifier: BSD-2-Clause
//! A running virtual machine.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::net::UnixListener;
use tokio::time::timeout;

use super::accelerator_kind::AcceleratorKind;
use super::arguments::CommandLine;
use super::config::{AGENT_PORT, VmConfig};
use super::console::{Console, ConsoleEvent};
use super::control::{QMP_LIMIT, accept, forwarded_ports};
use super::disk::DiskWrites;
use super::error::VmError;
use super::hostdisk::{Place, overlay_directory};
use super::outcome::{GuestFailure, Watch as _};
use super::process::{QemuExit, Supervised};
use super::qmp::{Qmp, QmpError};
use super::rundir::RunDir;
use super::serial::SerialLog;
use super::tools::Tools;
use super::wait::{Deadline, Patience, Wait, WaitError};

/// The guest's sshd.
const SSH: u16 = 22;
/// Limit from `quit` to QEMU's end: QEMU may write back its caches.
const QUIT_LIMIT: Duration = Duration::from_secs(10);
/// Limit from a closed control socket to the end of the QEMU that closed it.
const END_LIMIT: Duration = Duration::from_secs(2);

/// A virtual machine. Dropping it kills QEMU and removes the run directory.
#[derive(Debug)]
pub struct Vm {
    // Dropped first: QEMU shall not see its control socket close before it is told to end.
    pub(super) qemu: Supervised,
    pub(super) qmp: Qmp,
    pub(super) console: Console,
    pub(super) serial: SerialLog,
    pub(super) textdump: Option<PathBuf>,
    pub(super) seen: Vec<ConsoleEvent>,
    pub(super) failure: Option<GuestFailure>,
    pub(super) shutdown: Option<(bool, String)>,
    /// Whether the virtual CPUs were stopped and nobody has asked why.
    pub(super) stopped: bool,
    ssh_port: Option<u16>,
    agent_port: Option<u16>,
    pub(super) patience: Patience,
    /// Where on this machine QEMU writes.
    pub(super) places: Vec<Place>,
    launched: Launched,
}

/// The time until a guest runs, part by part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Launched {
    /// Files, processes and QEMU's own start, until QEMU calls on its control socket.
    pub process: Duration,
    /// Devices, memory and firmware, until QEMU answers.
    pub set_up: Duration,
    /// A saved state is loaded; without one, next to nothing.
    pub state: Duration,
}

impl Vm {
    /// Starts QEMU and lets the guest run. Within a runtime, whose tasks the machine's are.
    ///
    /// # Errors
    /// See [`VmError`]; nothing is left behind.
    pub async fn start(
        config: &VmConfig,
        accelerator: AcceleratorKind,
        tools: &Tools,
        patience: &Patience,
    ) -> Result<Self, VmError> {
        Self::launch(config, accelerator, tools, patience, &[], async |_, _| Ok(())).await
    }

    /// Starts QEMU with `more` arguments, has the stopped machine made ready, and lets the guest run.
    pub(super) async fn launch(
        config: &VmConfig,
        accelerator: AcceleratorKind,
        tools: &Tools,
        patience: &Patience,
        more: &[&str],
        make_ready: impl AsyncFnOnce(&mut Qmp, &RunDir) -> Result<(), VmError>,
    ) -> Result<Self, VmError> {
        let began = Instant::now();
        let run_dir = match config.boot_disk() {
            // The copy is in it, which grows with the guest's writes.
            Some(disk) if disk.is_shared_overlay() => RunDir::create_below(Some(overlay_directory())),
            _ => RunDir::create(),
        };
        let run_dir = run_dir.map_err(VmError::Prepare)?;
        let own = |config: &VmConfig| config.with_seed_in(run_dir.path())?.with_overlay_in(run_dir.path());
        let config = &own(config).map_err(VmError::Prepare)?;
        let log = config.kept_serial_log().map_or_else(|| run_dir.serial_log(), Path::to_owned);
        let serial = SerialLog::follow_from_end(&log).map_err(VmError::Prepare)?;
        let socket = run_dir.qmp_socket();
        let mut args =
            config.arguments(CommandLine { accelerator, qmp_socket: Some(&socket), serial_log: &log });
        args.extend(more.iter().map(Into::into));
        let listener = UnixListener::bind(&socket).map_err(VmError::Prepare)?;
        let qemu = Supervised::start(tools, run_dir, args).map_err(VmError::Supervisor)?;
        let deadline = Wait::new("qemu's control socket", QMP_LIMIT).begin(patience);
        let (called, mut qmp) = accept(&qemu, &listener, config.ssh_port(), &deadline).await?;
        let (ssh_port, agent_port) = match config.ssh_port() {
            Some(_) => {
                let [ssh, agent] = forwarded_ports(&mut qmp, [SSH, AGENT_PORT]).await?;
                (Some(ssh), Some(agent))
            }
            None => (None, None),
        };
        let answered = Instant::now();
        match make_ready(&mut qmp, qemu.run_dir()).await {
            // QEMU ends by itself when it cannot load a state, and says why on standard error.
            Err(VmError::Qmp(QmpError::Closed)) => {
                return Err(match timeout(END_LIMIT, qemu.ended()).await {
                    Ok(exit) => VmError::Qemu { exit, stderr: qemu.stderr() },
                    Err(_) => VmError::Qmp(QmpError::Closed),
                });
            }
            other => other?,
        }
        qmp.cont().await?;
        if let Some(disk) = config.boot_disk().filter(|disk| disk.writes == DiskWrites::Scratch) {
            // QEMU has it open for good once it runs, and its room is free as soon as QEMU has ended, whoever ends it.
            drop(fs::remove_file(&disk.path));
        }
        let launched =
            Launched { process: called - began, set_up: answered - called, state: answered.elapsed() };
        Ok(Self {
            qemu,
            qmp,
            console: Console::default(),
            serial,
            textdump: config.kept_textdump().map(Path::to_owned),
            seen: Vec::new(),
            failure: None,
            shutdown: None,
            stopped: false,
            ssh_port,
            agent_port,
            patience: patience.clone(),
            places: Place::all(config, &log),
            launched,
        })
    }

    /// The port on 127.0.0.1 that leads to the guest's sshd.
    pub fn ssh_port(&self) -> Option<u16> {
        self.ssh_port
    }

    /// The port on 127.0.0.1 that leads to an agent listening in the guest.
    pub fn agent_port(&self) -> Option<u16> {
        self.agent_port
    }

    /// The control socket.
    pub fn qmp(&mut self) -> &mut Qmp {
        &mut self.qmp
    }

    /// The serial log; gone with the VM unless [`VmConfig::serial_log`] says where to keep it.
    pub fn serial_log(&self) -> &Path {
        self.serial.path()
    }

    /// Copies the serial log so far.
    ///
    /// # Errors
    /// The copy cannot be written.
    pub fn copy_serial_log(&self, to: &Path) -> io::Result<u64> {
        match fs::copy(self.serial.path(), to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::write(to, "").map(|()| 0),
            other => other,
        }
    }

    /// What the kernel said as it died, or when it stopped in its debugger; empty if it did neither.
    pub fn last_words(&self) -> &str {
        self.console.last_words()
    }

    pub(super) fn patience(&self) -> &Patience {
        &self.patience
    }

    /// Where sockets and logs of this VM are.
    pub fn run_dir(&self) -> PathBuf {
        self.qemu.run_dir().path().to_owned()
    }

    /// The time that its start took.
    pub fn launched(&self) -> Launched {
        self.launched
    }

    /// QEMU's process id.
    pub fn pid(&self) -> Option<u32> {
        self.qemu.pid()
    }

    /// How QEMU ended, if it has.
    pub fn exit(&self) -> Option<QemuExit> {
        self.qemu.exit()
    }

    /// What the console has said so far.
    ///
    /// # Errors
    /// The serial log cannot be read.
    pub fn console_events(&mut self) -> io::Result<&[ConsoleEvent]> {
        self.read_console()?;
        Ok(&self.seen)
    }

    /// Waits until the console says something that `wanted` accepts; what it has said already counts.
    ///
    /// # Errors
    /// The guest died, or the wait's limit was reached.
    pub async fn wait_for(
        &mut self,
        wait: &Wait,
        wanted: impl Fn(&ConsoleEvent) -> bool,
    ) -> Result<ConsoleEvent, GuestFailure> {
        let deadline = wait.begin(&self.patience);
        loop {
            // The order matters: what was said before death still counts.
            let alive = self.check().await;
            if let Some(event) = self.seen.iter().find(|event| wanted(event)) {
                return Ok(event.clone());
            }
            alive?;
            self.pause(&deadline).await?;
        }
    }

    /// Waits until QEMU has ended by itself, as after a guest's `shutdown -p`. Console and events are read
    /// to their end.
    ///
    /// # Errors
    /// The wait's limit was reached.
    pub async fn wait_exit(&mut self, wait: &Wait) -> Result<QemuExit, GuestFailure> {
        let deadline = wait.begin(&self.patience);
        loop {
            if let Some(exit) = self.qemu.exit() {
                // Only for what it reads: that the guest is dead is what was waited for.
                drop(self.check().await);
                return Ok(exit);
            }
            drop(self.check().await);
            self.pause(&deadline).await?;
        }
    }

    /// Ends QEMU in order: its block layer writes back, the log is complete. Dropping does without.
    ///
    /// # Errors
    /// QEMU did not answer; it is killed all the same.
    pub async fn quit(mut self) -> Result<QemuExit, VmError> {
        if let Some(exit) = self.qemu.exit() {
            return Ok(exit);
        }
        self.qmp.quit().await?;
        let wait = Wait::new("qemu's end", QUIT_LIMIT).begin(&self.patience);
        wait.bound(self.qemu.ended()).await.map_err(|error| match error {
            WaitError::Expired(_) => QmpError::Timeout { command: "quit".into(), limit: QUIT_LIMIT }.into(),
            error => error.into(),
        })
    }

    /// Waits until there may be something new to see.
    async fn pause(&mut self, deadline: &Deadline) -> Result<(), GuestFailure> {
        deadline.bound(self.changed()).await.map_err(|error| {
            match &error {
                WaitError::Expired(expired) => self.full_disk(&expired.to_string()),
                WaitError::Interrupted { .. } => None,
            }
            .unwrap_or_else(|| error.with_console(self.console.tail()).into())
        })
    }

    pub(super) fn read_console(&mut self) -> io::Result<()> {
        loop {
            let bytes = self.serial.read_new()?;
            if bytes.is_empty() {
                return Ok(());
            }
            self.seen.extend(self.console.push(&bytes));
        }
    }
}
