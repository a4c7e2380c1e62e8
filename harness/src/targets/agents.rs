// SPDX-License-Identifier: BSD-2-Clause
//! The agent's binaries, built by build.rs and carried inside nlproof.

/// The agent for a FreeBSD guest.
pub(super) const FREEBSD: &[u8] = include_bytes!(env!("NLPROOF_AGENT_FREEBSD"));
/// The agent for this machine's Linux.
pub(super) const LINUX: &[u8] = include_bytes!(env!("NLPROOF_AGENT_LINUX"));
