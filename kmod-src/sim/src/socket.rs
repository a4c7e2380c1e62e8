// SPDX-License-Identifier: BSD-2-Clause
//! Netlink sockets (`netlink/netlink_domain.c`): options, credentials, and what waits to be read.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use iface_core::{Requester, SocketAddress};

/// `NLSNDQ` of `netlink/netlink_var.h`: bytes of a socket's send and receive buffer.
pub(crate) const BUFFER: usize = 65536;

/// Options of a request socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketOptions {
    /// NETLINK_EXT_ACK: error texts and offsets in acknowledgements.
    pub ext_ack: bool,
    /// NETLINK_CAP_ACK: acknowledgements of errors do not echo the request's payload.
    pub cap_ack: bool,
    /// NETLINK_GET_STRICT_CHK: headers of requests are checked.
    pub strict: bool,
    /// The socket has a port, as after `bind`. Replies carry it as `nlmsg_pid`; without one that is 0.
    pub bound: bool,
}

impl Default for SocketOptions {
    /// A bound socket without options.
    fn default() -> Self {
        Self { ext_ack: false, cap_ack: false, strict: false, bound: true }
    }
}

/// Who opened a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privilege {
    /// The superuser of a jail with a network stack of its own: may do everything here.
    Root,
    /// Anybody else in there: may look.
    Unprivileged,
    /// The superuser of a jail that shares this network stack and its addresses: may look where the branch lets it.
    Jailed,
    /// The superuser of such a jail that has `allow.socket_af`, and so has sockets in every branch.
    JailedWithSockets,
}

/// `struct nlpcb` and its socket.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) options: SocketOptions,
    pub(crate) privilege: Privilege,
    /// `nl_port`.
    pub(crate) port: u32,
    /// RTNLGRP_* of the one group it is a member of.
    pub(crate) group: Option<u32>,
    /// `sb_hiwat` of the receive buffer, in bytes.
    pub(crate) receive_buffer: Cell<usize>,
    /// What each datagram needs in the buffer beside itself, where it must fit as a whole; `None`: it is taken
    /// as long as the buffer is not full.
    pub(crate) overhead: Option<usize>,
    received: RefCell<VecDeque<Vec<u8>>>,
    waiting: Cell<usize>,
    dropped: Cell<usize>,
}

impl Socket {
    pub(crate) fn new(options: SocketOptions, privilege: Privilege, port: u32, group: Option<u32>) -> Self {
        let received = RefCell::new(VecDeque::new());
        Self {
            options,
            privilege,
            port,
            group,
            receive_buffer: Cell::new(BUFFER),
            overhead: None,
            received,
            waiting: Cell::new(0),
            dropped: Cell::new(0),
        }
    }

    /// Puts a datagram into the receive buffer. Replies are never dropped (`nlmsg_ignore_limit`), events are
    /// when the buffer is full.
    pub(crate) fn deliver(&self, datagram: Vec<u8>, limited: bool) {
        let room = self.receive_buffer.get().saturating_sub(self.waiting.get());
        let fits = self.overhead.map_or(room > 0, |overhead| overhead + datagram.len() <= room);
        if limited && !fits {
            self.dropped.set(self.dropped.get() + 1);
            return;
        }
        self.waiting.set(self.waiting.get() + self.overhead.unwrap_or(0) + datagram.len());
        self.received.borrow_mut().push_back(datagram);
    }

    /// Takes the oldest datagram.
    pub(crate) fn receive(&self) -> Option<Vec<u8>> {
        let datagram = self.received.borrow_mut().pop_front()?;
        self.waiting.set(self.waiting.get() - self.overhead.unwrap_or(0) - datagram.len());
        Some(datagram)
    }

    /// Datagrams that found no room.
    pub(crate) fn dropped(&self) -> usize {
        self.dropped.get()
    }
}

impl Requester for Socket {
    fn has_privilege(&self, _privilege: iface_core::Privilege) -> bool {
        self.privilege == Privilege::Root
    }

    fn owns_network_stack(&self) -> bool {
        !matches!(self.privilege, Privilege::Jailed | Privilege::JailedWithSockets)
    }

    fn may_see(&self, _address: &SocketAddress) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_dropped_when_the_buffer_is_full_and_replies_are_not() {
        let socket = Socket::new(SocketOptions::default(), Privilege::Root, 1, None);
        socket.deliver(vec![1; BUFFER], true);
        socket.deliver(vec![2], true);
        assert_eq!(socket.dropped(), 1);
        socket.deliver(vec![3], false);
        assert_eq!(socket.receive().map(|datagram| datagram.len()), Some(BUFFER));
        assert_eq!(socket.receive(), Some(vec![3]));
        assert_eq!(socket.receive(), None);
        // As long as there is any room a datagram is taken whole.
        socket.receive_buffer.set(2);
        socket.deliver(vec![4; 3], true);
        socket.deliver(vec![5], true);
        assert_eq!((socket.dropped(), socket.receive()), (2, Some(vec![4; 3])));
    }

    #[test]
    fn where_a_datagram_must_fit_its_address_counts() {
        let mut socket = Socket::new(SocketOptions::default(), Privilege::Root, 1, None);
        socket.overhead = Some(12);
        socket.receive_buffer.set(30);
        socket.deliver(vec![1; 19], true);
        assert_eq!((socket.dropped(), socket.receive()), (1, None));
        socket.deliver(vec![2; 18], true);
        socket.deliver(vec![3; 1], true);
        assert_eq!((socket.dropped(), socket.receive()), (2, Some(vec![2; 18])));
        socket.deliver(vec![4; 18], true);
        assert_eq!(socket.receive(), Some(vec![4; 18]));
    }
}
