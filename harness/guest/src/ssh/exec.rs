// SPDX-License-Identifier: BSD-2-Clause
//! Commands over ssh, with both directions streamed.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::ops::ControlFlow;

use ssh2::Channel;

use super::error::SshError;
use super::input::Stdin;
use super::session::{Ssh, io_would_block, lost};
use crate::vm::{Deadline, Wait, Watch};

/// Bytes read and written at a time. libssh2's own packets hold 32 KiB.
const CHUNK: usize = 32 * 1024;

/// A piece of what a command says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output<'a> {
    /// On standard output.
    Stdout(&'a [u8]),
    /// On standard error.
    Stderr(&'a [u8]),
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecStatus {
    /// The command exited.
    Code(i32),
    /// A signal killed the command (its name without `SIG`, as ssh names it).
    Signal(String),
}

impl ExecStatus {
    /// Exit status 0.
    pub fn is_success(&self) -> bool {
        *self == Self::Code(0)
    }
}

impl fmt::Display for ExecStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(name) => write!(f, "signal {name}"),
        }
    }
}

/// All that a short command said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecOutput {
    /// How it ended.
    pub status: ExecStatus,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

impl Ssh {
    /// Runs a command (a line for the user's login shell). `stdin` is read to its end. Output goes to `on_output` as it
    /// comes, which may end the command by breaking.
    ///
    /// # Errors
    /// See [`SshError`]. A status other than 0 is none.
    pub async fn exec(
        &self,
        command: &str,
        stdin: &mut impl Stdin,
        wait: &Wait,
        watch: &mut impl Watch,
        on_output: &mut dyn FnMut(Output<'_>) -> ControlFlow<()>,
    ) -> Result<ExecStatus, SshError> {
        self.exec_before(command, stdin, &wait.begin(&self.patience), watch, on_output).await
    }

    /// Runs a command without input and collects its output.
    ///
    /// # Errors
    /// See [`SshError`]. A status other than 0 is none.
    pub async fn run(
        &self,
        command: &str,
        wait: &Wait,
        watch: &mut impl Watch,
    ) -> Result<ExecOutput, SshError> {
        self.run_before(command, &mut io::empty(), &wait.begin(&self.patience), watch).await
    }

    /// The same, with input.
    ///
    /// # Errors
    /// See [`SshError`]. A status other than 0 is none.
    pub async fn run_with(
        &self,
        command: &str,
        stdin: &mut impl Stdin,
        wait: &Wait,
        watch: &mut impl Watch,
    ) -> Result<ExecOutput, SshError> {
        self.run_before(command, stdin, &wait.begin(&self.patience), watch).await
    }

    pub(super) async fn run_before(
        &self,
        command: &str,
        stdin: &mut impl Stdin,
        deadline: &Deadline,
        watch: &mut impl Watch,
    ) -> Result<ExecOutput, SshError> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let mut collect = |output: Output<'_>| {
            match output {
                Output::Stdout(bytes) => stdout.extend_from_slice(bytes),
                Output::Stderr(bytes) => stderr.extend_from_slice(bytes),
            }
            ControlFlow::Continue(())
        };
        let status = self.exec_before(command, stdin, deadline, watch, &mut collect).await?;
        Ok(ExecOutput { status, stdout, stderr })
    }

    pub(super) async fn exec_before(
        &self,
        command: &str,
        stdin: &mut impl Stdin,
        deadline: &Deadline,
        watch: &mut impl Watch,
        on_output: &mut dyn FnMut(Output<'_>) -> ControlFlow<()>,
    ) -> Result<ExecStatus, SshError> {
        let doing = format!("running `{}`", command.chars().take(60).collect::<String>());
        let wire = &self.wire;
        let mut channel =
            wire.drive("opening a channel", deadline, watch, |session| session.channel_session()).await?;
        wire.drive(&doing, deadline, watch, |_| channel.exec(command)).await?;

        let mut input = Input::new(stdin);
        let mut error_stream = channel.stderr();
        let mut buffer = vec![0; CHUNK];
        loop {
            let mut progress = match input.pump(&mut channel) {
                Ok(progress) => progress,
                Err(Pump::Input(error)) => return Err(SshError::Input(error)),
                Err(Pump::Channel(error)) => return Err(lost(&doing, &error, watch).await),
            };
            for stdout in [true, false] {
                let read = if stdout { channel.read(&mut buffer) } else { error_stream.read(&mut buffer) };
                let bytes = match read {
                    Ok(n) => &buffer[..n],
                    Err(error) if io_would_block(&error) => &[],
                    Err(error) => return Err(lost(&doing, &error, watch).await),
                };
                if bytes.is_empty() {
                    continue;
                }
                progress = true;
                let output = if stdout { Output::Stdout(bytes) } else { Output::Stderr(bytes) };
                if on_output(output).is_break() {
                    return Err(SshError::Stopped { doing });
                }
            }
            if progress {
                // A command that talks without end must not talk past its limit.
                check(deadline, watch)?;
            } else if channel.read_window().available > 0 {
                // Reading one stream has brought something of the other.
            } else if channel.eof() {
                break;
            } else {
                tokio::select! {
                    idle = wire.idle(deadline, watch) => idle?,
                    () = input.ready() => {}
                }
            }
        }
        wire.drive(&doing, deadline, watch, |_| channel.close()).await?;
        wire.drive(&doing, deadline, watch, |_| channel.wait_close()).await?;
        match status(&channel) {
            Ok(status) => Ok(status),
            Err(error) => Err(lost(&doing, &error, watch).await),
        }
    }
}

fn check(deadline: &Deadline, watch: &impl Watch) -> Result<(), SshError> {
    deadline
        .check()
        .map(drop)
        .map_err(|error| SshError::Wait { error: error.with_console(watch.console_tail()), last_error: None })
}

fn status(channel: &Channel) -> Result<ExecStatus, ssh2::Error> {
    if let Some(signal) = channel.exit_signal()?.exit_signal {
        return Ok(ExecStatus::Signal(signal));
    }
    channel.exit_status().map(ExecStatus::Code)
}

enum Pump {
    Input(io::Error),
    Channel(io::Error),
}

/// Standard input on its way to the command.
struct Input<'a, S> {
    from: &'a mut S,
    pending: Vec<u8>,
    sent: usize,
    from_ended: bool,
    eof_sent: bool,
    /// There is no more of it now.
    waits: bool,
}

impl<'a, S: Stdin> Input<'a, S> {
    fn new(from: &'a mut S) -> Self {
        Self { from, pending: Vec::new(), sent: 0, from_ended: false, eof_sent: false, waits: false }
    }

    /// Waits until there is more of it; without end where none is waited for.
    async fn ready(&mut self) {
        if self.waits {
            self.from.ready().await;
        } else {
            std::future::pending().await
        }
    }

    /// Sends what the channel takes now. True: some went out.
    fn pump(&mut self, channel: &mut Channel) -> Result<bool, Pump> {
        self.waits = false;
        if self.eof_sent {
            return Ok(false);
        }
        // The command may close its input, or end, before it has read everything: that is its business,
        // and its status will tell.
        if channel.eof() {
            self.eof_sent = true;
            return Ok(false);
        }
        if self.sent == self.pending.len() && !self.from_ended {
            self.pending.resize(CHUNK, 0);
            let read = self.from.read(&mut self.pending);
            self.pending.truncate(read.as_ref().copied().unwrap_or_default());
            self.sent = 0;
            match read {
                Ok(n) => self.from_ended = n == 0,
                Err(error) if io_would_block(&error) => {
                    self.waits = true;
                    return Ok(false);
                }
                Err(error) => return Err(Pump::Input(error)),
            }
        }
        if self.sent < self.pending.len() {
            return match channel.write(&self.pending[self.sent..]) {
                Ok(n) => {
                    self.sent += n;
                    Ok(n > 0)
                }
                Err(error) if io_would_block(&error) => Ok(false),
                Err(error) => Err(Pump::Channel(error)),
            };
        }
        match channel.send_eof() {
            Ok(()) => {
                self.eof_sent = true;
                Ok(true)
            }
            Err(error) if super::session::would_block(&error) => Ok(false),
            Err(error) => Err(Pump::Channel(error.into())),
        }
    }
}
