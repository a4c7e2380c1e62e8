// SPDX-License-Identifier: BSD-2-Clause
//! A race: several sockets ask at once. The kernel serves each socket in a thread of its own (FreeBSD: a taskqueue a
//! socket), so what is sent without waiting is carried out side by side.

use alloc::string::String;
use alloc::vec::Vec;

use nlproof_agent::datagram::{ends, messages};
use nlproof_agent::{Body, ErrorStage, Race, Send};

use crate::card_acts::Meanwhile;
use crate::netlink::Netlink;
use crate::session::Session;
use crate::sys::Errno;
use crate::sys::clock::Deadline;
use crate::sys::errno;
use crate::sys::io::{PollFd, poll};
use crate::sys::socket::{self, Received};

/// Larger than any datagram of either kernel, in bytes.
const BUFFER: usize = 256 << 10;
/// sys/netlink/netlink.h.
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_MULTI: u16 = 2;
/// Between two looks at network cards, in milliseconds.
const CARD_LOOK_MS: i32 = 5;

/// One socket of the race and what it asks.
struct Lane {
    socket: Netlink,
    requests: Vec<(Send, Vec<u8>)>,
    /// How many of the requests have been answered.
    ended: usize,
}

/// What ended a race early, for people, with the kernel's number.
pub(crate) type Failed = (ErrorStage, Errno, String);

impl Session<'_> {
    /// Runs all rounds. What goes wrong is reported, and ends the race.
    pub(crate) fn race(&mut self, race: &Race) {
        if let Err((stage, errno, text)) = self.rounds(race) {
            self.reporter.error(stage, errno, text);
        }
    }

    fn rounds(&mut self, race: &Race) -> Result<(), Failed> {
        let open =
            |options| Netlink::request(options).map_err(|(errno, text)| (ErrorStage::Socket, errno, text));
        let (referee, _) = open(&self.options)?;
        let mut lanes = Vec::new();
        for _ in &race.lanes {
            lanes.push(Lane { socket: open(&self.options)?.0, requests: Vec::new(), ended: 0 });
        }
        let mut meanwhile = Meanwhile::new(&race.acts);
        let over = Deadline::after_ms(race.for_ms);
        let mut round = 0;
        let goes_on = |round: u32| if race.for_ms > 0 { !over.passed() } else { round < race.rounds };
        let result = loop {
            if !goes_on(round) {
                break Ok(());
            }
            match self.round(race, round, &referee, &mut lanes, &mut meanwhile) {
                Ok(true) => {
                    round += 1;
                    // A driver that is asked without rest does not come to attach: its lock is taken again at once.
                    let rest_ms = if race.acts.is_empty() { 0 } else { CARD_LOOK_MS };
                    if let Err(errno) = poll(&mut [], rest_ms) {
                        break Err(unable(errno));
                    }
                }
                Ok(false) => break Ok(()),
                Err(failed) => break Err(failed),
            }
        };
        meanwhile.finish(self.cards.as_ref(), &self.reporter);
        let acts = u32::try_from(meanwhile.done()).unwrap_or(u32::MAX);
        self.reporter.report(Body::Raced { rounds: round, acts });
        result
    }

    /// One round; whether another can follow.
    fn round(
        &mut self,
        race: &Race,
        round: u32,
        referee: &Netlink,
        lanes: &mut [Lane],
        meanwhile: &mut Meanwhile,
    ) -> Result<bool, Failed> {
        for send in &race.before {
            self.alone(referee, send, true)?;
        }
        for (lane, sends) in lanes.iter_mut().zip(&race.lanes) {
            lane.requests.clear();
            lane.ended = 0;
            for send in sends {
                // What is not there has been reported.
                let Some(data) = self.patched(send) else { return Ok(false) };
                lane.requests.push((send.clone(), data));
            }
        }
        self.reporter.before_asking();
        start(lanes, round)?;
        self.finish(lanes, round, race, meanwhile)?;
        for send in &race.after {
            self.alone(referee, send, false)?;
        }
        Ok(true)
    }

    /// Sends what belongs to no socket of the race, and waits for its answer.
    fn alone(&mut self, referee: &Netlink, send: &Send, must: bool) -> Result<(), Failed> {
        let Some(data) = self.patched(send) else { return Ok(()) };
        transmit(referee, &data)?;
        let until = Deadline::after_ms(send.limit_ms);
        let mut buffer = alloc::vec![0; BUFFER];
        while let Some(data) = receive(referee, &mut buffer, until)? {
            let refused = |kind: u16, payload: &[u8]| {
                kind == NLMSG_ERROR
                    && payload.first_chunk().is_none_or(|error| i32::from_ne_bytes(*error) != 0)
            };
            if must && messages(&data).any(|message| refused(message.kind, message.payload)) {
                let text = "what prepares a round was refused".into();
                return Err((ErrorStage::Isolate, Errno(0), text));
            }
            if ends(send.end, send.seq, &data) {
                return Ok(());
            }
        }
        self.reporter.report(Body::Timeout);
        Ok(())
    }

    /// Takes what comes until every request has its answer.
    fn finish(
        &self,
        lanes: &mut [Lane],
        round: u32,
        race: &Race,
        meanwhile: &mut Meanwhile,
    ) -> Result<(), Failed> {
        let until = Deadline::after_ms(race.limit_ms);
        let mut buffer = alloc::vec![0; BUFFER];
        loop {
            let mut quiet = true;
            for (number, lane) in (0..).zip(lanes.iter_mut()) {
                while let Some(data) = receive(&lane.socket, &mut buffer, Deadline::after_ms(0))? {
                    quiet = false;
                    lane.ended +=
                        lane.requests.iter().filter(|(send, _)| ends(send.end, send.seq, &data)).count();
                    let data = if race.for_ms > 0 { telling(&data) } else { data };
                    if !data.is_empty() {
                        self.reporter.report(Body::Race { round, lane: number, data });
                    }
                }
            }
            meanwhile.tick(self.cards.as_ref(), &self.reporter);
            if lanes.iter().all(|lane| lane.ended >= lane.requests.len()) {
                return Ok(());
            }
            if until.passed() {
                self.reporter.report(Body::Timeout);
                return Ok(());
            }
            if quiet {
                let waiting = lanes.iter().filter(|lane| lane.ended < lane.requests.len());
                let mut fds: Vec<_> = waiting.map(|lane| PollFd::readable(lane.socket.fd.raw())).collect();
                let ms =
                    if race.acts.is_empty() { until.poll_ms() } else { until.poll_ms().min(CARD_LOOK_MS) };
                poll(&mut fds, ms).map_err(unable)?;
            }
        }
    }
}

/// Of a datagram what a round comes to: no parts of dumps.
fn telling(datagram: &[u8]) -> Vec<u8> {
    let part = |message: &nlproof_agent::datagram::Message<'_>| {
        message.flags & NLM_F_MULTI != 0 && message.kind > NLMSG_DONE
    };
    let only_parts = messages(datagram).next().is_some() && messages(datagram).all(|message| part(&message));
    if only_parts { Vec::new() } else { datagram.into() }
}

/// Sends everything, the first request of each socket first. Another socket begins in each round.
fn start(lanes: &[Lane], round: u32) -> Result<(), Failed> {
    let most = lanes.iter().map(|lane| lane.requests.len()).max().unwrap_or(0);
    for place in 0..most {
        let (left, right) = lanes.split_at(round as usize % lanes.len());
        for lane in right.iter().chain(left) {
            if let Some((_, data)) = lane.requests.get(place) {
                transmit(&lane.socket, data)?;
            }
        }
    }
    Ok(())
}

fn transmit(socket: &Netlink, data: &[u8]) -> Result<(), Failed> {
    let failed =
        |errno| (ErrorStage::Isolate, errno, String::from("a datagram of the race could not be sent"));
    socket::send(&socket.fd, data).map_err(failed)
}

/// One datagram, if one comes in time.
fn receive(socket: &Netlink, buffer: &mut [u8], until: Deadline) -> Result<Option<Vec<u8>>, Failed> {
    loop {
        match socket::receive(&socket.fd, buffer) {
            Ok(Received { len, .. }) => return Ok(Some(buffer.get(..len).unwrap_or_default().to_vec())),
            Err(errno::EAGAIN | errno::EINTR) if until.passed() => return Ok(None),
            Err(errno::EAGAIN | errno::EINTR) => {
                poll(&mut [PollFd::readable(socket.fd.raw())], until.poll_ms()).map_err(unable)?;
            }
            Err(errno) => return Err((ErrorStage::Isolate, errno, "a socket of the race failed".into())),
        }
    }
}

/// ENOMEM or EINVAL: nothing can be waited for any more.
fn unable(errno: Errno) -> Failed {
    (ErrorStage::Receive, errno, "the sockets of the race cannot be waited for".into())
}
