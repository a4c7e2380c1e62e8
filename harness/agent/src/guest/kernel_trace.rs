// SPDX-License-Identifier: BSD-2-Clause
//! What the module's ring tells of a program.

use alloc::format;

use nlproof_agent::ring::Fired;
use nlproof_agent::{Body, ErrorStage};

use crate::session::Session;
use crate::sys::Errno;

impl Session<'_> {
    /// Reports which probes have fired since the last time.
    pub(crate) fn report_kernel_trace(&mut self) {
        let Some(ring) = &mut self.ring else { return };
        match ring.read() {
            Ok(fired) => {
                let fired = fired.into_iter();
                self.reporter.report_all(fired.map(|Fired { t_ns, event, .. }| (t_ns, Body::Kernel(event))));
            }
            Err(errno) => self.kernel_trace_failed(errno),
        }
    }

    /// Says that the kernel was traced, and how much of that is missing.
    pub(crate) fn kernel_trace_ends(&mut self) {
        let Some(ring) = &self.ring else { return };
        match ring.lost() {
            Ok(count) => self.reporter.report(Body::KernelLost { count }),
            Err(errno) => self.kernel_trace_failed(errno),
        }
    }

    /// What was not read is lost, and its amount is unknown.
    fn kernel_trace_failed(&self, errno: Errno) {
        let text = format!("the kernel's records could not be read ({errno})");
        self.reporter.error(ErrorStage::Receive, errno, text);
        self.reporter.report(Body::KernelLost { count: 1 });
    }
}
