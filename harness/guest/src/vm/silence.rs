// SPDX-License-Identifier: BSD-2-Clause
//! Why nothing comes from a guest that should talk: QEMU stands still, the guest's kernel does, or the way to it is
//! gone.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use nlproof_base::{Limit, read};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::machine::Vm;
use super::outcome::{Busy, GuestFailure, Watch as _};
use super::qmp::QmpError;
use super::stated_hang::StatedHang;
use super::wait::{Expired, Wait, WaitError};

/// Limit for QEMU's answer, which comes from a loop that never blocks.
const QMP_LIMIT: Duration = Duration::from_secs(5);
/// sshd's first line, under hardware virtualisation; the guest may have much to do.
const BANNER_LIMIT: Duration = Duration::from_secs(2);
/// How often the processor is looked at, and how long between two looks. An idle kernel halts it nearly always.
const LOOKS: usize = 20;
const BETWEEN: Duration = Duration::from_millis(25);
/// Processor time that QEMU has had from the first look to the last: one that got none was seen in the same place each time.
const WORKED: Duration = Duration::from_millis(400);
/// Limit for all looks, on a machine where QEMU gets little of the processor.
const LOOKS_LIMIT: Duration = Duration::from_secs(10);

impl Vm {
    /// What keeps the guest silent; `None`: the guest answers, so the silence has another reason.
    pub(super) async fn diagnose_silence(&mut self, stated: Option<&StatedHang>) -> Option<GuestFailure> {
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
        // sshd, which is woken by the network, may be let in for seconds beside a thread that never leaves the kernel.
        if let Some(stated) = stated.filter(|stated| !stated.calls.is_empty())
            && let Some(stacks) = self.stays_busy().await.filter(|stacks| stated.holds_most(stacks))
        {
            return Some(self.busy(stacks, true).await);
        }
        if self.sshd_greets().await {
            return None;
        }
        if let Some(stacks) = self.stays_busy().await {
            return Some(self.busy(stacks, false).await);
        }
        Some(self.cause_of_death().await.unwrap_or_else(|| GuestFailure::LostSsh {
            doing: "waiting for the agent: neither it nor sshd can be reached".into(),
            console: self.console_tail(),
        }))
    }

    /// The failure of a kernel that never rests; one that dies is busy too, and has said so by now.
    async fn busy(&mut self, stacks: Vec<Vec<u64>>, as_stated: bool) -> GuestFailure {
        let console = self.console_tail();
        let busy = || GuestFailure::Busy(Box::new(Busy { stacks, as_stated, calls: Vec::new(), console }));
        self.check().await.err().unwrap_or_else(busy)
    }

    /// Whether sshd says who it is. QEMU accepts the connection itself; only the line comes from the guest. After Ctrl-C nothing is
    /// said against the guest.
    async fn sshd_greets(&self) -> bool {
        let Some(port) = self.ssh_port() else { return false };
        let greeting = async {
            let mut line = [0; 4];
            let mut stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
            stream.read_exact(&mut line).await.map(|_| line)
        };
        let deadline = Wait::new("sshd's first line", BANNER_LIMIT).begin(self.patience());
        match deadline.bound(greeting).await {
            Ok(Ok(line)) => line == *b"SSH-",
            Ok(Err(_)) | Err(WaitError::Expired(_)) => false,
            Err(WaitError::Interrupted { .. }) => true,
        }
    }

    /// Where the processor was seen, if it was never seen halted; `None` too if QEMU does not show it, or hardly ran.
    async fn stays_busy(&mut self) -> Option<Vec<Vec<u64>>> {
        let wait = Wait::new("looks at the processor", LOOKS_LIMIT).begin(self.patience());
        let process = self.pid();
        let before = process.and_then(processor_time);
        // A machine that does not tell processor time shows what it shows.
        let worked = || before.is_none_or(|before| process.and_then(processor_time) >= Some(before + WORKED));
        let mut stacks = Vec::new();
        while stacks.len() < LOOKS || !worked() {
            wait.check().ok()?;
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

/// Processor time of a process of this machine, all threads together, as Linux tells it in `/proc/PID/stat`: fields 14 and 15,
/// in ticks. The name in field 2 may hold blanks and parentheses.
fn processor_time(process: u32) -> Option<Duration> {
    let stat = read(Path::new(&format!("/proc/{process}/stat")), Limit::LINE).ok()?;
    ticks(&String::from_utf8_lossy(&stat))
        .map(|ticks| Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11).map_while(|field| field.parse::<u64>().ok());
    Some(fields.next()? + fields.next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_whatever_the_process_is_called() {
        let stat = "17 (qemu) x (y) S 1 17 17 0 -1 4194560 1 2 3 4 250 50 7 8 20 0 5 0 99 1 2";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks("17 (qemu) S 1 2"), None);
        assert_eq!(ticks(""), None);
        assert!(processor_time(std::process::id()).is_some());
    }
}
