// SPDX-License-Identifier: BSD-2-Clause
//! The Linux kernel of this machine as a target, for comparison: the agent in a network namespace.

use std::io::{self, Read, Write as _};
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nlproof_agent::frame::encode_request;
use nlproof_agent::{Batch, Record, Request};
use nlproof_wire::Os;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Target;
use super::agents;
use super::error::{OpenError, TargetError};
use super::fact::Fact;
use super::facts::{Cards, Commands, Facts};
use crate::guest::{ExecStatus, Output, Receiver};
use crate::vm::TEMPORARY_REMEDY;

/// How long to wait for the agent before the user's wish to stop is looked at again.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// The agent as a file that can be executed.
pub struct LinuxTarget {
    agent: tempfile::TempPath,
    facts: Facts,
    cancel: Arc<AtomicBool>,
}

impl LinuxTarget {
    /// Writes the agent to a temporary file. When `cancel` is set the agent is ended.
    ///
    /// # Errors
    /// This is no Linux on amd64, or the file cannot be written.
    pub fn open(cancel: Arc<AtomicBool>) -> Result<LinuxTarget, OpenError> {
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            return Err(OpenError::Unavailable {
                reason: "this machine is no Linux on amd64".into(),
                remedy: "run it on one".into(),
            });
        }
        let place = std::env::temp_dir();
        let failed = |error: io::Error| OpenError::Unavailable {
            reason: format!("{}: the agent cannot be written: {error}", place.display()),
            remedy: TEMPORARY_REMEDY.into(),
        };
        let mut file = tempfile::Builder::new().prefix("nlproof-agent-").tempfile().map_err(failed)?;
        file.write_all(agents::LINUX).map_err(failed)?;
        let agent = file.into_temp_path();
        std::fs::set_permissions(&agent, std::fs::Permissions::from_mode(0o700)).map_err(failed)?;
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").map_err(failed)?;
        let known = vec![Fact::Kernel(format!("Linux {}", release.trim_end()))];
        let facts = Facts {
            os: Os::Linux,
            kernel: None,
            commands: Commands::All,
            cards: Cards::None,
            modules: None,
            settings: Vec::new(),
            fallbacks: 0,
            stacks: None,
            known,
        };
        Ok(LinuxTarget { agent, facts, cancel })
    }
}

impl Target for LinuxTarget {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn run(&mut self, batch: &Batch, on_record: &mut dyn FnMut(Record)) -> Result<(), TargetError> {
        let request = encode_request(&Request::Run(batch.clone()))
            .map_err(|error| TargetError::Lost(format!("the batch: {error}")))?;
        let mut child = Command::new(&self.agent)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| TargetError::Lost(format!("the agent did not start: {error}")))?;
        let mut receiver = Receiver::new(batch);
        let heard = self.hear(&mut child, &request, &mut |output| receiver.take(output, on_record));
        if heard.is_err() {
            // Gone already if this fails.
            child.kill().ok();
        }
        let status = child.wait().map_err(|error| TargetError::Lost(format!("the agent's end: {error}")))?;
        if self.cancel.load(Ordering::SeqCst) {
            return Err(TargetError::Interrupted);
        }
        heard?;
        receiver.finish(Ok(exec_status(status))).map_err(|error| TargetError::Lost(error.to_string()))?;
        Ok(())
    }
}

impl LinuxTarget {
    /// Sends the request and passes on what the agent says until it has closed both of its outputs.
    fn hear(
        &self,
        child: &mut Child,
        request: &[u8],
        on_output: &mut dyn FnMut(Output<'_>) -> ControlFlow<()>,
    ) -> Result<(), TargetError> {
        let lost = |error: &dyn std::fmt::Display| TargetError::Lost(format!("the agent's records: {error}"));
        // The agent reads its whole request before it runs it, so this cannot fill both pipes. If it ends before, its
        // status and its words tell why.
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(request).ok();
        }
        let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
        let mut buffer = vec![0; 64 * 1024];
        while stdout.is_some() || stderr.is_some() {
            if self.cancel.load(Ordering::SeqCst) {
                return Err(TargetError::Interrupted);
            }
            let [from_stdout, from_stderr] = readable(&stdout, &stderr).map_err(|error| lost(&error))?;
            let mut understood = true;
            if from_stdout
                && let Some(bytes) = read(&mut stdout, &mut buffer).map_err(|error| lost(&error))?
            {
                understood = on_output(Output::Stdout(bytes)).is_continue();
            }
            if from_stderr
                && let Some(bytes) = read(&mut stderr, &mut buffer).map_err(|error| lost(&error))?
            {
                understood &= on_output(Output::Stderr(bytes)).is_continue();
            }
            if !understood {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Which of the two outputs has something to read, or has ended.
fn readable(
    stdout: &Option<std::process::ChildStdout>,
    stderr: &Option<std::process::ChildStderr>,
) -> Result<[bool; 2], rustix::io::Errno> {
    let mut fds = Vec::with_capacity(2);
    fds.extend(stdout.iter().map(|stdout| PollFd::new(stdout, PollFlags::IN)));
    fds.extend(stderr.iter().map(|stderr| PollFd::new(stderr, PollFlags::IN)));
    match poll(&mut fds, Some(&LOOK)) {
        Ok(_) => {}
        Err(rustix::io::Errno::INTR) => return Ok([false; 2]),
        Err(error) => return Err(error),
    }
    let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
    let mut next = |open: bool| open && ready.next().unwrap_or_default();
    Ok([next(stdout.is_some()), next(stderr.is_some())])
}

/// Reads what is there; `None` at the stream's end, which closes it.
fn read<'a>(stream: &mut Option<impl Read>, buffer: &'a mut [u8]) -> io::Result<Option<&'a [u8]>> {
    let Some(open) = stream else { return Ok(None) };
    match open.read(buffer)? {
        0 => {
            *stream = None;
            Ok(None)
        }
        length => Ok(buffer.get(..length)),
    }
}

/// The status of a local process in the form of a guest's.
fn exec_status(status: ExitStatus) -> ExecStatus {
    match (status.code(), status.signal()) {
        (Some(code), _) => ExecStatus::Code(code),
        (None, signal) => ExecStatus::Signal(signal.unwrap_or_default().to_string()),
    }
}
