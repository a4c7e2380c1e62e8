// SPDX-License-Identifier: BSD-2-Clause
//! The child: one program in a network stack of its own.

use alloc::format;
use alloc::vec::Vec;

use nlproof_agent::datagram::ends;
use nlproof_agent::interfaces::Interface;
use nlproof_agent::{
    Body, ErrorStage, NO_STEP, Phase, Privilege, Program, ReplyEnd, Send, SocketOptions, Step,
};

use crate::cards::Cards;
use crate::collector::Collector;
use crate::given::Given;
use crate::isolate::{self, Jail};
use crate::laps::Laps;
use crate::names::Which;
use crate::netlink::Netlink;
use crate::quiet::Quiet;
use crate::reporter::Reporter;
use crate::ring::{self, Ring};
use crate::stack::Stack;
use crate::sys::clock::Deadline;
use crate::sys::io::{self, Fd, STDIN, STDOUT};
use crate::sys::{Errno, process, socket};
use crate::waiting::{AtDrop, Stretch};

/// The least time that a fence gets, in milliseconds: a step's own limit may be 0.
const FENCE_MS: u32 = 1000;

/// A program that runs.
pub(crate) struct Session<'a> {
    pub(crate) reporter: Reporter<'a>,
    pub(crate) collector: Collector,
    pub(crate) stack: Stack,
    /// Groups are read only when a step is over.
    pub(crate) late: bool,
    pub(crate) known: Vec<Interface>,
    /// An interface was seen that takes its name from all network stacks.
    pub(crate) devices: bool,
    pub(crate) fences: u32,
    /// The program runs in the guest's own network stack.
    pub(crate) outside: bool,
    /// Network cards, if the program has any.
    pub(crate) cards: Option<Cards>,
    /// Interfaces of cards as they were seen last, for asking after ones that are gone.
    pub(crate) seen_cards: Vec<Interface>,
    /// Which probes fire, if that is wanted and there is a module to tell.
    pub(crate) ring: Option<Ring>,
    /// Options of every socket that asks.
    pub(crate) options: SocketOptions,
    /// Where the time goes.
    pub(crate) laps: Laps,
    /// What tells that no event is on its way.
    quiet: Quiet,
}

/// What a program leaves behind that other network stacks would notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// Nothing: no interface of its stack takes a name from another one.
    Nothing,
    /// An interface whose file in `/dev` is in the way of every other interface of that name.
    Devices,
    /// The program did not run to its end, or a card did not come back.
    Unknown,
}

/// Runs a program from isolation to end. What fails is reported. The caller keeps the pipe open until this process
/// ends, because the parent takes its end for the end of the process.
pub(crate) fn run(program: &Program, jail: &Jail, pipe: &Fd, given: &Given, mut laps: Laps) -> Left {
    let reporter = Reporter::new(pipe, program, given);
    // Only the guest's own root may switch it, and the ring is read from inside.
    let traced = match program.kernel_trace.then(ring::switch_on).transpose() {
        Ok(traced) => traced.unwrap_or(false),
        Err(errno) => {
            reporter.error(
                ErrorStage::Isolate,
                errno,
                format!("the kernel's probes cannot be recorded ({errno})"),
            );
            return Left::Unknown;
        }
    };
    let isolated = stand_alone(&given.null)
        .map_err(|errno| (errno, format!("cannot prepare the child ({errno})")))
        .and_then(|()| {
            laps.lap(Phase::Child);
            Cards::begin(program, jail)
        })
        .and_then(|cards| {
            laps.lap(Phase::Cards);
            match program.privilege {
                Privilege::Outside => Ok(cards),
                _ => isolate::enter(jail).map(|()| cards),
            }
        });
    laps.lap(Phase::Stack);
    let cards = match isolated {
        Ok(cards) => cards,
        Err((errno, text)) => {
            reporter.error(ErrorStage::Isolate, errno, text);
            return Left::Unknown;
        }
    };
    // Before there is anybody who could hear of it.
    if cards.as_ref().is_some_and(|cards| !cards.plug_all(&reporter)) {
        return Left::Unknown;
    }
    laps.lap(Phase::Cards);
    if let Err((errno, text)) = isolate::take_privilege(program.privilege) {
        reporter.error(ErrorStage::Isolate, errno, text);
        return Left::Unknown;
    }
    laps.lap(Phase::Stack);
    let opened = Netlink::request(&program.socket).and_then(|(request, pid)| {
        let groups = program
            .groups
            .iter()
            .map(|group| Netlink::group(*group, program.socket.event_buffer))
            .collect::<Result<_, _>>()?;
        let stack =
            Stack::open().map_err(|errno| (errno, format!("no socket to look at interfaces ({errno})")))?;
        Ok((Collector::new(request, groups), stack, pid))
    });
    let (collector, stack, pid) = match opened {
        Ok(opened) => opened,
        Err((errno, text)) => {
            reporter.error(ErrorStage::Socket, errno, text);
            return Left::Unknown;
        }
    };
    let ring = match traced.then(Ring::begin).transpose() {
        Ok(ring) => ring,
        Err(errno) => {
            let text = format!("the kernel's records cannot be read ({errno})");
            reporter.error(ErrorStage::Isolate, errno, text);
            return Left::Unknown;
        }
    };
    reporter.report(Body::Start { pid });
    laps.lap(Phase::Sockets);
    let late = program.socket.event_buffer.is_some();
    let options = program.socket;
    let outside = program.privilege == Privilege::Outside;
    let mut session = Session {
        reporter,
        collector,
        stack,
        late,
        known: Vec::new(),
        devices: false,
        fences: 0,
        outside,
        cards,
        seen_cards: Vec::new(),
        ring,
        options,
        laps,
        quiet: given.quiet,
    };
    session.collector.held = late;
    session.name_interfaces(Which::New);
    for (index, step) in (0..).zip(&program.steps) {
        session.reporter.step = index;
        session.step(step);
        session.laps.lap(Phase::Requests);
        session.report_kernel_trace();
        session.laps.lap(Phase::Reading);
    }
    session.reporter.step = NO_STEP;
    session.reporter.report(Body::Begin);
    session.kernel_trace_ends();
    session.name_interfaces(Which::All);
    // What has come since the last step.
    session.settle(0, 0);
    let gone = session.cards.as_ref().is_none_or(|cards| cards.unplug_all(&session.reporter));
    session.laps.lap(Phase::Cards);
    session.reporter.report(session.laps.told());
    match (session.devices, gone) {
        (true, _) => Left::Devices,
        (false, true) => Left::Nothing,
        (false, false) => Left::Unknown,
    }
}

/// A group of its own, gone when the parent goes, and nothing of the parent's input and output.
fn stand_alone(null: &Fd) -> Result<(), Errno> {
    process::lead_group(0)?;
    process::die_with_parent()?;
    io::duplicate(null.raw(), STDIN)?;
    io::duplicate(null.raw(), STDOUT)
}

impl Session<'_> {
    fn step(&mut self, step: &Step) {
        self.reporter.report(Body::Begin);
        if !matches!(step, Step::Send(_)) {
            self.reporter.before_asking();
        }
        match step {
            Step::Send(send) => self.send(send),
            Step::Exec { argv, limit_ms } => {
                self.exec(argv, *limit_ms);
                self.laps.lap(Phase::Command);
                self.settle(0, 0);
                self.name_interfaces(Which::New);
            }
            Step::Watch(watch) => {
                self.watch(watch);
                self.laps.lap(Phase::Command);
                self.settle(0, 0);
                self.name_interfaces(Which::New);
            }
            Step::Race(race) => {
                self.race(race);
                self.laps.lap(Phase::Requests);
                self.settle(0, 0);
                self.name_interfaces(Which::New);
            }
            Step::Count(count) => {
                self.count(count);
                self.laps.lap(Phase::Requests);
                self.settle(0, 0);
                self.name_interfaces(Which::New);
            }
            Step::Hardware(act) => self.hardware(act),
            Step::Wait { quiet_ms, limit_ms } => self.settle(*quiet_ms, *limit_ms),
        }
    }

    fn send(&mut self, send: &Send) {
        let Some(data) = self.patched(send) else { return };
        self.reporter.report(Body::Sent { data: data.clone() });
        self.reporter.before_asking();
        let deadline = Deadline::after_ms(send.limit_ms);
        if !self.transmit(&data, "the datagram") {
            return;
        }
        if send.end != ReplyEnd::Nothing {
            let is_answer = |_, datagram: &[u8]| ends(send.end, send.seq, datagram);
            let answered = self.collect(deadline, AtDrop::GoOn, is_answer);
            if answered != Stretch::Found {
                self.reporter.report(Body::Timeout);
            }
        }
        self.pass_fence(send.limit_ms.max(FENCE_MS));
        self.laps.lap(Phase::Requests);
        // Also without groups: on Linux the rest of a dump comes only as it is read.
        let quiet = if self.collector.has_groups() { self.quiet.wait_ms(send.settle_ms) } else { 0 };
        self.settle(quiet, send.limit_ms.max(send.settle_ms));
        self.name_interfaces(Which::New);
    }

    /// The datagram with its interface indexes; `None`: a name is unknown, which is reported.
    pub(crate) fn patched(&mut self, send: &Send) -> Option<Vec<u8>> {
        let mut data = send.data.clone();
        for patch in &send.patches {
            let index = match self.stack.index(&patch.ifname) {
                Ok(index) => index,
                // A card that is gone can still be asked after.
                Err(errno) => {
                    if let Some(index) = self.last_index(&patch.ifname) {
                        index
                    } else {
                        let text = format!("there is no interface `{}` ({errno}): not sent", patch.ifname);
                        self.reporter.error(ErrorStage::Resolve, errno, text);
                        return None;
                    }
                }
            };
            self.name(Interface { name: patch.ifname.clone(), index });
            let place = data.get_mut(patch.offset as usize..).and_then(<[u8]>::first_chunk_mut);
            // `Program::check` has refused patches that are not within.
            if let Some(place) = place {
                *place = index.to_ne_bytes();
            }
        }
        Some(data)
    }

    pub(crate) fn transmit(&self, data: &[u8], what: &str) -> bool {
        let Some(request) = self.collector.request() else {
            let text = format!("{what} was not sent: the request socket failed before");
            self.reporter.error(ErrorStage::Send, Errno(0), text);
            return false;
        };
        let result = socket::send(&request.fd, data);
        if let Err(errno) = result {
            self.reporter.error(ErrorStage::Send, errno, format!("{what} could not be sent ({errno})"));
        }
        result.is_ok()
    }
}
