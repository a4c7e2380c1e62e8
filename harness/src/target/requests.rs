// SPDX-License-Identifier: BSD-2-Clause
//! Requests that are asked very often, and programs that run in the guest's own network stack.

use std::time::Duration;

use nlproof_agent::{
    Batch, Body, Count, Counted, Patch, Privilege, Program, Record, ReplyEnd, Send, SocketOptions, Step,
    Until,
};
use nlproof_wire::consts::*;
use nlproof_wire::tree::{Attr, Message};
use nlproof_wire::view::{IfAddrMsg, IfInfoMsg, NlMsgHdr};

use nlproof_base::counted;

use super::error::TargetError;
use super::freebsd::FreebsdTarget;
use crate::vm::Wait;

/// nlmsg_seq of every request: a socket has one at a time.
const SEQ: u32 = 1;
/// A request that is not answered by then has lost its answer. In the guest's time.
const ANSWER_MS: u32 = 60_000;
/// Where `ifi_index` and `ifa_index` stand in a message.
const INDEX: u32 = 20;

/// The commands of a guest that are run through its shell.
pub(super) fn shell(script: &str) -> Vec<String> {
    ["/bin/sh", "-c", script].map(str::to_owned).to_vec()
}

/// Lines of a script that wait while a condition holds, at most so many tenths of a second, and what it does after these.
pub(super) fn wait_while(condition: &str, tenths: u32, otherwise: &str) -> String {
    format!(
        "tries=0; while {condition} && [ $tries -lt {tenths} ]; do sleep 0.1; tries=$((tries + 1)); done
[ $tries -lt {tenths} ] || {otherwise}"
    )
}

/// Several sockets that ask again and again.
pub(super) fn count(lanes: Vec<Vec<Send>>, until: Until, command: Vec<String>, rest_ms: u32) -> Step {
    Step::Count(Count { lanes, until, command, rest_ms, limit_ms: ANSWER_MS })
}

/// A program in the guest's own network stack, as root.
pub(super) fn outside(what: &str, steps: Vec<Step>) -> Program {
    Program {
        id: 0,
        name: what.to_owned(),
        privilege: Privilege::Outside,
        socket: SocketOptions::default(),
        groups: Vec::new(),
        steps,
        // The host's limit is the one that counts: this one runs on the guest's clock.
        limit_ms: u32::MAX,
        kernel_trace: false,
    }
}

/// A dump of all interfaces.
pub(super) fn dump_links() -> Send {
    send(message(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, link(0, 0), Vec::new()), None)
}

/// A dump of the IPv4 addresses of all interfaces.
pub(super) fn dump_addresses() -> Send {
    send(message(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, address(0), Vec::new()), None)
}

/// One interface, by its name.
pub(super) fn get_link(name: &str) -> Send {
    let attrs = vec![Attr::string(IFLA_IFNAME, name.as_bytes())];
    Send { end: ReplyEnd::Message, ..send(message(RTM_GETLINK, NLM_F_REQUEST, link(0, 0), attrs), None) }
}

/// A new `lo` clone.
pub(super) fn create(name: &str) -> Send {
    let kind = Attr::nested(IFLA_LINKINFO, vec![Attr::string(IFLA_INFO_KIND, b"lo")]);
    let attrs = vec![Attr::string(IFLA_IFNAME, name.as_bytes()), kind];
    send(message(RTM_NEWLINK, REQUEST | NLM_F_CREATE | NLM_F_EXCL, link(0, 0), attrs), None)
}

/// Its end.
pub(super) fn destroy(name: &str) -> Send {
    send(message(RTM_DELLINK, REQUEST, link(0, 0), Vec::new()), Some(name))
}

/// Up or down, with another mtu.
pub(super) fn set(name: &str, up: bool, mtu: u32) -> Send {
    let attrs = vec![Attr::bytes(IFLA_MTU, mtu.to_ne_bytes())];
    let flags = if up { IFF_UP } else { 0 };
    send(message(RTM_NEWLINK, REQUEST, link(flags, IFF_UP), attrs), Some(name))
}

/// A description.
pub(super) fn describe(name: &str, text: &str) -> Send {
    let attrs = vec![Attr::string(IFLA_IFALIAS, text.as_bytes())];
    send(message(RTM_NEWLINK, REQUEST, link(0, 0), attrs), Some(name))
}

/// An IPv4 address, given or taken away.
pub(super) fn give(name: &str, inet: [u8; 4]) -> Send {
    change_address(RTM_NEWADDR, name, inet)
}

/// As [`give`].
pub(super) fn take(name: &str, inet: [u8; 4]) -> Send {
    change_address(RTM_DELADDR, name, inet)
}

const REQUEST: u16 = NLM_F_REQUEST | NLM_F_ACK;

fn change_address(kind: u16, name: &str, inet: [u8; 4]) -> Send {
    send(message(kind, REQUEST, address(32), vec![Attr::bytes(IFA_LOCAL, inet)]), Some(name))
}

fn link(flags: u32, change: u32) -> Vec<u8> {
    IfInfoMsg { flags, change, ..IfInfoMsg::default() }.to_bytes().to_vec()
}

fn address(prefixlen: u8) -> Vec<u8> {
    IfAddrMsg { family: AF_INET, prefixlen, ..IfAddrMsg::default() }.to_bytes().to_vec()
}

fn message(kind: u16, flags: u16, head: Vec<u8>, attrs: Vec<Attr>) -> Vec<u8> {
    let header = NlMsgHdr { kind, flags, seq: SEQ, ..NlMsgHdr::default() };
    let mut bytes = Vec::new();
    Message::new(header, head, attrs).encode_to(&mut bytes);
    bytes
}

fn send(data: Vec<u8>, interface: Option<&str>) -> Send {
    let patches =
        interface.map(|name| Patch { offset: INDEX, ifname: name.to_owned() }).into_iter().collect();
    Send { data, patches, seq: SEQ, end: ReplyEnd::End, limit_ms: ANSWER_MS, settle_ms: 0 }
}

/// What steps in the guest's own network stack came to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// What each [`Step::Count`] counted, in order.
    pub(super) counted: Vec<Counted>,
    /// What commands wrote to standard output, one after the other.
    pub(super) said: String,
    /// What is not as it has to be.
    pub(super) failed: Vec<String>,
    /// When the kernel's records were made, if it was traced: how many, the first and the last.
    pub(super) traced: Traced,
}

/// What a traced kernel recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Traced {
    /// Records that were read.
    pub(super) read: u64,
    /// Records that found no room; `None`: the kernel was not traced.
    pub(super) lost: Option<u64>,
    /// When the first one was made, in nanoseconds of the guest's clock.
    pub(super) first_ns: Option<u64>,
    /// When the last one was made.
    pub(super) last_ns: u64,
}

impl FreebsdTarget {
    /// Runs steps in the guest's own network stack, as root.
    ///
    /// # Errors
    /// The guest was lost.
    pub(super) fn outside(
        &mut self,
        what: &str,
        steps: Vec<Step>,
        groups: Vec<u32>,
        limit: Duration,
    ) -> Result<Outcome, TargetError> {
        self.run_outside(what, steps, groups, limit, false, &mut || ())
    }

    /// The same; `on_counted` is told when a [`Step::Count`] has ended.
    ///
    /// # Errors
    /// The guest was lost.
    pub(super) fn outside_shown(
        &mut self,
        what: &str,
        steps: Vec<Step>,
        groups: Vec<u32>,
        limit: Duration,
        on_counted: &mut dyn FnMut(),
    ) -> Result<Outcome, TargetError> {
        self.run_outside(what, steps, groups, limit, false, on_counted)
    }

    /// The same, with the module's probes recorded and read after each step.
    ///
    /// # Errors
    /// The guest was lost.
    pub(super) fn outside_traced(
        &mut self,
        what: &str,
        steps: Vec<Step>,
        limit: Duration,
    ) -> Result<Outcome, TargetError> {
        self.run_outside(what, steps, Vec::new(), limit, true, &mut || ())
    }

    fn run_outside(
        &mut self,
        what: &str,
        steps: Vec<Step>,
        groups: Vec<u32>,
        limit: Duration,
        kernel_trace: bool,
        on_counted: &mut dyn FnMut(),
    ) -> Result<Outcome, TargetError> {
        let program = Program { groups, kernel_trace, ..outside(what, steps) };
        let mut outcome = Outcome::default();
        let wait = Wait::new(format!("the end of {what}"), limit);
        let batch = Batch { programs: vec![program] };
        let mut on_record = |record: Record| {
            outcome.add(&record);
            if matches!(record.body, Body::Counted(_)) {
                on_counted();
            }
        };
        match self.link.run(&batch, &wait, &mut self.vm, &mut on_record) {
            Ok(()) => Ok(outcome),
            Err(error) => Err(self.lost(error)),
        }
    }
}

impl Outcome {
    fn add(&mut self, record: &Record) {
        match &record.body {
            Body::Counted(sum) => {
                if sum.answered != sum.asked {
                    let missing = counted(sum.asked - sum.answered, "request").verb("was", "were");
                    self.failed.push(format!("{missing} not answered, of {}", sum.asked));
                }
                self.counted.push(*sum);
            }
            Body::Exec { status, stdout, stderr } => {
                self.said.push_str(&String::from_utf8_lossy(stdout));
                let stderr = String::from_utf8_lossy(stderr);
                // A command that was to run until the requests end is killed.
                if !matches!(status, 0 | 137) || !stderr.trim().is_empty() {
                    self.failed.push(format!("a command ended with {status}: {}", stderr.trim()));
                }
            }
            Body::Kernel(_) => {
                self.traced.read += 1;
                self.traced.first_ns.get_or_insert(record.t_ns);
                self.traced.last_ns = self.traced.last_ns.max(record.t_ns);
            }
            Body::KernelLost { count } => {
                self.traced.lost = Some(self.traced.lost.unwrap_or(0).saturating_add(*count));
            }
            Body::Drop { .. } => self.failed.push("the kernel dropped messages for want of room".into()),
            Body::Timeout => self.failed.push("a request was not answered in time".into()),
            Body::Error { errno, text, .. } => self.failed.push(format!("{text} (errno {errno})")),
            Body::End { died: Some(status) } => {
                self.failed.push(format!("the agent's child died ({status})"))
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use nlproof_wire::Os;

    use super::*;

    #[test]
    fn requests_are_well_formed_and_the_agent_takes_them() {
        let requests = vec![
            dump_links(),
            dump_addresses(),
            get_link("lo0"),
            create("lo7"),
            destroy("lo7"),
            set("lo7", true, 9000),
            describe("lo7", "busy"),
            give("lo7", [10, 0, 0, 1]),
            take("lo7", [10, 0, 0, 1]),
        ];
        for request in &requests {
            assert_eq!(nlproof_wire::strict::walk(Os::FreeBsd, &request.data), Ok(()), "{request:?}");
        }
        let program = Program {
            id: 0,
            name: "requests".into(),
            privilege: Privilege::Outside,
            socket: SocketOptions::default(),
            groups: vec![],
            steps: vec![count(vec![requests], Until::Requests(9), shell("true"), 0)],
            limit_ms: u32::MAX,
            kernel_trace: false,
        };
        assert_eq!(program.check(), Ok(()));
    }

    #[test]
    fn what_is_not_answered_or_says_something_is_a_failure() {
        let record = |body| Record { program: 0, step: 0, t_ns: 0, body };
        let failed = |body| {
            let mut outcome = Outcome::default();
            outcome.add(&record(body));
            outcome.failed
        };
        let counted = Counted { asked: 5, answered: 5, ..Counted::default() };
        assert_eq!(failed(Body::Counted(counted)), [""; 0]);
        assert_eq!(
            failed(Body::Counted(Counted { answered: 3, ..counted })),
            ["2 requests were not answered, of 5"]
        );
        let exec = |status, stderr: &[u8]| Body::Exec { status, stdout: vec![], stderr: stderr.to_vec() };
        assert_eq!(failed(exec(0, b"")), [""; 0]);
        assert_eq!(failed(exec(137, b"")), [""; 0]);
        assert_eq!(failed(exec(1, b"no\n")), ["a command ended with 1: no"]);
        assert_eq!(failed(exec(0, b"hm")), ["a command ended with 0: hm"]);
        assert_eq!(failed(Body::End { died: Some(137) }).len(), 1);
    }
}
