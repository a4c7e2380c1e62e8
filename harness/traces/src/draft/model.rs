// SPDX-License-Identifier: BSD-2-Clause
//! A draft's parts.

use nlproof_agent::{Privilege, Setting, SocketOptions};

use crate::vector::ANSWERED;

/// A vector's requests, in parts that can be changed, left out, and put together anew.
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
    /// Several sockets that ask at once.
    Race(DraftRace),
}

/// Sockets that ask at once, again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftRace {
    /// How often, or for how long.
    pub length: RaceLength,
    /// What is sent before each round.
    pub before: Vec<DraftMessage>,
    /// What each socket asks.
    pub sockets: Vec<Vec<DraftRequest>>,
    /// What is sent after each round.
    pub after: Vec<DraftMessage>,
}

/// How long a race is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RaceLength {
    /// Rounds.
    Rounds(u32),
    /// Seconds.
    Seconds(u32),
}

/// A request of a race.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftRequest {
    /// The message.
    pub message: DraftMessage,
    /// What may come of it: a word for each line of the race's `permit`.
    pub outcomes: Vec<String>,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftMessage {
    /// `nlmsg_type`.
    pub kind: u16,
    /// `nlmsg_flags`.
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
    /// The messages of all steps.
    pub fn messages(&self) -> impl Iterator<Item = &DraftMessage> {
        self.steps.iter().flat_map(DraftStep::messages)
    }

    /// The same, to change them.
    pub fn messages_mut(&mut self) -> impl Iterator<Item = &mut DraftMessage> {
        self.steps.iter_mut().flat_map(DraftStep::messages_mut)
    }

    /// Whether sockets race in it.
    pub fn has_race(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, DraftStep::Race(_)))
    }
}

impl DraftRace {
    /// A race in which each socket asks for one thing, and any answer is permitted.
    pub fn free(length: RaceLength, messages: Vec<DraftMessage>) -> DraftRace {
        let request = |message| vec![DraftRequest { message, outcomes: vec![ANSWERED.to_owned()] }];
        let sockets = messages.into_iter().map(request).collect();
        DraftRace { length, before: Vec::new(), sockets, after: Vec::new() }
    }

    /// What its sockets ask.
    pub fn into_messages(self) -> Vec<DraftMessage> {
        self.sockets.into_iter().flatten().map(|request| request.message).collect()
    }
}

impl DraftStep {
    /// The messages of a datagram or a race.
    pub fn messages(&self) -> Vec<&DraftMessage> {
        match self {
            DraftStep::Datagram(messages) => messages.iter().collect(),
            DraftStep::Race(race) => {
                let requests = race.sockets.iter().flatten().map(|request| &request.message);
                race.before.iter().chain(requests).chain(&race.after).collect()
            }
            DraftStep::Exec { .. } | DraftStep::Wait { .. } => Vec::new(),
        }
    }

    fn messages_mut(&mut self) -> Vec<&mut DraftMessage> {
        match self {
            DraftStep::Datagram(messages) => messages.iter_mut().collect(),
            DraftStep::Race(DraftRace { before, sockets, after, .. }) => {
                let requests = sockets.iter_mut().flatten().map(|request| &mut request.message);
                before.iter_mut().chain(requests).chain(after).collect()
            }
            DraftStep::Exec { .. } | DraftStep::Wait { .. } => Vec::new(),
        }
    }
}

impl DraftMessage {
    /// Whether its length is the true one, so that the kernel can find its end.
    pub fn is_whole(&self) -> bool {
        self.len.is_none() && self.cut == 0
    }
}
