// SPDX-License-Identifier: BSD-2-Clause
//! An authenticated ssh connection, driven without blocking.
//!
//! libssh2 reports "would block" and wants the same call again. Between two calls the socket is polled for a
//! moment, the deadline is checked, and the guest is looked at: a dead guest ends a wait at once.

use std::io;
use std::net::TcpStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use ssh2::{BlockDirections, ErrorCode, Session};

use super::error::SshError;
use crate::vm::{Deadline, Patience, Watch};

/// LIBSSH2_ERROR_EAGAIN (libssh2.h).
const EAGAIN: i32 = -37;
/// Between two looks at the guest.
const LOOK: Duration = Duration::from_millis(50);

/// A connection to the guest's sshd, authenticated and proven to run commands.
pub struct Ssh {
    pub(super) session: Session,
    /// A second handle of the socket that the session owns, for poll(2).
    pub(super) socket: TcpStream,
    pub(super) patience: Patience,
}

impl std::fmt::Debug for Ssh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ssh").field("peer", &self.socket.peer_addr().ok()).finish_non_exhaustive()
    }
}

/// Whether libssh2 only wants to be called again.
pub(super) fn would_block(error: &ssh2::Error) -> bool {
    error.code() == ErrorCode::Session(EAGAIN)
}

/// One call that may have to be made several times: `name` completes "lost the connection while …".
pub(super) fn drive<T>(
    session: &Session,
    socket: &TcpStream,
    name: &str,
    deadline: &Deadline,
    watch: &mut dyn Watch,
    mut call: impl FnMut(&Session) -> Result<T, ssh2::Error>,
) -> Result<T, SshError> {
    loop {
        match call(session) {
            Ok(value) => return Ok(value),
            Err(error) if would_block(&error) => idle(session, socket, deadline, watch)?,
            Err(error) => return Err(lost(name, &error, watch)),
        }
    }
}

/// Waits a moment for the socket, after looking at the guest and the clock.
pub(super) fn idle(
    session: &Session,
    socket: &TcpStream,
    deadline: &Deadline,
    watch: &mut dyn Watch,
) -> Result<(), SshError> {
    watch.check().map_err(SshError::Guest)?;
    let left = deadline.check().map_err(|error| SshError::Wait {
        error: error.with_console(watch.console_tail()),
        last_error: None,
    })?;
    let interest = match session.block_directions() {
        BlockDirections::Outbound => PollFlags::OUT,
        BlockDirections::Both => PollFlags::IN | PollFlags::OUT,
        BlockDirections::Inbound | BlockDirections::None => PollFlags::IN,
    };
    let slice = left.min(LOOK);
    let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(slice.subsec_nanos()).max(1) };
    match poll(&mut [PollFd::new(socket, interest)], Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(SshError::Lost { doing: "polling the socket".into(), cause: error.to_string() }),
    }
}

/// A broken connection: if the guest has a reason to tell, that is the error.
pub(super) fn lost(doing: &str, cause: &dyn std::fmt::Display, watch: &mut dyn Watch) -> SshError {
    match watch.cause_of_death() {
        Some(failure) => SshError::Guest(failure),
        None => SshError::Lost { doing: doing.to_owned(), cause: cause.to_string() },
    }
}

/// Whether an error is libssh2's "would block", told through `Read` and `Write`.
pub(super) fn io_would_block(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}
