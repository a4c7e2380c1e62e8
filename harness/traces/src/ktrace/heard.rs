// SPDX-License-Identifier: BSD-2-Clause
//! Messages that a vector's sockets received, held against those that the kernel claims to have sent.

use nlproof_agent::{Body, Record};
use nlproof_wire::consts::{
    NLM_F_MULTI, NLMSG_DONE, NLMSG_ERROR, RTM_DELADDR, RTM_DELLINK, RTM_NEWADDR, RTM_NEWLINK,
};
use nlproof_wire::view::{MessageItem, RawMessage, messages};

use super::event::{Event, KernelTrace};
use super::rule::{Rule, Violation};

/// A request that the kernel has ended, and the answer that its sender hears.
pub(super) struct Ended<'a> {
    /// The place of its end in the trace.
    pub(super) place: usize,
    pub(super) begun: &'a Event,
    pub(super) heard: Heard,
}

/// The places of the ends of the vector's own requests that its own socket did not hear.
pub(super) fn unheard(ended: &[Ended<'_>], records: &[Record]) -> Vec<usize> {
    let own = records.iter().find_map(|record| match record.body {
        Body::Start { pid } => Some(u64::from(pid)),
        _ => None,
    });
    // A trace with a hole is inconclusive anyway, and silence would prove nothing.
    let hole = |record: &Record| {
        matches!(
            record.body,
            Body::Timeout | Body::Drop { .. } | Body::Error { .. } | Body::End { died: Some(_) }
        )
    };
    if own.is_none() || records.iter().any(hole) {
        return Vec::new();
    }
    let mut replies: Vec<(u32, Heard)> = Vec::new();
    for record in records {
        if let Body::Reply { data, .. } = &record.body {
            replies.extend(each_message(data).map(|message| (message.header.seq, Heard::of(&message))));
        }
    }
    let mut unheard = Vec::new();
    for Ended { place, begun, heard: end } in ended {
        if begun.number("pid") != own {
            continue;
        }
        let seq = begun.number("seq").unwrap_or(0);
        // A reply has the flags of its request, NLM_F_MULTI too.
        let is = |heard: &Heard| heard == end || (*end == Heard::Message && *heard == Heard::Part);
        match replies.iter().position(|(of, heard)| u64::from(*of) == seq && is(heard)) {
            Some(found) => {
                replies.swap_remove(found);
            }
            None => unheard.push(*place),
        }
    }
    unheard
}

/// The messages about an interface or address that a group's socket heard and that never went out before.
pub(super) fn without_cause(trace: &KernelTrace, records: &[Record]) -> Vec<Violation> {
    let mut out: Vec<&Event> = trace.events.iter().filter(|event| event.probe.name == "event-out").collect();
    let mut found = Vec::new();
    for record in records {
        let Body::Event { group, data } = &record.body else { continue };
        for message in each_message(data) {
            let kind = message.header.kind;
            let Some(index) = index_of(&message) else { continue };
            let fits = |event: &&Event| {
                let is = |name: &str, value: u32| event.number(name) == Some(u64::from(value));
                event.t_ns <= record.t_ns
                    && is("message", kind.into())
                    && is("group", *group)
                    && is("index", index)
            };
            match out.iter().position(fits) {
                Some(at) => {
                    out.remove(at);
                }
                None => found.push(Violation {
                    rule: Rule::EventHasCause,
                    step: record.in_step(),
                    probe: None,
                    culprit: format!("message {kind} of group {group} about index {index} was heard"),
                    within: None,
                }),
            }
        }
    }
    found
}

/// The interface named by a message about an interface or address: the second word of `struct ifinfomsg` and of
/// `struct ifaddrmsg` alike.
fn index_of(message: &RawMessage<'_>) -> Option<u32> {
    match message.header.kind {
        RTM_NEWLINK | RTM_DELLINK | RTM_NEWADDR | RTM_DELADDR => {
            let bytes = message.payload.get(4..8)?;
            bytes.try_into().ok().map(u32::from_le_bytes)
        }
        _ => None,
    }
}

/// A message about a request that a socket received.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Done,
    Error(i32),
    Message,
    /// One message of several, or of a request that had that flag itself.
    Part,
}

impl Heard {
    fn of(message: &RawMessage<'_>) -> Heard {
        match message.header.kind {
            NLMSG_DONE => Heard::Done,
            NLMSG_ERROR => {
                Heard::Error(message.payload.first_chunk().map_or(0, |error| i32::from_le_bytes(*error)))
            }
            _ if message.header.flags & NLM_F_MULTI != 0 => Heard::Part,
            _ => Heard::Message,
        }
    }
}

fn each_message(data: &[u8]) -> impl Iterator<Item = RawMessage<'_>> {
    messages(data).filter_map(|item| match item {
        MessageItem::Message(message) => Some(message),
        MessageItem::Trailing(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use iface_core::{Happening, Name, Probe};
    use nlproof_agent::NO_STEP;

    use super::super::event::tests::record;
    use super::super::invariants::check;
    use super::super::invariants::tests::{GET, begin, end, records};
    use super::*;

    fn said(body: Body) -> Record {
        Record { program: 0, step: 0, t_ns: 100, body }
    }

    fn datagram(kind: u16, seq: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = (16 + u32::try_from(payload.len()).unwrap()).to_le_bytes().to_vec();
        bytes.extend(kind.to_le_bytes());
        bytes.extend([0, 0]);
        bytes.extend(seq.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn the_socket_hears_how_its_request_ended() {
        let kernel = records(&[begin(GET), Probe::Error { message: GET, seq: 7, errno: 2 }, end(GET, 2)]);
        let with = |errno: u32, extra: Option<Record>| {
            let data = datagram(NLMSG_ERROR, 7, &errno.to_le_bytes());
            let full_len = u32::try_from(data.len()).unwrap();
            let mut all = vec![said(Body::Start { pid: 9 })];
            all.extend(kernel.clone());
            all.push(said(Body::Reply { data, full_len }));
            all.extend(extra);
            let violations = check(&KernelTrace::from_records(&all), &all);
            violations.into_iter().map(|violation| violation.rule).collect::<Vec<_>>()
        };
        assert_eq!(with(2, None), []);
        assert_eq!(with(5, None), [Rule::EndIsHeard]);
        // Where something is missing anyway, silence proves nothing.
        assert_eq!(with(5, Some(said(Body::Timeout))), []);
    }

    #[test]
    fn every_event_has_a_cause() {
        let name = Name::truncated(b"lo10");
        let told = Probe::EventBegin { what: Happening::Arrived, index: 4, change: 0, name };
        let out = Probe::EventOut { message: RTM_NEWLINK, group: 1, index: 4 };
        let done = Probe::EventEnd { what: Happening::Arrived, index: 4 };
        let heard = |probes: &[Probe], index: u32| {
            let mut payload = [0; 16];
            payload[4..8].copy_from_slice(&index.to_le_bytes());
            let mut all = records(probes);
            all.push(said(Body::Event { group: 1, data: datagram(RTM_NEWLINK, 0, &payload) }));
            let violations = check(&KernelTrace::from_records(&all), &all);
            violations.into_iter().map(|violation| violation.rule).collect::<Vec<_>>()
        };
        assert_eq!(heard(&[told, out, done], 4), []);
        assert_eq!(heard(&[told, out, done], 5), [Rule::EventHasCause], "of another interface");
        assert_eq!(heard(&[out], 4), [Rule::EventHasCause], "nothing was told");
        let outside = [record(NO_STEP, 1, 1, told), record(NO_STEP, 2, 1, done)];
        let violations = check(&KernelTrace::from_records(&outside), &outside);
        assert_eq!(violations.len(), 1);
        assert_eq!(
            violations[0].to_string(),
            "an event has no cause: outside any step: event-begin what=arrived index=4 change=- name=lo10"
        );
    }
}
