// SPDX-License-Identifier: BSD-2-Clause
//! The child: one program in a network stack of its own.

use alloc::format;
use alloc::vec::Vec;

use nlproof_agent::datagram::{ends, fence, without_fences};
use nlproof_agent::interfaces::{Interface, newcomers};
use nlproof_agent::ring::Fired;
use nlproof_agent::{
    Act, Body, Card, Deed, DropSource, ErrorStage, NO_STEP, Phase, Privilege, Program, ReplyEnd, Send,
    SocketOptions, Step,
};

use crate::cards::Cards;
use crate::collector::{Collector, Seen};
use crate::command::Command;
use crate::isolate::{self, Jail};
use crate::laps::Laps;
use crate::netlink::Netlink;
use crate::reporter::Reporter;
use crate::ring::{self, Ring};
use crate::stack::Stack;
use crate::sys::clock::Deadline;
use crate::sys::io::{self, Access, Fd, PollFd, STDIN, STDOUT};
use crate::sys::{Errno, errno, process, socket};

/// The least time that a fence gets, in milliseconds: a step's own limit may be 0.
const FENCE_MS: u32 = 1000;
/// How often a fence is sent again when its acknowledgement itself was dropped.
const FENCE_ATTEMPTS: u32 = 8;
/// How long a record may wait for others before all are passed on, in milliseconds.
const GATHER_MS: u32 = 20;
/// How long to wait at a time for a command whose outputs are open: their end tells that it ends, unless it left a process
/// behind that holds them. In milliseconds.
const SLICE_MS: u32 = 50;

/// Between two looks whether the kernel has noticed, in milliseconds.
const CARD_LOOK_MS: u32 = 5;
/// How long no event must come after the kernel has noticed, in milliseconds. It tells of a link in a task that goes before
/// the agent, and of a card that goes before its device is gone: what there is to say has been said or is just being said.
const CARD_QUIET_MS: u32 = 100;
/// A driver that does not come to rest after something was done with its card is waited for no longer, in milliseconds.
const CARD_SETTLE_MS: u32 = 10_000;

/// A program that runs.
pub(crate) struct Session<'a> {
    pub(crate) reporter: Reporter<'a>,
    pub(crate) collector: Collector,
    stack: Stack,
    /// Groups are read only when a step is over.
    late: bool,
    known: Vec<Interface>,
    /// An interface was seen that takes its name from all network stacks.
    devices: bool,
    fences: u32,
    /// The program runs in the guest's own network stack.
    outside: bool,
    /// Network cards, if the program has any.
    pub(crate) cards: Option<Cards>,
    /// Interfaces of cards as they were seen last, for asking after ones that are gone.
    seen_cards: Vec<Interface>,
    /// Which probes fire, if that is wanted and there is a module to tell.
    ring: Option<Ring>,
    /// Options of every socket that asks.
    pub(crate) options: SocketOptions,
    /// Where the time goes.
    laps: Laps,
}

/// Runs a program from isolation to end. What fails is reported. The caller keeps the pipe open until this process
/// ends, because the parent takes its end for the end of the process. Whether the program ran and left nothing behind
/// that other network stacks would notice.
pub(crate) fn run(program: &Program, jail: &Jail, pipe: &Fd, mut laps: Laps) -> bool {
    let reporter = Reporter::new(pipe, program.id);
    // Only the guest's own root may switch it, and the ring is read from inside.
    let traced = match program.kernel_trace.then(ring::switch_on).transpose() {
        Ok(traced) => traced.unwrap_or(false),
        Err(errno) => {
            reporter.error(
                ErrorStage::Isolate,
                errno,
                format!("the kernel's probes cannot be recorded ({errno})"),
            );
            return false;
        }
    };
    let isolated = stand_alone()
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
            return false;
        }
    };
    // Before there is anybody who could hear of it.
    if cards.as_ref().is_some_and(|cards| !cards.plug_all(&reporter)) {
        return false;
    }
    laps.lap(Phase::Cards);
    if let Err((errno, text)) = isolate::take_privilege(program.privilege) {
        reporter.error(ErrorStage::Isolate, errno, text);
        return false;
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
            return false;
        }
    };
    let ring = match traced.then(Ring::begin).transpose() {
        Ok(ring) => ring,
        Err(errno) => {
            let text = format!("the kernel's records cannot be read ({errno})");
            reporter.error(ErrorStage::Isolate, errno, text);
            return false;
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
    let gone = session.cards.as_ref().is_none_or(|cards| cards.unplug_all(&session.reporter));
    session.laps.lap(Phase::Cards);
    session.reporter.report(session.laps.told());
    gone && !session.devices
}

/// A group of its own, gone when the parent goes, and nothing of the parent's input and output.
fn stand_alone() -> Result<(), Errno> {
    process::lead_group(0)?;
    process::die_with_parent()?;
    let null = io::open(c"/dev/null", Access::Both)?;
    io::duplicate(null.raw(), STDIN)?;
    io::duplicate(null.raw(), STDOUT)
}

/// Which interfaces to name.
#[derive(Clone, Copy)]
enum Which {
    /// Interfaces that have appeared since the last look.
    New,
    /// All.
    All,
}

/// What to do when the request socket lost messages.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AtDrop {
    /// Wait on.
    GoOn,
    /// Wait no longer: what is waited for may be among them.
    Stop,
}

/// What a stretch of waiting ended with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stretch {
    /// What was waited for.
    Found,
    /// The request socket lost messages, perhaps those.
    Dropped,
    /// The deadline.
    Over,
}

impl Session<'_> {
    fn step(&mut self, step: &Step) {
        self.reporter.pass_on();
        self.reporter.report(Body::Begin);
        match step {
            Step::Send(send) => self.send(send),
            Step::Exec { argv, limit_ms } => {
                match Command::start(argv) {
                    Ok(command) => self.attend(command, *limit_ms),
                    Err(errno) => {
                        let command = argv.first().map_or("", |path| path.as_str());
                        let text = format!("`{command}` could not be started ({errno})");
                        self.reporter.error(ErrorStage::Exec, errno, text);
                    }
                }
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

    /// Does something with a network card and records what comes until the kernel has noticed.
    fn hardware(&mut self, act: &Act) {
        let Some(cards) = &self.cards else { return };
        cards.announce(&self.reporter, act, act.deed != Deed::Rest);
        let until = cards.begin_act(&self.reporter, act, true);
        while let Some(until) = until {
            let Some(cards) = &self.cards else { return };
            match cards.outcome_in_time(act, until) {
                None => {}
                Some(outcome) => {
                    cards.tell(&self.reporter, act, outcome);
                    break;
                }
            }
            let seen = self.next(Deadline::after_ms(CARD_LOOK_MS), &mut []);
            self.record(seen);
        }
        self.laps.lap(Phase::Cards);
        // What is done without hardware is over when it is done.
        let card = self.cards.as_ref().and_then(|cards| cards.card(act));
        let quiet_ms = if card.is_some_and(Card::is_hardware) { CARD_QUIET_MS } else { 0 };
        self.settle(quiet_ms, CARD_SETTLE_MS);
        self.name_interfaces(Which::New);
    }

    /// The last index of a card's interface that is gone.
    fn last_index(&self, name: &str) -> Option<u32> {
        self.seen_cards.iter().find(|seen| seen.name == name).map(|seen| seen.index)
    }

    /// Reports which probes have fired since the last time.
    fn report_kernel_trace(&mut self) {
        let Some(ring) = &mut self.ring else { return };
        match ring.read() {
            Ok(fired) => {
                let fired = fired.into_iter();
                self.reporter.report_all(fired.map(|Fired { t_ns, event, .. }| (t_ns, Body::Kernel(event))));
            }
            Err(errno) => self.kernel_trace_failed(errno),
        }
    }

    /// Says that the kernel was traced, and how much of that is missing.
    fn kernel_trace_ends(&mut self) {
        let Some(ring) = &self.ring else { return };
        match ring.lost() {
            Ok(count) => self.reporter.report(Body::KernelLost { count }),
            Err(errno) => self.kernel_trace_failed(errno),
        }
    }

    /// What was not read is lost, and its amount is unknown.
    fn kernel_trace_failed(&self, errno: Errno) {
        let text = format!("the kernel's records could not be read ({errno})");
        self.reporter.error(ErrorStage::Receive, errno, text);
        self.reporter.report(Body::KernelLost { count: 1 });
    }

    fn send(&mut self, send: &Send) {
        let Some(data) = self.patched(send) else { return };
        self.reporter.report(Body::Sent { data: data.clone() });
        self.reporter.pass_on();
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
        let quiet = if self.collector.has_groups() { send.settle_ms } else { 0 };
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

    fn transmit(&self, data: &[u8], what: &str) -> bool {
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

    /// Has the kernel acknowledge something after all that was asked before, and takes what comes until
    /// then: there is no need to wait for replies that do not come.
    fn pass_fence(&mut self, limit_ms: u32) {
        let deadline = Deadline::after_ms(limit_ms);
        let taken_up = |session: &Self| session.collector.request().is_none_or(|it| socket::taken_up(&it.fd));
        while !taken_up(self) && !deadline.passed() {
            self.collect(Deadline::after_ms(1).min(deadline), AtDrop::GoOn, |_, _| false);
        }
        for _ in 0..FENCE_ATTEMPTS {
            self.fences += 1;
            let (_, bytes) = fence(self.fences);
            if !self.transmit(&bytes, "the fence after this step") {
                return;
            }
            match self.collect(deadline, AtDrop::Stop, |reached, _| reached) {
                Stretch::Found => return,
                // Linux drops everything until the socket is empty (af_netlink.c NETLINK_S_CONGESTED).
                Stretch::Dropped => {
                    let empty = Deadline::after_ms(0);
                    if self.collect(empty, AtDrop::GoOn, |reached, _| reached) == Stretch::Found {
                        return;
                    }
                }
                Stretch::Over => break,
            }
        }
        let text = format!("the kernel did not acknowledge the fence after this step within {limit_ms} ms");
        self.reporter.error(ErrorStage::Receive, Errno(0), text);
    }

    /// Waits as [`Collector::next`] does, and passes on what was seen before if nothing follows it soon.
    pub(crate) fn next(&mut self, until: Deadline, further: &mut [PollFd]) -> Seen {
        if self.reporter.has_gathered() {
            let seen = self.collector.next(Deadline::after_ms(GATHER_MS).min(until), further);
            if !matches!(seen, Seen::Quiet) || until.passed() {
                return seen;
            }
            self.reporter.pass_on();
        }
        self.collector.next(until, further)
    }

    /// Records what comes until `found` says so of a reply (told whether it held the acknowledgement of the
    /// latest fence, and its bytes), until the request socket lost something if that matters, or until the
    /// deadline.
    fn collect(&mut self, until: Deadline, drop: AtDrop, found: impl Fn(bool, &[u8]) -> bool) -> Stretch {
        loop {
            let seen = self.next(until, &mut []);
            let dropped = matches!(&seen, Seen::Failed { source: DropSource::Request, .. });
            match self.record(seen) {
                Recorded::Quiet => return Stretch::Over,
                Recorded::Reply { reached, data } if found(reached, &data) => return Stretch::Found,
                _ if dropped && drop == AtDrop::Stop => return Stretch::Dropped,
                _ => {}
            }
        }
    }

    /// Records what comes until no event has come for `quiet_ms`, at most for `limit_ms`.
    fn settle(&mut self, quiet_ms: u32, limit_ms: u32) {
        self.collector.held = false;
        let limit = Deadline::after_ms(limit_ms);
        let mut quiet = Deadline::after_ms(quiet_ms).min(limit);
        loop {
            let seen = self.next(quiet, &mut []);
            match self.record(seen) {
                Recorded::Quiet => break,
                // What is there already is taken even after the deadline, but not for ever.
                _ if quiet_ms > 0 && limit.passed() => break,
                Recorded::Event => quiet = Deadline::after_ms(quiet_ms).min(limit),
                Recorded::Reply { .. } | Recorded::Other => {}
            }
        }
        self.collector.held = self.late;
        self.laps.lap(Phase::Events);
    }

    /// Serves a command until it ends or its time is over.
    fn attend(&mut self, mut command: Command, limit_ms: u32) {
        let limit = Deadline::after_ms(limit_ms);
        let status = loop {
            match command.status() {
                Ok(None) if limit.passed() => break command.kill(),
                Ok(None) => {}
                Ok(Some(status)) => break Ok(status),
                Err(errno) => break Err(errno),
            }
            // The end of its outputs usually tells that it ends; without them only asking again does.
            let until = if command.silent() { Deadline::after_ms(1) } else { Deadline::after_ms(SLICE_MS) };
            let mut pipes = command.pipes();
            let seen = self.next(until.min(limit), &mut pipes);
            if matches!(seen, Seen::Further) {
                command.read(pipes);
            }
            self.record(seen);
        };
        match status {
            Ok(status) => {
                let ended = command.finish(status);
                let (stdout, stderr) = (ended.stdout, ended.stderr);
                self.reporter.report(Body::Exec { status: ended.status, stdout, stderr });
            }
            Err(errno) => {
                let text = format!("the command's end could not be learnt ({errno})");
                self.reporter.error(ErrorStage::Exec, errno, text);
            }
        }
    }

    /// Reports what was seen, without the fences.
    pub(crate) fn record(&self, seen: Seen) -> Recorded {
        match seen {
            Seen::Datagram { source: DropSource::Request, t_ns, data, full_len } => {
                let (seq, _) = fence(self.fences);
                let unfenced = without_fences(&data, seq);
                let full_len = full_len - (data.len() - unfenced.data.len()) as u32;
                if !unfenced.data.is_empty() || data.is_empty() {
                    self.reporter.report_at(t_ns, Body::Reply { data: unfenced.data.clone(), full_len });
                }
                Recorded::Reply { reached: unfenced.reached, data: unfenced.data }
            }
            Seen::Datagram { source: DropSource::Group(group), t_ns, data, .. } => {
                self.reporter.report_at(t_ns, Body::Event { group, data });
                Recorded::Event
            }
            Seen::Failed { source, errno } => {
                if errno == errno::ENOBUFS {
                    self.reporter.report(Body::Drop { source, errno: errno.0 });
                } else {
                    let text = format!("receiving failed ({errno}); nothing more comes from this socket");
                    self.reporter.error(ErrorStage::Receive, errno, text);
                }
                Recorded::Other
            }
            Seen::Further => Recorded::Other,
            Seen::Quiet => Recorded::Quiet,
        }
    }

    /// Reports the names and indexes of interfaces.
    fn name_interfaces(&mut self, which: Which) {
        // There may be ten thousand, and nobody asks for their names.
        if self.outside {
            return;
        }
        let now = match self.stack.list() {
            Ok(now) => now,
            Err(errno) => {
                let text = format!("the interfaces could not be listed ({errno})");
                return self.reporter.error(ErrorStage::Receive, errno, text);
            }
        };
        let all: &[Interface] = &[];
        let before = match which {
            Which::New => self.known.as_slice(),
            Which::All => all,
        };
        for interface in newcomers(before, &now) {
            self.report_name(interface);
        }
        if let Some(cards) = &self.cards {
            let is_card = |it: &&Interface| cards.cards.iter().any(|card| card.interface == it.name);
            for card in now.iter().filter(is_card) {
                self.seen_cards.retain(|seen| seen.name != card.name);
                self.seen_cards.push(card.clone());
            }
        }
        self.devices |= now.iter().any(Interface::has_device);
        self.known = now;
        self.laps.lap(Phase::Reading);
    }

    /// Reports one name, if it is new or has another index.
    fn name(&mut self, interface: Interface) {
        if !self.known.contains(&interface) {
            self.report_name(&interface);
            self.known.push(interface);
        }
    }

    fn report_name(&self, interface: &Interface) {
        self.reporter.report(Body::Resolved { ifname: interface.name.clone(), ifindex: interface.index });
    }
}

/// What [`Session::record`] has recorded.
pub(crate) enum Recorded {
    /// A reply; whether it held the acknowledgement of the latest fence, and its bytes without.
    Reply { reached: bool, data: Vec<u8> },
    /// An event.
    Event,
    /// Something else.
    Other,
    /// Nothing came.
    Quiet,
}
