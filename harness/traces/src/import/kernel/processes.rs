// SPDX-License-Identifier: BSD-2-Clause
//! Which files of which process are netlink sockets.

use std::collections::BTreeMap;

/// The most processes that are remembered at a time: more than a FreeBSD has by default.
const MOST: usize = 100_000;

/// A socket under a number of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Socket {
    /// Tells sockets apart, whatever their numbers are.
    pub(super) id: u32,
    /// The protocol is NETLINK_ROUTE.
    pub(super) route: bool,
    /// The number ends when another program is executed.
    pub(super) ends_with_program: bool,
}

/// The netlink sockets of all processes.
#[derive(Debug, Default)]
pub(super) struct Processes {
    sockets: BTreeMap<i32, BTreeMap<i64, Socket>>,
    made: u32,
}

impl Processes {
    pub(super) fn knows(&self, pid: i32) -> bool {
        self.sockets.contains_key(&pid)
    }

    /// A process that was not there before has what its parent has.
    pub(super) fn begins(&mut self, pid: i32, parent: Option<i32>) {
        if self.sockets.len() >= MOST {
            self.sockets.pop_first();
        }
        let inherited = parent.and_then(|parent| self.sockets.get(&parent)).cloned().unwrap_or_default();
        self.sockets.insert(pid, inherited);
    }

    pub(super) fn ends(&mut self, pid: i32) {
        self.sockets.remove(&pid);
    }

    /// Another program is executed.
    pub(super) fn executes(&mut self, pid: i32) {
        self.of(pid).retain(|_, socket| !socket.ends_with_program);
    }

    pub(super) fn made(&mut self, pid: i32, fd: i64, route: bool, ends_with_program: bool) {
        let id = self.made;
        self.made += 1;
        self.of(pid).insert(fd, Socket { id, route, ends_with_program });
    }

    /// `to` is another number of what `from` is.
    pub(super) fn doubled(&mut self, pid: i32, from: i64, to: i64, ends_with_program: bool) {
        match self.socket(pid, from) {
            Some(socket) => drop(self.of(pid).insert(to, Socket { ends_with_program, ..socket })),
            None => self.forget(pid, to),
        }
    }

    pub(super) fn ends_with_program(&mut self, pid: i32, fd: i64, ends: bool) {
        if let Some(socket) = self.of(pid).get_mut(&fd) {
            socket.ends_with_program = ends;
        }
    }

    pub(super) fn forget(&mut self, pid: i32, fd: i64) {
        self.of(pid).remove(&fd);
    }

    /// All numbers from `first` to `last` are closed.
    pub(super) fn forget_all(&mut self, pid: i32, first: i64, last: i64) {
        self.of(pid).retain(|fd, _| !(first..=last).contains(fd));
    }

    pub(super) fn socket(&self, pid: i32, fd: i64) -> Option<Socket> {
        self.sockets.get(&pid)?.get(&fd).copied()
    }

    fn of(&mut self, pid: i32) -> &mut BTreeMap<i64, Socket> {
        self.sockets.entry(pid).or_default()
    }
}
