// SPDX-License-Identifier: BSD-2-Clause
//! A vector file as it is written. Names are those of the kernel headers, in lower case without prefix.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_json::{Value, json};
use serde_saphyr::Spanned;

use super::card_model::{self, RawCard};
use super::loss::RawLoss;
use super::schema;
use crate::file::{Node, schema_of};

/// The schema of a vector file.
pub fn vector_schema() -> Schema {
    let mut schema = schema_of::<RawVector>("A test vector of nlproof");
    let definitions = schema.ensure_object().entry("definitions").or_insert_with(|| json!({}));
    if let Value::Object(definitions) = definitions {
        definitions.extend(schema::attribute_tables());
        definitions.insert("exact".into(), schema::exact());
    }
    schema
}

/// A vector: what is sent to a kernel, and under which circumstances. Names are those of the kernel headers, in lower case
/// without prefix.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawVector {
    /// One sentence: what the vector shows.
    #[schemars(with = "String")]
    pub(super) about: Spanned<String>,
    /// What must be there for the vector to run.
    #[serde(default)]
    pub(super) needs: RawNeeds,
    /// Multicast groups to join before the first step.
    #[serde(default)]
    #[schemars(schema_with = "schema::group_names")]
    pub(super) groups: Vec<Spanned<String>>,
    /// Options of the request socket.
    #[serde(default)]
    pub(super) socket: RawSocket,
    /// Events are compared in the order in which they came, not as a multiset per step.
    #[serde(default)]
    pub(super) ordered: bool,
    /// Deviations from well-formedness that the vector carries on purpose.
    #[serde(default)]
    #[schemars(schema_with = "schema::malformations")]
    pub(super) malformed: Vec<Spanned<String>>,
    /// Kernels whose guest is lost in it.
    #[serde(default)]
    #[schemars(with = "Vec<RawLoss>")]
    pub(super) loses: Vec<Spanned<RawLoss>>,
    /// What is done, one step after the other.
    #[schemars(with = "Vec<RawStep>", length(min = 1))]
    pub(super) steps: Vec<Spanned<RawStep>>,
}

/// What must be there for the vector to run.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawNeeds {
    /// The credentials of the sender.
    #[serde(default)]
    pub(super) privilege: RawPrivilege,
    /// The systems that the vector is for; without it both.
    #[serde(default)]
    #[schemars(schema_with = "schema::systems")]
    pub(super) os: Vec<Spanned<String>>,
    /// Kernel modules (cloners) that a guest must have loaded, such as `if_epair`.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub(super) modules: Vec<Spanned<String>>,
    /// Network cards of the vector's own, which a guest under QEMU gets for it.
    #[serde(default)]
    #[schemars(with = "Vec<RawCard>")]
    pub(super) hardware: Vec<Spanned<RawCard>>,
    /// Processors that a guest must have at least; one without it.
    #[serde(default)]
    #[schemars(schema_with = "schema::processors")]
    pub(super) processors: Option<Spanned<u32>>,
    /// Settings of the guest's kernel while the vector runs, by their names in sysctl(8); they are put back afterwards. Only
    /// those below `net.netlink`.
    #[serde(default)]
    #[schemars(schema_with = "schema::settings")]
    pub(super) sysctl: BTreeMap<String, Spanned<i32>>,
}

/// The credentials of the sender.
#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawPrivilege {
    /// The superuser.
    #[default]
    Root,
    /// An ordinary user.
    Unprivileged,
    /// The superuser of a jail without a network stack of its own.
    Jailed,
}

/// Options of the request socket.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawSocket {
    /// NETLINK_EXT_ACK: acknowledgements carry a message, an offset, a cookie.
    #[serde(default)]
    pub(super) ext_ack: bool,
    /// NETLINK_CAP_ACK: acknowledgements do not echo the request.
    #[serde(default)]
    pub(super) cap_ack: bool,
    /// NETLINK_GET_STRICT_CHK: requests of dumps are checked strictly.
    #[serde(default)]
    pub(super) strict: bool,
    /// SO_RCVBUF of the request socket, in bytes.
    #[serde(default)]
    pub(super) receive_buffer: Option<u32>,
    /// SO_RCVBUF of the groups' sockets, in bytes; what it loses is then part of the trace.
    #[serde(default)]
    pub(super) event_buffer: Option<u32>,
}

/// One step: exactly one of the keys.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(super) struct RawStep {
    /// One message in one datagram.
    pub(super) send: Option<RawMessage>,
    /// Several messages in one datagram.
    pub(super) datagram: Option<Vec<RawMessage>>,
    /// A command to run.
    pub(super) exec: Option<RawExec>,
    /// A pause that events can prolong.
    pub(super) wait: Option<RawWait>,
    /// Several sockets that ask at once.
    pub(super) race: Option<RawRace>,
    /// Something that is done with a network card.
    #[serde(default)]
    #[schemars(schema_with = "card_model::deeds")]
    pub(super) hardware: Option<Node>,
}

/// Several sockets that ask at once. A vector with a race joins no groups: what arrives there has no one order.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawRace {
    /// How often.
    #[serde(default)]
    #[schemars(with = "Option<u32>")]
    pub(super) rounds: Option<Spanned<u32>>,
    /// For how long instead, in seconds.
    #[serde(default)]
    #[schemars(with = "Option<u32>")]
    pub(super) seconds: Option<Spanned<u32>>,
    /// What is done with network cards meanwhile, one after the other and then from the first again.
    #[serde(default)]
    #[schemars(schema_with = "card_model::deed_list")]
    pub(super) hardware: Vec<Node>,
    /// What is sent before each round; all of it must succeed.
    #[serde(default)]
    pub(super) before: Vec<RawMessage>,
    /// What each socket asks.
    pub(super) sockets: Vec<Vec<RawMessage>>,
    /// What is sent after each round, whatever comes of it.
    #[serde(default)]
    pub(super) after: Vec<RawMessage>,
    /// Permitted outcomes of a round: one word a request, in the order of `sockets`.
    #[schemars(with = "Vec<String>")]
    pub(super) permit: Vec<Spanned<String>>,
}

/// One netlink message.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(transform = schema::by_message)]
pub(super) struct RawMessage {
    /// The message's type: `newlink`, `getaddr`, ... or a number.
    #[schemars(schema_with = "schema::message")]
    pub(super) message: Node,
    /// Flags of the netlink header.
    #[serde(default)]
    #[schemars(schema_with = "schema::message_flags")]
    pub(super) flags: Vec<Spanned<String>>,
    /// Fields of the family header by name; the others are zero.
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
    pub(super) header: Option<Node>,
    /// A list of attributes, each a mapping with one key.
    #[serde(default)]
    #[schemars(with = "Option<Vec<BTreeMap<String, serde_json::Value>>>")]
    pub(super) attrs: Option<Node>,
    /// Bytes in hex after the attributes.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub(super) tail: Option<Spanned<String>>,
    /// `nlmsg_len` to write instead of the true length, in bytes.
    #[serde(default)]
    #[schemars(with = "Option<u32>")]
    pub(super) len: Option<Spanned<u32>>,
    /// Bytes to leave out at the end of the message.
    #[serde(default)]
    #[schemars(with = "Option<u32>")]
    pub(super) cut: Option<Spanned<u32>>,
    /// The message is sent several times.
    #[serde(default)]
    #[schemars(with = "Option<RawRepeat>")]
    pub(super) repeat: Option<Spanned<RawRepeat>>,
    /// What ends the step, where it does not follow from the flags.
    #[serde(default)]
    pub(super) reply: Option<RawReply>,
}

/// Several messages from one: every `{n}` in a text of its header and attributes is the number of the copy.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawRepeat {
    /// How many.
    pub(super) count: u32,
    /// The number of the first.
    #[serde(default)]
    pub(super) from: u32,
}

/// What is expected of the kernel after a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawExec {
    /// The program and its arguments; no shell reads them.
    #[schemars(schema_with = "schema::command")]
    pub(super) argv: Spanned<Vec<String>>,
    /// How long it may take, in milliseconds.
    #[serde(default = "default_exec_limit")]
    #[schemars(with = "u32")]
    pub(super) limit_ms: Spanned<u32>,
}

pub(super) fn default_exec_limit() -> Spanned<u32> {
    Spanned::new(10_000, serde_saphyr::Location::UNKNOWN, serde_saphyr::Location::UNKNOWN)
}

/// A pause that events can prolong.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawWait {
    /// How long no event must come for the step to end, in milliseconds.
    #[schemars(with = "u32")]
    pub(super) quiet_ms: Spanned<u32>,
    /// Limit of the step in milliseconds.
    #[schemars(with = "u32")]
    pub(super) limit_ms: Spanned<u32>,
}
