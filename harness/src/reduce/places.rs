// SPDX-License-Identifier: BSD-2-Clause
//! Where in a draft there is something to leave out.

use crate::draft::{Draft, DraftAttr, DraftMessage, DraftRace, DraftRequest, DraftStep, Payload};

/// Which of a step's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Datagram,
    Before,
    Socket(usize),
    After,
}

/// A message by its step and its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MessageAt {
    step: usize,
    part: Part,
    message: usize,
}

/// A list of attributes: a message's own, or that of a nest, by the nests on the way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AttrsAt {
    message: MessageAt,
    nests: Vec<usize>,
}

/// The messages of a step's datagram or race.
pub(super) fn datagram(draft: &mut Draft, step: usize) -> Option<&mut Vec<DraftMessage>> {
    match draft.steps.get_mut(step)? {
        DraftStep::Datagram(messages) => Some(messages),
        DraftStep::Exec { .. } | DraftStep::Wait { .. } | DraftStep::Race(_) => None,
    }
}

/// The race of a step.
pub(super) fn race(draft: &mut Draft, step: usize) -> Option<&mut DraftRace> {
    match draft.steps.get_mut(step)? {
        DraftStep::Race(race) => Some(race),
        DraftStep::Exec { .. } | DraftStep::Wait { .. } | DraftStep::Datagram(_) => None,
    }
}

/// What one socket of a race asks.
pub(super) fn socket(draft: &mut Draft, step: usize, socket: usize) -> Option<&mut Vec<DraftRequest>> {
    race(draft, step)?.sockets.get_mut(socket)
}

/// The words of a step's command.
pub(super) fn command(draft: &mut Draft, step: usize) -> Option<&mut Vec<String>> {
    match draft.steps.get_mut(step)? {
        DraftStep::Exec { argv, .. } => Some(argv),
        DraftStep::Datagram(_) | DraftStep::Wait { .. } | DraftStep::Race(_) => None,
    }
}

/// Every message.
pub(super) fn messages(draft: &Draft) -> Vec<MessageAt> {
    let mut places = Vec::new();
    for (step, found) in draft.steps.iter().enumerate() {
        let mut put = |part, count| {
            places.extend((0..count).map(|message| MessageAt { step, part, message }));
        };
        match found {
            DraftStep::Datagram(messages) => put(Part::Datagram, messages.len()),
            DraftStep::Race(race) => {
                put(Part::Before, race.before.len());
                for (socket, requests) in race.sockets.iter().enumerate() {
                    put(Part::Socket(socket), requests.len());
                }
                put(Part::After, race.after.len());
            }
            DraftStep::Exec { .. } | DraftStep::Wait { .. } => {}
        }
    }
    places
}

/// Every list of attributes, outer ones first.
pub(super) fn attr_lists(draft: &mut Draft) -> Vec<AttrsAt> {
    let mut places = Vec::new();
    for at in messages(draft) {
        if let Some(message) = at.of(draft) {
            below(at, &message.attrs, &mut Vec::new(), &mut places);
        }
    }
    places
}

fn below(message: MessageAt, attrs: &[DraftAttr], nests: &mut Vec<usize>, places: &mut Vec<AttrsAt>) {
    places.push(AttrsAt { message, nests: nests.clone() });
    for (at, attr) in attrs.iter().enumerate() {
        if let Payload::Nest(inner) = &attr.payload {
            nests.push(at);
            below(message, inner, nests, places);
            nests.pop();
        }
    }
}

impl MessageAt {
    /// The message of a draft that stands there.
    pub(super) fn of(self, draft: &mut Draft) -> Option<&mut DraftMessage> {
        let MessageAt { step, part, message } = self;
        match (draft.steps.get_mut(step)?, part) {
            (DraftStep::Datagram(messages), Part::Datagram) => messages.get_mut(message),
            (DraftStep::Race(race), Part::Before) => race.before.get_mut(message),
            (DraftStep::Race(race), Part::After) => race.after.get_mut(message),
            (DraftStep::Race(race), Part::Socket(socket)) => {
                race.sockets.get_mut(socket)?.get_mut(message).map(|request| &mut request.message)
            }
            _ => None,
        }
    }
}

impl AttrsAt {
    /// The list of a draft that stands there.
    pub(super) fn of<'d>(&self, draft: &'d mut Draft) -> Option<&'d mut Vec<DraftAttr>> {
        let mut list = &mut self.message.of(draft)?.attrs;
        for nest in &self.nests {
            match &mut list.get_mut(*nest)?.payload {
                Payload::Nest(inner) => list = inner,
                Payload::Bytes(_) | Payload::Index(_) => return None,
            }
        }
        Some(list)
    }
}

/// The bytes that an attribute holds.
pub(super) fn payload<'d>(draft: &'d mut Draft, list: &AttrsAt, at: usize) -> Option<&'d mut Vec<u8>> {
    match &mut list.of(draft)?.get_mut(at)?.payload {
        Payload::Bytes(bytes) => Some(bytes),
        Payload::Index(_) | Payload::Nest(_) => None,
    }
}
