// SPDX-License-Identifier: BSD-2-Clause
//! Netlink test vectors: YAML files that say what to send, and under which circumstances.
//!
//! `format` is the file as written, [`Vector`] the validated form, [`compile`] turns it into the bytes of a
//! [`Program`](nlproof_agent::Program) for one ABI, [`lint`] refuses a vector that is not what it says.

mod attrs;
mod compile;
mod datagram;
mod format;
mod header;
mod lint;
mod load;
mod malformed;
mod message;
mod place;
mod race;
mod repeat;
mod values;

pub use compile::{FIRST_SEQ, SEQ_STEP, compile};
pub use lint::lint;
pub use load::{Needs, Suite, Vector, load_suite, load_vector};
pub use malformed::Malformation;
pub use race::judge_races;
pub use values::hex;
