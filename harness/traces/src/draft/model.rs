// SPDX-License-Identifier: BSD-2-Clause
//! A draft's parts.

use nlproof_agent::{Privilege, Setting, SocketOptions};

/// A vector's requests, in parts that can be changed, left out, and put together anew. Vectors with a race are none, unless it permits any
/// answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Who sends.
    pub privilege: Privilege,
    /// Options of the request socket.
    pub socket: SocketOptions,
    /// Multicast groups by name.
    pub groups: Vec<String>,
    /// Kernel modules that the guest must have loaded.
    pub modules: Vec<String>,
    /// Settings of the kernel while it runs.
    pub sysctl: Vec<Setting>,
    /// What is done, one step after the other.
    pub steps: Vec<DraftStep>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DraftStep {
    /// Messages in one datagram.
    Datagram(Vec<DraftMessage>),
    /// Messages of which each has a socket of its own, sent at once; so often.
    Race {
        /// How often.
        rounds: u32,
        /// A message a socket.
        sockets: Vec<DraftMessage>,
    },
    /// A command.
    Exec {
        /// Program and arguments.
        argv: Vec<String>,
        /// How long it may take, in milliseconds.
        limit_ms: u32,
    },
    /// A pause that events can prolong.
    Wait {
        /// How long nothing must have come for the step to end, in milliseconds.
        quiet_ms: u32,
        /// When it ends at the latest, in milliseconds.
        limit_ms: u32,
    },
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftMessage {
    /// `nlmsg_type`.
    pub kind: u16,
    /// `nlmsg_flags`. Bits that have no name in a message of this type are not written.
    pub flags: u16,
    /// The family header, as long as the message's type has it; of an unknown type nothing.
    pub header: Vec<u8>,
    /// The interface whose index goes into the header.
    pub index: Option<String>,
    /// The attributes.
    pub attrs: Vec<DraftAttr>,
    /// Bytes behind them.
    pub tail: Vec<u8>,
    /// `nlmsg_len`, where it is not the message's true length.
    pub len: Option<u32>,
    /// Bytes that are left out at the message's end.
    pub cut: u32,
    /// What ends the step, where it does not follow from the flags.
    pub reply: Option<Reply>,
}

/// What is expected of the kernel after a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// One message that is not part of a dump.
    Message,
    /// An acknowledgement, or a dump's end.
    End,
    /// Nothing.
    Nothing,
}

/// One attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftAttr {
    /// `nla_type`, with its flag bits.
    pub kind: u16,
    /// What it holds.
    pub payload: Payload,
    /// `nla_len`, where it is not the attribute's true length.
    pub len: Option<u16>,
}

/// What an attribute holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// Bytes.
    Bytes(Vec<u8>),
    /// The index of an interface by its name.
    Index(String),
    /// Attributes.
    Nest(Vec<DraftAttr>),
}

impl Draft {
    /// The messages of all datagrams and races.
    pub fn messages(&self) -> impl Iterator<Item = &DraftMessage> {
        self.steps.iter().flat_map(|step| match step {
            DraftStep::Datagram(messages) | DraftStep::Race { sockets: messages, .. } => messages.as_slice(),
            DraftStep::Exec { .. } | DraftStep::Wait { .. } => &[],
        })
    }

    /// The same, to change them.
    pub fn messages_mut(&mut self) -> impl Iterator<Item = &mut DraftMessage> {
        self.steps.iter_mut().flat_map(|step| match step {
            DraftStep::Datagram(messages) | DraftStep::Race { sockets: messages, .. } => {
                messages.as_mut_slice()
            }
            DraftStep::Exec { .. } | DraftStep::Wait { .. } => &mut [],
        })
    }
}

impl DraftMessage {
    /// Whether its length is the true one, so that the kernel can find its end.
    pub fn is_whole(&self) -> bool {
        self.len.is_none() && self.cut == 0
    }
}
