// SPDX-License-Identifier: BSD-2-Clause
//! The tracer of the probes: it keeps what a real kernel's ring or DTrace keeps.

use std::cell::{Cell, RefCell};
use std::fmt;

use iface_core::{Fired, Probe};

/// The thread in which a socket's requests are answered.
pub(crate) const NETLINK_THREAD: u32 = 1;
/// The thread that announces changes of links (`taskqueue_swi`).
pub(crate) const LINK_THREAD: u32 = 2;
/// The first of the threads of commands.
const COMMAND_THREADS: u32 = 3;

/// A probe that fired, with when and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelRecord {
    /// Nanoseconds of the clock that [`Sim::trace`](crate::Sim::trace) was given.
    pub t_ns: u64,
    /// The thread.
    pub tid: u32,
    /// The probe.
    pub fired: Fired,
}

/// A mistake of a kernel that is made on purpose, for testing whoever watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The release of a reference is left out.
    ReferenceNotReleased,
    /// The epoch is not left.
    EpochNotLeft,
    /// A message about an interface cannot be finished for want of memory.
    MessageWithoutMemory,
}

type Clock = Box<dyn Fn() -> u64>;

/// What hears of the probes.
pub(crate) struct Tracer {
    clock: RefCell<Option<Clock>>,
    records: RefCell<Vec<KernelRecord>>,
    thread: Cell<u32>,
    commands: Cell<u32>,
    fault: Cell<Option<Fault>>,
}

impl Default for Tracer {
    fn default() -> Self {
        Self {
            clock: RefCell::default(),
            records: RefCell::default(),
            thread: Cell::new(NETLINK_THREAD),
            commands: Cell::new(COMMAND_THREADS),
            fault: Cell::new(None),
        }
    }
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tracer({} records)", self.records.borrow().len())
    }
}

impl Tracer {
    /// Hears from now on.
    pub(crate) fn start(&self, clock: Clock) {
        *self.clock.borrow_mut() = Some(clock);
    }

    /// A probe fires.
    pub(crate) fn fire(&self, probe: Probe) {
        if let Some(clock) = &*self.clock.borrow() {
            let record = KernelRecord { t_ns: clock(), tid: self.thread.get(), fired: probe.fired() };
            self.records.borrow_mut().push(record);
        }
    }

    /// Hands out what was recorded.
    pub(crate) fn take(&self) -> Vec<KernelRecord> {
        std::mem::take(&mut self.records.borrow_mut())
    }

    /// Lets `thread` run, and then goes on with the one that ran.
    pub(crate) fn in_thread<T>(&self, thread: u32, run: impl FnOnce() -> T) -> T {
        let before = self.thread.replace(thread);
        let result = run();
        self.thread.set(before);
        result
    }

    /// Lets a command run, in a thread of its own.
    pub(crate) fn in_command<T>(&self, run: impl FnOnce() -> T) -> T {
        let thread = self.commands.replace(self.commands.get() + 1);
        self.in_thread(thread, run)
    }

    /// Makes one mistake the next time that there is an occasion.
    pub(crate) fn inject(&self, fault: Fault) {
        self.fault.set(Some(fault));
    }

    /// Whether the mistake is to be made now. It is made once.
    pub(crate) fn makes(&self, fault: Fault) -> bool {
        let now = self.fault.get() == Some(fault);
        if now {
            self.fault.set(None);
        }
        now
    }
}
