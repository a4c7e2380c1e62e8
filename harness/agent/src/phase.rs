// SPDX-License-Identifier: BSD-2-Clause
//! The phases of a program's time, as the agent tells them apart.

use serde::{Deserialize, Serialize};

/// A phase of a program. Each moment belongs to one at most; the rest is the agent's writing and waiting for its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// A network stack is made or taken and entered, settings are made, privilege is given up.
    Stack,
    /// The child is made and leaves what it has of its parent.
    Child,
    /// Network cards are plugged, changed and unplugged.
    Cards,
    /// Sockets are opened, groups joined.
    Sockets,
    /// Requests are sent, up to their answers and the fence behind them.
    Requests,
    /// Events are waited for until there is quiet.
    Events,
    /// A command runs.
    Command,
    /// Interfaces' names, records of the kernel's probes and what the kernel printed are read.
    Reading,
    /// The child ends, and its network stack if it has to go.
    End,
}

impl Phase {
    /// Every phase, in the order of a program.
    pub const ALL: [Self; 9] = [
        Self::Stack,
        Self::Child,
        Self::Cards,
        Self::Sockets,
        Self::Requests,
        Self::Events,
        Self::Command,
        Self::Reading,
        Self::End,
    ];

    /// The phase in a word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stack => "stack",
            Self::Child => "child",
            Self::Cards => "cards",
            Self::Sockets => "sockets",
            Self::Requests => "requests",
            Self::Events => "events",
            Self::Command => "command",
            Self::Reading => "reading",
            Self::End => "end",
        }
    }

    /// The phase of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.name() == name)
    }
}
