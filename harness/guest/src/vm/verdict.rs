// SPDX-License-Identifier: BSD-2-Clause
//! What has become of a running machine: its console, its control socket and QEMU's end, as one verdict.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::time::Duration;

use super::console::ConsoleEvent;
use super::machine::Vm;
use super::outcome::{GuestFailure, Watch};
use super::process::QemuExit;
use super::qmp_event::QmpEvent;
use super::stated_hang::StatedHang;
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
    async fn verdict(&mut self) -> Option<GuestFailure> {
        let exit = self.qemu.look();
        // Read after the exit was seen: then nothing can follow.
        if let Err(error) = self.read_console() {
            return Some(GuestFailure::BootFailed {
                reason: format!("{}: cannot read the serial log: {error}", self.serial_log().display()),
                console: Vec::new(),
            });
        }
        let mut disk_error = None;
        for event in self.qmp.events() {
            match event {
                QmpEvent::Shutdown { by_guest, reason } => self.shutdown = Some((by_guest, reason)),
                QmpEvent::Stop => self.stopped = true,
                QmpEvent::DiskError { what, full } => disk_error = disk_error.or(Some((what, full))),
                _ => {}
            }
        }
        // First: whatever the guest says of its disk's end is not its own fault.
        if let Some(failure) = disk_error.and_then(|(what, full)| self.disk_verdict(&what, full)) {
            return Some(failure);
        }
        if let Some(failure) = self.console_verdict(exit.is_some()).await {
            return Some(failure);
        }
        match exit {
            Some(exit) => Some(self.exit_verdict(exit)),
            None if self.stopped => self.stop_verdict().await,
            None => None,
        }
    }

    async fn console_verdict(&mut self, ended: bool) -> Option<GuestFailure> {
        let has = |wanted: fn(&ConsoleEvent) -> bool| self.seen.iter().any(wanted);
        if has(|event| matches!(event, ConsoleEvent::Panicking { .. })) {
            if !ended {
                self.await_report().await;
                self.await_last_words().await;
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
    async fn await_report(&mut self) {
        let wait = Wait::new("the panic's backtrace", REPORT_LIMIT);
        let over = |vm: &Self| vm.seen.iter().any(|event| matches!(event, ConsoleEvent::Panicked(_)));
        self.listen_until(&wait, over).await;
    }

    /// A debugger in the kernel tells more, by its script, and then restarts or waits for a command; a kernel without
    /// one restarts at once.
    async fn await_last_words(&mut self) {
        let wait = Wait::new("the kernel's last words", LAST_WORDS_OF_DEBUGGER_LIMIT);
        let ends =
            |event: &ConsoleEvent| matches!(event, ConsoleEvent::Debugger | ConsoleEvent::AutomaticReboot);
        // With its uptime the kernel restarts: whoever asks the debugger has asked before.
        let over = |vm: &Self| vm.seen.iter().any(ends) || vm.console.last_words().contains("\nUptime: ");
        self.listen_until(&wait, over).await;
        // What was printed between the last look and the end.
        drop(self.read_console());
    }

    /// Reads the console until that is over, QEMU has ended or nothing more can be had.
    async fn listen_until(&mut self, wait: &Wait, over: impl Fn(&Self) -> bool) {
        let deadline = wait.begin(&self.patience);
        while !over(self)
            && self.qemu.look().is_none()
            && deadline.bound(self.changed()).await.is_ok()
            && self.read_console().is_ok()
        {}
    }

    /// Appends what is known of a lost kernel to the file that was asked for, if one was: its own words, or what was read from
    /// its memory.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep_textdump(&self, words: &str) -> io::Result<()> {
        let Some(path) = &self.textdump else { return Ok(()) };
        if words.is_empty() {
            return Ok(());
        }
        OpenOptions::new().create(true).append(true).open(path)?.write_all(format!("{words}\n").as_bytes())
    }

    /// A machine that was paused over QMP goes on later; one that QEMU gave up does not.
    async fn stop_verdict(&mut self) -> Option<GuestFailure> {
        let status = self.qmp.status().await;
        // Not before: whoever gives up waiting for QEMU's answer asks again.
        self.stopped = false;
        let status = status.ok()?;
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
    async fn check(&mut self) -> Result<(), GuestFailure> {
        if self.failure.is_none() {
            self.failure = self.verdict().await;
            if matches!(self.failure, Some(GuestFailure::Panicked(_) | GuestFailure::Debugger { .. })) {
                // Where that fails nothing is lost: it stands in the console's log too.
                drop(self.keep_textdump(self.console.last_words()));
            }
        }
        self.failure.clone().map_or(Ok(()), Err)
    }

    async fn changed(&mut self) {
        tokio::select! {
            () = self.qemu.changed() => {}
            () = self.qmp.event_came() => {}
            () = self.serial.grown() => {}
        }
    }

    async fn cause_of_death(&mut self) -> Option<GuestFailure> {
        let deadline = Wait::new("the guest's last words", LAST_WORDS_LIMIT).begin(&self.patience);
        deadline.bound(self.death()).await.ok()
    }

    fn console_tail(&self) -> Vec<String> {
        self.console.tail()
    }

    fn full_disk(&self, what: &str) -> Option<GuestFailure> {
        let place = self.places.iter().find(|place| place.is_full())?;
        Some(GuestFailure::HostDisk(place.failed(what.to_owned(), true)))
    }

    async fn why_silent(&mut self, stated: Option<&StatedHang>) -> Option<GuestFailure> {
        let failure = self.diagnose_silence(stated).await?;
        let unexplained = match &failure {
            GuestFailure::Hung(expired) => Some(expired.to_string()),
            GuestFailure::LostSsh { doing, .. } => Some(doing.clone()),
            _ => None,
        };
        unexplained.and_then(|what| self.full_disk(&what)).or(Some(failure))
    }
}
