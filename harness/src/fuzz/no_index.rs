// SPDX-License-Identifier: BSD-2-Clause
//! Numbers of interfaces that no interface has. A small one is that of an interface in one guest and not in the next.

use nlproof_wire::consts::NLMSG_HDRLEN;
use nlproof_wire::schema::{self, FieldKind};

use super::world::OS;
use crate::draft::{DraftAttr, DraftMessage, Payload};

/// Interfaces have numbers up to this one, however many a guest has had.
const LAST: i64 = 0xffff;
/// The number of none.
pub(super) const NO_INDEX: u32 = 0x0007_7777;

/// Names interfaces only where every guest reads their numbers as such: no message's header has the number of some guest's
/// interface, and behind a length that is wrong, where numbers are read as lengths, none is named at all. That may be
/// within the header of the message whose length it is.
pub(super) fn settle_indexes(messages: &mut [DraftMessage]) {
    let mut is_shifted = false;
    for message in messages {
        let is_unread = is_shifted || ends_in_its_header(message);
        if is_unread {
            message.index = None;
        }
        settle_header(message, is_unread);
        is_shifted |= !message.is_whole();
        if is_shifted || message.attrs.iter().any(is_odd) {
            message.attrs.iter_mut().for_each(without_index);
        }
    }
}

/// Whether the next message is read from within this one's header.
fn ends_in_its_header(message: &DraftMessage) -> bool {
    let whole = NLMSG_HDRLEN + message.header.len();
    message.len.is_some_and(|len| usize::try_from(len).is_ok_and(|len| len < whole))
}

/// Puts the number of none where the header has one of some guest's interfaces; where `always`, in any case.
fn settle_header(message: &mut DraftMessage, always: bool) {
    let Some(spec) = schema::message(OS, message.kind).filter(|_| message.index.is_none()) else { return };
    for field in spec.header.fields.iter().filter(|field| field.kind == FieldKind::IfIndex) {
        if always || field.read(&message.header).is_some_and(|index| (1..=LAST).contains(&index)) {
            field.write(&mut message.header, NO_INDEX.into());
        }
    }
}

/// Whether the length of an attribute, or of one inside it, is wrong.
fn is_odd(attr: &DraftAttr) -> bool {
    attr.len.is_some() || matches!(&attr.payload, Payload::Nest(inner) if inner.iter().any(is_odd))
}

fn without_index(attr: &mut DraftAttr) {
    match &mut attr.payload {
        Payload::Index(_) => attr.payload = Payload::Bytes(NO_INDEX.to_le_bytes().to_vec()),
        Payload::Nest(inner) => inner.iter_mut().for_each(without_index),
        Payload::Bytes(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use nlproof_wire::consts::{IFLA_LINK, RTM_NEWADDR};

    use super::*;

    fn message(number: u32, named: Option<&str>) -> DraftMessage {
        DraftMessage {
            kind: RTM_NEWADDR,
            flags: 0,
            header: [[0; 4], number.to_le_bytes()].concat(),
            index: named.map(str::to_owned),
            attrs: vec![DraftAttr { kind: IFLA_LINK, payload: Payload::Index("lo0".into()), len: None }],
            tail: Vec::new(),
            len: None,
            cut: 0,
            reply: None,
        }
    }

    fn index(message: &DraftMessage) -> u32 {
        u32::from_le_bytes(message.header[4..].try_into().unwrap())
    }

    fn names_none(message: &DraftMessage) -> bool {
        message.attrs.iter().all(|attr| matches!(attr.payload, Payload::Bytes(_)))
    }

    #[test]
    fn only_numbers_that_an_interface_may_have_are_replaced() {
        let settled = |number, named| {
            let mut messages = [message(number, named)];
            settle_indexes(&mut messages);
            assert!(!names_none(&messages[0]));
            index(&messages[0])
        };
        assert_eq!([6, 1, 0xffff].map(|number| settled(number, None)), [NO_INDEX; 3]);
        assert_eq!([0, NO_INDEX, u32::MAX].map(|number| settled(number, None)), [0, NO_INDEX, u32::MAX]);
        assert_eq!(settled(6, Some("lo0")), 6, "it is written over when it is sent");
    }

    #[test]
    fn behind_a_wrong_length_no_interface_is_named() {
        let mut messages = [message(0, Some("lo0")), message(0, Some("lo0"))];
        messages[0].len = Some(70);
        settle_indexes(&mut messages);
        assert_eq!(messages[0].index.as_deref(), Some("lo0"), "its header is where it was");
        assert!(messages[1].index.is_none() && index(&messages[1]) == NO_INDEX);
        assert!(messages.iter().all(names_none));
        let mut messages = [message(0, Some("lo0"))];
        messages[0].len = Some(19);
        settle_indexes(&mut messages);
        assert!(
            messages[0].index.is_none() && index(&messages[0]) == NO_INDEX,
            "the next one begins at byte 20"
        );
        let mut messages = [message(0, Some("lo0")), message(0, Some("lo0"))];
        let odd = DraftAttr { kind: 1, payload: Payload::Bytes(vec![0]), len: Some(17) };
        messages[0].attrs.push(DraftAttr { kind: 2, payload: Payload::Nest(vec![odd]), len: None });
        settle_indexes(&mut messages);
        assert!(messages[0].attrs[..1].iter().all(|attr| matches!(attr.payload, Payload::Bytes(_))));
        assert!(messages[1].index.is_some() && !names_none(&messages[1]));
    }
}
