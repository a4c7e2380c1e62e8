// SPDX-License-Identifier: BSD-2-Clause
//! The agent's program on this machine's kernel, in network namespaces.
//!
//! The static Linux flavour is built with a nested cargo (some seconds once); `NLPROOF_AGENT` names a
//! finished one instead. Without the right to make namespaces each test says `skipped: <name>: <reason>`.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod conversation;
#[path = "../../build/flavours.rs"]
mod flavours;
mod outcomes;
mod support;
