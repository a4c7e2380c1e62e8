// SPDX-License-Identifier: BSD-2-Clause
//! The Linux kernel of this machine as a target, for comparison: the agent in a network namespace.

use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};

use nlproof_agent::frame::encode_request;
use nlproof_agent::{Batch, Record, Request};
use nlproof_guest::Tasks;
use nlproof_wire::Os;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use super::Target;
use super::agents;
use super::error::{OpenError, TargetError};
use super::fact::Fact;
use super::facts::{Cards, Commands, Facts};
use crate::guest::{ExecStatus, Output, Receiver};
use crate::vm::TEMPORARY_REMEDY;

/// At most this much is read at a time, in bytes.
const CHUNK: usize = 64 * 1024;

/// The agent as a file that can be executed.
pub struct LinuxTarget {
    agent: tempfile::TempPath,
    facts: Facts,
    tasks: Tasks,
}

impl LinuxTarget {
    /// Writes the agent to a temporary file. When the user interrupts the agent is ended.
    ///
    /// # Errors
    /// This is no Linux on amd64, or the file cannot be written.
    pub fn open(tasks: Tasks) -> Result<LinuxTarget, OpenError> {
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
            processors: None,
            modules: None,
            settings: Vec::new(),
            fallbacks: 0,
            stacks: None,
            known,
        };
        Ok(LinuxTarget { agent, facts, tasks })
    }
}

impl Target for LinuxTarget {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn run(&mut self, batch: &Batch, on_record: &mut dyn FnMut(Record)) -> Result<(), TargetError> {
        let request = encode_request(&Request::Run(batch.clone()))
            .map_err(|error| TargetError::Lost(format!("the batch: {error}")))?;
        let mut receiver = Receiver::new(batch);
        let mut on_output = |output: Output<'_>| receiver.take(output, on_record);
        let status = self.tasks.drive(self.talk(&request, &mut on_output));
        if self.tasks.is_cancelled() {
            return Err(TargetError::Interrupted);
        }
        receiver.finish(Ok(exec_status(status?))).map_err(|error| TargetError::Lost(error.to_string()))?;
        Ok(())
    }
}

impl LinuxTarget {
    /// Runs the agent, until it ends or the user interrupts.
    async fn talk(
        &self,
        request: &[u8],
        on_output: &mut dyn FnMut(Output<'_>) -> ControlFlow<()>,
    ) -> Result<ExitStatus, TargetError> {
        let lost = |what: &str, error: io::Error| TargetError::Lost(format!("the agent{what}: {error}"));
        let mut child = Command::new(&self.agent)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| lost(" did not start", error))?;
        let heard = tokio::select! {
            biased;
            () = self.tasks.cancel().cancelled() => Err(TargetError::Interrupted),
            heard = hear(&mut child, request, on_output) => heard.map_err(|error| lost("'s records", error)),
        };
        if heard.is_err() {
            // Gone already if this fails.
            child.start_kill().ok();
        }
        let status = child.wait().await.map_err(|error| lost("'s end", error))?;
        heard.map(|()| status)
    }
}

/// Sends the request and passes on what the agent says until it has closed both of its outputs.
async fn hear(
    child: &mut Child,
    request: &[u8],
    on_output: &mut dyn FnMut(Output<'_>) -> ControlFlow<()>,
) -> io::Result<()> {
    // The agent reads its whole request before it runs it, so this cannot fill both pipes. If it ends before, its
    // status and its words tell why.
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(request).await.ok();
    }
    let (Some(mut stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Ok(());
    };
    let (mut said, mut complained) = (vec![0; CHUNK], vec![0; CHUNK]);
    let (mut says, mut complains) = (true, true);
    while says || complains {
        let output = tokio::select! {
            length = stdout.read(&mut said), if says => {
                let bytes = said.get(..length?).unwrap_or_default();
                says = !bytes.is_empty();
                Output::Stdout(bytes)
            }
            length = stderr.read(&mut complained), if complains => {
                let bytes = complained.get(..length?).unwrap_or_default();
                complains = !bytes.is_empty();
                Output::Stderr(bytes)
            }
        };
        if on_output(output).is_break() {
            return Ok(());
        }
    }
    Ok(())
}

/// The status of a local process in the form of a guest's.
fn exec_status(status: ExitStatus) -> ExecStatus {
    match (status.code(), status.signal()) {
        (Some(code), _) => ExecStatus::Code(code),
        (None, signal) => ExecStatus::Signal(signal.unwrap_or_default().to_string()),
    }
}
