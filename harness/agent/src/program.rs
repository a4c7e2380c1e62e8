// SPDX-License-Identifier: BSD-2-Clause
//! What the harness asks the agent to do: vectors compiled to bytes.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::{Act, Card};

/// The one thing that a stream asks the agent for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Run these programs and end.
    Run(Batch),
    /// Listen in the background and serve whoever connects. The agent ends with
    /// [`DONE`](crate::status::DONE) as soon as another process of it listens.
    Listen(Listen),
}

/// How an agent serves from the background: one stream a connection, after a [`Greeting`](crate::Greeting).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listen {
    /// The IPv4 address to listen on.
    pub address: [u8; 4],
    /// The TCP port to listen on.
    pub port: u16,
    /// What a connection must show to be served.
    pub token: [u8; crate::TOKEN_LEN],
    /// Number of empty network stacks to make first, for the programs that follow. FreeBSD only.
    pub stacks: u32,
}

/// The limit in milliseconds of what another limit ends: 49 days.
pub const NO_LIMIT_MS: u32 = u32::MAX;

/// All programs of one run, executed in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The programs; each runs in a network stack of its own.
    pub programs: Vec<Program>,
}

/// One vector, compiled to bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Identifies the program in every [`Record`](crate::Record); unique within a batch.
    pub id: u32,
    /// The vector's id, for messages to people only.
    pub name: String,
    /// Who the child is when it opens its sockets.
    pub privilege: Privilege,
    /// Options of the request socket.
    pub socket: SocketOptions,
    /// Multicast groups (RTNLGRP_* numbers) to join before the first step, one socket each.
    pub groups: Vec<u32>,
    /// Network cards of its own. FreeBSD under QEMU only.
    pub cards: Vec<Card>,
    /// Settings of the whole kernel while it runs; they are put back when it is over. FreeBSD only.
    pub settings: Vec<Setting>,
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// The child is killed after this many milliseconds.
    pub limit_ms: u32,
    /// Have the module record which probes fire, and report that. Without the module nothing is reported, not even
    /// that nothing fired.
    pub kernel_trace: bool,
}

impl Program {
    /// Whether it starts commands, which could outlive it.
    #[must_use]
    pub fn has_commands(&self) -> bool {
        self.steps.iter().any(|step| match step {
            Step::Exec { .. } | Step::Watch(_) => true,
            Step::Count(count) => !count.command.is_empty(),
            Step::Send(_) | Step::Race(_) | Step::Wait { .. } | Step::Hardware(_) => false,
        })
    }
}

/// A setting of the kernel that is a number, as sysctl(8) names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// The name: `net.netlink.debug.nl_iface_debug_level`.
    pub name: String,
    /// The value.
    pub value: i32,
}

/// The credentials of the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Privilege {
    /// uid 0 inside the jail or namespace.
    Root,
    /// uid 0 in a jail within that jail that has no network stack of its own. FreeBSD only.
    Jailed,
    /// uid and gid 65534 ("nobody"), no supplementary groups, before any socket is opened.
    Unprivileged,
    /// Root in the guest's own network stack, as the agent itself: for what concerns the whole guest. What such a program
    /// program changes, those after it find changed.
    Outside,
}

/// Options of the request socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketOptions {
    /// NETLINK_EXT_ACK: error texts and offsets in acknowledgements.
    pub ext_ack: bool,
    /// NETLINK_CAP_ACK: acknowledgements of errors do not echo the request's payload.
    pub cap_ack: bool,
    /// NETLINK_GET_STRICT_CHK: headers of GET requests are checked for zero fields.
    pub strict: bool,
    /// SO_RCVBUF of the request socket in bytes.
    pub receive_buffer: Option<u32>,
    /// SO_RCVBUF of the groups' sockets in bytes. They are then read only when a step is over, so that what
    /// does not fit is lost, and lost every time.
    pub event_buffer: Option<u32>,
}

/// One step of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Sends one datagram on the request socket and collects what comes back.
    Send(Send),
    /// Runs a command inside the jail or namespace.
    Exec {
        /// The program (its name or absolute path) and its arguments.
        argv: Vec<String>,
        /// The command is killed after this many milliseconds.
        limit_ms: u32,
    },
    /// Runs a program that the kernel traces.
    Watch(Watch),
    /// Has several sockets ask at once.
    Race(Race),
    /// Has several sockets ask very often, and counts what comes.
    Count(Count),
    /// Does something with a network card, and waits until the kernel has noticed.
    Hardware(Act),
    /// Waits until no event has come for `quiet_ms`, at most `limit_ms`.
    Wait {
        /// Milliseconds without an event that end the step.
        quiet_ms: u32,
        /// The step ends after this many milliseconds whatever comes.
        limit_ms: u32,
    },
}

/// A program that is traced by ktrace(2), with all that it starts. What it writes and what the kernel says of its system
/// calls is recorded while it runs. FreeBSD only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// The program (its name or absolute path) and its arguments.
    pub argv: Vec<String>,
    /// The directory in which it begins, an absolute path.
    pub directory: String,
    /// The file that it reads as its standard input, an absolute path; `None`: it reads nothing.
    pub stdin: Option<String>,
    /// The program is killed after this many milliseconds.
    pub limit_ms: u32,
}

/// Several sockets that ask at once, again and again. Each datagram holds one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Race {
    /// How often; 0 if [`for_ms`](Self::for_ms) says how long.
    pub rounds: u32,
    /// For how many milliseconds; 0 if [`rounds`](Self::rounds) says how often. Of dumps only the ends are then recorded.
    pub for_ms: u32,
    /// What is done with network cards meanwhile, one after the other and then from the first again.
    pub acts: Vec<Act>,
    /// Sent before each round, one after the other; each must be acknowledged without an error.
    pub before: Vec<Send>,
    /// What each socket asks, in its order. Interfaces are resolved before anything of the round is sent.
    pub lanes: Vec<Vec<Send>>,
    /// Sent after each round, one after the other, whatever comes of it.
    pub after: Vec<Send>,
    /// A round that takes longer has lost an answer.
    pub limit_ms: u32,
}

/// Several sockets that ask again and again. What comes is counted and not recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// What each socket asks, one request after the other and then from the first again. Each datagram holds one
    /// message. A socket asks when the answer to its last request has come.
    pub lanes: Vec<Vec<Send>>,
    /// When it is enough.
    pub until: Until,
    /// A command that runs meanwhile: the program (its name or absolute path) and its arguments. Empty: none. It is killed if
    /// it has not ended when it is enough.
    pub command: Vec<String>,
    /// How long each socket rests after an answer, in milliseconds.
    pub rest_ms: u32,
    /// A request that is not answered in this time has lost its answer, which ends the step.
    pub limit_ms: u32,
}

/// What ends a [`Count`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Until {
    /// Number of requests that each socket asks.
    Requests(u32),
    /// The command has ended.
    Command,
}

/// One datagram to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Send {
    /// The bytes; `patches` are applied to them first.
    pub data: Vec<u8>,
    /// Interface indexes that are known only in the guest.
    pub patches: Vec<Patch>,
    /// `nlmsg_seq` of the message whose answer ends the step.
    pub seq: u32,
    /// What ends the step.
    pub end: ReplyEnd,
    /// Without that after this many milliseconds a [`Body::Timeout`](crate::Body::Timeout) is recorded
    /// and the program goes on.
    pub limit_ms: u32,
    /// When groups are joined: after the reply, wait until no event has come for this many
    /// milliseconds. 0 only takes what is there already, and so does any other value where the agent knows that no event is
    /// on its way (FreeBSD on one processor).
    pub settle_ms: u32,
}

/// Overwrites four bytes of a datagram, in the guest's byte order, with the index of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// Byte offset in the datagram.
    pub offset: u32,
    /// The interface's name in the program's network stack. Unknown there: the step fails with
    /// [`ErrorStage::Resolve`](crate::ErrorStage::Resolve) and nothing is sent.
    pub ifname: String,
}

/// What ends the collection of replies to a [`Send`]. NLMSG_ERROR with the step's seq always does.
/// After it the agent sends a fence (NLMSG_NOOP with NLM_F_ACK and a seq of its own, see
/// [`FENCE_SEQ_BASE`](crate::frame::FENCE_SEQ_BASE)) and takes all that comes before its acknowledgement,
/// so that a surplus reply is seen and an absent one costs no waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReplyEnd {
    /// One message with the step's seq and without NLM_F_MULTI.
    Message,
    /// The end of an answer, with the step's seq: an acknowledgement (NLMSG_ERROR), or NLMSG_DONE, after which no
    /// acknowledgement follows. Which of them is the kernel's affair: 13 answers RTM_NEWADDR with a dump.
    End,
    /// Nothing is expected: the fence follows at once.
    Nothing,
}
