// SPDX-License-Identifier: BSD-2-Clause
//! A vector file as it is written. Names are those of the kernel headers, in lower case without prefix.

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::loss::RawLoss;
use crate::file::Node;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawVector {
    /// One sentence: what the vector shows.
    pub(super) about: Spanned<String>,
    #[serde(default)]
    pub(super) needs: RawNeeds,
    /// Multicast groups to join before the first step.
    #[serde(default)]
    pub(super) groups: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) socket: RawSocket,
    /// Events are compared in the order in which they came, not as a multiset per step.
    #[serde(default)]
    pub(super) ordered: bool,
    /// Deviations from well-formedness that the vector carries on purpose.
    #[serde(default)]
    pub(super) malformed: Vec<Spanned<String>>,
    /// Kernels whose guest is lost in it.
    #[serde(default)]
    pub(super) loses: Vec<Spanned<RawLoss>>,
    pub(super) steps: Vec<Spanned<RawStep>>,
}

/// What must be there for the vector to run.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawNeeds {
    #[serde(default)]
    pub(super) privilege: RawPrivilege,
    /// `freebsd`, `linux`; empty: any.
    #[serde(default)]
    pub(super) os: Vec<Spanned<String>>,
    /// Kernel modules (cloners) that a guest must have loaded, such as `if_epair`.
    #[serde(default)]
    pub(super) modules: Vec<Spanned<String>>,
}

/// The credentials of the sender.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawPrivilege {
    #[default]
    Root,
    Unprivileged,
    /// The superuser of a jail without a network stack of its own.
    Jailed,
}

/// Options of the request socket.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawSocket {
    #[serde(default)]
    pub(super) ext_ack: bool,
    #[serde(default)]
    pub(super) cap_ack: bool,
    #[serde(default)]
    pub(super) strict: bool,
    #[serde(default)]
    pub(super) receive_buffer: Option<u32>,
    /// SO_RCVBUF of the groups' sockets; what it loses is then part of the trace.
    #[serde(default)]
    pub(super) event_buffer: Option<u32>,
}

/// One step: exactly one of the keys.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawStep {
    /// One message in one datagram.
    pub(super) send: Option<RawMessage>,
    /// Several messages in one datagram.
    pub(super) datagram: Option<Vec<RawMessage>>,
    pub(super) exec: Option<RawExec>,
    pub(super) wait: Option<RawWait>,
    /// Several sockets that ask at once.
    pub(super) race: Option<RawRace>,
}

/// Several sockets that ask at once. A vector with a race joins no groups: what arrives there has no one order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawRace {
    /// How often.
    pub(super) rounds: Spanned<u32>,
    /// What is sent before each round; all of it must succeed.
    #[serde(default)]
    pub(super) before: Vec<RawMessage>,
    /// What each socket asks.
    pub(super) sockets: Vec<Vec<RawMessage>>,
    /// What is sent after each round, whatever comes of it.
    #[serde(default)]
    pub(super) after: Vec<RawMessage>,
    /// What may come of a round: one word a request, in the order of `sockets`.
    pub(super) permit: Vec<Spanned<String>>,
}

/// One netlink message.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawMessage {
    /// `newlink`, `getaddr`, ... or a number.
    pub(super) message: Node,
    /// Flags of the netlink header.
    #[serde(default)]
    pub(super) flags: Vec<Spanned<String>>,
    /// Fields of the family header by name; the others are zero.
    #[serde(default)]
    pub(super) header: Option<Node>,
    /// A list of attributes, each a mapping with one key.
    #[serde(default)]
    pub(super) attrs: Option<Node>,
    /// Bytes in hex after the attributes.
    #[serde(default)]
    pub(super) tail: Option<Spanned<String>>,
    /// `nlmsg_len` to write instead of the true length, in bytes.
    #[serde(default)]
    pub(super) len: Option<Spanned<u32>>,
    /// Bytes to leave out at the end of the message.
    #[serde(default)]
    pub(super) cut: Option<Spanned<u32>>,
    /// The message is sent several times.
    #[serde(default)]
    pub(super) repeat: Option<Spanned<RawRepeat>>,
    /// What ends the step, where it does not follow from the flags.
    #[serde(default)]
    pub(super) reply: Option<RawReply>,
}

/// Several messages from one: every `{n}` in a text of its header and attributes is the number of the copy.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawRepeat {
    /// How many.
    pub(super) count: u32,
    /// The number of the first.
    #[serde(default)]
    pub(super) from: u32,
}

/// What is expected of the kernel after a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawReply {
    /// One message that is not part of a dump.
    Message,
    /// An acknowledgement.
    Ack,
    /// A dump: messages up to NLMSG_DONE.
    Done,
    /// Nothing.
    Nothing,
}

/// A command to run.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawExec {
    pub(super) argv: Spanned<Vec<String>>,
    #[serde(default = "default_exec_limit")]
    pub(super) limit_ms: Spanned<u32>,
}

fn default_exec_limit() -> Spanned<u32> {
    Spanned::new(10_000, serde_saphyr::Location::UNKNOWN, serde_saphyr::Location::UNKNOWN)
}

/// A pause that events can prolong.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawWait {
    pub(super) quiet_ms: Spanned<u32>,
    pub(super) limit_ms: Spanned<u32>,
}
