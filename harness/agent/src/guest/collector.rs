// SPDX-License-Identifier: BSD-2-Clause
//! One wait for all sockets of a program, so that an event gets its time when it arrives and not when
//! somebody looks.

use alloc::vec;
use alloc::vec::Vec;

use nlproof_agent::DropSource;

use crate::netlink::Netlink;
use crate::sys::clock::{self, Deadline};
use crate::sys::io::{PollFd, poll};
use crate::sys::socket::{self, Received};
use crate::sys::{Errno, errno};

/// Larger than any datagram of either kernel (FreeBSD: 2 KiB and what one message needs; Linux dumps: 32
/// KiB), in bytes.
const BUFFER: usize = 256 << 10;

/// What a wait ended with.
pub(crate) enum Seen {
    /// A datagram on a socket.
    Datagram {
        /// Which socket.
        source: DropSource,
        /// CLOCK_MONOTONIC in nanoseconds.
        t_ns: u64,
        /// The bytes.
        data: Vec<u8>,
        /// Length before the buffer cut it.
        full_len: u32,
    },
    /// A receive call failed. With ENOBUFS the kernel dropped messages; with any other error the socket is
    /// not waited for any more.
    Failed {
        /// Which socket.
        source: DropSource,
        /// Why.
        errno: Errno,
    },
    /// Nothing on the sockets, but one of the further descriptors is ready.
    Further,
    /// The deadline has passed.
    Quiet,
}

/// All sockets of a program.
pub(crate) struct Collector {
    /// Groups first, the request socket last. The kernel sends the events of a change before it
    /// acknowledges the change, so where both are there the events were first.
    sockets: Vec<Netlink>,
    /// Nothing is taken from the groups' sockets.
    pub(crate) held: bool,
    buffer: Vec<u8>,
    polled: Vec<PollFd>,
}

impl Collector {
    pub(crate) fn new(request: Netlink, groups: Vec<Netlink>) -> Self {
        let mut sockets = groups;
        sockets.push(request);
        Self { sockets, held: false, buffer: vec![0; BUFFER], polled: Vec::new() }
    }

    /// The request socket; `None` once it is broken.
    pub(crate) fn request(&self) -> Option<&Netlink> {
        self.sockets.last().filter(|socket| !socket.broken)
    }

    /// The sockets of the groups that still work.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &Netlink> {
        self.sockets.iter().filter(|socket| socket.source != DropSource::Request && !socket.broken)
    }

    /// Whether any group is joined.
    pub(crate) fn has_groups(&self) -> bool {
        self.sockets.len() > 1
    }

    /// Waits for one thing on the sockets or on `further`, at most until the deadline. What is there
    /// already is taken even when the deadline has passed.
    pub(crate) fn next(&mut self, until: Deadline, further: &mut [PollFd]) -> Seen {
        loop {
            self.polled.clear();
            self.polled.extend(self.sockets.iter().map(|socket| {
                let held = self.held && socket.source != DropSource::Request;
                if socket.broken || held { PollFd::none() } else { PollFd::readable(socket.fd.raw()) }
            }));
            self.polled.extend_from_slice(further);
            if let Err(errno) = poll(&mut self.polled, until.poll_ms()) {
                // ENOMEM or EINVAL: nothing can be waited for any more.
                self.sockets.iter_mut().for_each(|socket| socket.broken = true);
                return Seen::Failed { source: DropSource::Request, errno };
            }
            for (socket, polled) in self.sockets.iter_mut().zip(&self.polled) {
                if polled.ready()
                    && let Some(seen) = take(socket, &mut self.buffer)
                {
                    return seen;
                }
            }
            let rest = self.polled.get(self.sockets.len()..).unwrap_or_default();
            further.copy_from_slice(rest);
            if further.iter().any(|fd| fd.ready()) {
                return Seen::Further;
            }
            if until.passed() {
                return Seen::Quiet;
            }
        }
    }
}

/// One receive call; `None` if nothing was there after all.
fn take(socket: &mut Netlink, buffer: &mut [u8]) -> Option<Seen> {
    let source = socket.source;
    match socket::receive(&socket.fd, buffer) {
        Ok(Received { len, full_len }) => Some(Seen::Datagram {
            source,
            t_ns: clock::now(),
            data: buffer.get(..len).unwrap_or_default().to_vec(),
            full_len: u32::try_from(full_len).unwrap_or(u32::MAX),
        }),
        Err(errno::EAGAIN | errno::EINTR) => None,
        Err(errno) => {
            socket.broken = errno != errno::ENOBUFS;
            Some(Seen::Failed { source, errno })
        }
    }
}
