// SPDX-License-Identifier: BSD-2-Clause
//! The agent in the guest: uploaded once, then one ssh exec per batch.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::ops::ControlFlow;
use std::time::Duration;

use nlproof_agent::frame::{FrameReader, encode_request};
use nlproof_agent::{Batch, Body, Listen, Record, Request};
use nlproof_base::counted;

use super::error::SshError;
use super::exec::{ExecStatus, Output};
use super::hostkey::sha256_hex;
use super::session::Ssh;
use crate::vm::{GuestFailure, Wait, Watch};

/// Number of hexadecimal digits of the agent's digest in its file name.
const DIGITS: usize = 12;
/// Most bytes of an agent's complaint that a report shows; complaints are short.
const MAX_STDERR: usize = 64 * 1024;
const INSTALL_LIMIT: Duration = Duration::from_secs(30);

/// What a batch came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentRun {
    /// How many records were delivered.
    pub records: usize,
    /// Text that the agent wrote to standard error although nothing failed.
    pub stderr: String,
}

/// Path in the guest of an agent with these bytes. Each build has its own.
pub fn agent_path(directory: &str, agent: &[u8]) -> String {
    let digest = sha256_hex(agent);
    format!("{}/nlproof-agent-{}", directory.trim_end_matches('/'), &digest[..DIGITS])
}

/// Uploads the agent unless it is there; returns its path.
///
/// # Errors
/// See [`SshError`].
pub async fn install_agent(
    ssh: &Ssh,
    directory: &str,
    agent: &[u8],
    watch: &mut impl Watch,
) -> Result<String, SshError> {
    let path = agent_path(directory, agent);
    let wait = Wait::new("the agent's upload", INSTALL_LIMIT);
    // An upload appears whole or not at all, so its name vouches for its contents.
    let there = ssh.run(&format!("test -x {path}"), &wait, watch).await?;
    if !there.status.is_success() {
        ssh.upload(agent, &path, &wait, watch).await?;
    }
    Ok(path)
}

/// Runs a batch and hands over each record as it comes.
///
/// # Errors
/// [`GuestFailure::AgentDied`] when the agent ended before every program had its last record, with what it
/// wrote to standard error; [`SshError::Protocol`] when it is of another version; or the connection's errors.
pub async fn run_agent(
    ssh: &Ssh,
    path: &str,
    batch: &Batch,
    wait: &Wait,
    watch: &mut impl Watch,
    on_record: &mut dyn FnMut(Record),
) -> Result<AgentRun, SshError> {
    let input = encode_request(&Request::Run(batch.clone()))?;
    let mut receiver = Receiver::new(batch);
    let mut hear = |output: Output<'_>| receiver.take(output, on_record);
    let result = ssh.exec(path, &mut Cursor::new(input), wait, watch, &mut hear).await;
    receiver.finish(result)
}

/// Starts the agent that listens in the guest.
///
/// # Errors
/// [`GuestFailure::AgentDied`] with its words when it cannot, or the connection's errors.
pub async fn start_listener(
    ssh: &Ssh,
    path: &str,
    listen: &Listen,
    wait: &Wait,
    watch: &mut impl Watch,
) -> Result<(), SshError> {
    let input = encode_request(&Request::Listen(listen.clone()))?;
    let mut receiver = Receiver::new(&Batch { programs: Vec::new() });
    let mut hear = |output: Output<'_>| receiver.take(output, &mut |_| ());
    let result = ssh.exec(path, &mut Cursor::new(input), wait, watch, &mut hear).await;
    receiver.finish(result).map(drop)
}

/// What has come from the agent.
pub struct Receiver {
    reader: FrameReader,
    unfinished: BTreeSet<u32>,
    records: usize,
    stderr: Vec<u8>,
    protocol: Option<nlproof_agent::frame::FrameError>,
}

impl Receiver {
    /// A receiver of the records of this batch.
    pub fn new(batch: &Batch) -> Self {
        Self {
            reader: FrameReader::new(),
            unfinished: batch.programs.iter().map(|program| program.id).collect(),
            records: 0,
            stderr: Vec::new(),
            protocol: None,
        }
    }

    /// Takes what the agent has written and hands over each whole record. A break: nothing that follows can be
    /// understood, as [`Receiver::finish`] says.
    pub fn take(&mut self, output: Output<'_>, on_record: &mut dyn FnMut(Record)) -> ControlFlow<()> {
        match output {
            Output::Stdout(bytes) => self.stdout(bytes, on_record),
            Output::Stderr(bytes) => self.stderr(bytes),
        }
    }

    pub(super) fn stdout(&mut self, bytes: &[u8], on_record: &mut dyn FnMut(Record)) -> ControlFlow<()> {
        self.reader.push(bytes);
        loop {
            match self.reader.next::<Record>() {
                Ok(None) => return ControlFlow::Continue(()),
                Ok(Some(record)) => {
                    if matches!(record.body, Body::End { .. }) {
                        self.unfinished.remove(&record.program);
                    }
                    self.records += 1;
                    on_record(record);
                }
                Err(error) => {
                    self.protocol = Some(error);
                    return ControlFlow::Break(());
                }
            }
        }
    }

    fn stderr(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        let room = MAX_STDERR.saturating_sub(self.stderr.len());
        self.stderr.extend_from_slice(&bytes[..bytes.len().min(room)]);
        ControlFlow::Continue(())
    }

    /// Outcome of the batch after the agent ended with this status.
    ///
    /// # Errors
    /// Same as [`run_agent`].
    pub fn finish(self, result: Result<ExecStatus, SshError>) -> Result<AgentRun, SshError> {
        let stderr = String::from_utf8_lossy(&self.stderr).trim_end().to_owned();
        let status = match (self.protocol, result) {
            (Some(error), _) => return Err(error.into()),
            (None, result) => result?,
        };
        if status.is_success() && self.unfinished.is_empty() {
            self.reader.finish()?;
            return Ok(AgentRun { records: self.records, stderr });
        }
        let missing = match self.unfinished.len() {
            0 => String::new(),
            number => format!(" with {} unfinished", counted(number, "program")),
        };
        let status = format!("{status}{missing}");
        Err(SshError::Guest(GuestFailure::AgentDied { status, stderr }))
    }
}

#[cfg(test)]
mod tests {
    use nlproof_agent::frame::{FrameError, encode_frame, encode_hello};
    use nlproof_agent::{Privilege, Program, SocketOptions};

    use super::*;

    fn batch() -> Batch {
        let program = |id| Program {
            id,
            name: "x".into(),
            privilege: Privilege::Root,
            socket: SocketOptions::default(),
            groups: Vec::new(),
            cards: Vec::new(),
            settings: Vec::new(),
            steps: Vec::new(),
            limit_ms: 1,
            kernel_trace: false,
        };
        Batch { programs: vec![program(1), program(2)] }
    }

    fn ended(program: u32) -> Record {
        Record { program, step: nlproof_agent::NO_STEP, t_ns: 0, body: Body::End { died: None } }
    }

    fn stream(records: &[Record]) -> Vec<u8> {
        let mut bytes = encode_hello().to_vec();
        for record in records {
            bytes.extend(encode_frame(record).unwrap());
        }
        bytes
    }

    /// Feeds a stream byte by byte, then ends the agent with this status.
    fn receive(bytes: &[u8], status: i32) -> (Vec<Record>, Result<AgentRun, SshError>) {
        let mut receiver = Receiver::new(&batch());
        let mut records = Vec::new();
        for byte in bytes.chunks(1) {
            if receiver.stdout(byte, &mut |record| records.push(record)).is_break() {
                break;
            }
        }
        (records, receiver.finish(Ok(ExecStatus::Code(status))))
    }

    #[test]
    fn all_records_and_a_clean_end() {
        let (records, run) = receive(&stream(&[ended(1), ended(2)]), 0);
        assert_eq!(records, [ended(1), ended(2)]);
        assert_eq!(run.unwrap(), AgentRun { records: 2, stderr: String::new() });
    }

    #[test]
    fn an_agent_that_ends_early_has_died_whatever_its_status() {
        for status in [0, 3] {
            let (records, run) = receive(&stream(&[ended(1)]), status);
            assert_eq!(records.len(), 1);
            let Err(SshError::Guest(GuestFailure::AgentDied { status: words, .. })) = run else {
                panic!("{run:?}")
            };
            assert_eq!(words, format!("exit status {status} with 1 program unfinished"));
        }
    }

    #[test]
    fn another_version_and_another_program_are_told_apart() {
        let mut other = stream(&[]);
        other[4] ^= 0xff;
        assert!(matches!(receive(&other, 0).1, Err(SshError::Protocol(FrameError::Version { .. }))));
        let shell = b"sh: nlproof-agent: not found";
        assert!(matches!(receive(shell, 127).1, Err(SshError::Protocol(FrameError::Magic { .. }))));
    }

    #[test]
    fn a_stream_cut_within_a_frame_is_an_error() {
        let mut bytes = stream(&[ended(1), ended(2)]);
        bytes.extend([9, 0, 0, 0, 1]);
        assert!(matches!(receive(&bytes, 0).1, Err(SshError::Protocol(FrameError::Truncated { .. }))));
    }

    #[test]
    fn the_name_in_the_guest_has_the_digest() {
        assert_eq!(agent_path("/root/", b""), "/root/nlproof-agent-e3b0c44298fc");
    }
}
