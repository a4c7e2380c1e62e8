// SPDX-License-Identifier: BSD-2-Clause
//! Where in a draft there is something to leave out.

use crate::draft::{Draft, DraftAttr, DraftMessage, DraftStep, Payload};

/// A message by its step and its place in the datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MessageAt {
    step: usize,
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
        DraftStep::Datagram(messages) | DraftStep::Race { sockets: messages, .. } => Some(messages),
        DraftStep::Exec { .. } | DraftStep::Wait { .. } => None,
    }
}

/// Every message.
pub(super) fn messages(draft: &Draft) -> Vec<MessageAt> {
    let mut places = Vec::new();
    for (step, found) in draft.steps.iter().enumerate() {
        if let DraftStep::Datagram(messages) | DraftStep::Race { sockets: messages, .. } = found {
            places.extend((0..messages.len()).map(|message| MessageAt { step, message }));
        }
    }
    places
}

/// Every list of attributes, outer ones first.
pub(super) fn attr_lists(draft: &Draft) -> Vec<AttrsAt> {
    let mut places = Vec::new();
    for at in messages(draft) {
        if let Some(DraftStep::Datagram(messages) | DraftStep::Race { sockets: messages, .. }) =
            draft.steps.get(at.step)
            && let Some(message) = messages.get(at.message)
        {
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
        datagram(draft, self.step)?.get_mut(self.message)
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
