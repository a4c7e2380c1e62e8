// SPDX-License-Identifier: BSD-2-Clause
//! The embedded simulator as a target: the same programs, the same records, in this process.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use iface_core::Profile;
use iface_sim::{Fault, Ifconfig, KernelRecord, Release, Sim, SocketId};
use nlproof_agent::{
    Batch, Body, DropSource, ErrorStage, KernelEvent, NO_STEP, Privilege, Program, Race, Record, ReplyEnd,
    Send, Step,
};
use nlproof_wire::Os;
use nlproof_wire::consts::{NLM_F_MULTI, NLMSG_DONE, NLMSG_ERROR};
use nlproof_wire::view::{MessageItem, messages};

use super::Target;
use super::error::TargetError;
use super::fact::Fact;
use super::facts::{Cards, Commands, Facts};

/// How the simulator's kernel is traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SimTrace {
    /// Not at all.
    Off,
    /// Traced, with a clock that counts events: the same program gives the same records.
    Counted,
    /// By this machine's clock.
    Timed,
}

/// The kernel modules whose interfaces the simulator has.
const MODELLED: [&str; 6] = ["if_epair", "if_bridge", "if_disc", "if_gif", "if_tuntap", "if_vlan"];

/// The simulator.
pub struct SimTarget {
    profile: Profile,
    release: Option<Release>,
    trace: SimTrace,
    fault: Option<Fault>,
    facts: Facts,
}

impl SimTarget {
    /// A simulator that behaves as `profile`, and whose kernel is not traced.
    pub fn new(profile: Profile) -> Self {
        Self::traced(profile, SimTrace::Off)
    }

    /// A simulator that behaves as `profile`.
    pub fn traced(profile: Profile, trace: SimTrace) -> Self {
        let known = vec![Fact::Simulator(format!("profile {profile}"))];
        let facts = Facts {
            os: Os::FreeBsd,
            kernel: None,
            commands: Commands::Ifconfig,
            cards: Cards::None,
            processors: None,
            modules: Some(MODELLED.map(str::to_owned).into()),
            settings: Vec::new(),
            fallbacks: 0,
            stacks: None,
            known,
        };
        Self { profile, release: None, trace, fault: None, facts }
    }

    /// Has it answer as a release of its profile does, not as the one that stands for the profile.
    pub fn playing(mut self, release: Release) -> Self {
        self.release = Some(release);
        self.facts.known = vec![Fact::Simulator(format!("release {}", release.name()))];
        self
    }

    /// Makes a mistake once in every program, for testing what watches a kernel.
    pub fn inject(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }
}

impl SimTarget {
    fn fresh(&self) -> Sim {
        self.release.map_or_else(|| Sim::new(self.profile), Sim::of_release)
    }
}

impl Target for SimTarget {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn run(&mut self, batch: &Batch, on_record: &mut dyn FnMut(Record)) -> Result<(), TargetError> {
        for program in &batch.programs {
            let mut run = Run::new(self.fresh(), program, on_record);
            run.trace(self.trace);
            if let Some(fault) = self.fault {
                run.sim.inject(fault);
            }
            run.all();
        }
        Ok(())
    }
}

/// The clock of one program's records. The simulator's own time stands still: unless the clock is started, records are
/// a nanosecond apart, which keeps their order.
#[derive(Debug, Clone, Default)]
struct Clock {
    last: Rc<Cell<u64>>,
    started: Option<Instant>,
}

impl Clock {
    /// Nanoseconds, later than every time before.
    fn now(&self) -> u64 {
        let elapsed = self.started.map_or(0, |started| started.elapsed().as_nanos());
        let now = u64::try_from(elapsed).unwrap_or(u64::MAX).max(self.last.get() + 1);
        self.last.set(now);
        now
    }
}

/// One program in a fresh network stack.
struct Run<'a> {
    program: &'a Program,
    sim: Sim,
    /// Options of every socket that asks.
    sim_options: (iface_sim::SocketOptions, iface_sim::Privilege),
    request: SocketId,
    /// Group, its socket, and how many datagrams it had lost when that was last recorded.
    groups: Vec<(u32, SocketId, usize)>,
    resolved: Vec<(String, u32)>,
    step: u32,
    clock: Clock,
    /// What the kernel's probes say is recorded.
    traced: bool,
    on_record: &'a mut dyn FnMut(Record),
}

impl<'a> Run<'a> {
    fn new(sim: Sim, program: &'a Program, on_record: &'a mut dyn FnMut(Record)) -> Self {
        let options = iface_sim::SocketOptions {
            ext_ack: program.socket.ext_ack,
            cap_ack: program.socket.cap_ack,
            strict: program.socket.strict,
            bound: true,
        };
        let privilege = match program.privilege {
            Privilege::Root | Privilege::Outside => iface_sim::Privilege::Root,
            Privilege::Unprivileged => iface_sim::Privilege::Unprivileged,
            Privilege::Jailed => iface_sim::Privilege::Jailed,
        };
        let request = sim.socket(options, privilege);
        if let Some(bytes) = program.socket.receive_buffer {
            sim.set_receive_buffer(request, bytes as usize);
        }
        let groups: Vec<_> = program.groups.iter().map(|group| (*group, sim.join(*group), 0)).collect();
        if let Some(bytes) = program.socket.event_buffer {
            groups.iter().for_each(|(_, socket, _)| sim.set_receive_buffer(*socket, bytes as usize));
        }
        Self {
            program,
            sim,
            sim_options: (options, privilege),
            request,
            groups,
            resolved: Vec::new(),
            step: NO_STEP,
            clock: Clock::default(),
            traced: false,
            on_record,
        }
    }

    fn all(mut self) {
        let program = self.program;
        if let Err(errno) = self.sim.may_open(self.sim_options.1) {
            let text = "opening the request socket failed".to_owned();
            self.record(Body::Error { stage: ErrorStage::Socket, errno: errno.number(), text });
            return self.end();
        }
        self.record(Body::Start { pid: self.sim.pid(self.request) });
        self.resolve();
        for (index, step) in (0..).zip(&program.steps) {
            self.step = index;
            match step {
                Step::Send(send) => self.send(send),
                Step::Race(race) => self.race(race),
                Step::Watch(_) => {
                    let text = "the simulator runs no programs".to_owned();
                    self.record(Body::Error { stage: ErrorStage::Refused, errno: 0, text });
                }
                Step::Count(_) => {
                    let text = "the simulator does not count: no vector does".to_owned();
                    self.record(Body::Error { stage: ErrorStage::Refused, errno: 0, text });
                }
                Step::Wait { .. } => self.events(),
                Step::Hardware(_) => {
                    let text = "the simulator has no network cards".to_owned();
                    self.record(Body::Error { stage: ErrorStage::Refused, errno: 0, text });
                }
                Step::Exec { argv, .. } => self.exec(argv),
            }
            self.resolve();
            self.rest_of_step();
        }
        self.step = NO_STEP;
        self.end();
    }

    fn end(mut self) {
        if self.traced {
            self.record(Body::KernelLost { count: 0 });
        }
        self.record(Body::End { died: None });
    }

    /// The datagram with its interface indexes; `None`: a name is unknown, which is recorded.
    fn patched(&mut self, send: &Send) -> Option<Vec<u8>> {
        let mut data = send.data.clone();
        for patch in &send.patches {
            let index = self.sim.interfaces().find(|(name, _)| *name == patch.ifname).map(|(_, index)| index);
            let Some(index) = index else {
                let text = format!("no interface {}", patch.ifname);
                self.record(Body::Error { stage: ErrorStage::Resolve, errno: 0, text });
                return None;
            };
            let start = patch.offset as usize;
            if let Some(place) = data.get_mut(start..start + 4) {
                place.copy_from_slice(&index.to_le_bytes());
            }
        }
        Some(data)
    }

    /// A race, one request after the other: another socket begins in each round.
    fn race(&mut self, race: &Race) {
        let options = self.sim_options;
        let referee = self.sim.socket(options.0, options.1);
        let lanes: Vec<_> = race.lanes.iter().map(|_| self.sim.socket(options.0, options.1)).collect();
        for round in 0..race.rounds {
            for send in &race.before {
                let Some(data) = self.patched(send) else { return };
                if !self.succeeds(referee, &data) {
                    let text = "what prepares a round was refused".into();
                    return self.record(Body::Error { stage: ErrorStage::Isolate, errno: 0, text });
                }
            }
            let mut asked = Vec::new();
            for (number, requests) in (0..).zip(&race.lanes) {
                for (place, send) in requests.iter().enumerate() {
                    let Some(data) = self.patched(send) else { return };
                    asked.push((place, number, data));
                }
            }
            let turn = |lane: u32| (lane as usize + lanes.len() - round as usize % lanes.len()) % lanes.len();
            asked.sort_by_key(|(place, lane, _)| (*place, turn(*lane)));
            for (_, number, data) in asked {
                let Some(lane) = lanes.get(number as usize) else { continue };
                // What the socket refuses stays unanswered.
                self.sim.send(*lane, &data).unwrap_or(());
                while let Some(data) = self.sim.recv(*lane) {
                    self.record(Body::Race { round, lane: number, data });
                }
            }
            for send in &race.after {
                let Some(data) = self.patched(send) else { continue };
                self.succeeds(referee, &data);
            }
        }
    }

    /// Sends, and whether no answer was an error.
    fn succeeds(&self, socket: SocketId, data: &[u8]) -> bool {
        let mut fine = self.sim.send(socket, data).is_ok();
        while let Some(reply) = self.sim.recv(socket) {
            fine &= messages(&reply).all(|item| match item {
                MessageItem::Message(message) if message.header.kind == NLMSG_ERROR => {
                    message.payload.first_chunk().is_some_and(|error| i32::from_ne_bytes(*error) == 0)
                }
                _ => true,
            });
        }
        fine
    }

    fn send(&mut self, send: &Send) {
        let Some(data) = self.patched(send) else { return };
        self.record(Body::Sent { data: data.clone() });
        if let Err(errno) = self.sim.send(self.request, &data) {
            let text = "the socket refused the datagram".to_owned();
            return self.record(Body::Error { stage: ErrorStage::Send, errno: errno.number(), text });
        }
        let mut ended = send.end == ReplyEnd::Nothing;
        while let Some(reply) = self.sim.recv(self.request) {
            ended |= ends(&reply, send);
            let full_len = u32::try_from(reply.len()).unwrap_or(u32::MAX);
            self.record(Body::Reply { data: reply, full_len });
        }
        if self.sim.dropped(self.request) > 0 {
            self.record(Body::Drop { source: DropSource::Request, errno: 0 });
        }
        if !ended {
            self.record(Body::Timeout);
        }
        self.events();
    }

    fn exec(&mut self, argv: &[String]) {
        let Some(command) = Ifconfig::parse(argv) else {
            let text = format!("the simulator does not run {}", argv.join(" "));
            return self.record(Body::Error { stage: ErrorStage::Exec, errno: 0, text });
        };
        let (status, stdout, stderr) = match self.sim.ifconfig(&command) {
            Ok(printed) => (0, printed, String::new()),
            Err(printed) => (1, String::new(), printed),
        };
        self.record(Body::Exec { status, stdout: stdout.into(), stderr: stderr.into() });
        self.events();
    }

    fn events(&mut self) {
        let mut groups = std::mem::take(&mut self.groups);
        for (group, socket, recorded) in &mut groups {
            while let Some(data) = self.sim.recv(*socket) {
                self.record(Body::Event { group: *group, data });
            }
            // A receive call fails with ENOBUFS once the buffer is empty, where the kernel tells.
            let dropped = self.sim.dropped(*socket);
            if dropped > *recorded && self.sim.tells_loss() {
                *recorded = dropped;
                self.record(Body::Drop { source: DropSource::Group(*group), errno: 0 });
            }
        }
        self.groups = groups;
    }

    /// Records the interfaces that were not there before, as the agent does.
    fn resolve(&mut self) {
        let now: Vec<_> = self.sim.interfaces().collect();
        for (ifname, ifindex) in &now {
            if !self.resolved.contains(&(ifname.clone(), *ifindex)) {
                self.record(Body::Resolved { ifname: ifname.clone(), ifindex: *ifindex });
            }
        }
        self.resolved = now;
    }

    /// Records what the kernel's probes said since the last record, and then `body`.
    fn record(&mut self, body: Body) {
        self.rest_of_step();
        let (program, step) = (self.program.id, self.step);
        (self.on_record)(Record { program, step, t_ns: self.clock.now(), body });
    }

    /// Records what the kernel's probes said since the last record.
    fn rest_of_step(&mut self) {
        let (program, step) = (self.program.id, self.step);
        for KernelRecord { t_ns, tid, fired } in self.sim.kernel_records() {
            let event = KernelEvent { cpu: 0, tid, probe: fired.probe, args: fired.args };
            (self.on_record)(Record { program, step, t_ns, body: Body::Kernel(event) });
        }
    }

    /// Has the kernel traced from now on.
    fn trace(&mut self, trace: SimTrace) {
        match trace {
            SimTrace::Off => return,
            SimTrace::Counted => {}
            SimTrace::Timed => self.clock.started = Some(Instant::now()),
        }
        self.traced = true;
        let clock = self.clock.clone();
        self.sim.trace(move || clock.now());
    }
}

/// Whether a datagram holds the message that the step waits for.
fn ends(datagram: &[u8], send: &Send) -> bool {
    messages(datagram).any(|item| {
        let MessageItem::Message(message) = item else { return false };
        let header = message.header;
        header.seq == send.seq
            && match send.end {
                _ if header.kind == NLMSG_ERROR => true,
                ReplyEnd::End => header.kind == NLMSG_DONE,
                ReplyEnd::Message => header.flags & NLM_F_MULTI == 0,
                ReplyEnd::Nothing => false,
            }
    })
}
