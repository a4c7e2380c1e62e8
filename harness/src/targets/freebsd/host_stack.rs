// SPDX-License-Identifier: BSD-2-Clause
//! Programs for the guest's own network stack.

use nlproof_agent::{NO_LIMIT_MS, Privilege, Program, SocketOptions, Step};

/// The commands of a guest that are run through its shell.
pub(crate) fn shell(script: &str) -> Vec<String> {
    ["/bin/sh", "-c", script].map(str::to_owned).to_vec()
}

/// A program in the guest's own network stack, as root.
pub(crate) fn in_host_stack(what: &str, steps: Vec<Step>) -> Program {
    Program {
        id: 0,
        name: what.to_owned(),
        privilege: Privilege::Outside,
        socket: SocketOptions::default(),
        groups: Vec::new(),
        cards: Vec::new(),
        settings: Vec::new(),
        steps,
        // The host's limit is the one that counts: this one runs on the guest's clock.
        limit_ms: NO_LIMIT_MS,
        kernel_trace: false,
    }
}
