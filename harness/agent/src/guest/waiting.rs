// SPDX-License-Identifier: BSD-2-Clause
//! Waiting for the kernel: for an answer, for the fence behind it, for the end of events.

use alloc::format;
use alloc::vec::Vec;

use nlproof_agent::datagram::{fence, without_fences};
use nlproof_agent::{Body, DropSource, ErrorStage, Phase};

use crate::collector::Seen;
use crate::session::Session;
use crate::sys::clock::Deadline;
use crate::sys::io::PollFd;
use crate::sys::{Errno, errno, socket};

/// How often a fence is sent again when its acknowledgement itself was dropped.
const FENCE_ATTEMPTS: u32 = 8;
/// How long a record may wait for others before all are passed on, in milliseconds.
const GATHER_MS: u32 = 20;

/// What to do when the request socket lost messages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtDrop {
    /// Wait on.
    GoOn,
    /// Wait no longer: what is waited for may be among them.
    Stop,
}

/// What a stretch of waiting ended with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stretch {
    /// What was waited for.
    Found,
    /// The request socket lost messages, perhaps those.
    Dropped,
    /// The deadline.
    Over,
}

/// What [`Session::record`] has recorded.
pub(crate) enum Recorded {
    /// A reply; whether it held the acknowledgement of the latest fence, and its bytes without.
    Reply { reached: bool, data: Vec<u8> },
    /// An event.
    Event,
    /// Something else.
    Other,
    /// Nothing came.
    Quiet,
}

impl Session<'_> {
    /// Has the kernel acknowledge something after all that was asked before, and takes what comes until
    /// then: there is no need to wait for replies that do not come.
    pub(crate) fn pass_fence(&mut self, limit_ms: u32) {
        let deadline = Deadline::after_ms(limit_ms);
        let taken_up = |session: &Self| session.collector.request().is_none_or(|it| socket::taken_up(&it.fd));
        while !taken_up(self) && !deadline.passed() {
            self.collect(Deadline::after_ms(1).min(deadline), AtDrop::GoOn, |_, _| false);
        }
        for _ in 0..FENCE_ATTEMPTS {
            self.fences += 1;
            let (_, bytes) = fence(self.fences);
            if !self.transmit(&bytes, "the fence after this step") {
                return;
            }
            match self.collect(deadline, AtDrop::Stop, |reached, _| reached) {
                Stretch::Found => return,
                // Linux drops everything until the socket is empty (af_netlink.c NETLINK_S_CONGESTED).
                Stretch::Dropped => {
                    let empty = Deadline::after_ms(0);
                    if self.collect(empty, AtDrop::GoOn, |reached, _| reached) == Stretch::Found {
                        return;
                    }
                }
                Stretch::Over => break,
            }
        }
        let text = format!("the kernel did not acknowledge the fence after this step within {limit_ms} ms");
        self.reporter.error(ErrorStage::Receive, Errno(0), text);
    }

    /// Waits as [`Collector::next`] does, and passes on what was seen before if nothing follows it soon.
    pub(crate) fn next(&mut self, until: Deadline, further: &mut [PollFd]) -> Seen {
        if self.reporter.is_waited_for() {
            let seen = self.collector.next(Deadline::after_ms(GATHER_MS).min(until), further);
            if !matches!(seen, Seen::Quiet) || until.passed() {
                return seen;
            }
            self.reporter.pass_on();
        }
        self.collector.next(until, further)
    }

    /// Records what comes until `found` says so of a reply (told whether it held the acknowledgement of the
    /// latest fence, and its bytes), until the request socket lost something if that matters, or until the
    /// deadline.
    pub(crate) fn collect(
        &mut self,
        until: Deadline,
        drop: AtDrop,
        found: impl Fn(bool, &[u8]) -> bool,
    ) -> Stretch {
        loop {
            let seen = self.next(until, &mut []);
            let dropped = matches!(&seen, Seen::Failed { source: DropSource::Request, .. });
            match self.record(seen) {
                Recorded::Quiet => return Stretch::Over,
                Recorded::Reply { reached, data } if found(reached, &data) => return Stretch::Found,
                _ if dropped && drop == AtDrop::Stop => return Stretch::Dropped,
                _ => {}
            }
        }
    }

    /// Records what comes until no event has come for `quiet_ms`, at most for `limit_ms`.
    pub(crate) fn settle(&mut self, quiet_ms: u32, limit_ms: u32) {
        self.collector.held = false;
        let limit = Deadline::after_ms(limit_ms);
        let mut quiet = Deadline::after_ms(quiet_ms).min(limit);
        loop {
            let seen = self.next(quiet, &mut []);
            match self.record(seen) {
                Recorded::Quiet => break,
                // What is there already is taken even after the deadline, but not for ever.
                _ if quiet_ms > 0 && limit.passed() => break,
                Recorded::Event => quiet = Deadline::after_ms(quiet_ms).min(limit),
                Recorded::Reply { .. } | Recorded::Other => {}
            }
        }
        self.collector.held = self.late;
        self.laps.lap(Phase::Events);
    }

    /// Reports what was seen, without the fences.
    pub(crate) fn record(&self, seen: Seen) -> Recorded {
        match seen {
            Seen::Datagram { source: DropSource::Request, t_ns, data, full_len } => {
                let (seq, _) = fence(self.fences);
                let unfenced = without_fences(&data, seq);
                let full_len = full_len - (data.len() - unfenced.data.len()) as u32;
                if !unfenced.data.is_empty() || data.is_empty() {
                    self.reporter.report_at(t_ns, Body::Reply { data: unfenced.data.clone(), full_len });
                }
                Recorded::Reply { reached: unfenced.reached, data: unfenced.data }
            }
            Seen::Datagram { source: DropSource::Group(group), t_ns, data, .. } => {
                self.reporter.report_at(t_ns, Body::Event { group, data });
                Recorded::Event
            }
            Seen::Failed { source, errno } => {
                if errno == errno::ENOBUFS {
                    self.reporter.report(Body::Drop { source, errno: errno.0 });
                } else {
                    let text = format!("receiving failed ({errno}); nothing more comes from this socket");
                    self.reporter.error(ErrorStage::Receive, errno, text);
                }
                Recorded::Other
            }
            Seen::Further => Recorded::Other,
            Seen::Quiet => Recorded::Quiet,
        }
    }
}
