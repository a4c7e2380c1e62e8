// SPDX-License-Identifier: BSD-2-Clause
//! Why a target cannot be used, or was lost.

use crate::vm::{GuestFailure, HostDisk};

/// Cause of an error: another error, or a text where there is none.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// An error with a further remark.
#[derive(Debug, thiserror::Error)]
#[error("{before}{cause}{behind}")]
pub(crate) struct Explained {
    before: String,
    #[source]
    cause: Cause,
    behind: String,
}

impl Explained {
    /// `TEXT: ERROR`.
    pub(crate) fn before(text: impl std::fmt::Display, cause: impl Into<Cause>) -> Cause {
        let before = format!("{text}: ");
        Box::new(Self { before, cause: cause.into(), behind: String::new() })
    }

    /// The error, and `text` directly behind it.
    pub(crate) fn behind(cause: Cause, text: String) -> Cause {
        Box::new(Self { before: String::new(), cause, behind: text })
    }
}

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
    Build(#[source] Cause),
    /// The module must not be loaded: it could stop the kernel, or reach what it was not given.
    #[error("{0}")]
    Refused(#[source] Cause),
    /// The guest's kernel did not take the module: what kldload and the console said.
    #[error("the module was not loaded: {0}")]
    Load(String),
    /// The guest did not come up.
    #[error("{0}")]
    Guest(#[source] Cause),
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
    /// Whether this machine is the cause, so that a fresh guest would be lost as well.
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

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn an_error_keeps_its_cause_whatever_else_is_said() {
        let full = || GuestFailure::Interrupted { waiting_for: "the boot".into() };
        let plain = OpenError::Guest(full().into());
        assert_eq!(plain.to_string(), full().to_string());
        assert!(plain.source().unwrap().is::<GuestFailure>());
        let more = Explained::behind(Explained::before("kernel", full()), "\n  help: wait".into());
        let more = OpenError::Build(more);
        assert_eq!(more.to_string(), format!("kernel: {}\n  help: wait", full()));
        let (mut cause, mut depth) = (more.source(), 0);
        while let Some(error) = cause.filter(|error| !error.is::<GuestFailure>()) {
            (cause, depth) = (error.source(), depth + 1);
        }
        assert!(cause.is_some() && depth == 2, "{depth}");
    }
}
