// SPDX-License-Identifier: BSD-2-Clause
//! System calls to what was said on netlink sockets.

use std::collections::BTreeMap;

use nlproof_wire::{Os, errno_name};

use super::processes::Processes;
use super::record::{Body, Damage, HEADER, Header, u32_at};

/// The most threads whose calls are remembered at a time.
const THREADS: usize = 100_000;

/// AF_NETLINK (sys/sys/socket.h).
const AF_NETLINK: u64 = 38;
/// SOCK_CLOEXEC (sys/sys/socket.h).
const SOCK_CLOEXEC: u64 = 0x1000_0000;
/// SOL_NETLINK (sys/netlink/netlink.h).
const SOL_NETLINK: u64 = 270;
/// MSG_PEEK (sys/sys/socket.h).
const MSG_PEEK: u64 = 2;
/// What execve(2) "returns" when it succeeds: EJUSTRETURN (sys/sys/errno.h).
const JUST_RETURN: i32 = -2;
/// ERESTART and EINTR (sys/sys/errno.h): the call is made again.
const AGAIN: [i32; 3] = [-1, 4, 35];

/// Numbers of system calls (sys/sys/syscall.h).
mod call {
    pub(super) const FORK: u16 = 2;
    pub(super) const READ: u16 = 3;
    pub(super) const WRITE: u16 = 4;
    pub(super) const OPEN: u16 = 5;
    pub(super) const CLOSE: u16 = 6;
    pub(super) const RECVMSG: u16 = 27;
    pub(super) const SENDMSG: u16 = 28;
    pub(super) const RECVFROM: u16 = 29;
    pub(super) const ACCEPT: u16 = 30;
    pub(super) const DUP: u16 = 41;
    pub(super) const IOCTL: u16 = 54;
    pub(super) const EXECVE: u16 = 59;
    pub(super) const VFORK: u16 = 66;
    pub(super) const DUP2: u16 = 90;
    pub(super) const FCNTL: u16 = 92;
    pub(super) const SOCKET: u16 = 97;
    pub(super) const BIND: u16 = 104;
    pub(super) const SETSOCKOPT: u16 = 105;
    pub(super) const READV: u16 = 120;
    pub(super) const WRITEV: u16 = 121;
    pub(super) const SENDTO: u16 = 133;
    pub(super) const RFORK: u16 = 251;
    pub(super) const KQUEUE: u16 = 362;
    pub(super) const FEXECVE: u16 = 492;
    pub(super) const OPENAT: u16 = 499;
    pub(super) const CLOSEFROM: u16 = 509;
    pub(super) const PDFORK: u16 = 518;
    pub(super) const ACCEPT4: u16 = 541;
    pub(super) const CLOSE_RANGE: u16 = 575;
}

/// Something that a process did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// Where its record begins in the trace, in bytes.
    pub place: u64,
    /// The process.
    pub pid: i32,
    /// Name of its program.
    pub command: String,
    /// Tells the sockets of a trace apart; of what is no socket's, 0.
    pub socket: u32,
    /// What was done.
    pub deed: Deed,
}

impl Act {
    /// The process for people: `ifconfig[812]`.
    pub fn who(&self) -> String {
        format!("{}[{}]", self.command, self.pid)
    }
}

/// What a process did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// A netlink socket was made.
    Opened {
        /// For NETLINK_ROUTE.
        route: bool,
        /// The protocol's number.
        protocol: u64,
    },
    /// A datagram went to the kernel or came from it.
    Moved {
        /// On a socket for NETLINK_ROUTE.
        route: bool,
        /// To the kernel.
        sent: bool,
        /// The bytes, as far as the kernel kept them (kern.ktrace.genio_size).
        data: Vec<u8>,
        /// How many there were.
        whole: usize,
    },
    /// An option of level SOL_NETLINK was set.
    Option {
        /// NETLINK_* number of the option.
        number: u32,
        /// On a socket for NETLINK_ROUTE.
        route: bool,
    },
    /// A socket was bound; the multicast groups that it joined thereby, as bits.
    Bound {
        /// RTMGRP_* bits.
        groups: u32,
    },
    /// A call of a netlink socket failed.
    Failed {
        /// What it was to do.
        what: &'static str,
        /// FreeBSD's number.
        errno: i32,
    },
    /// An ioctl(2) of network interfaces succeeded. What it says is not in the trace.
    Ioctl {
        /// The request.
        request: u32,
    },
    /// The kernel dropped records: what they said is unknown.
    Dropped,
    /// The process has ended.
    Ended,
}

impl Deed {
    /// What is to be said of it where only datagrams are shown.
    pub fn told(&self) -> Option<String> {
        Some(match self {
            Deed::Opened { route: false, protocol: 16 } => {
                "a socket for generic netlink, left out".to_owned()
            }
            Deed::Opened { route: false, protocol } => {
                format!("a netlink socket for protocol {protocol}, left out")
            }
            Deed::Moved { route: true, sent, data, whole } if data.len() != *whole => {
                let what = if *sent { "sent" } else { "received" };
                format!(
                    "the kernel kept {} of {whole} bytes that were {what} (kern.ktrace.genio_size), left out",
                    data.len()
                )
            }
            Deed::Failed { what, errno } => match errno_name(Os::FreeBsd, *errno) {
                Some(name) => format!("{what} failed: {name}"),
                None => format!("{what} failed: errno {errno}"),
            },
            Deed::Dropped => "the kernel dropped records of the trace here".to_owned(),
            _ => return None,
        })
    }
}

/// A call that has not ended.
#[derive(Debug, Default)]
struct Call {
    number: u16,
    args: Vec<u64>,
    place: u64,
    /// What it moved on which file.
    moved: Vec<(i64, bool, Vec<u8>)>,
    address: Option<Vec<u8>>,
    /// Order of its beginning among all calls.
    began: u64,
}

impl Call {
    fn arg(&self, index: usize) -> u64 {
        self.args.get(index).copied().unwrap_or_default()
    }

    /// An argument of type int.
    fn int(&self, index: usize) -> i64 {
        (self.arg(index) as u32).cast_signed().into()
    }

    fn forks(&self) -> bool {
        matches!(self.number, call::FORK | call::VFORK | call::RFORK | call::PDFORK)
    }
}

/// A trace that is read while it grows.
#[derive(Debug, Default)]
pub struct KernelTrace {
    /// Bytes of a record that is not whole yet.
    rest: Vec<u8>,
    /// Where they begin.
    place: u64,
    processes: Processes,
    calls: BTreeMap<(i32, i64), Call>,
    began: u64,
    damage: Option<Damage>,
}

impl KernelTrace {
    /// Takes the next bytes of the trace; `on_act` gets what is done in the records that are whole now.
    ///
    /// # Errors
    /// A record is none. Nothing more is read then.
    pub fn push(&mut self, bytes: &[u8], on_act: &mut dyn FnMut(Act)) -> Result<(), Damage> {
        if let Some(damage) = &self.damage {
            return Err(damage.clone());
        }
        self.rest.extend_from_slice(bytes);
        let rest = std::mem::take(&mut self.rest);
        let mut at = 0;
        loop {
            let place = self.place + at as u64;
            let header = match Header::parse(&rest[at..]) {
                Ok(Some(header)) => header,
                Ok(None) => break,
                Err(what) => {
                    let damage = Damage { place, what };
                    self.damage = Some(damage.clone());
                    return Err(damage);
                }
            };
            let Some(body) = rest.get(at + HEADER..at + HEADER + header.len) else { break };
            self.record(place, &header, &Body::parse(header.kind, body), on_act);
            at += HEADER + header.len;
        }
        self.place += at as u64;
        self.rest = rest[at..].to_vec();
        Ok(())
    }

    /// Takes what calls have moved that had not returned when the trace ended.
    pub fn finish(&mut self, on_act: &mut dyn FnMut(Act)) {
        for ((pid, _), call) in std::mem::take(&mut self.calls) {
            for (fd, sent, data) in call.moved {
                if let Some(socket) = self.processes.socket(pid, fd) {
                    let whole = data.len();
                    let deed = Deed::Moved { route: socket.route, sent, data, whole };
                    on_act(Act { place: call.place, pid, command: String::new(), socket: socket.id, deed });
                }
            }
        }
    }

    /// Whether the trace ends within a record.
    pub fn is_cut(&self) -> bool {
        !self.rest.is_empty()
    }

    fn record(&mut self, place: u64, header: &Header, body: &Body<'_>, on_act: &mut dyn FnMut(Act)) {
        let (pid, key) = (header.pid, (header.pid, header.thread));
        let mut act =
            |socket, deed| on_act(Act { place, pid, command: header.command.clone(), socket, deed });
        if header.dropped {
            act(0, Deed::Dropped);
        }
        if !self.processes.knows(pid) {
            // The child of a vfork(2) speaks before its parent has its number.
            let forking = self.calls.iter().filter(|(_, call)| call.forks());
            let parent = forking.max_by_key(|(_, call)| call.began).map(|((parent, _), _)| *parent);
            self.processes.begins(pid, parent);
        }
        match body {
            Body::Call { number, args } => {
                self.began += 1;
                if self.calls.len() >= THREADS {
                    self.calls.pop_first();
                }
                let call =
                    Call { number: *number, args: args.clone(), place, began: self.began, ..Call::default() };
                self.calls.insert(key, call);
            }
            Body::Moved { fd, sent, data } => {
                if let (Some(call), Some(_)) =
                    (self.calls.get_mut(&key), self.processes.socket(pid, i64::from(*fd)))
                {
                    call.moved.push((i64::from(*fd), *sent, data.to_vec()));
                }
            }
            Body::Address(bytes) => {
                if let Some(call) = self.calls.get_mut(&key) {
                    call.address = Some(bytes.to_vec());
                }
            }
            Body::Return { number, error, value } => {
                if let Some(call) = self.calls.remove(&key).filter(|call| call.number == *number) {
                    self.returned(pid, &call, *error, *value, &mut act);
                }
            }
            Body::End => {
                self.processes.ends(pid);
                self.calls.retain(|(of, _), _| *of != pid);
                act(0, Deed::Ended);
            }
            Body::Other => {}
        }
    }

    fn returned(&mut self, pid: i32, call: &Call, error: i32, value: i64, act: &mut dyn FnMut(u32, Deed)) {
        let fd = call.int(0);
        let socket = self.processes.socket(pid, fd);
        if error != 0 {
            if matches!(call.number, call::EXECVE | call::FEXECVE) && error == JUST_RETURN {
                return self.processes.executes(pid);
            }
            let what = match call.number {
                call::SENDTO | call::SENDMSG | call::WRITE | call::WRITEV => "sending",
                call::RECVFROM | call::RECVMSG | call::READ | call::READV => "receiving",
                call::SOCKET if call.arg(0) == AF_NETLINK => "making a netlink socket",
                call::BIND => "binding",
                _ => return,
            };
            if (socket.is_some() || call.number == call::SOCKET) && !AGAIN.contains(&error) {
                act(socket.map_or(0, |socket| socket.id), Deed::Failed { what, errno: error });
            }
            return;
        }
        match call.number {
            call::SOCKET if call.arg(0) == AF_NETLINK => {
                let protocol = call.arg(2);
                let route = protocol == 0;
                self.processes.made(pid, value, route, call.arg(1) & SOCK_CLOEXEC != 0);
                let id = self.processes.socket(pid, value).map_or(0, |socket| socket.id);
                act(id, Deed::Opened { route, protocol });
            }
            call::OPEN | call::OPENAT | call::SOCKET | call::ACCEPT | call::ACCEPT4 | call::KQUEUE => {
                self.processes.forget(pid, value);
            }
            call::CLOSE => self.processes.forget(pid, fd),
            call::CLOSEFROM => self.processes.forget_all(pid, fd, i64::MAX),
            call::CLOSE_RANGE if call.arg(2) == 0 => {
                self.processes.forget_all(pid, (call.arg(0) as u32).into(), (call.arg(1) as u32).into());
            }
            call::DUP => self.processes.doubled(pid, fd, value, false),
            call::DUP2 => self.processes.doubled(pid, fd, value, false),
            call::FCNTL => match call.arg(1) {
                // F_DUPFD, F_DUP2FD; the same with CLOEXEC; F_SETFD (sys/sys/fcntl.h).
                0 | 10 => self.processes.doubled(pid, fd, value, false),
                17 | 18 => self.processes.doubled(pid, fd, value, true),
                2 => self.processes.ends_with_program(pid, fd, call.arg(2) & 1 != 0),
                _ => {}
            },
            call::FORK | call::VFORK | call::RFORK | call::PDFORK => {
                if let Ok(child) = i32::try_from(value)
                    && child > 0
                    && !self.processes.knows(child)
                {
                    self.processes.begins(child, Some(pid));
                }
            }
            // A group of sys/sys/sockio.h.
            call::IOCTL if call.arg(1) >> 8 & 0xff == u64::from(b'i') => {
                act(0, Deed::Ioctl { request: call.arg(1) as u32 });
            }
            call::SETSOCKOPT => {
                if let Some(socket) = socket.filter(|_| call.arg(1) == SOL_NETLINK) {
                    act(socket.id, Deed::Option { number: call.arg(2) as u32, route: socket.route });
                }
            }
            call::BIND => {
                // `struct sockaddr_nl`: the groups are its last four bytes.
                let groups = call.address.as_deref().and_then(|bytes| u32_at(bytes, 8)).unwrap_or_default();
                if let Some(socket) = socket {
                    act(socket.id, Deed::Bound { groups });
                }
            }
            _ => self.moved(pid, call, value, act),
        }
    }

    fn moved(&self, pid: i32, call: &Call, value: i64, act: &mut dyn FnMut(u32, Deed)) {
        let peeks = match call.number {
            call::RECVMSG => call.arg(2) & MSG_PEEK != 0,
            call::RECVFROM => call.arg(3) & MSG_PEEK != 0,
            _ => false,
        };
        for (fd, sent, data) in &call.moved {
            if let Some(socket) = self.processes.socket(pid, *fd).filter(|_| !peeks) {
                let whole = usize::try_from(value).unwrap_or_default().max(data.len());
                let deed = Deed::Moved { route: socket.route, sent: *sent, data: data.clone(), whole };
                act(socket.id, deed);
            }
        }
    }
}
