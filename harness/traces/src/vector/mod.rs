// SPDX-License-Identifier: BSD-2-Clause
//! Netlink test vectors: YAML files that say what to send, and under which circumstances.
//!
//! `format` is the file as written, [`Vector`] the validated form, [`compile`] turns it into the bytes of a
//! [`Program`](nlproof_agent::Program) for one ABI, [`lint`] rejects a vector that is not what it claims to
//! be, [`judge_vectors`] is the lint of all of them as a report.

mod attrs;
mod card_model;
mod cards;
mod check;
mod compile;
mod datagram;
mod format;
mod header;
mod lint;
mod load;
mod loss;
mod malformed;
mod message;
mod named;
mod numbering;
mod place;
mod race;
mod repeat;
mod replica;
mod report;
mod schema;
mod values;
mod write;

pub use card_model::{CARD_MODELS, CardModel, FAULT_MODEL};
pub use cards::NeededCard;
pub use check::VectorCheck;
pub use compile::compile;
pub use format::vector_schema;
pub use lint::{lint, lint_modules, malformations};
pub use load::{Listing, Needs, Suite, Vector, list, load_suite, load_vector, parse_vector, path_of};
pub use loss::{LossCode, LossKind, StatedLoss};
pub use malformed::Malformation;
pub use message::end_of;
pub use numbering::{SEQ_STEP, seqs_of};
pub use race::judge_races;
pub use replica::{Replaced, Replica, ReplicaStep};
pub use report::{Beside, VECTORS_SCHEMA, VectorReport, VectorStats, judge_vectors};
pub use values::hex;

pub(crate) use race::ANSWERED;

pub(crate) use named::{Interfaces, flags_tree, header_tree, payload_tree};
pub(crate) use write::{exec_tree, put_privilege, settings_tree, socket_tree, wait_tree};
