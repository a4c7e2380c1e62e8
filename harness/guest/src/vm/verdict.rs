// SPDX-License-Identifier: BSD-2-Clause
//! What has become of a running machine: its console, its control socket and QEMU's end, as one verdict.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::time::Duration;

use super::console::ConsoleEvent;
use super::machine::{LOOK, Vm};
use super::outcome::{GuestFailure, Watch};
use super::process::QemuExit;
use super::qmp::QmpEvent;
use super::wait::Wait;

/// Limit from the first line of a panic to the end of its backtrace.
const REPORT_LIMIT: Duration = Duration::from_secs(5);
/// Limit from there to the end of the debugger script's output: the stacks of all threads.
const LAST_WORDS_OF_DEBUGGER_LIMIT: Duration = Duration::from_secs(10);
/// Limit from a broken connection to the first line of the panic that broke it.
const LAST_WORDS_LIMIT: Duration = Duration::from_secs(2);
/// QEMU's run state after an instruction that the accelerator could not run (qapi's RunState).
const INTERNAL_ERROR: &str = "internal-error";
/// QEMU's run state after a write to the guest's disk that found no room.
const IO_ERROR: &str = "io-error";

impl Vm {
    /// Console and QEMU's state, as one verdict.
    fn verdict(&mut self) -> Option<GuestFailure> {
        let exit = self.qemu.exit();
        // Read after the exit was seen: then nothing can follow.
        if let Err(error) = self.read_console() {
            return Some(GuestFailure::BootFailed {
                reason: format!("{}: cannot read the serial log: {error}", self.serial_log().display()),
                console: Vec::new(),
            });
        }
        let (mut stopped, mut disk_error) = (false, None);
        if let Ok(events) = self.qmp.events() {
            for event in events {
                match event {
                    QmpEvent::Shutdown { by_guest, reason } => self.shutdown = Some((by_guest, reason)),
                    QmpEvent::Stop => stopped = true,
                    QmpEvent::DiskError { what, full } => disk_error = disk_error.or(Some((what, full))),
                    _ => {}
                }
            }
        }
        // First: whatever the guest says of its disk's end is not its own fault.
        disk_error
            .and_then(|(what, full)| self.disk_verdict(&what, full))
            .or_else(|| self.console_verdict(exit.is_some()))
            .or_else(|| exit.map(|exit| self.exit_verdict(exit)))
            .or_else(|| if stopped { self.stop_verdict() } else { None })
    }

    fn console_verdict(&mut self, ended: bool) -> Option<GuestFailure> {
        let has = |wanted: fn(&ConsoleEvent) -> bool| self.seen.iter().any(wanted);
        if has(|event| matches!(event, ConsoleEvent::Panicking { .. })) {
            if !ended {
                self.await_report();
                self.await_last_words();
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
            ConsoleEvent::StartUpFailed { step } => Some(boot_failed(&format!("`{step}` failed in it"))),
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

    /// A debugger in the kernel tells more, by its script, and then restarts or waits for a command; a kernel without
    /// one restarts at once.
    fn await_last_words(&mut self) {
        let deadline =
            Wait::new("the kernel's last words", LAST_WORDS_OF_DEBUGGER_LIMIT).begin(&self.patience);
        let over =
            |event: &ConsoleEvent| matches!(event, ConsoleEvent::Debugger | ConsoleEvent::AutomaticReboot);
        while !self.seen.iter().any(over)
            // From here the kernel restarts: whoever asks the debugger has asked before.
            && !self.console.last_words().contains("\nUptime: ")
            && self.qemu.exit().is_none()
            && deadline.pause(LOOK).is_ok()
            && self.read_console().is_ok()
        {}
        // What was printed between the last look and the end.
        drop(self.read_console());
    }

    /// Appends what the kernel said to the file that was asked for. Where that fails nothing is lost: it stands in the
    /// console's log too.
    fn keep_textdump(&self) -> io::Result<()> {
        let Some(path) = &self.textdump else { return Ok(()) };
        let words = self.console.last_words();
        if words.is_empty() {
            return Ok(());
        }
        OpenOptions::new().create(true).append(true).open(path)?.write_all(format!("{words}\n").as_bytes())
    }

    /// A machine that was paused over QMP goes on later; one that QEMU gave up does not.
    fn stop_verdict(&mut self) -> Option<GuestFailure> {
        let status = self.qmp.status().ok()?;
        match status.as_str() {
            INTERNAL_ERROR => Some(GuestFailure::ProcessorStopped { status, stderr: self.qemu.stderr() }),
            IO_ERROR => self.disk_verdict("its reason was not told", true),
            _ => None,
        }
    }

    /// An error of the disk that QEMU told of.
    fn disk_verdict(&self, what: &str, full: bool) -> Option<GuestFailure> {
        let what = format!("qemu could not serve the guest's disk ({what})");
        Some(GuestFailure::HostDisk(self.places.first()?.failed(what, full)))
    }

    fn exit_verdict(&self, exit: QemuExit) -> GuestFailure {
        let console = self.console.tail();
        match &self.shutdown {
            Some((true, reason)) if reason == "guest-reset" => GuestFailure::RebootLoop { console },
            Some((true, _)) => GuestFailure::PoweredOff { console },
            // Memory that is a file on a full disk ends QEMU with SIGBUS, without a word.
            _ => self
                .full_disk(&format!("qemu ended by itself ({exit})"))
                .unwrap_or_else(|| GuestFailure::QemuFailed { exit, stderr: self.qemu.stderr() }),
        }
    }
}

impl Watch for Vm {
    fn check(&mut self) -> Result<(), GuestFailure> {
        if self.failure.is_none() {
            self.failure = self.verdict();
            if matches!(self.failure, Some(GuestFailure::Panicked(_) | GuestFailure::Debugger { .. })) {
                drop(self.keep_textdump());
            }
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

    fn full_disk(&self, what: &str) -> Option<GuestFailure> {
        let place = self.places.iter().find(|place| place.is_full())?;
        Some(GuestFailure::HostDisk(place.failed(what.to_owned(), true)))
    }

    fn why_silent(&mut self, foreknown: bool) -> Option<GuestFailure> {
        let failure = self.diagnose_silence(foreknown)?;
        let unexplained = match &failure {
            GuestFailure::Hung(expired) => Some(expired.to_string()),
            GuestFailure::LostSsh { doing, .. } => Some(doing.clone()),
            _ => None,
        };
        unexplained.and_then(|what| self.full_disk(&what)).or(Some(failure))
    }
}
