// SPDX-License-Identifier: BSD-2-Clause
//! An agent that stayed in the guest, over a TCP connection of its own: no handshake, no program to be started.
//!
//! Each batch has a connection. It leads from 127.0.0.1 through QEMU into the guest, so that nobody else hears it;
//! the token keeps other users of this machine from being served.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use nlproof_agent::frame::encode_request;
use nlproof_agent::{Batch, Greeting, Record, Request, TOKEN_LEN};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use super::agent::{AgentRun, Receiver};
use super::error::SshError;
use super::exec::ExecStatus;
use super::session::lost;
use crate::vm::{Busy, Deadline, Expired, GuestFailure, Patience, StatedHang, Wait, WaitError, Watch};

/// How long no byte may come before somebody looks whether the guest is still there; the look is repeated at this
/// interval.
const SILENCE: Duration = Duration::from_secs(4);
/// The same where it is known beforehand that the guest hangs. A look that comes too early costs nothing but itself: it
/// reports a guest only if its processor is never seen halted and most of the time in the calls in which it is known to stay.
const SHORT_SILENCE: Duration = Duration::from_millis(300);
/// The agent ends a program after its own limit, of one and a half minute; then at the latest it says so.
const SILENT_FOR_EVER: Duration = Duration::from_secs(180);
/// A guest in which nobody answers is lost at the second look only: one that has much to do on a host that has much to
/// do can be that slow once.
const UNREACHABLE: u32 = 2;
/// Most bytes read at a time.
const CHUNK: usize = 64 * 1024;

/// Where an agent serves, and what it wants to see first.
#[derive(Clone)]
pub struct Direct {
    address: SocketAddr,
    token: [u8; TOKEN_LEN],
    patience: Patience,
    hang: Option<StatedHang>,
    silent_for_ever: Duration,
}

impl Direct {
    /// The agent at this address; nothing is sent yet.
    pub fn new(address: SocketAddr, token: [u8; TOKEN_LEN], patience: Patience) -> Self {
        Self { address, token, patience, hang: None, silent_for_ever: SILENT_FOR_EVER }
    }

    /// Gives up a guest whose agent says nothing for so long, although the guest itself answers. Nothing in the batches may
    /// take longer.
    pub fn bound_silence(&mut self, limit: Duration) {
        self.silent_for_ever = limit;
    }

    /// Announces that the next batch hangs the guest in these calls, so that one look at a silent guest is enough.
    pub fn expect_hang(&mut self, hang: StatedHang) {
        self.hang = Some(hang);
    }

    /// Runs a batch and hands over each record as it comes. The guest's clock is set first.
    ///
    /// # Errors
    /// Same as [`run_agent`](super::run_agent).
    pub async fn run(
        &mut self,
        batch: &Batch,
        wait: &Wait,
        watch: &mut impl Watch,
        on_record: &mut dyn FnMut(Record),
    ) -> Result<AgentRun, SshError> {
        let deadline = wait.begin(&self.patience);
        let request = encode_request(&Request::Run(batch.clone()))?;
        let mut receiver = Receiver::new(batch);
        let hang = self.hang.take();
        let mut on_bytes = |bytes: &[u8]| receiver.stdout(bytes, on_record);
        let result = self.talk(&request, &deadline, hang.as_ref(), watch, &mut on_bytes).await;
        match receiver.finish(result) {
            Ok(run) => Ok(run),
            Err(error) => Err(with_cause(error, watch).await),
        }
    }

    async fn talk(
        &self,
        request: &[u8],
        deadline: &Deadline,
        hang: Option<&StatedHang>,
        watch: &mut impl Watch,
        on_bytes: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<ExecStatus, SshError> {
        let doing = "talking to the agent";
        let connected = deadline.bound(TcpStream::connect(self.address)).await;
        let connected = connected.map_err(|error| SshError::Wait { error, last_error: None })?;
        let mut stream = match connected.and_then(|stream| stream.set_nodelay(true).map(|()| stream)) {
            Ok(stream) => stream,
            Err(error) => return Err(lost("connecting to the agent", &error, watch).await),
        };
        let (mut from, mut to) = stream.split();
        let mut input = Greeting { token: self.token, now_ns: now_ns() }.encode().to_vec();
        input.extend(request);
        let mut sending = pin!(to.write_all(&input));
        let mut sent = false;
        let begin = || Silence::begin(hang, self.silent_for_ever);
        let mut silence = begin();
        let mut buffer = vec![0; CHUNK];
        loop {
            tokio::select! {
                // What came before the end still counts.
                biased;
                read = from.read(&mut buffer) => match read {
                    // The agent closes the connection when the batch is done; what is missing then, its records tell.
                    Ok(0) => return ended(watch).await,
                    Ok(len) => {
                        silence = begin();
                        if on_bytes(buffer.get(..len).unwrap_or_default()).is_break() {
                            return Err(SshError::Stopped { doing: doing.into() });
                        }
                        // An agent that talks without end must not talk past its limit.
                        deadline.check().map_err(|error| over(error, watch))?;
                    }
                    Err(error) => return Err(lost(doing, &error, watch).await),
                },
                written = &mut sending, if !sent => match written {
                    Ok(()) => sent = true,
                    Err(error) => return Err(lost(doing, &error, watch).await),
                },
                () = watch.changed() => watch.check().await.map_err(SshError::Guest)?,
                error = deadline.over() => return Err(over(error, watch)),
                () = sleep_until(silence.next_look()) => silence.look(watch).await?,
            }
        }
    }
}

fn over(error: WaitError, watch: &impl Watch) -> SshError {
    SshError::Wait { error: error.with_console(watch.console_tail()), last_error: None }
}

/// An interval in which no byte came.
struct Silence<'h> {
    began: Instant,
    looked: Instant,
    /// Number of consecutive looks at which nothing in the guest could be reached.
    unreachable: u32,
    /// The guest is known to hang in these calls: a look that finds it there is enough.
    stated: Option<&'h StatedHang>,
    /// How long it may be, while the guest itself answers.
    limit: Duration,
}

impl<'h> Silence<'h> {
    fn begin(stated: Option<&'h StatedHang>, limit: Duration) -> Self {
        let now = Instant::now();
        Self { began: now, looked: now, unreachable: 0, stated, limit }
    }

    /// When somebody looks next.
    fn next_look(&self) -> Instant {
        self.looked + if self.stated.is_some() { SHORT_SILENCE } else { SILENCE }
    }

    /// Whether the guest hangs as was known beforehand; where nobody knows the calls, it is enough that its kernel never rests.
    fn is_as_stated(&self, busy: &Busy) -> bool {
        self.stated.is_some_and(|stated| busy.as_stated || stated.calls.is_empty())
    }

    /// Looks at the guest.
    async fn look(&mut self, watch: &mut impl Watch) -> Result<(), SshError> {
        self.unreachable = match watch.why_silent(self.stated).await {
            None => 0,
            Some(GuestFailure::Busy(busy)) if self.is_as_stated(&busy) => {
                return Err(SshError::Guest(GuestFailure::Busy(busy)));
            }
            Some(GuestFailure::LostSsh { .. } | GuestFailure::Hung(_) | GuestFailure::Busy(_))
                if self.unreachable + 1 < UNREACHABLE =>
            {
                self.unreachable + 1
            }
            Some(failure) => return Err(SshError::Guest(failure)),
        };
        self.looked = Instant::now();
        if self.began.elapsed() < self.limit {
            return Ok(());
        }
        Err(SshError::Guest(GuestFailure::Hung(Expired {
            name: "a word of the agent, while the guest itself answers".into(),
            limit: self.limit,
            elapsed: self.began.elapsed(),
            console: watch.console_tail(),
        })))
    }
}

/// A guest that dies closes nothing, but QEMU's end does: then the guest's death is what happened.
async fn ended(watch: &mut impl Watch) -> Result<ExecStatus, SshError> {
    watch.check().await.map_err(SshError::Guest)?;
    Ok(ExecStatus::Code(0))
}

/// An agent that ends without having reported everything may have been ended by the end of its guest, of which the
/// console tells a little later.
async fn with_cause(error: SshError, watch: &mut impl Watch) -> SshError {
    match error {
        SshError::Guest(GuestFailure::AgentDied { status, stderr }) => {
            SshError::Guest(watch.cause_of_death().await.unwrap_or_else(|| {
                // There is no status on a connection.
                let status = status.replacen("exit status 0", "connection closed", 1);
                GuestFailure::AgentDied { status, stderr }
            }))
        }
        error => error,
    }
}

/// Nanoseconds since 1970.
fn now_ns() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vm::NoWatch;

    #[tokio::test]
    async fn a_silence_is_over_at_its_limit_while_the_guest_answers() {
        let mut silence = Silence::begin(None, SILENT_FOR_EVER);
        assert!(silence.look(&mut NoWatch).await.is_ok());
        let mut silence = Silence::begin(None, Duration::ZERO);
        match silence.look(&mut NoWatch).await {
            Err(SshError::Guest(GuestFailure::Hung(expired))) => {
                assert_eq!(expired.limit, Duration::ZERO);
                assert!(expired.name.contains("a word of the agent"), "{}", expired.name);
            }
            other => panic!("{other:?}"),
        }
    }
}
