// SPDX-License-Identifier: BSD-2-Clause
//! Why nothing comes from a guest that should talk: QEMU stands still, the guest's kernel does, or the way to it is
//! gone.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::machine::Vm;
use super::outcome::{Busy, GuestFailure, Watch as _};
use super::qmp::QmpError;
use super::wait::Expired;

/// Limit for QEMU's answer, which comes from a loop that never blocks.
const QMP_LIMIT: Duration = Duration::from_secs(5);
/// sshd's first line, under hardware virtualisation; the guest may have much to do.
const BANNER_LIMIT: Duration = Duration::from_secs(2);
/// The same for a guest of which it is known beforehand that it hangs: where its processor stays tells it too.
const SHORT_BANNER_LIMIT: Duration = Duration::from_millis(500);
/// How often the processor is looked at, and how long between two looks. An idle kernel halts it nearly always.
const LOOKS: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(50);

impl Vm {
    /// What keeps the guest silent; `None`: the guest answers, so the silence has another reason.
    pub(super) async fn diagnose_silence(&mut self, foreknown: bool) -> Option<GuestFailure> {
        if let Err(failure) = self.check().await {
            return Some(failure);
        }
        let started = Instant::now();
        let hung = |name: &str, console| {
            GuestFailure::Hung(Expired {
                name: name.to_owned(),
                limit: QMP_LIMIT,
                elapsed: started.elapsed(),
                console,
            })
        };
        match self.qmp().execute_within("query-status", serde_json::json!({}), QMP_LIMIT).await {
            Ok(_) => {}
            Err(QmpError::Timeout { .. }) => {
                return Some(hung("an answer of qemu itself", self.console_tail()));
            }
            // Its end, which is told as soon as the supervisor has noticed it.
            Err(_) => return self.cause_of_death().await,
        }
        if self.sshd_greets(if foreknown { SHORT_BANNER_LIMIT } else { BANNER_LIMIT }).await {
            return None;
        }
        if let Some(stacks) = self.stays_busy().await {
            // One that dies is busy too, and has said so by now.
            let console = self.console_tail();
            let busy = || GuestFailure::Busy(Box::new(Busy { stacks, calls: Vec::new(), console }));
            return Some(self.check().await.err().unwrap_or_else(busy));
        }
        Some(self.cause_of_death().await.unwrap_or_else(|| GuestFailure::LostSsh {
            doing: "waiting for the agent: neither it nor sshd can be reached".into(),
            console: self.console_tail(),
        }))
    }

    /// QEMU accepts the connection itself; only the line comes from the guest.
    async fn sshd_greets(&self, limit: Duration) -> bool {
        let Some(port) = self.ssh_port() else { return false };
        let greeting = async {
            let mut line = [0; 4];
            let mut stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
            stream.read_exact(&mut line).await.map(|_| line)
        };
        matches!(timeout(self.patience().stretch(limit), greeting).await, Ok(Ok(line)) if line == *b"SSH-")
    }

    /// Where the processor was seen, if it was never seen halted; `None` too if QEMU does not show it.
    async fn stays_busy(&mut self) -> Option<Vec<Vec<u64>>> {
        let mut stacks = Vec::new();
        for _ in 0..LOOKS {
            let look = self.look().await?;
            if look.halted {
                return None;
            }
            stacks.push(look.stack);
            sleep(BETWEEN).await;
        }
        Some(stacks)
    }
}
