// SPDX-License-Identifier: BSD-2-Clause
//! A guest in a developer's hands: logged in to, held up, under a debugger.

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;
use tokio::time::timeout;

use super::guest_target::FreebsdTarget;
use crate::guest::{Collected, CopyError, CopyIn, CopyOut, ExecStatus, Login, Output, SshError, Stdin};
use crate::targets::TargetError;
use crate::vm::{GuestFailure, Wait, Watch as _};

/// Limit for ssh(1) to restore the terminal when it is asked to end.
const END_LIMIT: Duration = Duration::from_secs(2);
/// Exit code of ssh(1) when it has lost its connection; a command may have the same.
const SSH_FAILED: i32 = 255;
/// Limit for QEMU to open a socket.
const GDB_LIMIT: Duration = Duration::from_secs(5);

impl FreebsdTarget {
    /// How to log in.
    ///
    /// # Errors
    /// The guest has no port, or its key cannot be written beside its sockets.
    pub fn login(&self) -> Result<Login, TargetError> {
        let lost = |reason: String| TargetError::Lost(reason);
        let port = self.vm.ssh_port().ok_or_else(|| lost("qemu named no port for ssh".into()))?;
        let directory = self.vm.run_dir();
        let login = self
            .keys
            .client_file(&directory)
            .and_then(|key| Login::new(port, key, self.keys.host_line(), &directory));
        login.map_err(|error| lost(format!("{}: {error}", directory.display())))
    }

    /// Opens QEMU's gdb stub. The guest runs until a debugger attaches. The path of its socket.
    ///
    /// # Errors
    /// QEMU does not open it.
    pub fn open_gdb_stub(&mut self) -> Result<PathBuf, TargetError> {
        let socket = self.vm.run_dir().join("gdb");
        let device = format!("gdbserver unix:{},server=on,wait=off", socket.display());
        let said = self.tasks.drive(self.vm.qmp().human(&device, GDB_LIMIT));
        let said = said.map_err(|error| TargetError::Lost(error.to_string()))?;
        if socket.exists() {
            return Ok(socket);
        }
        Err(TargetError::Lost(format!("qemu opened no gdb stub: {}", said.trim())))
    }

    /// Holds the guest until it ends or the user interrupts.
    ///
    /// # Errors
    /// How the guest ended. That the user interrupted is no error: it is how holding ends.
    pub fn hold(&mut self) -> Result<(), TargetError> {
        let failure = self.tasks.drive(async {
            tokio::select! {
                biased;
                () = self.tasks.cancel().cancelled() => None,
                failure = self.vm.death() => Some(failure),
            }
        });
        match failure {
            None | Some(GuestFailure::Interrupted { .. }) => Ok(()),
            Some(failure) => Err(self.lost_by(failure)),
        }
    }

    /// Runs a command (a line for the guest's login shell) for as long as it takes; `on_output` gets what it says as it
    /// comes, and may end it by breaking. `None`: it did.
    ///
    /// # Errors
    /// The guest was lost, the connection broke, or the user interrupted.
    pub fn pass(
        &mut self,
        command: &str,
        stdin: &mut impl Stdin,
        on_output: &mut dyn FnMut(Output<'_>) -> ControlFlow<()>,
    ) -> Result<Option<ExecStatus>, TargetError> {
        // A person decides how long.
        let wait = Wait::new("the end of the command", Duration::MAX);
        let run = self.tasks.drive(async {
            self.link.ssh(&mut self.vm).await?.exec(command, stdin, &wait, &mut self.vm, on_output).await
        });
        match run {
            Ok(status) => Ok(Some(status)),
            Err(SshError::Stopped { .. }) => Ok(None),
            Err(SshError::Input(error)) => Err(TargetError::Copy(format!("standard input: {error}"))),
            Err(error) => Err(self.lost(error)),
        }
    }

    /// Runs an ssh(1) that a person uses. It is ended when the guest is lost or the user interrupts. The inner error says
    /// why it did not start.
    ///
    /// # Errors
    /// The guest was lost, or can no longer be reached, or the user interrupted.
    pub fn attend(&mut self, ssh: Command) -> Result<io::Result<ExitStatus>, TargetError> {
        let unknown = |error: io::Error| TargetError::Lost(format!("ssh cannot be waited for: {error}"));
        let ended = self.tasks.drive(async {
            let mut child = match tokio::process::Command::from(ssh).spawn() {
                Ok(child) => child,
                Err(error) => return Ended::NotStarted(error),
            };
            let failure = tokio::select! {
                biased;
                status = child.wait() => return Ended::Itself(status),
                failure = self.vm.death() => Some(failure),
                () = self.tasks.cancel().cancelled() => None,
            };
            end(&mut child).await;
            failure.map_or(Ended::ByUser, Ended::WithGuest)
        });
        match ended {
            Ended::NotStarted(error) => Ok(Err(error)),
            Ended::Itself(status) => self.ended(status.map_err(unknown)?).map(Ok),
            Ended::WithGuest(failure) => Err(self.lost_by(failure)),
            Ended::ByUser => Err(TargetError::Interrupted),
        }
    }

    /// Whether an ssh(1) that has ended did so because of its guest.
    fn ended(&mut self, status: ExitStatus) -> Result<ExitStatus, TargetError> {
        if self.tasks.is_cancelled() {
            return Err(TargetError::Interrupted);
        }
        if status.code() == Some(SSH_FAILED) {
            if let Some(failure) = self.tasks.drive(self.vm.cause_of_death()) {
                return Err(self.lost_by(failure));
            }
            // A shell may exit like that; a guest that lives can be reached.
            self.link.disconnect();
            if let Err(error) = self.tasks.drive(self.link.ssh(&mut self.vm)).map(drop) {
                return Err(self.lost(error));
            }
        }
        Ok(status)
    }

    /// Puts a file or directory into the guest. Its path there.
    ///
    /// # Errors
    /// It could not be copied, or the guest was lost.
    pub fn put(&mut self, copy: &CopyIn) -> Result<String, TargetError> {
        let put =
            self.tasks.drive(async { self.link.ssh(&mut self.vm).await?.put(copy, &mut self.vm).await });
        put.map_err(|error| self.not_copied(error))
    }

    /// Brings a file or directory out of the guest.
    ///
    /// # Errors
    /// It could not be copied, or the guest was lost.
    pub fn get(&mut self, copy: &CopyOut) -> Result<Collected, TargetError> {
        let got =
            self.tasks.drive(async { self.link.ssh(&mut self.vm).await?.get(copy, &mut self.vm).await });
        got.map_err(|error| self.not_copied(error))
    }

    fn not_copied(&mut self, error: CopyError) -> TargetError {
        match error {
            CopyError::Ssh(error) => self.lost(error),
            error => TargetError::Copy(error.to_string()),
        }
    }

    /// The last lines of the guest's console.
    pub fn last_lines(&self) -> Vec<String> {
        self.vm.console_tail()
    }
}

/// How an ssh(1) ended.
enum Ended {
    NotStarted(io::Error),
    Itself(io::Result<ExitStatus>),
    WithGuest(GuestFailure),
    ByUser,
}

/// Asks a program to end, and ends it if it does not.
async fn end(program: &mut Child) {
    // Errors mean that it has ended.
    if let Some(pid) = program.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)) {
        kill_process(pid, Signal::TERM).ok();
    }
    if timeout(END_LIMIT, program.wait()).await.is_err() {
        program.kill().await.ok();
    }
}
