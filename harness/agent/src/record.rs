// SPDX-License-Identifier: BSD-2-Clause
//! The agent's report: everything that it saw, in order.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::{Deed, Phase};

/// [`Record::step`] outside any step.
pub const NO_STEP: u32 = u32::MAX;

/// One observation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// [`Program::id`](crate::Program::id).
    pub program: u32,
    /// Index into [`Program::steps`](crate::Program::steps); [`NO_STEP`] outside any step.
    pub step: u32,
    /// CLOCK_MONOTONIC of the guest, in nanoseconds, when the agent saw it.
    pub t_ns: u64,
    /// What was seen.
    pub body: Body,
}

impl Record {
    /// The step in which it was seen; `None` outside any step.
    #[must_use]
    pub fn in_step(&self) -> Option<u32> {
        (self.step != NO_STEP).then_some(self.step)
    }
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// The child runs inside its fresh network stack, sockets are open and groups joined.
    Start {
        /// `nl_pid` of the request socket as the kernel assigned it.
        pid: u32,
    },
    /// A step begins, before anything is done for it; with [`NO_STEP`] as the record's step: the last one is over.
    Begin,
    /// An interface name was resolved for a [`Patch`](crate::Patch), or seen when the program ended.
    Resolved {
        /// The interface's name.
        ifname: String,
        /// Index of the interface.
        ifindex: u32,
    },
    /// The datagram as it was sent, after patches.
    Sent {
        /// The bytes.
        data: Vec<u8>,
    },
    /// A datagram from the request socket.
    Reply {
        /// The bytes.
        data: Vec<u8>,
        /// Full length of a datagram that the receive buffer cut (MSG_TRUNC): then larger than `data`.
        full_len: u32,
    },
    /// A datagram from one of the sockets of a [`Race`](crate::Race).
    Race {
        /// The round, from 0.
        round: u32,
        /// Index into [`Race::lanes`](crate::Race::lanes).
        lane: u32,
        /// The bytes.
        data: Vec<u8>,
    },
    /// Something is done with a network card. What the machine does the harness does when it gets this.
    Hardware {
        /// Index into [`Program::cards`](crate::Program::cards).
        card: u32,
        /// What the vector calls the card.
        name: String,
        /// What is done.
        deed: Deed,
        /// A step of the vector does it: not the preparation of the program, its end, or a race.
        told: bool,
    },
    /// The kernel did not notice what was done with a network card.
    Unnoticed {
        /// What was waited for.
        wait: String,
        /// How long, in milliseconds.
        limit_ms: u32,
        /// The vector says that it does not.
        foreknown: bool,
    },
    /// How long a [`Race`](crate::Race) was.
    Raced {
        /// Rounds of requests.
        rounds: u32,
        /// What was done with network cards meanwhile, counted.
        acts: u32,
    },
    /// What a [`Count`](crate::Count) came to.
    Counted(Counted),
    /// A datagram from the socket of one multicast group.
    Event {
        /// RTNLGRP_* number.
        group: u32,
        /// The bytes.
        data: Vec<u8>,
    },
    /// A command ended.
    Exec {
        /// Exit status, or 128 + signal number.
        status: i32,
        /// Standard output.
        stdout: Vec<u8>,
        /// Standard error.
        stderr: Vec<u8>,
    },
    /// The program of a [`Watch`](crate::Watch) wrote something.
    Output {
        /// On standard error, not on standard output.
        stderr: bool,
        /// The bytes.
        data: Vec<u8>,
    },
    /// What ktrace(2) has written into its file since the last time: records as in sys/ktrace.h, cut anywhere.
    Traced {
        /// The bytes.
        data: Vec<u8>,
    },
    /// The kernel dropped messages: a receive call failed with ENOBUFS (`errno`).
    Drop {
        /// Which socket.
        source: DropSource,
        /// The guest's errno number.
        errno: i32,
    },
    /// The step's answer did not come within its limit.
    Timeout,
    /// A probe of the kernel's interface code fired. `t_ns` of the record is when it did.
    Kernel(KernelEvent),
    /// The kernel was traced while the program ran; the number is that of probes that fired and found no room.
    /// Without it nothing is known of the kernel's part, not even that it had none.
    KernelLost {
        /// How many.
        count: u64,
    },
    /// The kernel printed a line. `t_ns` of the record is when it did, in whole microseconds; it comes when the program's
    /// steps are over. The kernel does not say for which network stack a line is: it stands in the step during which it
    /// was printed, or in none.
    Console(ConsoleLine),
    /// What the kernel printed while the program ran was read; so much of it found no room. Without it nothing is known
    /// of what the kernel printed, not even that it printed nothing.
    ConsoleRead {
        /// Lines that are not reported.
        lines: u32,
        /// Their bytes.
        bytes: u64,
        /// The kernel's message buffer ran over: what was in it before is lost, and its amount is unknown.
        overrun: bool,
    },
    /// What the kernel printed cannot be read.
    NoConsole {
        /// The guest's errno number, 0 if there is none.
        errno: i32,
        /// Why, for people.
        text: String,
    },
    /// Something that the program needs failed; `stage` tells whether the program goes on.
    Error {
        /// What failed.
        stage: ErrorStage,
        /// The guest's errno number, 0 if there is none.
        errno: i32,
        /// A sentence for people.
        text: String,
    },
    /// The time of one of the two processes of a program, by phases, in nanoseconds. What a process does not tell of is no
    /// part of it; of a program that died or was rejected something is missing.
    Spent(Vec<(Phase, u64)>),
    /// The program is over; nothing more comes for it. Always the last record of a program, whether it
    /// ran, was rejected, died or was killed.
    End {
        /// `None`: ran to its end. `Some(status)`: the child died (128 + signal, or its exit status).
        died: Option<i32>,
    },
}

/// Counts of very many requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Requests that were sent.
    pub asked: u64,
    /// Requests that were answered to the end.
    pub answered: u64,
    /// Answers that were an error.
    pub errors: u64,
    /// Messages of all answers.
    pub messages: u64,
    /// Bytes of all answers.
    pub bytes: u64,
    /// Answers that had another length than the first one to the same request on the same socket.
    pub uneven: u64,
    /// Messages from the groups that the program joined.
    pub events: u64,
    /// What the processor's time stamp counter advanced by from the first request to the last answer. In a guest
    /// under QEMU's `-icount shift=0`: instructions.
    pub ticks: u64,
}

/// A probe that fired: as the module's ring and the simulator keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelEvent {
    /// The processor.
    pub cpu: u16,
    /// The thread.
    pub tid: u32,
    /// The probe's number: its place in `kmod-src/probes.yaml`.
    pub probe: u16,
    /// Arguments of the probe as words.
    pub args: [u64; 5],
}

/// Which socket lost messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DropSource {
    /// The request socket.
    Request,
    /// The socket of this group.
    Group(u32),
}

/// What failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ErrorStage {
    /// The program itself is malformed (a patch outside the datagram, no steps): rejected, not run.
    Refused,
    /// No jail or namespace, or no privilege change: not run.
    Isolate,
    /// A socket could not be opened, bound, or joined to its group: not run.
    Socket,
    /// A name in a patch is not an interface: the step was not sent, the program goes on.
    Resolve,
    /// The send call failed: the program goes on.
    Send,
    /// A receive call failed other than by ENOBUFS: the program goes on.
    Receive,
    /// The command could not be started: the program goes on.
    Exec,
    /// The program exceeded [`Program::limit_ms`](crate::Program::limit_ms) and was killed.
    Limit,
}

/// A line that the kernel printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsoleLine {
    /// Priority as in syslog(3): the facility times eight, and the severity. `None`: printf(9), which has none.
    pub priority: Option<u32>,
    /// Bytes of the line without priority, time and newline, at most [`MAX_LINE`](crate::console::MAX_LINE) of them.
    pub text: Vec<u8>,
    /// How many bytes of it are not in `text`.
    pub cut: u32,
    /// The newline had arrived when the line was read. The rest of an incomplete line is a line of its own.
    pub whole: bool,
}
