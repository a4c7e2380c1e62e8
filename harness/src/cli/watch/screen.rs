// SPDX-License-Identifier: BSD-2-Clause
//! What a watched program does, as it is shown and kept.

use nlproof_agent::{Body, DropSource, ErrorStage, Record};
use nlproof_base::counted;
use nlproof_wire::Os;
use nlproof_wire::schema::group_name;

use crate::cli::exit::{CliError, ExitCode};
use crate::cli::out::{say, say_text};
use crate::import::{Act, Deed, Heard, KernelTrace};
use crate::trace::{Role, decode_datagram, marked_to_text, quoted};

/// The most that is kept of what the program writes, in bytes. All of it is shown.
const KEPT: usize = 1 << 20;
/// What the kernel prints when the trace's file cannot be written any more (sys/kern/kern_ktrace.c).
const WRITE_FAILED: &str = "ktrace write failed";
/// ENOENT and EACCES (sys/sys/errno.h).
const ENOENT: i32 = 2;
const EACCES: i32 = 13;

/// What was seen of a program.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// What it and its descendants did.
    pub(super) acts: Vec<Act>,
    /// Multicast events.
    pub(super) heard: Vec<Heard>,
    /// Bytes that the program wrote, on standard output and on standard error.
    pub(super) output: [Vec<u8>; 2],
    /// Status of the program once it has ended: 128 + signal if one ended it.
    pub(super) status: Option<i32>,
    /// Why not all of it was seen, a line each.
    pub(super) holes: Vec<String>,
    /// The program was ended because its time was over.
    timed_out: bool,
    /// Messages that the tables do not know.
    unknown: usize,
}

impl Seen {
    /// How the command ends: as the program did, if all of it was seen.
    pub(super) fn code(&self) -> ExitCode {
        match (self.status, self.timed_out) {
            (_, true) => ExitCode::TIMED_OUT,
            _ if !self.holes.is_empty() => ExitCode::GUEST,
            (Some(status), _) => ExitCode::of_command(status),
            (None, _) => ExitCode::GUEST,
        }
    }

    /// How much there was, on a line.
    pub(super) fn summary(&self) -> String {
        let moved = |wanted: bool| {
            let is = |act: &&Act| matches!(act.deed, Deed::Moved { sent, .. } if sent == wanted);
            counted(self.acts.iter().filter(is).count(), "datagram")
        };
        let unknown = match self.unknown {
            0 => String::new(),
            unknown => format!("; {} not known by name", counted(unknown, "message").verb("is", "are")),
        };
        format!(
            "{} to the kernel, {} from it, {}{unknown}",
            moved(true),
            moved(false),
            counted(self.heard.len(), "event")
        )
    }
}

/// Shows records as they come.
pub(super) struct Screen {
    seen: Seen,
    trace: KernelTrace,
    timeout: u32,
    /// Whose messages were shown last: process, and socket.
    last: Option<(i32, u32)>,
    /// Lines of both outputs that are not complete.
    lines: [Vec<u8>; 2],
    /// Why nothing ran.
    failed: Option<CliError>,
}

impl Screen {
    pub(super) fn new(timeout: u32) -> Self {
        Self {
            seen: Seen::default(),
            trace: KernelTrace::default(),
            timeout,
            last: None,
            lines: Default::default(),
            failed: None,
        }
    }

    pub(super) fn hear(&mut self, record: &Record) {
        match &record.body {
            Body::Traced { data } => {
                let mut acts = Vec::new();
                let damage = self.trace.push(data, &mut |act| acts.push(act)).err();
                acts.into_iter().for_each(|act| self.act(act));
                if let Some(damage) = damage {
                    self.hole(format!("the trace cannot be read from here on: {damage}"));
                }
            }
            Body::Output { stderr, data } => self.output(usize::from(*stderr), data),
            Body::Event { group, data } => self.event(*group, data),
            Body::Timeout => {
                self.seen.timed_out = true;
                self.hole(format!("still running after {}, ended", counted(self.timeout, "second")));
            }
            Body::Exec { status, .. } => {
                self.rest_of_lines();
                self.seen.status = Some(*status);
                say!("  exit status={status}");
            }
            Body::Drop { source: DropSource::Group(group), .. } => {
                let group = group_name(Os::FreeBsd, *group).unwrap_or("a group");
                self.hole(format!("the kernel dropped events of {group} for want of room"));
            }
            Body::Console(line) => {
                let text = String::from_utf8_lossy(&line.text).into_owned();
                if text.contains(WRITE_FAILED) {
                    self.hole(format!(
                        "the guest's disk is full or the trace's file is gone; the kernel says: {text}"
                    ));
                }
            }
            Body::Error { stage, errno, text } => self.error(*stage, *errno, text),
            Body::End { died: Some(status) } if self.failed.is_none() => {
                self.failed = Some(CliError::Guest(format!("the agent's child died ({status})").into()));
            }
            _ => {}
        }
    }

    /// What was seen, or why nothing was.
    pub(super) fn end(mut self) -> Result<Seen, CliError> {
        let mut acts = Vec::new();
        self.trace.finish(&mut |act| acts.push(act));
        acts.into_iter().for_each(|act| self.act(act));
        self.rest_of_lines();
        if self.trace.is_cut() {
            self.hole("the trace ends within a record".to_owned());
        }
        match self.failed {
            Some(error) => Err(error),
            None => Ok(self.seen),
        }
    }

    fn error(&mut self, stage: ErrorStage, errno: i32, text: &str) {
        let why = text.to_owned();
        let error = match (stage, errno) {
            (ErrorStage::Exec, ENOENT) => CliError::Usage(format!(
                "{why}: there is no such program in the guest\n  help: --copy FILE puts one into /root"
            )),
            (ErrorStage::Exec, EACCES) => {
                CliError::Usage(format!("{why}: it cannot be executed\n  help: chmod +x, then copy it again"))
            }
            _ => CliError::Guest(why.into()),
        };
        self.failed.get_or_insert(error);
    }

    fn hole(&mut self, hole: String) {
        say!("  ! {hole}");
        self.seen.holes.push(hole);
    }

    fn act(&mut self, act: Act) {
        match &act.deed {
            Deed::Moved { sent, data, whole, route } => {
                if self.last != Some((act.pid, act.socket)) {
                    say!("{}, socket {}", act.who(), act.socket);
                    self.last = Some((act.pid, act.socket));
                }
                if data.len() == *whole && *route {
                    let (mark, role) = if *sent { ("> ", Role::Request) } else { ("< ", Role::Reply) };
                    self.messages(mark, role, data);
                } else if data.len() == *whole {
                    say!(
                        "  {} {} of another protocol",
                        if *sent { ">" } else { "<" },
                        counted(data.len(), "byte")
                    );
                } else if let Some(told) = act.deed.told() {
                    self.hole(told);
                }
            }
            Deed::Dropped => self.hole("the kernel dropped records of the trace here".to_owned()),
            Deed::Ioctl { request } => {
                if let Some(name) = crate::import::request_name(*request) {
                    say!("{}: ioctl {name}", act.who());
                    self.last = None;
                }
            }
            deed => {
                if let Some(told) = deed.told() {
                    say!("{}: {told}", act.who());
                    self.last = None;
                }
            }
        }
        self.seen.acts.push(act);
    }

    fn event(&mut self, group: u32, data: &[u8]) {
        let name = group_name(Os::FreeBsd, group).map_or_else(|| format!("group#{group}"), str::to_owned);
        self.messages(&format!("* {name}: "), Role::Event, data);
        self.seen.heard.push(Heard { group, data: data.to_vec() });
    }

    fn messages(&mut self, mark: &str, role: Role, data: &[u8]) {
        for node in decode_datagram(Os::FreeBsd, role, data) {
            self.seen.unknown += usize::from(node.name.contains('#') || node.name == "not-a-message");
            say_text!(marked_to_text(mark, &node));
        }
    }

    fn output(&mut self, index: usize, data: &[u8]) {
        if let (Some(lines), Some(kept)) = (self.lines.get_mut(index), self.seen.output.get_mut(index)) {
            let room = KEPT.saturating_sub(kept.len());
            kept.extend_from_slice(data.get(..data.len().min(room)).unwrap_or_default());
            lines.extend_from_slice(data);
            while let Some(end) = lines.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = lines.drain(..=end).collect();
                written(index, line.strip_suffix(b"\n").unwrap_or(&line));
            }
            if lines.len() > KEPT {
                written(index, &std::mem::take(lines));
            }
        }
    }

    fn rest_of_lines(&mut self) {
        for (index, line) in self.lines.iter_mut().enumerate() {
            if !line.is_empty() {
                written(index, &std::mem::take(line));
            }
        }
    }
}

/// Shows a line that the program wrote.
fn written(index: usize, line: &[u8]) {
    say!("  {} {}", if index == 0 { "out" } else { "err" }, quoted(&String::from_utf8_lossy(line)));
}
