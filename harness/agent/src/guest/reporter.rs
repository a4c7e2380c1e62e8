// SPDX-License-Identifier: BSD-2-Clause
//! The child's way to its parent: records as frames into a pipe.

use alloc::string::String;
use core::cell::RefCell;

use nlproof_agent::frame::encode_frame;
use nlproof_agent::{Body, ErrorStage, NO_STEP, Program, Record, status};

use crate::given::Given;
use crate::sys::io::{Fd, write_all};
use crate::sys::memory::SharedBytes;
use crate::sys::{Errno, clock, process};

/// Writes the records of one program, many with one system call: each of them wakes the parent, which goes before the
/// child then. What is left at the end is written by nobody: the parent finds it where it is gathered.
pub(crate) struct Reporter<'a> {
    pipe: &'a Fd,
    program: u32,
    /// Frames that are not yet written.
    gathered: &'a RefCell<SharedBytes>,
    /// None is later than something that could be the end of the guest.
    prompt: bool,
    /// The step that runs.
    pub(crate) step: u32,
}

impl<'a> Reporter<'a> {
    pub(crate) fn new(pipe: &'a Fd, program: &Program, given: &'a Given) -> Self {
        let (gathered, prompt) = (&given.gathered, given.prompt(program));
        Self { pipe, program: program.id, gathered, prompt, step: NO_STEP }
    }

    /// Reports what is seen now.
    pub(crate) fn report(&self, body: Body) {
        self.report_at(clock::now(), body);
    }

    /// Reports what was seen then. Without a parent to read it, or if it cannot be encoded, the child ends:
    /// its parent says so.
    pub(crate) fn report_at(&self, t_ns: u64, body: Body) {
        self.report_all([(t_ns, body)]);
    }

    /// Reports what was seen, each at its time.
    pub(crate) fn report_all(&self, seen: impl IntoIterator<Item = (u64, Body)>) {
        for (t_ns, body) in seen {
            let record = Record { program: self.program, step: self.step, t_ns, body };
            let Ok(frame) = encode_frame(&record) else { process::exit(status::SYSTEM) };
            if !self.gathered.borrow_mut().append(&frame) {
                self.pass_on();
                if !self.gathered.borrow_mut().append(&frame) {
                    // One that is longer than all the room.
                    self.write(&frame);
                }
            }
        }
    }

    /// Whether anything is gathered that somebody waits for.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.prompt && self.gathered.borrow().count() > 0
    }

    /// Writes what was gathered, if records are to be prompt: to be called before the kernel is asked for anything that a
    /// vector is about.
    pub(crate) fn before_asking(&self) {
        if self.prompt {
            self.pass_on();
        }
    }

    /// Writes what was gathered: to be called before a long wait, and before something that the harness has to do.
    pub(crate) fn pass_on(&self) {
        let mut gathered = self.gathered.borrow_mut();
        let frames = gathered.take();
        if !frames.is_empty() {
            self.write(frames);
        }
    }

    fn write(&self, frames: &[u8]) {
        if write_all(self.pipe.raw(), frames).is_err() {
            process::exit(status::LOST);
        }
    }

    /// Reports that something failed.
    pub(crate) fn error(&self, stage: ErrorStage, errno: Errno, text: String) {
        self.report(Body::Error { stage, errno: errno.0, text });
    }
}
