// SPDX-License-Identifier: BSD-2-Clause
//! The protocol between the harness and the agent in the guest.
//!
//! The harness writes one [`Request`] to the agent's standard input. For a [`Batch`] the agent runs each [`Program`] in a
//! child of its own inside a fresh network stack (FreeBSD: a vnet jail, Linux: a network namespace) and
//! writes [`Record`]s to its standard output while they happen. Both directions are framed by
//! [`frame`]: a [`Hello`](frame::Hello) with the version first, then length-prefixed postcard.
//!
//! In a guest that is restored from a saved state, the agent is already there ([`Listen`]) and has network stacks
//! ready; the same two streams then go over a TCP connection, after a [`Greeting`].
//!
//! The simulator speaks the same types, so that a trace looks the same wherever it was recorded.
//!
//! The program itself is the binary of this crate (`src/guest`, feature `bin`); what it decides without
//! asking the kernel is here, where it is tested: [`Program::check`], [`datagram`], [`interfaces`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod card;
mod check;
pub mod console;
pub mod datagram;
mod fault;
pub mod frame;
mod frame_error;
mod greeting;
pub mod interfaces;
mod phase;
mod program;
mod record;
pub mod ring;
pub mod status;

pub use card::{Act, Card, Deed, FAULTS, MAX_CARDS};
pub use check::{MAX_GROUPS, Refusal};
pub use fault::Fault;
pub use greeting::{GREETING_LEN, Greeting, TOKEN_LEN};
pub use phase::Phase;
pub use program::{
    Batch, Count, Listen, NO_LIMIT_MS, Patch, Privilege, Program, Race, ReplyEnd, Request, Send, Setting,
    SocketOptions, Step, Until, Watch,
};
pub use record::{Body, ConsoleLine, Counted, DropSource, ErrorStage, KernelEvent, NO_STEP, Record};
