// SPDX-License-Identifier: BSD-2-Clause
//! A running virtual machine.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::accel::AcceleratorKind;
use super::config::{AGENT_PORT, CommandLine, HostPort, VmConfig};
use super::console::{Console, ConsoleEvent};
use super::outcome::{GuestFailure, Watch};
use super::process::{QemuExit, Supervised};
use super::qmp::{Qmp, QmpError, QmpEvent};
use super::rundir::RunDir;
use super::serial::SerialLog;
use super::tools::Tools;
use super::wait::{Deadline, Patience, Wait};

/// The guest's sshd.
const SSH: u16 = 22;
/// Between two looks at the console.
const LOOK: Duration = Duration::from_millis(20);
/// QEMU opens its QMP socket before it loads anything.
const QMP_LIMIT: Duration = Duration::from_secs(15);
/// From the first line of a panic to the end of its backtrace.
const REPORT_LIMIT: Duration = Duration::from_secs(5);
/// From a broken connection to the first line of the panic that broke it.
const LAST_WORDS_LIMIT: Duration = Duration::from_secs(2);
/// QEMU's way from `quit` to its end: it may write back its caches.
const QUIT_LIMIT: Duration = Duration::from_secs(10);
/// From a closed control socket to the end of QEMU that closed it.
const END_LIMIT: Duration = Duration::from_secs(2);

/// QEMU's run state after an instruction that the accelerator could not run (qapi's RunState).
const INTERNAL_ERROR: &str = "internal-error";

/// Why a VM did not start.
#[derive(Debug, thiserror::Error)]
pub enum VmError {
    /// The run directory or the serial log cannot be written.
    #[error("cannot prepare a run directory: {0}")]
    Prepare(#[source] io::Error),
    /// The supervisor did not start.
    #[error("cannot start the supervisor: {0}")]
    Supervisor(#[source] io::Error),
    /// The port is taken.
    #[error("port {port} on 127.0.0.1 is taken; name another, or none to get a free one")]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// QEMU ended at once.
    #[error("qemu did not start ({exit}): {stderr}")]
    Qemu {
        /// How it ended.
        exit: QemuExit,
        /// Its words.
        stderr: String,
    },
    /// QEMU runs, but its control socket does not work.
    #[error(transparent)]
    Qmp(#[from] QmpError),
    /// QEMU runs, but does not tell the port that it forwards.
    #[error("qemu does not show the ssh forward in `info usernet`: {shown}")]
    NoForward {
        /// What it shows.
        shown: String,
    },
    /// A saved state was not loaded.
    #[error("the saved state was not loaded: {reason}")]
    State {
        /// QEMU's words.
        reason: String,
    },
    /// It took too long.
    #[error(transparent)]
    Wait(#[from] super::wait::WaitError),
}

/// A virtual machine. Dropping it kills QEMU and removes the run directory.
#[derive(Debug)]
pub struct Vm {
    // Dropped first: QEMU shall not see its control socket close before it is told to end.
    qemu: Supervised,
    qmp: Qmp,
    console: Console,
    serial: SerialLog,
    seen: Vec<ConsoleEvent>,
    failure: Option<GuestFailure>,
    shutdown: Option<(bool, String)>,
    ssh_port: Option<u16>,
    agent_port: Option<u16>,
    patience: Patience,
}

impl Vm {
    /// Starts QEMU and lets the guest run.
    ///
    /// # Errors
    /// See [`VmError`]; nothing is left behind.
    pub fn start(
        config: &VmConfig,
        accelerator: AcceleratorKind,
        tools: &Tools,
        patience: &Patience,
    ) -> Result<Self, VmError> {
        Self::launch(config, accelerator, tools, patience, &[], |_| Ok(()))
    }

    /// Starts QEMU with `more` arguments, has the stopped machine made ready, and lets the guest run.
    pub(super) fn launch(
        config: &VmConfig,
        accelerator: AcceleratorKind,
        tools: &Tools,
        patience: &Patience,
        more: &[&str],
        make_ready: impl FnOnce(&mut Qmp) -> Result<(), VmError>,
    ) -> Result<Self, VmError> {
        let run_dir = RunDir::create().map_err(VmError::Prepare)?;
        let log = config.kept_serial_log().map_or_else(|| run_dir.serial_log(), Path::to_owned);
        let serial = SerialLog::follow_from_end(&log).map_err(VmError::Prepare)?;
        let socket = run_dir.qmp_socket();
        let mut args =
            config.arguments(CommandLine { accelerator, qmp_socket: Some(&socket), serial_log: &log });
        args.extend(more.iter().map(Into::into));
        let qemu = Supervised::start(tools, run_dir, args).map_err(VmError::Supervisor)?;
        let deadline = Wait::new("qemu's control socket", QMP_LIMIT).begin(patience);
        let mut qmp = connect(&qemu, &socket, config.ssh_port(), &deadline)?;
        let (ssh_port, agent_port) = match config.ssh_port() {
            Some(_) => (Some(forwarded_port(&mut qmp, SSH)?), Some(forwarded_port(&mut qmp, AGENT_PORT)?)),
            None => (None, None),
        };
        make_ready(&mut qmp).map_err(|error| match error {
            // QEMU ends by itself when it cannot load a state, and says why on standard error.
            VmError::Qmp(QmpError::Closed) => match qemu.wait_exit(END_LIMIT) {
                Some(exit) => VmError::Qemu { exit, stderr: qemu.stderr() },
                None => VmError::Qmp(QmpError::Closed),
            },
            error => error,
        })?;
        qmp.cont()?;
        Ok(Self {
            qemu,
            qmp,
            console: Console::default(),
            serial,
            seen: Vec::new(),
            failure: None,
            shutdown: None,
            ssh_port,
            agent_port,
            patience: patience.clone(),
        })
    }

    /// The port on 127.0.0.1 that leads to the guest's sshd.
    pub fn ssh_port(&self) -> Option<u16> {
        self.ssh_port
    }

    /// The port on 127.0.0.1 that leads to an agent that stayed in the guest.
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

    pub(super) fn patience(&self) -> &Patience {
        &self.patience
    }

    /// Where sockets and logs of this VM are.
    pub fn run_dir(&self) -> PathBuf {
        self.qemu.run_dir().path().to_owned()
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
    pub fn wait_for(
        &mut self,
        wait: &Wait,
        wanted: impl Fn(&ConsoleEvent) -> bool,
    ) -> Result<ConsoleEvent, GuestFailure> {
        let deadline = wait.begin(&self.patience);
        loop {
            // The order matters: what was said before death still counts.
            let alive = self.check();
            if let Some(event) = self.seen.iter().find(|event| wanted(event)) {
                return Ok(event.clone());
            }
            alive?;
            self.pause(&deadline)?;
        }
    }

    /// Waits until QEMU has ended by itself, as after a guest's `shutdown -p`. Console and events are read
    /// to their end.
    ///
    /// # Errors
    /// The wait's limit was reached.
    pub fn wait_exit(&mut self, wait: &Wait) -> Result<QemuExit, GuestFailure> {
        let deadline = wait.begin(&self.patience);
        loop {
            if let Some(exit) = self.qemu.exit() {
                // Only for what it reads: that the guest is dead is what was waited for.
                drop(self.check());
                return Ok(exit);
            }
            drop(self.check());
            self.pause(&deadline)?;
        }
    }

    /// Ends QEMU in order: its block layer writes back, the log is complete. Dropping does without.
    ///
    /// # Errors
    /// QEMU did not answer; it is killed all the same.
    pub fn quit(mut self) -> Result<QemuExit, VmError> {
        if let Some(exit) = self.qemu.exit() {
            return Ok(exit);
        }
        self.qmp.quit()?;
        let wait = Wait::new("qemu's end", QUIT_LIMIT).begin(&self.patience);
        self.qemu
            .wait_exit(wait.check()?)
            .ok_or_else(|| QmpError::Timeout { command: "quit".into(), limit: QUIT_LIMIT }.into())
    }

    fn pause(&self, deadline: &Deadline) -> Result<(), GuestFailure> {
        deadline.pause(LOOK).map_err(|error| error.with_console(self.console.tail()).into())
    }

    fn read_console(&mut self) -> io::Result<()> {
        loop {
            let bytes = self.serial.read_new()?;
            if bytes.is_empty() {
                return Ok(());
            }
            self.seen.extend(self.console.push(&bytes));
        }
    }

    /// Console and QEMU's state, as one verdict.
    fn verdict(&mut self) -> Option<GuestFailure> {
        let exit = self.qemu.exit();
        // Read after the exit was seen: then nothing can follow.
        if let Err(error) = self.read_console() {
            return Some(GuestFailure::BootFailed {
                reason: format!("{}: cannot read the serial log: {error}", self.serial.path().display()),
                console: Vec::new(),
            });
        }
        let mut stopped = false;
        if let Ok(events) = self.qmp.events() {
            for event in events {
                match event {
                    QmpEvent::Shutdown { by_guest, reason } => self.shutdown = Some((by_guest, reason)),
                    QmpEvent::Stop => stopped = true,
                    _ => {}
                }
            }
        }
        self.console_verdict(exit.is_some())
            .or_else(|| exit.map(|exit| self.exit_verdict(exit)))
            .or_else(|| if stopped { self.stop_verdict() } else { None })
    }

    fn console_verdict(&mut self, ended: bool) -> Option<GuestFailure> {
        let has = |wanted: fn(&ConsoleEvent) -> bool| self.seen.iter().any(wanted);
        if has(|event| matches!(event, ConsoleEvent::Panicking { .. })) {
            if !ended && !has(|event| matches!(event, ConsoleEvent::Panicked(_))) {
                self.await_report();
            }
            let panic = self.console.panic().cloned().unwrap_or_default();
            return Some(GuestFailure::Panicked(Box::new(panic)));
        }
        let console = || self.console.tail();
        let boot_failed =
            |reason: &str| GuestFailure::BootFailed { reason: reason.into(), console: console() };
        self.seen.iter().find_map(|event| match event {
            ConsoleEvent::Debugger => Some(GuestFailure::Debugger { console: console() }),
            ConsoleEvent::RebootLoop => Some(GuestFailure::RebootLoop { console: console() }),
            ConsoleEvent::LoaderPrompt => Some(boot_failed("the loader stopped at its prompt")),
            ConsoleEvent::MountRoot => Some(boot_failed("the kernel found no root file system")),
            ConsoleEvent::SingleUser => Some(boot_failed("/etc/rc failed, init asks for a shell")),
            _ => None,
        })
    }

    /// The backtrace follows the panic within moments.
    fn await_report(&mut self) {
        let deadline = Wait::new("the panic's backtrace", REPORT_LIMIT).begin(&self.patience);
        while !self.seen.iter().any(|event| matches!(event, ConsoleEvent::Panicked(_)))
            && self.qemu.exit().is_none()
            && deadline.pause(LOOK).is_ok()
            && self.read_console().is_ok()
        {}
    }

    /// A machine that was paused over QMP goes on later; one that QEMU gave up does not.
    fn stop_verdict(&mut self) -> Option<GuestFailure> {
        let status = self.qmp.status().ok()?;
        (status == INTERNAL_ERROR)
            .then(|| GuestFailure::ProcessorStopped { status, stderr: self.qemu.stderr() })
    }

    fn exit_verdict(&self, exit: QemuExit) -> GuestFailure {
        let console = self.console.tail();
        match &self.shutdown {
            Some((true, reason)) if reason == "guest-reset" => GuestFailure::RebootLoop { console },
            Some((true, _)) => GuestFailure::PoweredOff { console },
            _ => GuestFailure::QemuFailed { exit, stderr: self.qemu.stderr() },
        }
    }
}

impl Watch for Vm {
    fn check(&mut self) -> Result<(), GuestFailure> {
        if self.failure.is_none() {
            self.failure = self.verdict();
        }
        self.failure.clone().map_or(Ok(()), Err)
    }

    fn cause_of_death(&mut self) -> Option<GuestFailure> {
        let deadline = Wait::new("the guest's last words", LAST_WORDS_LIMIT).begin(&self.patience);
        loop {
            if let Err(failure) = self.check() {
                return Some(failure);
            }
            deadline.pause(LOOK).ok()?;
        }
    }

    fn console_tail(&self) -> Vec<String> {
        self.console.tail()
    }

    fn why_silent(&mut self) -> Option<GuestFailure> {
        self.diagnose_silence()
    }
}

/// Connects as soon as QEMU listens, or finds out why it never will.
fn connect(
    qemu: &Supervised,
    socket: &Path,
    port: Option<HostPort>,
    deadline: &Deadline,
) -> Result<Qmp, VmError> {
    loop {
        let exit = qemu.exit();
        match Qmp::connect(socket) {
            Ok(qmp) => return Ok(qmp),
            Err(QmpError::Io(error))
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {}
            // QEMU opens the socket first and may then find that something else is wrong.
            Err(QmpError::Closed) => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(exit) = exit {
            let stderr = qemu.stderr();
            return Err(match port {
                Some(HostPort::Fixed(port)) if stderr.contains("Could not set up host forwarding rule") => {
                    VmError::PortTaken { port }
                }
                _ => VmError::Qemu { exit, stderr },
            });
        }
        deadline.pause(LOOK)?;
    }
}

/// The port that the host's kernel picked, from lines such as
/// `  TCP[HOST_FORWARD]   3       127.0.0.1 44089       10.0.2.15    22     0     0`.
fn forwarded_port(qmp: &mut Qmp, guest: u16) -> Result<u16, VmError> {
    let shown = qmp.human("info usernet", QMP_LIMIT)?;
    parse_forward(&shown, guest).ok_or(VmError::NoForward { shown })
}

/// The host's port of the forward to this port of the guest.
fn parse_forward(shown: &str, guest: u16) -> Option<u16> {
    let forwards = shown.lines().filter(|line| line.trim_start().starts_with("TCP[HOST_FORWARD]"));
    forwards.map(|line| line.split_whitespace().collect::<Vec<_>>()).find_map(|words| {
        let to = words.get(5)?.parse::<u16>().ok()?;
        (to == guest).then(|| words.get(3)?.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forwarded_port_is_read_from_the_monitor() {
        let shown = "Hub -1 (net0):\r\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ \
                     SendQ\r\n  TCP[HOST_FORWARD]   3       127.0.0.1 44089       10.0.2.15    22     0     0\r\n";
        assert_eq!(parse_forward(shown, SSH), Some(44089));
        assert_eq!(parse_forward(shown, AGENT_PORT), None);
        assert_eq!(parse_forward("Hub -1 (net0):\r\n", SSH), None);
    }
}
