// SPDX-License-Identifier: BSD-2-Clause
//! What the kernel prints while a program runs, from `/dev/klog`.
//!
//! While a process has that device open, log(9) does not reach the console (sys/kern/subr_prf.c `vlog`), where people
//! and nlproof look when a guest dies. The agent therefore opens it for the moment of each look. What is read there
//! is still in dmesg(8).

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use nlproof_agent::console::{Lines, Look};

use crate::sys::io::{self, Access};
use crate::sys::{Errno, clock, errno, sysctl};

/// 2: microseconds.
const STAMP: &str = "kern.msgbuf_show_timestamp";
const SIZE: &str = "kern.msgbufsize";
/// Bytes at a time.
const AT_ONCE: usize = 16 * 1024;

/// The kernel's message buffer, while a batch runs.
pub(crate) struct Console {
    /// Whether the kernel puts the time before lines.
    stamped: Result<(), Errno>,
    /// Lines printed before this time, in microseconds of CLOCK_MONOTONIC, belong to no program.
    from_us: u64,
    /// Size of the buffer in bytes.
    size: u64,
    lines: Lines,
    buffer: Vec<u8>,
}

/// Reads and discards what is there, so that later programs have less to read.
pub(crate) fn skip() {
    Console::begin();
}

impl Console {
    /// Begins, and discards what is there. What fails is said at the first look.
    pub(crate) fn begin() -> Self {
        let stamped = sysctl::set_int(STAMP, 2);
        let size = sysctl::number(SIZE).unwrap_or(u64::MAX);
        let (lines, buffer) = (Lines::default(), vec![0; AT_ONCE]);
        let mut console = Self { stamped, from_us: 0, size, lines, buffer };
        console.look().ok();
        console.from_us = clock::now() / 1000;
        console
    }

    /// What was printed since the last time.
    ///
    /// # Errors
    /// The kernel's number, and why it cannot be read.
    pub(crate) fn look(&mut self) -> Result<Look, (Errno, String)> {
        self.stamped.map_err(|errno| (errno, format!("{STAMP} cannot be set ({errno})")))?;
        let klog = io::open(c"/dev/klog", Access::Poll).map_err(|errno| {
            let why = match errno {
                errno::EBUSY => ": another program has it, mostly syslogd",
                _ => "",
            };
            (errno, format!("/dev/klog cannot be opened ({errno}){why}"))
        })?;
        let (mut printed, mut all) = (Vec::new(), 0_u64);
        loop {
            let length = match io::read(klog.raw(), &mut self.buffer) {
                Ok(length) => length,
                // Nothing is there any more.
                Err(errno::EAGAIN) => break,
                Err(errno) => return Err((errno, format!("/dev/klog cannot be read ({errno})"))),
            };
            all += length as u64;
            printed.extend(self.lines.push(self.buffer.get(..length).unwrap_or_default()));
            if length < self.buffer.len() {
                break;
            }
        }
        drop(klog);
        printed.extend(self.lines.unfinished());
        printed.retain(|line| line.t_us >= self.from_us);
        Ok(Look { printed, overrun: all >= self.size })
    }
}
