// SPDX-License-Identifier: BSD-2-Clause
//! What was seen without what differs from run to run, as the trace of a vector is normalised.

use std::collections::BTreeMap;

use nlproof_agent::{Body, Record};
use nlproof_wire::Os;
use nlproof_wire::consts::NLMSG_ERROR;
use nlproof_wire::view::{MessageItem, messages};

use super::screen::Seen;
use crate::import::{Step, steps_of};
use crate::trace::{Trace, normalise};
use crate::vector::seqs_of;

/// `nlmsg_seq` and `nlmsg_pid` in `struct nlmsghdr`, and its size, in bytes.
const SEQ: usize = 8;
const PID: usize = 12;
const HEADER: usize = 16;
/// What every socket's own port id becomes.
const OWN: u32 = 1;

/// A program's conversation as records of a vector.
pub(super) struct Conversation {
    records: Vec<Record>,
    step: u32,
    /// Numbers of requests by what the program gave them.
    numbers: BTreeMap<u32, u32>,
}

impl Conversation {
    /// Each request begins a step. When an event came is no more said than by its order.
    pub(super) fn of(seen: &Seen) -> Self {
        let mut all = Self { records: Vec::new(), step: 0, numbers: BTreeMap::new() };
        all.push(Body::Start { pid: OWN });
        let (steps, _) = steps_of(&seen.acts, &seen.heard);
        for step in steps {
            match step {
                Step::Send(data) => {
                    all.step += 1;
                    let data = all.sent(data);
                    all.push(Body::Sent { data });
                }
                Step::Answer(data) | Step::Event(data) => {
                    let data = all.answered(data);
                    let full_len = u32::try_from(data.len()).unwrap_or(u32::MAX);
                    all.push(Body::Reply { data, full_len });
                }
                Step::Create(_) | Step::Destroy(_) => {}
            }
        }
        all.step += 1;
        for event in &seen.heard {
            all.push(Body::Event { group: event.group, data: event.data.clone() });
        }
        all.step += 1;
        let [stdout, stderr] = seen.output.clone();
        all.push(Body::Exec { status: seen.status.unwrap_or(-1), stdout, stderr });
        all
    }

    pub(super) fn to_text(&self) -> String {
        let mut trace = Trace::from_records(Os::FreeBsd, &self.records, true);
        normalise(&mut trace, |step| seqs_of(step).start);
        trace.to_text()
    }

    fn push(&mut self, body: Body) {
        self.records.push(Record { program: 0, step: self.step, t_ns: 0, body });
    }

    fn sent(&mut self, mut data: Vec<u8>) -> Vec<u8> {
        for (at, (own, _)) in
            headers(&data).into_iter().zip(seqs_of(self.step)).map(|(header, new)| (header, (new, ())))
        {
            self.numbers.insert(at.1, own);
            put(&mut data, at.0 + SEQ, own);
        }
        data
    }

    fn answered(&self, mut data: Vec<u8>) -> Vec<u8> {
        for (at, seq, kind, pid) in replies(&data) {
            let mut heads = vec![at];
            if kind == NLMSG_ERROR {
                heads.push(at + HEADER + 4);
            }
            for head in heads {
                if let Some(new) = self.numbers.get(&seq) {
                    put(&mut data, head + SEQ, *new);
                }
                if pid != 0 && u32_at(&data, head + PID) == Some(pid) {
                    put(&mut data, head + PID, OWN);
                }
            }
        }
        data
    }
}

/// Where messages begin, and their numbers.
fn headers(data: &[u8]) -> Vec<(usize, u32)> {
    replies(data).into_iter().map(|(at, seq, ..)| (at, seq)).collect()
}

fn replies(data: &[u8]) -> Vec<(usize, u32, u16, u32)> {
    messages(data)
        .filter_map(|item| match item {
            MessageItem::Message(message) => {
                let header = message.header;
                Some((message.offset, header.seq, header.kind, header.pid))
            }
            MessageItem::Trailing(_) => None,
        })
        .collect()
}

fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    data.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}

fn put(data: &mut [u8], at: usize, value: u32) {
    if let Some(place) = data.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *place = value.to_le_bytes();
    }
}

/// The first line that is not in both, with its step and those before it; `None`: there is none.
pub(super) fn first_difference(one: &str, other: &str) -> Option<String> {
    /// Lines that are shown before it.
    const BEFORE: usize = 3;
    let (left, right): (Vec<&str>, Vec<&str>) = (one.lines().collect(), other.lines().collect());
    let at = (0..left.len().max(right.len())).find(|at| left.get(*at) != right.get(*at))?;
    let mut text = String::new();
    for line in left.iter().take(at).skip(at.saturating_sub(BEFORE)) {
        text.push_str(&format!("  {line}\n"));
    }
    let side = |lines: &[&str]| lines.get(at).map_or("(nothing more)", |line| *line).to_owned();
    text.push_str(&format!("- {}\n+ {}", side(&left), side(&right)));
    Some(text)
}
