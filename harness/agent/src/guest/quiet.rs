// SPDX-License-Identifier: BSD-2-Clause
//! How it is known that the kernel has announced all that a request has it announce.
//!
//! FreeBSD puts an event into the sockets of its group in the thread that causes it (sys/netlink/netlink_domain.c
//! `nl_send_group`); none is in a queue of its own. Three kinds of threads cause one:
//!
//! 1. The one that serves the request. What it announces is there before its acknowledgement, and so before that of the
//!    fence.
//! 2. Those that it leaves work to: a change of the link's state goes to `taskqueue_swi` (sys/net/if.c
//!    `if_link_state_change`), a few others to `taskqueue_thread`. All of them go before any program. On one processor
//!    the agent therefore runs only when none of them is ready to run: whoever reads the fence's acknowledgement in a
//!    program has their events in the socket already. With two processors they may run beside it.
//! 3. Timers. Of the network stack's own, two announce something: `nd6_timer` and the end of duplicate address detection,
//!    both of which are put off (`isolate`). A card's driver has others; who does something with a card waits for its rest.
//!
//! So on one processor a look behind the fence sees what a wait would: nothing is on its way. What came later all the same
//! would be seen by the next look, in the next step or at the program's end, and differ from the golden there.

/// What tells that no event is on its way any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quiet {
    /// A look behind the fence.
    #[cfg_attr(not(feature = "freebsd"), expect(dead_code, reason = "nothing is known of Linux"))]
    Look,
    /// Time in which none has come.
    Time,
}

impl Quiet {
    /// What tells on this machine. A kernel that does not say how many processors it has may have several, and of Linux
    /// nothing of the above is known.
    pub(crate) fn here() -> Self {
        #[cfg(feature = "freebsd")]
        if crate::sys::sysctl::int("hw.ncpu") == Ok(1) {
            return Self::Look;
        }
        Self::Time
    }

    /// The time to wait where it would be so many milliseconds.
    pub(crate) fn wait_ms(self, settle_ms: u32) -> u32 {
        match self {
            Self::Look => 0,
            Self::Time => settle_ms,
        }
    }
}
