// SPDX-License-Identifier: BSD-2-Clause
//! Starting the agent, requests to send, and looking at records.

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use nlproof_agent::frame::{FrameReader, encode_request};
use nlproof_agent::{
    Batch, Body, Patch, Privilege, Program, Record, ReplyEnd, Request, Send, SocketOptions, Step,
};

use crate::flavours::{self, Flavour};

/// The agent's path; `None`, said with the test's name, where namespaces cannot be made.
#[allow(clippy::disallowed_methods, reason = "libtest captures what the macros print")]
pub(crate) fn agent(test: &str) -> Option<&'static Path> {
    if let Some(reason) = reason() {
        // Past libtest's capture, which hides what a passing test prints.
        writeln!(std::io::stderr().lock(), "skipped: {test}: {reason}").expect("standard error");
        return None;
    }
    Some(built())
}

/// The agent's path, for tests that need no namespace.
pub(crate) fn built() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    // Before the file is written, so that no process is being started meanwhile: it would inherit the
    // descriptor, and a program that is open for writing cannot be run (ETXTBSY).
    reason();
    PATH.get_or_init(|| {
        if let Some(path) = env::var_os("NLPROOF_AGENT") {
            return path.into();
        }
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("agent");
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let elf = flavours::build(Flavour::Linux, env!("CARGO").as_ref(), package, &target)
            .unwrap_or_else(|text| panic!("{text}"));
        let (path, new) = (target.join("agent-linux"), target.join(format!("new-{}", std::process::id())));
        fs::write(&new, elf).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
        // Another run of the tests may be using the last one.
        fs::rename(&new, &path).unwrap();
        path
    })
}

/// Why namespaces cannot be made here.
fn reason() -> Option<&'static str> {
    static REASON: OnceLock<Option<String>> = OnceLock::new();
    REASON.get_or_init(no_namespaces).as_deref()
}

fn no_namespaces() -> Option<String> {
    match Command::new("unshare").args(["--net", "true"]).output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!(
            "needs root and network namespaces: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => Some(format!("cannot find out whether namespaces are allowed: unshare: {error}")),
    }
}

/// What one run of the agent gave.
pub(crate) struct Run {
    pub(crate) records: Vec<Record>,
    pub(crate) status: Option<i32>,
    pub(crate) stderr: String,
}

/// Starts the agent with its three streams as pipes.
pub(crate) fn start(agent: &Path) -> Child {
    Command::new(agent).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The bytes of a batch as they go to the agent.
pub(crate) fn batch(programs: Vec<Program>) -> Vec<u8> {
    encode_request(&Request::Run(Batch { programs })).unwrap()
}

/// Runs a batch to its end.
pub(crate) fn run(agent: &Path, programs: Vec<Program>) -> Run {
    run_bytes(agent, &batch(programs))
}

/// Gives the agent some bytes and returns its whole output.
pub(crate) fn run_bytes(agent: &Path, input: &[u8]) -> Run {
    let mut child = start(agent);
    // It may refuse the first bytes and be gone before the last are written.
    child.stdin.take().unwrap().write_all(input).ok();
    let output = child.wait_with_output().unwrap();
    let mut reader = FrameReader::new();
    reader.push(&output.stdout);
    let mut records = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        records.push(record);
    }
    reader.finish().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    Run { records, status: output.status.code(), stderr }
}

impl Run {
    /// The bodies of one program in order, but for what every program has: where steps begin, and that the kernel's
    /// lines are not read.
    pub(crate) fn of(&self, program: u32) -> Vec<&Body> {
        let of_program = self.records.iter().filter(|record| record.program == program);
        let bodies = of_program.map(|record| &record.body);
        bodies.filter(|body| !matches!(body, Body::Begin | Body::Spent(_) | Body::NoConsole { .. })).collect()
    }

    /// The bodies of one step of program 1, without names of interfaces.
    pub(crate) fn step(&self, step: u32) -> Vec<&Body> {
        let of_step = self.records.iter().filter(|record| record.program == 1 && record.step == step);
        of_step
            .map(|record| &record.body)
            .filter(|body| !matches!(body, Body::Begin | Body::Resolved { .. }))
            .collect()
    }

    /// How a program ended, which its last record tells.
    pub(crate) fn died(&self, program: u32) -> Option<i32> {
        match self.of(program).last() {
            Some(Body::End { died }) => *died,
            other => panic!("the last record of program {program} is {other:?}; {}", self.stderr),
        }
    }
}

/// A program with id 1, as root, of some steps.
pub(crate) fn program(steps: Vec<Step>) -> Program {
    Program {
        id: 1,
        name: "test".to_owned(),
        privilege: Privilege::Root,
        socket: SocketOptions::default(),
        groups: vec![],
        cards: vec![],
        settings: vec![],
        steps,
        limit_ms: 20_000,
        kernel_trace: false,
    }
}

pub(crate) fn exec(argv: &[&str], limit_ms: u32) -> Step {
    Step::Exec { argv: argv.iter().map(ToString::to_string).collect(), limit_ms }
}

pub(crate) fn shell(script: &str) -> Step {
    exec(&["/bin/sh", "-c", script], 10_000)
}

pub(crate) const RTM_NEWLINK: u16 = 16;
pub(crate) const RTM_GETLINK: u16 = 18;
pub(crate) const NLMSG_ERROR: u16 = 2;
pub(crate) const NLMSG_DONE: u16 = 3;
pub(crate) const REQUEST: u16 = 1;
pub(crate) const ACK: u16 = 4;
pub(crate) const DUMP: u16 = 0x300;
pub(crate) const SEQ: u32 = 7;

/// A netlink message.
pub(crate) fn message(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (16 + payload.len() as u32).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(SEQ.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

/// A step that sends one datagram.
pub(crate) fn send(data: Vec<u8>, end: ReplyEnd) -> Send {
    Send { data, patches: vec![], seq: SEQ, end, limit_ms: 5000, settle_ms: 0 }
}

pub(crate) fn get_links() -> Step {
    Step::Send(send(message(RTM_GETLINK, REQUEST | DUMP, &[0; 16]), ReplyEnd::End))
}

/// Sets IFF_UP of `lo` to `up`; the index is patched in.
pub(crate) fn set_lo(up: bool) -> Step {
    let flags = u32::from(up).to_ne_bytes();
    let payload = [&[0; 8][..], &flags, &1u32.to_ne_bytes()].concat();
    let patches = vec![Patch { offset: 20, ifname: "lo".to_owned() }];
    Step::Send(Send { patches, ..send(message(RTM_NEWLINK, REQUEST | ACK, &payload), ReplyEnd::End) })
}

/// Type of the first message of a datagram and the 32-bit number after its header (errno of NLMSG_ERROR).
pub(crate) fn head(data: &[u8]) -> (u16, i32) {
    let number = data.get(16..20).map_or(0, |bytes| i32::from_ne_bytes(bytes.try_into().unwrap()));
    (u16::from_ne_bytes([data[4], data[5]]), number)
}

/// Reads until the stream ends.
pub(crate) fn read_all(mut from: impl Read) -> String {
    let mut text = String::new();
    from.read_to_string(&mut text).unwrap();
    text
}
