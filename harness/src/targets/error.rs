// SPDX-License-Identifier: BSD-2-Clause
//! Why a target cannot be used, or was lost.

use crate::vm::{GuestFailure, HostDisk};

/// A target could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The target cannot run on this machine as it is now.
    #[error("{reason}")]
    Unavailable {
        /// Why.
        reason: String,
        /// The command or step that would change it.
        remedy: String,
    },
    /// What it needs could not be built.
    #[error("{0}")]
    Build(String),
    /// The module must not be loaded: it could stop the kernel, or reach what it was not given.
    #[error("{0}")]
    Refused(String),
    /// The guest's kernel did not take the module: what kldload and the console said.
    #[error("the module was not loaded: {0}")]
    Load(String),
    /// The guest did not come up.
    #[error("{0}")]
    Guest(String),
    /// The user interrupted.
    #[error("interrupted")]
    Interrupted,
}

/// How a guest was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// A short, stable word: [`GuestFailure::kind`].
    pub kind: String,
    /// Equal for the same loss in two runs: [`GuestFailure::fingerprint`].
    pub fingerprint: String,
    /// The kernel's functions in which it was lost, as far as they are known: [`GuestFailure::calls`].
    pub calls: Vec<String>,
    /// What happened, with the console's last lines.
    pub text: String,
}

impl Loss {
    /// Whether this machine is to blame, so that a fresh guest would be lost as well.
    pub fn is_the_hosts(&self) -> bool {
        HostDisk::KINDS.contains(&self.kind.as_str())
    }
}

impl From<GuestFailure> for Loss {
    fn from(failure: GuestFailure) -> Self {
        Self {
            kind: failure.kind().to_owned(),
            fingerprint: failure.fingerprint(),
            calls: failure.calls().into_iter().map(str::to_owned).collect(),
            text: failure.to_string(),
        }
    }
}

/// A target was lost while it ran.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The target could no longer be used: what happened.
    #[error("{0}")]
    Lost(String),
    /// The target's own tracer cannot be used, or does not take what it was asked for: what it said.
    #[error("dtrace(1) does not run in this guest: {0}")]
    NoDtrace(String),
    /// Something was not copied into the guest or out of it: what, and why.
    #[error("not copied: {0}")]
    Copy(String),
    /// The guest died, hung, or could no longer be reached.
    #[error("{}", .0.text)]
    Guest(Loss),
    /// The user interrupted.
    #[error("interrupted")]
    Interrupted,
}
