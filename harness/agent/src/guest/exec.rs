// SPDX-License-Identifier: BSD-2-Clause
//! A step that runs a command.

use alloc::format;
use alloc::string::String;

use nlproof_agent::{Body, ErrorStage};

use crate::collector::Seen;
use crate::command::Command;
use crate::session::Session;
use crate::sys::clock::Deadline;
use crate::sys::process;

/// How long to wait at a time for a command whose outputs are open: their end tells that it ends, unless it left a process
/// behind that holds them. In milliseconds.
const SLICE_MS: u32 = 50;

impl Session<'_> {
    /// Runs a command and records what comes meanwhile.
    pub(crate) fn exec(&mut self, argv: &[String], limit_ms: u32) {
        match Command::start(argv) {
            Ok(command) => self.attend(command, limit_ms),
            Err(errno) => {
                let command = argv.first().map_or("", |path| path.as_str());
                let text = format!("`{command}` could not be started ({errno})");
                self.reporter.error(ErrorStage::Exec, errno, text);
            }
        }
    }

    /// Serves a command until it ends or its time is over.
    fn attend(&mut self, mut command: Command, limit_ms: u32) {
        let limit = Deadline::after_ms(limit_ms);
        let status = loop {
            if command.silent() {
                // It was about to end when the end of its outputs was told, which interrupted it.
                process::give_way();
            }
            match command.status() {
                Ok(None) if limit.passed() => break command.kill(),
                Ok(None) => {}
                Ok(Some(status)) => break Ok(status),
                Err(errno) => break Err(errno),
            }
            // The end of its outputs usually tells that it ends; without them only asking again does.
            let until = if command.silent() { Deadline::after_ms(1) } else { Deadline::after_ms(SLICE_MS) };
            let mut pipes = command.pipes();
            let seen = self.next(until.min(limit), &mut pipes);
            if matches!(seen, Seen::Further) {
                command.read(pipes);
            }
            self.record(seen);
        };
        match status {
            Ok(status) => {
                let ended = command.finish(status);
                let (stdout, stderr) = (ended.stdout, ended.stderr);
                self.reporter.report(Body::Exec { status: ended.status, stdout, stderr });
            }
            Err(errno) => {
                let text = format!("the command's end could not be learnt ({errno})");
                self.reporter.error(ErrorStage::Exec, errno, text);
            }
        }
    }
}
