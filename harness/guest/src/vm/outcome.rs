// SPDX-License-Identifier: BSD-2-Clause
//! How a guest can fail. None of these is a failed test: a comparison was not possible.

use std::fmt;

use super::hostdisk::HostDisk;
use super::panic::{FINGERPRINT_FRAMES, Panic, without_build};
use super::process::QemuExit;
use super::stated_hang::StatedHang;
use super::wait::{Expired, WaitError, write_console};

/// Why there is no usable guest (any more).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuestFailure {
    /// The guest did not come up: loader or kernel asks what to do instead.
    BootFailed {
        /// What it asks.
        reason: String,
        /// The last lines of its console.
        console: Vec<String>,
    },
    /// The kernel panicked.
    Panicked(Box<Panic>),
    /// The kernel debugger waits for a command, without a panic before it.
    Debugger {
        /// The last lines of its console.
        console: Vec<String>,
    },
    /// The guest rebooted, or asked for a reset: QEMU runs with `-no-reboot`.
    RebootLoop {
        /// The last lines of its console.
        console: Vec<String>,
    },
    /// Something did not happen in time.
    Hung(Expired),
    /// The kernel never rests.
    Busy(Box<Busy>),
    /// ssh worked and then did not, and the console says nothing about why.
    LostSsh {
        /// What was being done, and the error.
        doing: String,
        /// The last lines of its console.
        console: Vec<String>,
    },
    /// The agent ended before it had reported everything.
    AgentDied {
        /// QEMU's exit status, or the signal's name.
        status: String,
        /// What it wrote to standard error.
        stderr: String,
    },
    /// QEMU ended by itself, or could not be started.
    QemuFailed {
        /// How it ended.
        exit: QemuExit,
        /// What it wrote to standard error.
        stderr: String,
    },
    /// QEMU stopped the processor: the accelerator could not go on. Nested KVM does this at instructions
    /// that it does not emulate.
    ProcessorStopped {
        /// QEMU's run state, such as `internal-error`.
        status: String,
        /// What QEMU wrote to standard error.
        stderr: String,
    },
    /// A disk of this machine failed under the guest: it is full, or cannot be read or written.
    HostDisk(HostDisk),
    /// The guest switched itself off.
    PoweredOff {
        /// The last lines of its console.
        console: Vec<String>,
    },
    /// The user interrupted the run.
    Interrupted {
        /// What was waited for.
        waiting_for: String,
    },
}

/// A kernel that never rests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Busy {
    /// The addresses in which it was seen, for each look the innermost first.
    pub stacks: Vec<Vec<u64>>,
    /// Whether it was seen in the calls that it was known beforehand not to leave. Nobody asked then whether it lets anybody in.
    pub as_stated: bool,
    /// The calls in which it stays, innermost first: names for `stacks`, where somebody has the kernel's symbols.
    pub calls: Vec<String>,
    /// The last lines of its console.
    pub console: Vec<String>,
}

impl Busy {
    /// Calls that only show a wait without sleep.
    const WAITS: [&str; 2] = ["lock_delay", "DELAY"];

    /// What it does, innermost call first.
    fn does(&self) -> impl Iterator<Item = &str> {
        self.calls.iter().map(String::as_str).skip_while(|name| Self::WAITS.contains(name))
    }
}

impl GuestFailure {
    /// A short, stable name for reports.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::BootFailed { .. } => "boot-failed",
            Self::Panicked(_) => "panicked",
            Self::Debugger { .. } => "debugger",
            Self::RebootLoop { .. } => "reboot-loop",
            Self::Hung(_) | Self::Busy(_) => "hung",
            Self::LostSsh { .. } => "lost-ssh",
            Self::AgentDied { .. } => "agent-died",
            Self::QemuFailed { .. } => "qemu-failed",
            Self::ProcessorStopped { .. } => "processor-stopped",
            Self::HostDisk(disk) => disk.kind(),
            Self::PoweredOff { .. } => "powered-off",
            Self::Interrupted { .. } => "interrupted",
        }
    }
}

impl GuestFailure {
    /// The kernel's functions in which it happened, innermost first, as far as they are known.
    pub fn calls(&self) -> Vec<&str> {
        match self {
            Self::Panicked(panic) => panic.calls().collect(),
            Self::Busy(busy) => busy.does().collect(),
            _ => Vec::new(),
        }
    }

    /// A name for this kind of failure, equal for the same failure in two runs, whatever numbers were in it.
    pub fn fingerprint(&self) -> String {
        match self {
            Self::Panicked(panic) => panic.fingerprint(),
            Self::BootFailed { reason, .. } => format!("{}: {}", self.kind(), without_build(reason)),
            Self::Hung(expired) => format!("{}: {}", self.kind(), without_build(&expired.name)),
            Self::Busy(busy) => {
                let does: Vec<_> = busy.does().take(FINGERPRINT_FRAMES).collect();
                let place = if does.is_empty() { String::new() } else { format!(" | {}", does.join(" < ")) };
                format!("{}: the guest's kernel is busy{place}", self.kind())
            }
            Self::AgentDied { status, .. } => format!("{}: {}", self.kind(), without_build(status)),
            // Signals and statuses are names of their own.
            Self::QemuFailed { exit, .. } => format!("{}: {exit}", self.kind()),
            Self::ProcessorStopped { status, .. } => format!("{}: {status}", self.kind()),
            Self::Debugger { .. }
            | Self::RebootLoop { .. }
            | Self::LostSsh { .. }
            | Self::HostDisk(_)
            | Self::PoweredOff { .. }
            | Self::Interrupted { .. } => self.kind().to_owned(),
        }
    }
}

impl fmt::Display for GuestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BootFailed { reason, console } => {
                write!(f, "guest did not boot: {reason}")?;
                write_console(f, console)
            }
            Self::Panicked(panic) => write!(f, "guest kernel panicked: {panic}"),
            Self::Debugger { console } => {
                write!(f, "guest kernel stopped in its debugger")?;
                write_console(f, console)
            }
            Self::RebootLoop { console } => {
                write!(f, "guest rebooted by itself")?;
                write_console(f, console)
            }
            Self::Hung(expired) => write!(f, "guest hangs: {expired}"),
            Self::Busy(busy) => {
                write!(f, "guest hangs: its kernel is busy and ")?;
                f.write_str(if busy.as_stated { "does not leave a call" } else { "lets nobody in" })?;
                for name in busy.does() {
                    write!(f, "\n  in {name}")?;
                }
                write_console(f, &busy.console)
            }
            Self::LostSsh { doing, console } => {
                write!(f, "lost ssh while {doing}")?;
                write_console(f, console)
            }
            Self::AgentDied { status, stderr } => {
                write!(f, "agent ended early ({status})")?;
                if stderr.is_empty() { Ok(()) } else { write!(f, ": {}", stderr.trim_end()) }
            }
            Self::QemuFailed { exit, stderr } => {
                write!(f, "qemu ended by itself ({exit})")?;
                if stderr.is_empty() { Ok(()) } else { write!(f, ": {}", stderr.trim_end()) }
            }
            Self::ProcessorStopped { status, stderr } => {
                write!(f, "qemu stopped the guest's processor ({status})")?;
                match stderr.lines().next() {
                    Some(first) => write!(f, ": {first}"),
                    None => Ok(()),
                }
            }
            Self::HostDisk(disk) => disk.fmt(f),
            Self::PoweredOff { console } => {
                write!(f, "guest switched itself off")?;
                write_console(f, console)
            }
            Self::Interrupted { waiting_for } => write!(f, "interrupted while waiting for {waiting_for}"),
        }
    }
}

impl std::error::Error for GuestFailure {}

impl From<WaitError> for GuestFailure {
    fn from(error: WaitError) -> Self {
        match error {
            WaitError::Expired(expired) => Self::Hung(expired),
            WaitError::Interrupted { name } => Self::Interrupted { waiting_for: name },
        }
    }
}

/// Somebody who notices that the guest has died while others wait for its answer.
#[allow(async_fn_in_trait, reason = "a guest is used by one thread, which drives these futures itself")]
pub trait Watch {
    /// Looks at the guest. Waits only for the last words of one that dies.
    ///
    /// # Errors
    /// The guest is dead, and how it died.
    async fn check(&mut self) -> Result<(), GuestFailure>;

    /// Waits until there may be something new to see. Whoever gives up waiting looks before he waits again.
    async fn changed(&mut self);

    /// Waits until the guest is dead, and tells how it died.
    async fn death(&mut self) -> GuestFailure {
        loop {
            if let Err(failure) = self.check().await {
                return failure;
            }
            self.changed().await;
        }
    }

    /// Called when a connection broke: the reason may reach the console a little later than the break.
    /// Waits for it for a short while.
    async fn cause_of_death(&mut self) -> Option<GuestFailure>;

    /// The last lines of the guest's console.
    fn console_tail(&self) -> Vec<String>;

    /// Called when `what` has no other explanation; returns a full disk of this machine that the guest writes to. By
    /// default nobody can tell.
    fn full_disk(&self, _what: &str) -> Option<GuestFailure> {
        None
    }

    /// Called when nothing has come from the agent for a while: whether anything of the guest still answers. Takes
    /// some seconds at most, about one where a hang that is known beforehand is there. By default nobody can tell.
    async fn why_silent(&mut self, _stated: Option<&StatedHang>) -> Option<GuestFailure> {
        None
    }
}

/// For a peer that has no console: an ssh server that is not our guest.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoWatch;

impl Watch for NoWatch {
    async fn check(&mut self) -> Result<(), GuestFailure> {
        Ok(())
    }

    async fn changed(&mut self) {
        std::future::pending().await
    }

    async fn cause_of_death(&mut self) -> Option<GuestFailure> {
        None
    }

    fn console_tail(&self) -> Vec<String> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_kernel_is_told_by_the_calls_in_which_it_stays() {
        let calls = ["lock_delay", "_sx_slock_hard", "vlan_ioctl", "if_setflag", "ifpromisc"];
        let busy = |calls: &[&str]| {
            let calls = calls.iter().map(|name| (*name).to_owned()).collect();
            GuestFailure::Busy(Box::new(Busy { calls, console: vec!["login:".into()], ..Busy::default() }))
        };
        let (waits, works) = (busy(&calls), busy(&calls[1..]));
        assert_eq!(
            waits.fingerprint(),
            "hung: the guest's kernel is busy | _sx_slock_hard < vlan_ioctl < if_setflag"
        );
        assert_eq!((waits.fingerprint(), waits.kind()), (works.fingerprint(), "hung"));
        assert_eq!(
            busy(&calls[3..]).to_string(),
            "guest hangs: its kernel is busy and lets nobody in\n  in if_setflag\n  in ifpromisc; \
             last on the console:\n  | login:"
        );
        let stuck = Busy { as_stated: true, calls: vec!["vlan_ioctl".into()], ..Busy::default() };
        assert!(
            GuestFailure::Busy(Box::new(stuck))
                .to_string()
                .starts_with("guest hangs: its kernel is busy and does not leave a call\n  in vlan_ioctl")
        );
        assert_eq!(busy(&[]).fingerprint(), "hung: the guest's kernel is busy");
    }

    #[test]
    fn messages_carry_the_guests_own_words() {
        let failure = GuestFailure::BootFailed {
            reason: "mountroot prompt".into(),
            console: vec!["failed with error 19.".into()],
        };
        assert_eq!(
            failure.to_string(),
            "guest did not boot: mountroot prompt; last on the console:\n  | failed with error 19."
        );
        assert_eq!(failure.kind(), "boot-failed");
        let stopped = GuestFailure::ProcessorStopped {
            status: "internal-error".into(),
            stderr: "KVM internal error. Suberror: 1\nextra data".into(),
        };
        assert_eq!(
            stopped.to_string(),
            "qemu stopped the guest's processor (internal-error): KVM internal error. Suberror: 1"
        );
        let died = GuestFailure::AgentDied { status: "exit status 3".into(), stderr: String::new() };
        assert_eq!(died.fingerprint(), "agent-died: exit status N");
        let killed = GuestFailure::QemuFailed { exit: QemuExit::Signal(9), stderr: String::new() };
        assert_eq!(killed.fingerprint(), "qemu-failed: signal 9");
        assert_eq!(died.to_string(), "agent ended early (exit status 3)");
    }
}
