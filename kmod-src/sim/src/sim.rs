// SPDX-License-Identifier: BSD-2-Clause
//! The way in: one network stack and sockets to talk to it.

use std::rc::Rc;

use iface_core::{Errno, Profile, Sleepable};
use nlproof_wire::consts::NLMSG_HDRLEN;

use crate::release::Release;
use crate::socket::{BUFFER, Privilege, Socket, SocketOptions};
use crate::stack::Stack;
use crate::tracer::{Fault, KernelRecord};
use crate::variant::Variant;

/// Interfaces that the host has before the vnet gets its first: a network card and its own lo0.
const HOST_INTERFACES: u32 = 2;
/// Port of the first socket: the process's number.
const FIRST_PORT: u32 = 1000;
/// Ports of further sockets of the same process (`nl_find_port`) begin here.
const FURTHER_PORTS: u32 = 65536 * 4;

/// A fresh vnet of a kernel of one branch, as `jail -c vnet` makes it: lo0, down, without addresses.
///
/// Everything happens at once: when [`send`](Self::send) returns, all replies and events can be received.
/// The same calls give the same bytes.
#[derive(Debug)]
pub struct Sim {
    pub(crate) stack: Stack,
}

/// A socket of one [`Sim`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SocketId(usize);

impl Sim {
    /// A vnet on a host with two interfaces, so that lo0 gets the index 3.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        Self::on_host(profile, HOST_INTERFACES)
    }

    /// A vnet on a host with that many interfaces: lo0 gets the next index.
    #[must_use]
    pub fn on_host(profile: Profile, interfaces: u32) -> Self {
        Self::of(profile, Variant::of(profile), interfaces)
    }

    /// A vnet of a release's kernel, on a host with two interfaces.
    #[must_use]
    pub fn of_release(release: Release) -> Self {
        Self::of(release.profile(), Variant::of_release(release), HOST_INTERFACES)
    }

    fn of(profile: Profile, variant: Variant, interfaces: u32) -> Self {
        let stack = Stack::new(profile, variant, interfaces);
        let created = stack.clone_create(&mut Sleepable::at_entry(), b"lo0", None);
        debug_assert!(created.is_ok(), "an empty stack has room for lo0");
        Self { stack }
    }

    /// What socket(2) says to a process that asks for a netlink socket: EPROTONOSUPPORT to one of a jail that has no
    /// socket of this family.
    ///
    /// # Errors
    /// The number that it fails with.
    pub fn may_open(&self, privilege: Privilege) -> Result<(), Errno> {
        match privilege {
            Privilege::Jailed if !self.stack.variant.jailed_sockets => Err(Errno::EPROTONOSUPPORT),
            _ => Ok(()),
        }
    }

    /// Opens a NETLINK_ROUTE socket for requests. Whether there can be one, [`may_open`](Self::may_open) says.
    pub fn socket(&self, options: SocketOptions, privilege: Privilege) -> SocketId {
        self.open(options, privilege, None)
    }

    /// Opens a socket that is a member of one group (RTNLGRP_*) and hears what happens from now on.
    pub fn join(&self, group: u32) -> SocketId {
        self.open(SocketOptions::default(), Privilege::Root, Some(group))
    }

    fn open(&self, options: SocketOptions, privilege: Privilege, group: Option<u32>) -> SocketId {
        let mut sockets = self.stack.sockets.borrow_mut();
        let id = sockets.len();
        let port = match u32::try_from(id) {
            _ if !options.bound => 0,
            Ok(0) | Err(_) => FIRST_PORT,
            Ok(number) => FURTHER_PORTS + number,
        };
        let mut socket = Socket::new(options, privilege, port, group);
        socket.overhead = self.stack.variant.address_in_buffer;
        sockets.push(Rc::new(socket));
        SocketId(id)
    }

    fn get(&self, socket: SocketId) -> Option<Rc<Socket>> {
        self.stack.sockets.borrow().get(socket.0).cloned()
    }

    /// SO_RCVBUF: how many bytes of events may wait in a socket. Replies are never dropped.
    pub fn set_receive_buffer(&self, socket: SocketId, bytes: usize) {
        if let Some(socket) = self.get(socket) {
            socket.receive_buffer.set(bytes);
        }
    }

    /// Sends one datagram to the kernel and has it answered.
    ///
    /// # Errors
    /// ENOBUFS for fewer than 16 bytes, EMSGSIZE for more than 65536, EINVAL for a socket of another [`Sim`].
    pub fn send(&self, socket: SocketId, datagram: &[u8]) -> Result<(), Errno> {
        let socket = self.get(socket).ok_or(Errno::EINVAL)?;
        if datagram.len() < NLMSG_HDRLEN {
            return Err(Errno::ENOBUFS);
        }
        if datagram.len() > BUFFER {
            return Err(Errno::EMSGSIZE);
        }
        self.stack.receive(&socket, datagram);
        Ok(())
    }

    /// A datagram as the kernel takes it up: before 15 the pages of a long one come in reverse order. What is
    /// acknowledged is quoted from this.
    #[must_use]
    pub fn as_taken_up(&self, datagram: &[u8]) -> Vec<u8> {
        self.stack.as_taken_up(datagram)
    }

    /// Takes the oldest datagram that waits in a socket.
    #[must_use]
    pub fn recv(&self, socket: SocketId) -> Option<Vec<u8>> {
        self.get(socket)?.receive()
    }

    /// How many datagrams were lost because a socket's buffer was full.
    #[must_use]
    pub fn dropped(&self, socket: SocketId) -> usize {
        self.get(socket).map_or(0, |socket| socket.dropped())
    }

    /// Whether a reader that has SO_RERROR hears of datagrams that were lost.
    #[must_use]
    pub fn tells_loss(&self) -> bool {
        self.stack.variant.loss_told
    }

    /// The port of a socket, which replies carry as `nlmsg_pid`.
    #[must_use]
    pub fn pid(&self, socket: SocketId) -> u32 {
        self.get(socket).map_or(0, |socket| socket.port)
    }

    /// Names and indexes of the interfaces, in the order in which they came.
    pub fn interfaces(&self) -> impl Iterator<Item = (String, u32)> {
        let name = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        self.stack.living().into_iter().map(move |ifp| (name(ifp.name.get().as_bytes()), ifp.index))
    }

    /// Records from now on which probes fire; `clock` gives nanoseconds that never fall.
    pub fn trace(&self, clock: impl Fn() -> u64 + 'static) {
        self.stack.tracer.start(Box::new(clock));
    }

    /// Takes what has been recorded of the probes, in order.
    pub fn kernel_records(&self) -> Vec<KernelRecord> {
        self.stack.tracer.take()
    }

    /// Makes a mistake once, at the next occasion: for testing what watches a kernel.
    pub fn inject(&self, fault: Fault) {
        self.stack.tracer.inject(fault);
    }

    /// Seconds since the kernel booted. Time stands still but for [`advance`](Self::advance).
    #[must_use]
    pub fn uptime(&self) -> u64 {
        self.stack.uptime.get()
    }

    /// Lets time pass: IPv6 addresses age.
    pub fn advance(&self, seconds: u32) {
        for _ in 0..seconds {
            self.stack.uptime.set(self.stack.uptime.get() + 1);
            self.stack.inet6_timer();
        }
    }

    /// How many references to interfaces and stays in the network epoch are held. Between calls anything
    /// but 0 is a leak.
    #[must_use]
    pub fn held(&self) -> usize {
        let references: usize =
            self.stack.interfaces.borrow().iter().map(|ifp| Rc::strong_count(&ifp.0) - 1).sum();
        references + self.stack.epochs.get() as usize
    }
}
