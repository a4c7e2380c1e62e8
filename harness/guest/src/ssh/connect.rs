// SPDX-License-Identifier: BSD-2-Clause
//! Waiting until the guest answers over ssh.
//!
//! A TCP connection proves nothing: QEMU's user network accepts before the guest listens, and sshd may reset
//! connections while it starts. A guest counts as ready when it has shown the right host key, accepted our key
//! and run a command.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ssh2::{ErrorCode, Session};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::error::SshError;
use super::hostkey::HostKey;
use super::session::{Ssh, Wire, lost as lost_while, would_block};
use crate::vm::{Deadline, Patience, Wait, WaitError, Watch};

/// The first try waits this long for the server's first packet, each further one half as long again: a
/// connection that was made before the guest listened stays silent for ever, but a slow guest needs time.
const FIRST_TRY: Duration = Duration::from_secs(2);
const LONGEST_TRY: Duration = Duration::from_secs(60);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(200);
/// What proves that commands run.
const PROOF: &str = "true";

/// libssh2.h: LIBSSH2_ERROR_KEX_FAILURE, _METHOD_NONE, _METHOD_NOT_SUPPORTED.
const NO_COMMON_METHOD: [i32; 3] = [-5, -17, -33];

/// The private key that the guest was told to accept.
#[derive(Clone, PartialEq, Eq)]
pub enum SshKey {
    /// In a file.
    File(PathBuf),
    /// Text of the key, OpenSSH or PEM, without a passphrase.
    Memory(String),
    /// None: the user has an empty password, as root has in FreeBSD's images for CI.
    EmptyPassword,
}

/// Never shows the key.
impl fmt::Debug for SshKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Memory(_) => f.write_str("Memory(…)"),
            Self::EmptyPassword => f.write_str("EmptyPassword"),
        }
    }
}

impl SshKey {
    fn text(&self) -> Result<Option<String>, SshError> {
        match self {
            Self::File(path) => read_key(path).map(Some),
            Self::Memory(text) => Ok(Some(text.clone())),
            Self::EmptyPassword => Ok(None),
        }
    }
}

fn read_key(path: &Path) -> Result<String, SshError> {
    std::fs::read_to_string(path).map_err(|error| SshError::Key(format!("{}: {error}", path.display())))
}

/// The server to talk to, and the user to log in as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshTarget {
    /// Address and port of the server.
    pub address: SocketAddr,
    /// The user to log in as.
    pub user: String,
    /// Our key.
    pub key: SshKey,
    /// The server's key.
    pub host_key: HostKey,
}

impl Ssh {
    /// Tries until the server is ready, the wait is over or the guest is dead.
    ///
    /// # Errors
    /// A wrong host key and a rejected key end it at once: waiting makes neither better.
    pub async fn connect(
        target: &SshTarget,
        wait: &Wait,
        patience: &Patience,
        watch: &mut impl Watch,
    ) -> Result<Self, SshError> {
        let key = target.key.text()?;
        let deadline = wait.begin(patience);
        let mut limit = patience.stretch(FIRST_TRY);
        let mut last_error = None;
        loop {
            let error = match attempt(target, key.as_deref(), &deadline, limit, patience, watch).await {
                Ok(ssh) => return Ok(ssh),
                Err(error @ (SshError::Lost { .. } | SshError::NotReady { .. })) => error.to_string(),
                // The try's own limit, not the whole wait's.
                Err(SshError::Wait { error: WaitError::Expired(expired), .. })
                    if deadline.check().is_ok() =>
                {
                    expired.to_string()
                }
                Err(SshError::Wait { error, .. }) => {
                    return Err(expired(&deadline, error, last_error, watch));
                }
                Err(error) => return Err(error),
            };
            last_error = Some(error);
            limit = limit.mul_f64(1.5).min(patience.stretch(LONGEST_TRY));
            watch.check().await.map_err(SshError::Guest)?;
            if let Err(error) = deadline.bound(sleep(PAUSE)).await {
                return Err(expired(&deadline, error, last_error, watch));
            }
        }
    }
}

/// The whole wait is over, whatever step of a try noticed it.
fn expired(deadline: &Deadline, noticed: WaitError, last: Option<String>, watch: &impl Watch) -> SshError {
    let (error, step) = match (deadline.check(), noticed) {
        (Err(error), WaitError::Expired(step)) if step.name != deadline.name() => (error, Some(step)),
        (_, noticed) => (noticed, None),
    };
    let last_error = last.or_else(|| step.map(|step| step.to_string()));
    SshError::Wait { error: error.with_console(watch.console_tail()), last_error }
}

/// During a try a broken connection is only another try; nobody waits for the console to explain it.
struct Trying<'a, W>(&'a mut W);

impl<W: Watch> Watch for Trying<'_, W> {
    async fn check(&mut self) -> Result<(), crate::vm::GuestFailure> {
        self.0.check().await
    }

    async fn changed(&mut self) {
        self.0.changed().await;
    }

    async fn cause_of_death(&mut self) -> Option<crate::vm::GuestFailure> {
        self.0.check().await.err()
    }

    /// A try's own message is one line; the console follows once, in the wait's.
    fn console_tail(&self) -> Vec<String> {
        Vec::new()
    }
}

async fn attempt(
    target: &SshTarget,
    key: Option<&str>,
    deadline: &Deadline,
    limit: Duration,
    patience: &Patience,
    watch: &mut impl Watch,
) -> Result<Ssh, SshError> {
    let watch = &mut Trying(watch);
    let mut wire = connected(target.address, limit, deadline).await?;
    target.host_key.demand(&wire.session)?;

    let handshake = deadline.nested("the ssh handshake", limit);
    loop {
        match wire.session.handshake() {
            Ok(()) => break,
            Err(error) if would_block(&error) => wire.idle(&handshake, watch).await?,
            Err(error) if no_common_method(&error) => {
                return Err(SshError::Negotiation {
                    address: target.address.to_string(),
                    key_type: target.host_key.key_type().to_owned(),
                    cause: error.to_string(),
                });
            }
            Err(error) => return Err(lost_while("shaking hands", &error, watch).await),
        }
    }
    target.host_key.check(&wire.session)?;

    // A server that shows the right key is our guest: now it gets the time it needs.
    let log_in = |session: &Session| {
        let tried = match key {
            Some(key) => session.userauth_pubkey_memory(&target.user, None, key, None),
            None => empty_password(session, &target.user),
        };
        match tried {
            Ok(()) => Ok(None),
            Err(error) if is_refusal(&error) => Ok(Some(error.to_string())),
            Err(error) => Err(error),
        }
    };
    let refused = wire.drive("logging in", deadline, watch, log_in).await?;
    if let Some(cause) = refused {
        return Err(SshError::Auth { address: target.address.to_string(), user: target.user.clone(), cause });
    }
    let ssh = Ssh { wire, patience: patience.clone() };
    let output = ssh.run_before(PROOF, &mut io::empty(), deadline, watch).await?;
    if output.status.is_success() {
        Ok(ssh)
    } else {
        Err(SshError::NotReady {
            command: PROOF.into(),
            status: output.status.to_string(),
            stderr: String::from_utf8_lossy(&output.stderr).trim_end().to_owned(),
        })
    }
}

/// A connection on which nothing was said yet.
async fn connected(address: SocketAddr, limit: Duration, deadline: &Deadline) -> Result<Wire, SshError> {
    let lost = |error: io::Error| SshError::Lost { doing: "connecting".into(), cause: error.to_string() };
    let connecting = timeout(limit, TcpStream::connect(address));
    let stream =
        deadline.bound(connecting).await.map_err(|error| SshError::Wait { error, last_error: None })?;
    let stream = stream.map_err(|_| io::ErrorKind::TimedOut.into()).flatten().and_then(TcpStream::into_std);
    let stream = stream.map_err(lost)?;
    stream.set_nodelay(true).map_err(lost)?;
    let socket = stream.try_clone().and_then(TcpStream::from_std).map_err(lost)?;
    let mut session = Session::new().map_err(|error| lost(error.into()))?;
    session.set_tcp_stream(stream);
    session.set_blocking(false);
    Ok(Wire { session, socket })
}

/// sshd lets a user without a password in before it is asked for one (method `none`), if it lets him in at all.
fn empty_password(session: &Session, user: &str) -> Result<(), ssh2::Error> {
    match session.auth_methods(user) {
        _ if session.authenticated() => Ok(()),
        Err(error) if would_block(&error) => Err(error),
        _ => session.userauth_password(user, ""),
    }
}

fn no_common_method(error: &ssh2::Error) -> bool {
    matches!(error.code(), ErrorCode::Session(code) if NO_COMMON_METHOD.contains(&code))
}

/// The server said no, or our key is no key; everything else is the connection. libssh2.h:
/// LIBSSH2_ERROR_FILE -16, _AUTHENTICATION_FAILED -18, _PUBLICKEY_UNVERIFIED -19.
fn is_refusal(error: &ssh2::Error) -> bool {
    matches!(error.code(), ErrorCode::Session(-16 | -18 | -19))
}
