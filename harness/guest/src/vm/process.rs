// SPDX-License-Identifier: BSD-2-Clause
//! The harness's end of a supervised QEMU.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, BufReader, PipeReader, PipeWriter};
use std::os::unix::process::CommandExt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

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

#[derive(Debug, Default)]
struct State {
    pid: Option<u32>,
    exit: Option<QemuExit>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is two plain values: a panic elsewhere cannot have left it half-written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A QEMU under a supervisor. Dropping it kills QEMU and removes the run directory.
#[derive(Debug)]
pub(super) struct Supervised {
    run_dir: RunDir,
    handle: duct::Handle,
    leash: Option<PipeWriter>,
    shared: Arc<Shared>,
}

impl Supervised {
    /// Starts QEMU with these arguments.
    ///
    /// # Errors
    /// The supervisor could not be started. That QEMU could not be started shows as its exit.
    pub(super) fn start(tools: &Tools, run_dir: RunDir, args: Vec<OsString>) -> io::Result<Self> {
        let (leash_end, leash) = io::pipe()?;
        let (news, news_end) = io::pipe()?;
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
        let shared = Arc::new(Shared::default());
        let supervised = Self { run_dir, handle, leash: Some(leash), shared: Arc::clone(&shared) };
        std::thread::Builder::new().name("qemu-news".into()).spawn(move || listen(news, &shared))?;
        Ok(supervised)
    }

    pub(super) fn run_dir(&self) -> &RunDir {
        &self.run_dir
    }

    /// How QEMU ended, if it has.
    pub(super) fn exit(&self) -> Option<QemuExit> {
        self.shared.lock().exit
    }

    /// QEMU's process id, once it was started.
    pub(super) fn pid(&self) -> Option<u32> {
        self.shared.lock().pid
    }

    /// Waits for QEMU's end, at most for `limit`.
    pub(super) fn wait_exit(&self, limit: Duration) -> Option<QemuExit> {
        let state = self.shared.lock();
        let (state, _) = self
            .shared
            .changed
            .wait_timeout_while(state, limit, |state| state.exit.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        state.exit
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
fn listen(news: PipeReader, shared: &Shared) {
    for line in BufReader::new(news).lines().map_while(Result::ok) {
        let mut state = shared.lock();
        match line.split_once(' ') {
            Some(("started", pid)) => state.pid = pid.parse().ok(),
            Some(("exited", code)) => state.exit = code.parse().ok().map(QemuExit::Code),
            Some(("signalled", signal)) => state.exit = signal.parse().ok().map(QemuExit::Signal),
            _ => {}
        }
        shared.changed.notify_all();
    }
    shared.lock().exit.get_or_insert(QemuExit::SupervisorDied);
    shared.changed.notify_all();
}
