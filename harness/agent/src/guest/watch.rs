// SPDX-License-Identifier: BSD-2-Clause
//! A program that the kernel traces while it runs.

use alloc::ffi::CString;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use core::ffi::CStr;

use nlproof_agent::{Body, ErrorStage, Watch};

use crate::command::Command;
use crate::session::Session;
use crate::sys::clock::Deadline;
use crate::sys::io::{self, Access, Fd, PollFd, STDIN};
use crate::sys::{Errno, ktrace, process};
use crate::waiting::Recorded;

/// Bytes of the trace that one record has at most.
const CHUNK: usize = 256 << 10;
/// How many of them are taken before something else is looked at.
const CHUNKS: u32 = 16;
/// Between two looks at the trace, which no poll(2) tells of, in milliseconds.
const LOOK_MS: u32 = 20;
/// How long nothing must have come after the end before it is the end, in milliseconds: events, and what a process that was
/// left behind still says.
const QUIET_MS: u32 = 100;
/// What is waited for after the end at most, in milliseconds.
const AFTERWARDS_MS: u32 = 2000;
/// The trace's file, which is gone when it is read to its end.
const FILE: &CStr = c"/tmp/nlproof.ktrace";

/// The file that the kernel writes, and how far it was read.
struct Trace {
    file: Fd,
    buffer: vec::Vec<u8>,
}

impl Trace {
    fn create() -> Result<Self, Errno> {
        // A file of an earlier program, whose processes may still write to it.
        io::remove(FILE).ok();
        drop(io::create(FILE)?);
        Ok(Self { file: io::open(FILE, Access::Poll)?, buffer: vec![0; CHUNK] })
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        // It is the guest's last use of it.
        io::remove(FILE).ok();
    }
}

fn path(text: &str) -> CString {
    // `Program::check` has refused NUL bytes.
    CString::new(text).unwrap_or_default()
}

impl Session<'_> {
    /// Runs a program, and reports what it writes and what the kernel says of it.
    pub(crate) fn watch(&mut self, watch: &Watch) {
        let mut trace = match Trace::create() {
            Ok(trace) => trace,
            Err(errno) => {
                let text = format!("the trace's file {} cannot be made ({errno})", FILE.to_string_lossy());
                return self.reporter.error(ErrorStage::Exec, errno, text);
            }
        };
        let (directory, stdin) = (path(&watch.directory), watch.stdin.as_deref().map(path));
        let started = Command::start_after(&watch.argv, || {
            process::change_directory(&directory)?;
            if let Some(stdin) = &stdin {
                io::duplicate(io::open(stdin, Access::Read)?.raw(), STDIN)?;
            }
            ktrace::begin(FILE, process::id())
        });
        match started {
            Ok(command) => self.attend_watched(command, watch.limit_ms, &mut trace),
            Err(errno) => {
                let command = watch.argv.first().map_or("", String::as_str);
                let text = format!("`{command}` could not be started ({errno})");
                self.reporter.error(ErrorStage::Exec, errno, text);
            }
        }
    }

    fn attend_watched(&mut self, mut command: Command, limit_ms: u32, trace: &mut Trace) {
        let limit = Deadline::after_ms(limit_ms);
        let status = loop {
            match command.status() {
                Ok(None) if limit.passed() => {
                    self.reporter.report(Body::Timeout);
                    break command.kill();
                }
                Ok(None) => {}
                Ok(Some(status)) => break Ok(status),
                Err(errno) => break Err(errno),
            }
            self.look(&mut command, trace, Deadline::after_ms(LOOK_MS).min(limit));
        };
        let last = Deadline::after_ms(AFTERWARDS_MS);
        let mut quiet = Deadline::after_ms(QUIET_MS);
        while !quiet.passed() && !last.passed() {
            if self.look(&mut command, trace, Deadline::after_ms(LOOK_MS)) {
                quiet = Deadline::after_ms(QUIET_MS);
            }
        }
        match status {
            Ok(status) => {
                let ended = command.finish(status);
                self.report_output([ended.stdout, ended.stderr]);
                let (stdout, stderr) = Default::default();
                self.reporter.report(Body::Exec { status, stdout, stderr });
            }
            Err(errno) => {
                let text = format!("the program's end could not be learnt ({errno})");
                self.reporter.error(ErrorStage::Exec, errno, text);
            }
        }
        self.reporter.pass_on();
    }

    /// Waits for something and reports it; whether there was anything. The program's calls come before the events that they
    /// caused.
    fn look(&mut self, command: &mut Command, trace: &mut Trace, until: Deadline) -> bool {
        let mut pipes = if command.silent() { [PollFd::none(); 2] } else { command.pipes() };
        let seen = self.next(until, &mut pipes);
        if pipes.iter().any(|pipe| pipe.ready()) {
            command.read(pipes);
        }
        let traced = self.report_trace(trace);
        let written = self.report_output(command.take_output());
        let recorded = self.record(seen);
        traced || written || matches!(recorded, Recorded::Event | Recorded::Reply { .. })
    }

    fn report_trace(&self, trace: &mut Trace) -> bool {
        let mut any = false;
        // What cannot be read is not there, and the host sees that the trace is cut.
        for _ in 0..CHUNKS {
            let Ok(len @ 1..) = io::read(trace.file.raw(), &mut trace.buffer) else { break };
            any = true;
            let data = trace.buffer.get(..len).unwrap_or_default().to_vec();
            self.reporter.report(Body::Traced { data });
        }
        any
    }

    fn report_output(&self, [stdout, stderr]: [vec::Vec<u8>; 2]) -> bool {
        let mut any = false;
        for (stderr, data) in [(false, stdout), (true, stderr)] {
            if !data.is_empty() {
                any = true;
                self.reporter.report(Body::Output { stderr, data });
            }
        }
        any
    }
}
