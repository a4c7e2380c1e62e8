// SPDX-License-Identifier: BSD-2-Clause
//! What can go wrong between harness and guest.

use std::io;

use nlproof_agent::frame::FrameError;

use crate::vm::{GuestFailure, WaitError, Watch};

/// Why something over ssh did not work.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// The server shows another host key: not the guest that was built.
    #[error("host key differs: expected {expected}, the server shows {found}")]
    HostKey {
        /// The type and the beginning of the expected key.
        expected: String,
        /// Type and SHA-256 of the shown key.
        found: String,
    },
    /// The server shows a host key of another type than the expected one, or speaks no common algorithm.
    #[error(
        "the ssh server at {address} agrees on no algorithms with us (host key type {key_type}): {cause}"
    )]
    Negotiation {
        /// Address and port.
        address: String,
        /// The type of host key that was asked for.
        key_type: String,
        /// libssh2's words.
        cause: String,
    },
    /// The server does not accept our key.
    #[error("the ssh server at {address} refuses our key for user {user}: {cause}; check authorized_keys")]
    Auth {
        /// Address and port.
        address: String,
        /// The user who was to log in.
        user: String,
        /// libssh2's words.
        cause: String,
    },
    /// The host key line or the private key cannot be read.
    #[error("unusable key: {0}")]
    Key(String),
    /// The server is there, and the command that proves it does not work.
    #[error("ssh works, but `{command}` ended with {status}: {stderr}")]
    NotReady {
        /// The command that was run in the guest.
        command: String,
        /// Exit status of the command.
        status: String,
        /// Standard error of the command.
        stderr: String,
    },
    /// The connection broke, and the guest's console says nothing about why.
    #[error("lost the connection while {doing}: {cause}")]
    Lost {
        /// What was being done.
        doing: String,
        /// libssh2's words.
        cause: String,
    },
    /// The guest died.
    #[error(transparent)]
    Guest(GuestFailure),
    /// A limit was reached.
    #[error("{error}{}", last_error.as_ref().map(|last| format!("; the last try: {last}")).unwrap_or_default())]
    Wait {
        /// Which.
        error: WaitError,
        /// Why the last of several tries failed.
        last_error: Option<String>,
    },
    /// What was to be sent cannot be read.
    #[error("cannot read what is to be sent: {0}")]
    Input(#[source] io::Error),
    /// An uploaded file is not what was sent, or could not be written.
    #[error("upload of {path} failed: {cause}")]
    Upload {
        /// The path in the guest.
        path: String,
        /// The guest's words.
        cause: String,
    },
    /// The caller's callback has seen enough.
    #[error("stopped by the caller while {doing}")]
    Stopped {
        /// What was being done.
        doing: String,
    },
    /// Agent and harness do not understand each other.
    #[error("agent: {0}")]
    Protocol(#[from] FrameError),
}

impl SshError {
    /// The outcome for the report: nothing here is a failed test.
    pub fn into_failure(self, watch: &impl Watch) -> GuestFailure {
        match self {
            Self::Guest(failure) => failure,
            Self::Wait { error, last_error } => {
                if let WaitError::Expired(expired) = &error
                    && let Some(failure) = watch.full_disk(&expired.to_string())
                {
                    return failure;
                }
                let mut console = watch.console_tail();
                console.extend(last_error.map(|last| format!("(ssh: {last})")));
                error.with_console(console).into()
            }
            Self::Lost { doing, cause } => {
                let doing = format!("{doing}: {cause}");
                watch
                    .full_disk(&doing)
                    .unwrap_or_else(|| GuestFailure::LostSsh { doing, console: watch.console_tail() })
            }
            other => GuestFailure::BootFailed { reason: other.to_string(), console: watch.console_tail() },
        }
    }
}
