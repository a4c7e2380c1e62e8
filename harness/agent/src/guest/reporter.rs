// SPDX-License-Identifier: BSD-2-Clause
//! The child's way to its parent: records as frames into a pipe.

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use nlproof_agent::frame::encode_frame;
use nlproof_agent::{Body, ErrorStage, NO_STEP, Record, status};

use crate::sys::io::{Fd, write_all};
use crate::sys::{Errno, clock, process};

/// Bytes of frames that are gathered at most before they are written.
const AT_ONCE: usize = 16 * 1024;

/// Writes the records of one program, many with one system call: each of them wakes the parent, which goes before the
/// child then.
pub(crate) struct Reporter<'a> {
    pipe: &'a Fd,
    program: u32,
    /// Frames that are not yet written.
    gathered: RefCell<Vec<u8>>,
    /// None is later than something that could be the end of the guest.
    prompt: bool,
    /// The step that runs.
    pub(crate) step: u32,
}

impl<'a> Reporter<'a> {
    pub(crate) fn new(pipe: &'a Fd, program: u32, prompt: bool) -> Self {
        Self { pipe, program, gathered: RefCell::new(Vec::new()), prompt, step: NO_STEP }
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
            self.gathered.borrow_mut().extend_from_slice(&frame);
            if self.gathered.borrow().len() >= AT_ONCE {
                self.pass_on();
            }
        }
    }

    /// Whether anything waits to be written.
    pub(crate) fn has_gathered(&self) -> bool {
        !self.gathered.borrow().is_empty()
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
        if !gathered.is_empty() && write_all(self.pipe.raw(), &gathered).is_err() {
            process::exit(status::LOST);
        }
        gathered.clear();
    }

    /// Reports that something failed.
    pub(crate) fn error(&self, stage: ErrorStage, errno: Errno, text: String) {
        self.report(Body::Error { stage, errno: errno.0, text });
    }
}

impl Drop for Reporter<'_> {
    fn drop(&mut self) {
        self.pass_on();
    }
}
