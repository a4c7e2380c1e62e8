// SPDX-License-Identifier: BSD-2-Clause
//! The interfaces of the child's network stack, seen past the sockets that are recorded.

use alloc::vec::Vec;

use nlproof_agent::interfaces::{self, Interface};

use crate::sys::Errno;
use crate::sys::interface;
use crate::sys::io::Fd;
use crate::sys::socket::open_for_ioctls;

/// Answers questions about interfaces.
pub(crate) struct Stack {
    ioctls: Fd,
    #[cfg(not(feature = "freebsd"))]
    dumps: Fd,
}

impl Stack {
    /// Call this after the request socket is bound: its `nl_pid` is then the process id, as for any
    /// ordinary program.
    pub(crate) fn open() -> Result<Self, Errno> {
        Ok(Self {
            ioctls: open_for_ioctls()?,
            #[cfg(not(feature = "freebsd"))]
            dumps: crate::sys::socket::open_netlink()?,
        })
    }

    /// The index of an interface; the kernel's error if there is none of that name.
    pub(crate) fn index(&self, name: &str) -> Result<u32, Errno> {
        interface::index(&self.ioctls, name)
    }

    /// All interfaces.
    #[cfg(feature = "freebsd")]
    pub(crate) fn list(&self) -> Result<Vec<Interface>, Errno> {
        interface::list().map(|answer| interfaces::from_iflist(&answer))
    }

    /// All interfaces, by a dump on a socket of its own.
    #[cfg(not(feature = "freebsd"))]
    pub(crate) fn list(&self) -> Result<Vec<Interface>, Errno> {
        use alloc::vec;

        use nlproof_agent::ReplyEnd;
        use nlproof_agent::datagram::{ends, link_dump};

        use crate::sys::clock::Deadline;
        use crate::sys::errno::EAGAIN;
        use crate::sys::io::{PollFd, poll};
        use crate::sys::socket::{receive, send};

        const SEQ: u32 = 1;
        let deadline = Deadline::after_ms(1000);
        let mut buffer = vec![0; 64 << 10];
        let mut found = Vec::new();
        send(&self.dumps, &link_dump(SEQ))?;
        loop {
            match receive(&self.dumps, &mut buffer) {
                Ok(received) => {
                    let datagram = buffer.get(..received.len).unwrap_or_default();
                    found.extend(interfaces::from_links(datagram));
                    if ends(ReplyEnd::End, SEQ, datagram) {
                        return Ok(found);
                    }
                }
                Err(EAGAIN) if !deadline.passed() => {
                    poll(&mut [PollFd::readable(self.dumps.raw())], deadline.poll_ms())?;
                }
                Err(errno) => return Err(errno),
            }
        }
    }
}
