// SPDX-License-Identifier: BSD-2-Clause
//! Very many requests: several sockets that ask again as soon as they are answered, while a command may run. The
//! answers are counted.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use nlproof_agent::datagram::{ends, messages};
use nlproof_agent::{Body, Count, Counted, DropSource, ErrorStage, Send, Until};

use crate::command::Command;
use crate::netlink::Netlink;
use crate::race::Failed;
use crate::session::Session;
use crate::sys::clock::{self, Deadline};
use crate::sys::io::{PollFd, poll};
use crate::sys::socket::{self, Received};
use crate::sys::{Errno, errno};

/// Larger than any datagram of either kernel, in bytes.
const BUFFER: usize = 256 << 10;
/// Between two looks at a command, in milliseconds.
const LOOK_MS: u32 = 20;
/// sys/netlink/netlink.h.
const NLMSG_ERROR: u16 = 2;

/// One socket and what it asks.
struct Lane<'a> {
    socket: Netlink,
    requests: &'a [Send],
    asked: u32,
    state: State,
    /// Bytes of the answer so far.
    length: u64,
    /// Bytes of the first answer to each request.
    lengths: Vec<u64>,
}

/// What a socket does.
#[derive(Clone, Copy)]
enum State {
    /// The lane may ask from then on.
    Resting(Deadline),
    /// The lane waits for its answer until then.
    Waiting(Deadline),
    /// The lane has asked all it had to.
    Done,
}

impl Lane<'_> {
    /// The request that was sent last, or is to be sent if none was.
    fn request(&self, number: u32) -> Option<&Send> {
        self.requests.get(number as usize % self.requests.len().max(1))
    }

    /// Whether the answer that is complete has another length than the first one to its request.
    fn is_uneven(&mut self) -> bool {
        let length = core::mem::take(&mut self.length);
        match self.lengths.get((self.asked as usize).saturating_sub(1) % self.requests.len().max(1)) {
            Some(first) => *first != length,
            // The requests are asked in their order.
            None => {
                self.lengths.push(length);
                false
            }
        }
    }
}

impl Session<'_> {
    /// Runs it to its end and reports what was counted, whatever happened.
    pub(crate) fn count(&mut self, count: &Count) {
        let mut counted = Counted::default();
        let started = clock::ticks();
        let failed = self.serve(count, &mut counted, started).err();
        self.reporter.report(Body::Counted(counted));
        if let Some((stage, errno, text)) = failed {
            self.reporter.error(stage, errno, text);
        }
    }

    fn serve(&mut self, count: &Count, counted: &mut Counted, started: u64) -> Result<(), Failed> {
        let mut lanes = Vec::new();
        for requests in &count.lanes {
            let (socket, _) =
                Netlink::request(&self.options).map_err(|(errno, text)| (ErrorStage::Socket, errno, text))?;
            let state = State::Resting(Deadline::after_ms(0));
            lanes.push(Lane { socket, requests, asked: 0, state, length: 0, lengths: Vec::new() });
        }
        let mut command = match count.command.as_slice() {
            [] => None,
            argv => Some(Command::start(argv).map_err(|errno| {
                (ErrorStage::Exec, errno, format!("`{}` could not be started ({errno})", argv.concat()))
            })?),
        };
        let served = self.until_enough(count, counted, started, &mut lanes, command.as_mut());
        if let Some(mut command) = command {
            let status = match command.status() {
                Ok(Some(status)) => status,
                Ok(None) | Err(_) => command.kill().unwrap_or(128 + 9),
            };
            let ended = command.finish(status);
            let (stdout, stderr) = (ended.stdout, ended.stderr);
            self.reporter.report(Body::Exec { status: ended.status, stdout, stderr });
        }
        served
    }

    fn until_enough(
        &mut self,
        count: &Count,
        counted: &mut Counted,
        started: u64,
        lanes: &mut [Lane<'_>],
        mut command: Option<&mut Command>,
    ) -> Result<(), Failed> {
        let mut buffer = alloc::vec![0; BUFFER];
        let mut polled = Vec::new();
        let mut look = Deadline::after_ms(LOOK_MS);
        loop {
            let mut nothing = true;
            for lane in lanes.iter_mut() {
                nothing &= !self.turn(lane, count, counted, &mut buffer)?;
            }
            counted.ticks = clock::ticks().wrapping_sub(started);
            self.take_events(counted, &mut buffer)?;
            if lanes.iter().all(|lane| matches!(lane.state, State::Done)) && !lanes.is_empty() {
                return Ok(());
            }
            // Sockets that are answered at once leave nothing to wait for; the command is looked at all the same.
            if !nothing && (command.is_none() || !look.passed()) {
                continue;
            }
            polled.clear();
            let sockets = lanes.iter().map(|lane| &lane.socket).chain(self.collector.groups());
            polled.extend(sockets.map(|socket| PollFd::readable(socket.fd.raw())));
            let own = polled.len();
            if let Some(command) = &mut command {
                polled.extend(command.pipes());
            }
            // The moment at which the next socket wants something, or a look at the command is due.
            look = Deadline::after_ms(if command.is_some() { LOOK_MS } else { count.limit_ms });
            let next = lanes.iter().fold(look, |soonest, lane| match lane.state {
                State::Resting(at) | State::Waiting(at) => soonest.min(at),
                State::Done => soonest,
            });
            poll(&mut polled, if nothing { next.poll_ms() } else { 0 })
                .map_err(|errno| (ErrorStage::Receive, errno, String::from("poll failed")))?;
            if let Some(command) = &mut command {
                if let Some(pipes @ [_, _]) = polled.get(own..)
                    && let Ok(pipes) = <[PollFd; 2]>::try_from(pipes)
                {
                    command.read(pipes);
                }
                if count.until == Until::Command && matches!(command.status(), Ok(Some(_))) {
                    // Nothing new is asked; what was asked is still answered.
                    return self.drain(count, counted, lanes, &mut buffer);
                }
            }
        }
    }

    /// Waits for the answers that are still to come.
    fn drain(
        &mut self,
        count: &Count,
        counted: &mut Counted,
        lanes: &mut [Lane<'_>],
        buffer: &mut [u8],
    ) -> Result<(), Failed> {
        let last = Count { until: Until::Requests(0), ..count.clone() };
        while lanes.iter().any(|lane| matches!(lane.state, State::Waiting(_))) {
            for lane in lanes.iter_mut().filter(|lane| matches!(lane.state, State::Waiting(_))) {
                self.turn(lane, &last, counted, buffer)?;
            }
            self.take_events(counted, buffer)?;
            poll(&mut [], 1).map_err(|errno| (ErrorStage::Receive, errno, String::from("poll failed")))?;
        }
        Ok(())
    }

    /// Takes what came on a socket, and has it ask again if it may; whether there was anything to do.
    fn turn(
        &mut self,
        lane: &mut Lane<'_>,
        count: &Count,
        counted: &mut Counted,
        buffer: &mut [u8],
    ) -> Result<bool, Failed> {
        match lane.state {
            State::Done => Ok(false),
            State::Resting(_) if matches!(count.until, Until::Requests(most) if lane.asked >= most) => {
                lane.state = State::Done;
                Ok(true)
            }
            State::Resting(at) if !at.passed() => Ok(false),
            State::Resting(_) => {
                let Some(request) = lane.request(lane.asked).cloned() else { return Ok(false) };
                let Some(data) = self.patched(&request) else {
                    return Err((ErrorStage::Resolve, Errno(0), String::from("the requests ended there")));
                };
                socket::send(&lane.socket.fd, &data).map_err(|errno| {
                    (ErrorStage::Send, errno, String::from("a request of very many could not be sent"))
                })?;
                lane.asked += 1;
                counted.asked += 1;
                lane.state = State::Waiting(Deadline::after_ms(count.limit_ms));
                Ok(true)
            }
            State::Waiting(until) => {
                let Some(len) = self.receive(&lane.socket, buffer)? else {
                    if until.passed() {
                        self.reporter.report(Body::Timeout);
                        let text = format!(
                            "request {} of a socket was not answered within {} ms",
                            lane.asked, count.limit_ms
                        );
                        return Err((ErrorStage::Receive, Errno(0), text));
                    }
                    return Ok(false);
                };
                let data = buffer.get(..len).unwrap_or_default();
                counted.bytes += len as u64;
                lane.length += len as u64;
                for message in messages(data) {
                    counted.messages += 1;
                    let error = message.payload.first_chunk().map_or(0, |error| i32::from_ne_bytes(*error));
                    counted.errors += u64::from(message.kind == NLMSG_ERROR && error != 0);
                }
                if lane.request(lane.asked - 1).is_some_and(|request| ends(request.end, request.seq, data)) {
                    counted.answered += 1;
                    counted.uneven += u64::from(lane.is_uneven());
                    lane.state = State::Resting(Deadline::after_ms(count.rest_ms));
                }
                Ok(true)
            }
        }
    }

    /// Takes what came on the groups' sockets.
    fn take_events(&mut self, counted: &mut Counted, buffer: &mut [u8]) -> Result<(), Failed> {
        for socket in self.collector.groups() {
            while let Some(len) = self.receive(socket, buffer)? {
                counted.events += messages(buffer.get(..len).unwrap_or_default()).count() as u64;
            }
        }
        Ok(())
    }

    /// The length of one datagram, if there is one. What the kernel dropped is reported.
    fn receive(&self, socket: &Netlink, buffer: &mut [u8]) -> Result<Option<usize>, Failed> {
        match socket::receive(&socket.fd, buffer) {
            Ok(Received { len, .. }) => Ok(Some(len)),
            Err(errno::EAGAIN | errno::EINTR) => Ok(None),
            Err(errno) => {
                if errno == errno::ENOBUFS {
                    self.reporter.report(Body::Drop { source: socket.source, errno: errno.0 });
                }
                let what = match socket.source {
                    DropSource::Request => "a socket that asks failed",
                    DropSource::Group(_) => "the socket of a group failed",
                };
                Err((ErrorStage::Receive, errno, String::from(what)))
            }
        }
    }
}
