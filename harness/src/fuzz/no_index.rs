// SPDX-License-Identifier: BSD-2-Clause
//! Numbers of interfaces that no interface has. A small one is that of an interface in one guest and not in the next.

use nlproof_wire::schema::{self, FieldKind};

use super::generate::OS;
use crate::draft::DraftMessage;

/// Interfaces have numbers up to this one, however many a guest has had.
const LAST: i64 = 0xffff;
/// The number of none.
pub(super) const NO_INDEX: u32 = 0x0007_7777;

/// Puts the number of none where a message's header has one of some guest's interfaces.
pub(super) fn settle_index(message: &mut DraftMessage) {
    let Some(spec) = schema::message(OS, message.kind).filter(|_| message.index.is_none()) else { return };
    for field in spec.header.fields.iter().filter(|field| field.kind == FieldKind::IfIndex) {
        if field.read(&message.header).is_some_and(|index| (1..=LAST).contains(&index)) {
            field.write(&mut message.header, NO_INDEX.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use nlproof_wire::consts::RTM_NEWADDR;

    use super::*;

    #[test]
    fn only_numbers_that_an_interface_may_have_are_replaced() {
        let index = |number: u32, named: Option<&str>| {
            let mut message = DraftMessage {
                kind: RTM_NEWADDR,
                flags: 0,
                header: [[0; 4], number.to_le_bytes()].concat(),
                index: named.map(str::to_owned),
                attrs: Vec::new(),
                tail: Vec::new(),
                len: None,
                cut: 0,
                reply: None,
            };
            settle_index(&mut message);
            u32::from_le_bytes(message.header[4..].try_into().unwrap())
        };
        assert_eq!([6, 1, 0xffff].map(|number| index(number, None)), [NO_INDEX; 3]);
        assert_eq!([0, NO_INDEX, u32::MAX].map(|number| index(number, None)), [0, NO_INDEX, u32::MAX]);
        assert_eq!(index(6, Some("lo0")), 6, "it is written over when it is sent");
    }
}
