// SPDX-License-Identifier: BSD-2-Clause
//! The harness's end of a supervised QEMU.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, PipeWriter};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::unix::pipe;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::rundir::RunDir;
use super::supervisor::SUPERVISE;
use super::tools::Tools;

/// How long supervisor and QEMU may take to end once the leash is released, before they are killed.
const LET_GO_LIMIT: Duration = Duration::from_secs(10);
/// Most bytes read of QEMU's standard error.
const MAX_STDERR: usize = 16 * 1024;

/// How QEMU ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QemuExit {
    /// QEMU exited.
    Code(i32),
    /// A signal killed it.
    Signal(i32),
    /// The supervisor died; QEMU went with it.
    SupervisorDied,
}

impl fmt::Display for QemuExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::SupervisorDied => write!(f, "its supervisor was killed"),
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    pid: Option<u32>,
    exit: Option<QemuExit>,
}

/// A QEMU under a supervisor. Dropping it kills QEMU and removes the run directory.
#[derive(Debug)]
pub(super) struct Supervised {
    run_dir: RunDir,
    handle: duct::Handle,
    leash: Option<PipeWriter>,
    state: watch::Receiver<State>,
    _listener: AbortOnDropHandle<()>,
}

impl Supervised {
    /// Starts QEMU with these arguments. Within a runtime, which hears what the supervisor tells.
    ///
    /// # Errors
    /// The supervisor could not be started. That QEMU could not be started shows as its exit.
    pub(super) fn start(tools: &Tools, run_dir: RunDir, args: Vec<OsString>) -> io::Result<Self> {
        let (leash_end, leash) = io::pipe()?;
        let (news, news_end) = io::pipe()?;
        let news = pipe::Receiver::from_owned_fd(OwnedFd::from(news))?;
        let stderr = OpenOptions::new().create(true).append(true).open(run_dir.stderr())?;
        let mut command: Vec<OsString> =
            vec![SUPERVISE.into(), run_dir.path().into(), "--".into(), tools.qemu.clone().into()];
        command.extend(args);
        let handle = duct::cmd(&tools.supervisor, command)
            .stdin_file(leash_end)
            .stdout_file(news_end)
            .stderr_file(stderr)
            .before_spawn(|command| {
                command.process_group(0);
                Ok(())
            })
            .unchecked()
            .start()
            .map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", tools.supervisor.display()))
            })?;
        let (tell, state) = watch::channel(State::default());
        let listener = AbortOnDropHandle::new(tokio::spawn(listen(news, tell)));
        Ok(Self { run_dir, handle, leash: Some(leash), state, _listener: listener })
    }

    pub(super) fn run_dir(&self) -> &RunDir {
        &self.run_dir
    }

    /// How QEMU ended, if it has.
    pub(super) fn exit(&self) -> Option<QemuExit> {
        self.state.borrow().exit
    }

    /// The same, by somebody who waits for [`Supervised::changed`] next.
    pub(super) fn look(&mut self) -> Option<QemuExit> {
        self.state.borrow_and_update().exit
    }

    /// Waits until there is something new since the last [`Supervised::look`].
    pub(super) async fn changed(&mut self) {
        if self.state.changed().await.is_err() {
            // Nothing new will ever come.
            std::future::pending().await
        }
    }

    /// QEMU's process id, once it was started.
    pub(super) fn pid(&self) -> Option<u32> {
        self.state.borrow().pid
    }

    /// Waits for QEMU's end.
    pub(super) async fn ended(&self) -> QemuExit {
        let mut state = self.state.clone();
        let ended = state.wait_for(|state| state.exit.is_some()).await;
        ended.ok().and_then(|state| state.exit).unwrap_or(QemuExit::SupervisorDied)
    }

    /// What supervisor and QEMU wrote to standard error, its end if it is long.
    pub(super) fn stderr(&self) -> String {
        let text = fs::read(self.run_dir.stderr()).unwrap_or_default();
        let text = &text[text.len().saturating_sub(MAX_STDERR)..];
        String::from_utf8_lossy(text).trim_end().to_owned()
    }

    /// Lets go: QEMU is killed, the run directory removed.
    fn let_go(&mut self) {
        if self.leash.take().is_none() {
            return;
        }
        let until = Instant::now() + LET_GO_LIMIT;
        if !matches!(self.handle.wait_deadline(until), Ok(Some(_))) {
            // QEMU goes with its supervisor, by the parent-death signal. Nothing more can be done here.
            drop(self.handle.kill());
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// Reads the supervisor's standard output until it ends.
async fn listen(news: pipe::Receiver, tell: watch::Sender<State>) {
    let mut lines = BufReader::new(news).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        tell.send_modify(|state| match line.split_once(' ') {
            Some(("started", pid)) => state.pid = pid.parse().ok(),
            Some(("exited", code)) => state.exit = code.parse().ok().map(QemuExit::Code),
            Some(("signalled", signal)) => state.exit = signal.parse().ok().map(QemuExit::Signal),
            _ => {}
        });
    }
    tell.send_modify(|state| {
        state.exit.get_or_insert(QemuExit::SupervisorDied);
    });
}
