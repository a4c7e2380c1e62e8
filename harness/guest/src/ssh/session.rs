// SPDX-License-Identifier: BSD-2-Clause
//! An authenticated ssh connection, driven without blocking.
//!
//! libssh2 reports "would block" and wants the same call again. Between two calls whoever made it waits for the socket, the
//! deadline, the user and the guest's death at once: whichever comes first wakes it.

use std::io;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use ssh2::{BlockDirections, ErrorCode, Session};
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::error::SshError;
use crate::vm::{Deadline, Patience, Watch};

/// LIBSSH2_ERROR_EAGAIN (libssh2.h).
const EAGAIN: i32 = -37;

/// A connection to the guest's sshd, authenticated and proven to run commands.
pub struct Ssh {
    pub(super) wire: Wire,
    pub(super) patience: Patience,
}

/// A session and its socket.
pub(super) struct Wire {
    pub(super) session: Session,
    /// A second handle of the socket that the session owns, for the runtime.
    pub(super) socket: TcpStream,
}

impl std::fmt::Debug for Ssh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let peer = self.wire.socket.peer_addr().ok();
        f.debug_struct("Ssh").field("peer", &peer).finish_non_exhaustive()
    }
}

/// Whether libssh2 only wants to be called again.
pub(super) fn would_block(error: &ssh2::Error) -> bool {
    error.code() == ErrorCode::Session(EAGAIN)
}

impl Wire {
    /// One call that may have to be made several times: `name` completes "lost the connection while …".
    pub(super) async fn drive<T>(
        &self,
        name: &str,
        deadline: &Deadline,
        watch: &mut impl Watch,
        mut call: impl FnMut(&Session) -> Result<T, ssh2::Error>,
    ) -> Result<T, SshError> {
        loop {
            match call(&self.session) {
                Ok(value) => return Ok(value),
                Err(error) if would_block(&error) => self.idle(deadline, watch).await?,
                Err(error) => return Err(lost(name, &error, watch).await),
            }
        }
    }

    /// Waits until libssh2 is worth another call.
    ///
    /// # Errors
    /// The guest is dead, or the deadline is over.
    pub(super) async fn idle(&self, deadline: &Deadline, watch: &mut impl Watch) -> Result<(), SshError> {
        let error = loop {
            // To its end: a look may ask QEMU something, or tell it to do something.
            watch.check().await.map_err(SshError::Guest)?;
            tokio::select! {
                biased;
                () = watch.changed() => {}
                error = deadline.over() => break error,
                ready = self.ready() => {
                    let lost = |error: io::Error| {
                        SshError::Lost { doing: "waiting for the socket".into(), cause: error.to_string() }
                    };
                    return ready.map_err(lost);
                }
            }
        };
        Err(SshError::Wait { error: error.with_console(watch.console_tail()), last_error: None })
    }

    /// Waits until the socket is ready for what libssh2 wants of it.
    async fn ready(&self) -> io::Result<()> {
        let (interest, flags) = match self.session.block_directions() {
            BlockDirections::Outbound => (Interest::WRITABLE, PollFlags::OUT),
            BlockDirections::Both => {
                (Interest::READABLE | Interest::WRITABLE, PollFlags::IN | PollFlags::OUT)
            }
            BlockDirections::Inbound | BlockDirections::None => (Interest::READABLE, PollFlags::IN),
        };
        loop {
            self.socket.ready(interest).await?;
            // What the runtime knows may be old: libssh2 reads and writes behind its back.
            let now = self.socket.try_io(interest, || {
                match poll(&mut [PollFd::new(&self.socket, flags)], Some(&Timespec::default())) {
                    Ok(0) | Err(rustix::io::Errno::INTR) => Err(io::ErrorKind::WouldBlock.into()),
                    other => Ok(other.map(drop)?),
                }
            });
            match now {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                now => return now,
            }
        }
    }
}

/// A broken connection: if the guest has a reason to tell, that is the error.
pub(super) async fn lost(doing: &str, cause: &dyn std::fmt::Display, watch: &mut impl Watch) -> SshError {
    match watch.cause_of_death().await {
        Some(failure) => SshError::Guest(failure),
        None => SshError::Lost { doing: doing.to_owned(), cause: cause.to_string() },
    }
}

/// Whether an error is libssh2's "would block", told through `Read` and `Write`.
pub(super) fn io_would_block(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}
