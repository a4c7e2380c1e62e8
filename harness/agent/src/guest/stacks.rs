// SPDX-License-Identifier: BSD-2-Clause
//! Network stacks that are made before they are needed. Each is taken once, because nothing could prove that a
//! stack is unchanged after a program has run in it.

#[cfg(feature = "freebsd")]
use alloc::collections::VecDeque;
use alloc::ffi::CString;
use alloc::format;
use alloc::string::String;
#[cfg(feature = "freebsd")]
use alloc::vec::Vec;
#[cfg(feature = "freebsd")]
use core::sync::atomic::{AtomicU32, Ordering};

use crate::isolate::Jail;
use crate::sys::Errno;
#[cfg(feature = "freebsd")]
use crate::sys::clock::Deadline;
use crate::sys::process;

/// A stack looks after its IPv6 addresses for the first time a second after it was made, whatever its settings are
/// (sys/netinet6/nd6.c `nd6_init`). No vector shall see that: it gets a stack of this age, in milliseconds.
#[cfg(feature = "freebsd")]
const SETTLED_MS: u32 = 1100;
/// Number of stacks made ahead: while that many vectors run, a stack comes of age.
#[cfg(feature = "freebsd")]
const AHEAD: usize = 64;

/// Network stacks of a guest, as one connection sees them.
#[derive(Clone)]
pub(crate) struct Stacks {
    /// How many jails of this process have a name.
    named: usize,
    /// Stacks that wait for the programs of any connection.
    #[cfg(feature = "freebsd")]
    made: Vec<Jail>,
    /// How many of them were taken, by whatever process: one that was taken may be there still. `None`: none wait.
    #[cfg(feature = "freebsd")]
    taken: Option<&'static AtomicU32>,
    /// Stacks of this connection, the oldest first, and when each is old enough.
    #[cfg(feature = "freebsd")]
    own: VecDeque<(Jail, Deadline)>,
}

/// The name of a jail that was made before any connection.
#[cfg(feature = "freebsd")]
fn waiting_name(number: u32) -> CString {
    // A number holds no NUL.
    CString::new(format!("nlproof_waiting_{number}")).unwrap_or_default()
}

#[cfg(feature = "freebsd")]
impl Stacks {
    pub(crate) const NONE: Self = Self { named: 0, made: Vec::new(), taken: None, own: VecDeque::new() };

    /// Makes them, and returns when they are old enough.
    pub(crate) fn make(count: u32) -> Result<Self, (Errno, String)> {
        let made: Vec<Jail> = (0..count)
            .map(|number| crate::isolate::prepare(waiting_name(number)))
            .collect::<Result<_, _>>()?;
        let taken = crate::sys::memory::shared_counter();
        if taken.is_none() {
            return Err((crate::sys::errno::ENOMEM, String::from("no memory to share")));
        }
        if count > 0 {
            wait(Deadline::after_ms(SETTLED_MS));
        }
        Ok(Self { made, taken, ..Self::NONE })
    }

    /// The jail for a program, of `left` that are still to come, this one included.
    pub(crate) fn next(&mut self, left: usize) -> Jail {
        let waiting = self.next_waiting();
        let ready = usize::from(waiting.is_some()) + self.made.len().saturating_sub(self.taken());
        while ready + self.own.len() < left.min(AHEAD) {
            let Ok(jail) = crate::isolate::prepare(self.name()) else {
                // Whoever is to enter one that cannot be made says why.
                break;
            };
            self.own.push_back((jail, Deadline::after_ms(SETTLED_MS)));
        }
        if let Some(jail) = waiting {
            return jail;
        }
        match self.own.pop_front() {
            Some((jail, settled)) => {
                wait(settled);
                jail
            }
            None => Jail::Fresh(self.name()),
        }
    }

    /// Lets those go that no program took.
    pub(crate) fn let_go(self) {
        for (jail, _) in self.own {
            // One that cannot be let go stays until the end of its guest.
            if let Jail::Waiting(_, jid) = jail {
                crate::sys::jail::let_go(jid).ok();
            }
        }
    }

    fn taken(&self) -> usize {
        self.taken.map_or(0, |taken| taken.load(Ordering::SeqCst) as usize)
    }

    /// One that was made before this connection and that nobody has taken.
    fn next_waiting(&self) -> Option<Jail> {
        let place = self.taken?.fetch_add(1, Ordering::SeqCst);
        self.made.get(place as usize).cloned()
    }
}

/// An error is a signal: the time is asked for again.
#[cfg(feature = "freebsd")]
fn wait(until: Deadline) {
    while !until.passed() {
        crate::sys::io::poll(&mut [], until.poll_ms()).ok();
    }
}

/// A network namespace lives as long as a process is in it: none can wait.
#[cfg(not(feature = "freebsd"))]
impl Stacks {
    pub(crate) const NONE: Self = Self { named: 0 };

    pub(crate) fn make(_count: u32) -> Result<Self, (Errno, String)> {
        Ok(Self::NONE)
    }

    pub(crate) fn next(&mut self, _left: usize) -> Jail {
        Jail::Fresh(self.name())
    }

    pub(crate) fn let_go(self) {}
}

impl Stacks {
    /// A name alone, for a program that enters no jail.
    pub(crate) fn none(&mut self) -> Jail {
        Jail::Fresh(self.name())
    }

    /// A name for a jail: the agent's process id and a number. Without a dot, which would name a child of another jail
    /// (jail(8)).
    fn name(&mut self) -> CString {
        let number = self.named;
        self.named += 1;
        // Neither number can hold a NUL.
        CString::new(format!("nlproof{}_{number}", process::id())).unwrap_or_default()
    }
}
