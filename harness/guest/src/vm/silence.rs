// SPDX-License-Identifier: BSD-2-Clause
//! Why nothing comes from a guest that should talk: QEMU stands still, the guest's kernel does, or the way to it is
//! gone.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::machine::Vm;
use super::outcome::{Busy, GuestFailure, Watch as _};
use super::qmp::QmpError;
use super::wait::{Expired, Wait};

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
/// Depth, from the outermost call, to which most looks agree where one thread never leaves a call. A program that makes one
/// system call after the other agrees in the two of the entry and in the call's own.
const STUCK_DEPTH: usize = 4;

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
        // sshd, which is woken by the network, may be let in for seconds beside a thread that never leaves the kernel.
        if foreknown && let Some(stacks) = self.stays_busy().await.filter(|stacks| is_stuck(stacks)) {
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
    async fn busy(&mut self, stacks: Vec<Vec<u64>>, reachable: bool) -> GuestFailure {
        let console = self.console_tail();
        let busy = || GuestFailure::Busy(Box::new(Busy { stacks, reachable, calls: Vec::new(), console }));
        self.check().await.err().unwrap_or_else(busy)
    }

    /// QEMU accepts the connection itself; only the line comes from the guest.
    async fn sshd_greets(&self) -> bool {
        let Some(port) = self.ssh_port() else { return false };
        let greeting = async {
            let mut line = [0; 4];
            let mut stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
            stream.read_exact(&mut line).await.map(|_| line)
        };
        matches!(timeout(self.patience().stretch(BANNER_LIMIT), greeting).await, Ok(Ok(line)) if line == *b"SSH-")
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

/// Whether most of these stacks, each with the innermost address first, are of one thread that does not leave a call: all but
/// those of interrupts, and of what they wake.
fn is_stuck(stacks: &[Vec<u64>]) -> bool {
    let mut seen: BTreeMap<Vec<u64>, usize> = BTreeMap::new();
    for stack in stacks {
        let outermost: Vec<_> = stack.iter().rev().take(STUCK_DEPTH).copied().collect();
        if outermost.len() == STUCK_DEPTH {
            *seen.entry(outermost).or_default() += 1;
        }
    }
    seen.values().any(|times| times * 2 > stacks.len())
}

/// Processor time of a process of this machine, all threads together, as Linux tells it in `/proc/PID/stat`: fields 14 and 15,
/// in ticks. The name in field 2 may hold blanks and parentheses.
fn processor_time(process: u32) -> Option<Duration> {
    ticks(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
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
    fn a_thread_that_never_leaves_a_call_is_told_from_one_that_makes_many() {
        let spins = |inside: u64| vec![inside, 0xc0, 0xb0, 0xa3, 0xa2, 0xa1];
        let interrupt = vec![0xe3, 0xe2, 0xe1, 0xe0];
        let program = Vec::new();
        assert!(is_stuck(&[spins(1), spins(2), spins(3), interrupt.clone(), program.clone()]));
        assert!(!is_stuck(&[spins(1), spins(2), interrupt.clone(), program.clone()]));
        // One system call after the other: entry, dispatch, its own function, and something else each time.
        let calls: Vec<_> = (0..20).map(|call| vec![0x90, call, 0xa3, 0xa2, 0xa1]).collect();
        assert!(!is_stuck(&calls));
        assert!(!is_stuck(&[vec![0xa2, 0xa1], vec![0xa2, 0xa1]]));
        assert!(!is_stuck(&[]));
    }

    #[test]
    fn processor_time_is_read_whatever_the_process_is_called() {
        let stat = "17 (qemu) x (y) S 1 17 17 0 -1 4194560 1 2 3 4 250 50 7 8 20 0 5 0 99 1 2";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks("17 (qemu) S 1 2"), None);
        assert_eq!(ticks(""), None);
        assert!(processor_time(std::process::id()).is_some());
    }
}
