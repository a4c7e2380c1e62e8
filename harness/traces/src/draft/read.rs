// SPDX-License-Identifier: BSD-2-Clause
//! A draft of a vector, from the bytes that the vector becomes.

use nlproof_agent::{Patch, Race, ReplyEnd, Send, Step};
use nlproof_wire::Os;
use nlproof_wire::schema::{self, AttrTable};
use nlproof_wire::view::NlMsgHdr;

use super::model::{
    Draft, DraftAttr, DraftMessage, DraftRace, DraftRequest, DraftStep, Payload, RaceLength, Reply,
};
use crate::vector::{Vector, compile, end_of};

impl Draft {
    /// The draft of a vector. `None`: its requests have no parts that could be changed, because something is done with network
    /// cards, or because a datagram is no sequence of messages.
    pub fn of(vector: &Vector, os: Os) -> Option<Draft> {
        let program = compile(vector, os, 0).ok()?;
        let steps = program.steps.iter().enumerate();
        let steps = steps.map(|(index, step)| step_of(os, step, &vector.permits(index)));
        let steps = steps.collect::<Option<_>>().filter(|_| program.cards.is_empty())?;
        Some(Draft {
            privilege: program.privilege,
            socket: program.socket,
            groups: vector.groups.clone(),
            modules: vector.needs.modules.clone(),
            sysctl: vector.needs.sysctl.clone(),
            steps,
        })
    }
}

fn step_of(os: Os, step: &Step, permits: &[&str]) -> Option<DraftStep> {
    match step {
        Step::Send(send) => messages_of(os, send).map(DraftStep::Datagram),
        Step::Exec { argv, limit_ms } => Some(DraftStep::Exec { argv: argv.clone(), limit_ms: *limit_ms }),
        Step::Wait { quiet_ms, limit_ms } => {
            Some(DraftStep::Wait { quiet_ms: *quiet_ms, limit_ms: *limit_ms })
        }
        Step::Race(race) => race_of(os, race, permits).map(DraftStep::Race),
        Step::Watch(_) | Step::Count(_) | Step::Hardware(_) => None,
    }
}

fn race_of(os: Os, race: &Race, permits: &[&str]) -> Option<DraftRace> {
    let one = |send: &Send| match <[DraftMessage; 1]>::try_from(messages_of(os, send)?) {
        Ok([message]) => Some(message),
        Err(_) => None,
    };
    let mut columns = 0..;
    let mut request = |send: &Send| {
        let column = columns.next()?;
        let outcomes = permits.iter().map(|line| line.split(' ').nth(column).map(str::to_owned));
        Some(DraftRequest { message: one(send)?, outcomes: outcomes.collect::<Option<_>>()? })
    };
    let mut sockets = Vec::new();
    for lane in &race.lanes {
        sockets.push(lane.iter().map(&mut request).collect::<Option<_>>()?);
    }
    Some(DraftRace {
        length: match race.for_ms {
            0 => RaceLength::Rounds(race.rounds),
            milliseconds => RaceLength::Seconds(milliseconds / 1000),
        },
        before: race.before.iter().map(one).collect::<Option<_>>()?,
        sockets,
        after: race.after.iter().map(one).collect::<Option<_>>()?,
    })
}

fn messages_of(os: Os, send: &Send) -> Option<Vec<DraftMessage>> {
    let mut messages = Vec::new();
    let mut at = 0;
    while at < send.data.len() {
        let rest = send.data.get(at..)?;
        let header = NlMsgHdr::parse(rest)?;
        let len = header.len as usize;
        // Of a length that does not fit nobody knows where the message was to end: at the datagram's.
        let fits = (NlMsgHdr::SIZE..=rest.len()).contains(&len);
        let taken = if fits { len } else { rest.len() };
        let bytes = Part { bytes: rest.get(..taken)?, at, patches: &send.patches };
        messages.push(message_of(os, &header, bytes, !fits)?);
        at += taken.next_multiple_of(4);
    }
    let last = messages.last_mut()?;
    let usual = end_of(last.flags, schema::message(os, last.kind));
    last.reply = (usual != send.end).then_some(match send.end {
        ReplyEnd::Message => Reply::Message,
        ReplyEnd::End => Reply::End,
        ReplyEnd::Nothing => Reply::Nothing,
    });
    Some(messages)
}

/// Bytes of a datagram, and where they begin in it.
#[derive(Clone, Copy)]
struct Part<'a> {
    bytes: &'a [u8],
    at: usize,
    patches: &'a [Patch],
}

impl<'a> Part<'a> {
    fn from(self, start: usize) -> Part<'a> {
        Part { bytes: self.bytes.get(start..).unwrap_or_default(), at: self.at + start, ..self }
    }

    fn to(self, end: usize) -> Part<'a> {
        Part { bytes: self.bytes.get(..end).unwrap_or(self.bytes), ..self }
    }

    /// The interface whose index is put there.
    fn patch(self, offset: usize) -> Option<String> {
        let patch = self.patches.iter().find(|patch| patch.offset as usize == self.at + offset)?;
        Some(patch.ifname.clone())
    }

    fn patches(self) -> usize {
        let inside = self.at..self.at + self.bytes.len();
        self.patches.iter().filter(|patch| inside.contains(&(patch.offset as usize))).count()
    }
}

fn message_of(os: Os, given: &NlMsgHdr, whole: Part<'_>, odd: bool) -> Option<DraftMessage> {
    let body = whole.from(NlMsgHdr::SIZE);
    let message = schema::message(os, given.kind);
    let size = message.map_or(0, |message| message.header.size);
    let len = odd.then_some(given.len);
    let mut draft = DraftMessage {
        kind: given.kind,
        flags: given.flags,
        header: Vec::new(),
        index: None,
        attrs: Vec::new(),
        tail: Vec::new(),
        len,
        cut: 0,
        reply: None,
    };
    if body.bytes.len() < size {
        draft.cut = u32::try_from(size - body.bytes.len()).ok()?;
        draft.header = body.bytes.to_vec();
        draft.header.resize(size, 0);
        return (body.patches() == 0).then_some(draft);
    }
    draft.header = body.to(size).bytes.to_vec();
    let fields = message.map_or(&[][..], |message| message.header.fields);
    draft.index = fields.iter().find_map(|field| body.patch(field.offset));
    let rest = body.from(size);
    match message.and_then(|message| message.attrs) {
        Some(table) => {
            let (attrs, taken) = attrs_of(table, rest)?;
            draft.attrs = attrs;
            draft.tail = rest.from(taken).bytes.to_vec();
            (rest.from(taken).patches() == 0).then_some(draft)
        }
        None => {
            draft.tail = rest.bytes.to_vec();
            (rest.patches() == 0).then_some(draft)
        }
    }
}

/// Attributes as far as they are well-formed, and the bytes that they take.
fn attrs_of(table: &'static AttrTable, list: Part<'_>) -> Option<(Vec<DraftAttr>, usize)> {
    let mut attrs = Vec::new();
    let mut at = 0;
    loop {
        let rest = list.from(at);
        let Some(&[l0, l1, t0, t1]) = rest.bytes.first_chunk::<4>() else { break };
        let (len, kind) = (usize::from(u16::from_le_bytes([l0, l1])), u16::from_le_bytes([t0, t1]));
        let padded = len.next_multiple_of(4);
        let padding = rest.bytes.get(len..padded);
        if len < 4 || !padding.is_some_and(|padding| padding.iter().all(|byte| *byte == 0)) {
            break;
        }
        let inside = rest.to(len).from(4);
        let nest = table.by_number(kind).and_then(|spec| spec.kind.in_list(list.bytes).table());
        let payload = match (inside.patch(0), nest.map(|table| attrs_of(table, inside))) {
            (Some(name), _) if inside.bytes.len() == 4 => Payload::Index(name),
            (_, Some(Some((attrs, taken)))) if taken == inside.bytes.len() => Payload::Nest(attrs),
            _ if inside.patches() == 0 => Payload::Bytes(inside.bytes.to_vec()),
            _ => return None,
        };
        attrs.push(DraftAttr { kind, payload, len: None });
        at += padded;
    }
    Some((attrs, at))
}
