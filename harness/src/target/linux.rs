// SPDX-License-Identifier: BSD-2-Clause
//! This machine's own Linux kernel as a target, for comparison: the agent in a network namespace.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use nlproof_agent::frame::{FrameReader, encode_frame, encode_hello};
use nlproof_agent::{Batch, Record};
use nlproof_wire::Os;

use super::Target;
use super::agents;
use super::error::{OpenError, TargetError};
use super::facts::{Commands, Facts};
use crate::vm::TEMPORARY_REMEDY;

/// The agent as a file that can be executed.
pub struct LinuxTarget {
    agent: tempfile::TempPath,
    facts: Facts,
}

impl LinuxTarget {
    /// Writes the agent to a temporary file.
    ///
    /// # Errors
    /// This is no Linux on amd64, or the file cannot be written.
    pub fn open() -> Result<LinuxTarget, OpenError> {
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            return Err(OpenError::NotHere {
                reason: "this machine is no Linux on amd64".into(),
                remedy: "run it on one".into(),
            });
        }
        let place = std::env::temp_dir();
        let failed = |error: std::io::Error| OpenError::NotHere {
            reason: format!("{}: the agent cannot be written: {error}", place.display()),
            remedy: TEMPORARY_REMEDY.into(),
        };
        let mut file = tempfile::Builder::new().prefix("nlproof-agent-").tempfile().map_err(failed)?;
        file.write_all(agents::LINUX).map_err(failed)?;
        let agent = file.into_temp_path();
        std::fs::set_permissions(&agent, std::fs::Permissions::from_mode(0o700)).map_err(failed)?;
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").map_err(failed)?;
        let lines = vec![("kernel".to_owned(), format!("Linux {}", release.trim_end()))];
        let facts = Facts {
            os: Os::Linux,
            kernel: None,
            commands: Commands::All,
            modules: None,
            fallbacks: 0,
            stacks: None,
            lines,
        };
        Ok(LinuxTarget { agent, facts })
    }
}

impl Target for LinuxTarget {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn run(&mut self, batch: &Batch, on_record: &mut dyn FnMut(Record)) -> Result<(), TargetError> {
        let lost = |what: &str, error: &dyn std::fmt::Display| TargetError::Lost(format!("{what}: {error}"));
        let mut child = Command::new(&self.agent)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| lost("the agent did not start", &error))?;
        let mut input = encode_hello().to_vec();
        input.extend(encode_frame(batch).map_err(|error| lost("the batch", &error))?);
        // The agent reads its whole batch before it runs it, so this cannot fill both pipes.
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(&input).map_err(|error| lost("the agent takes no batch", &error))?;
        }
        let mut reader = FrameReader::new();
        let mut buffer = vec![0; 64 * 1024];
        if let Some(mut stdout) = child.stdout.take() {
            loop {
                let length = stdout.read(&mut buffer).map_err(|error| lost("the agent's records", &error))?;
                if length == 0 {
                    break;
                }
                reader.push(&buffer[..length]);
                while let Some(record) = reader.next().map_err(|error| lost("the agent's records", &error))? {
                    on_record(record);
                }
            }
        }
        let status = child.wait().map_err(|error| lost("the agent's end", &error))?;
        if status.success() {
            Ok(())
        } else {
            Err(TargetError::Lost(format!("the agent ended with {status}")))
        }
    }
}
