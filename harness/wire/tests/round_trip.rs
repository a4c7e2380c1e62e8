// SPDX-License-Identifier: BSD-2-Clause
//! Decoding loses no byte and never panics, whatever the bytes.

use nlproof_wire::Os;
use nlproof_wire::consts::{NLA_HDRLEN, NLMSG_HDRLEN};
use nlproof_wire::schema::{self, AttrKind, AttrTable};
use nlproof_wire::strict::{self, Options};
use nlproof_wire::tree::{Attr, Datagram, Message, Value};
use nlproof_wire::view::{AttrItem, MessageItem, NlMsgHdr, attrs, messages};
use nlproof_wire::write::Writer;
use proptest::prelude::*;
use proptest::sample::Index;

fn any_os() -> impl Strategy<Value = Os> {
    prop::sample::select(Os::ALL.to_vec())
}

/// An attribute of `table`, of one it does not have, or of bytes that a nest should not hold.
fn any_attr(os: Os, table: &'static AttrTable, depth: usize) -> BoxedStrategy<Attr> {
    let unknown = (any::<u16>(), prop::collection::vec(any::<u8>(), 0..20))
        .prop_map(|(number, payload)| Attr::bytes(number, payload));
    let known = prop::sample::select(table.attrs.to_vec()).prop_flat_map(move |spec| match spec.kind {
        AttrKind::Nested(inner) if depth > 0 => prop::collection::vec(any_attr(os, inner, depth - 1), 0..4)
            .prop_map(move |attrs| Attr::nested(spec.number, attrs))
            .boxed(),
        kind => prop::collection::vec(any::<u8>(), 0..20)
            .prop_map(move |mut payload| {
                // Mostly of the right size.
                if !kind.accepts(os, payload.len()) && payload.len() > 4 {
                    payload.resize((0..256).find(|&len| kind.accepts(os, len)).unwrap_or(0), 1);
                }
                Attr::bytes(spec.number, payload)
            })
            .boxed(),
    });
    prop_oneof![1 => unknown, 4 => known].boxed()
}

fn any_message(os: Os) -> impl Strategy<Value = Message> {
    let header = (any::<u16>(), any::<u32>(), any::<u32>());
    (prop::sample::select((0..schema::messages(os).len()).collect::<Vec<_>>()), header).prop_flat_map(
        move |(index, (flags, seq, pid))| {
            let spec = &schema::messages(os)[index];
            let attrs = match spec.attrs {
                Some(table) => prop::collection::vec(any_attr(os, table, 3), 0..6).boxed(),
                None => Just(Vec::new()).boxed(),
            };
            let fixed = prop::collection::vec(any::<u8>(), spec.header.size);
            (fixed, attrs).prop_map(move |(fixed, attrs)| {
                Message::new(NlMsgHdr { len: 0, kind: spec.number, flags, seq, pid }, fixed, attrs)
            })
        },
    )
}

/// A datagram of at least `least` messages.
fn any_datagram(least: usize) -> impl Strategy<Value = (Os, Datagram)> {
    any_os().prop_flat_map(move |os| {
        (prop::collection::vec(any_message(os), least..4), prop::collection::vec(any::<u8>(), 0..15))
            .prop_map(move |(messages, trailing)| (os, Datagram { messages, trailing, cause: None }))
    })
}

/// Every reader of the crate over the same bytes.
fn read_all(os: Os, bytes: &[u8]) {
    assert_eq!(Datagram::decode(os, bytes).encode(), bytes);
    // The views cover the bytes without gap or overlap.
    let mut end = 0;
    for item in messages(bytes) {
        match item {
            MessageItem::Message(message) => {
                assert_eq!(message.offset, end);
                end += NLMSG_HDRLEN + message.payload.len() + message.padding.len();
            }
            MessageItem::Trailing(rest) => {
                assert_eq!(rest.offset, end);
                end += rest.bytes.len();
            }
        }
    }
    assert_eq!(end, bytes.len());
    let mut end = 0;
    for item in attrs(bytes) {
        match item {
            AttrItem::Attr(attr) => {
                assert_eq!(attr.offset, end);
                end += NLA_HDRLEN + attr.payload.len() + attr.padding.len();
            }
            AttrItem::Trailing(rest) => {
                assert_eq!(rest.offset, end);
                end += rest.bytes.len();
            }
        }
    }
    assert_eq!(end, bytes.len());
    for unknown in [false, true] {
        if let Err(fault) = strict::walk_with(os, bytes, Options { unknown }) {
            assert!(fault.offset <= bytes.len(), "{fault}");
            assert!(!fault.to_string().is_empty());
        }
    }
}

/// Writes a tree through the writer.
fn write_attr(w: &mut Writer<Vec<u8>>, attr: &Attr) {
    match &attr.value {
        Value::Bytes(bytes) => w.attr(attr.type_field, bytes),
        Value::Nested(inner) => {
            let nest = w.begin_nest(attr.type_field);
            inner.iter().for_each(|attr| write_attr(w, attr));
            w.end_nest(nest);
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes(os in any_os(), bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_all(os, &bytes);
    }

    #[test]
    fn whole_messages((os, datagram) in any_datagram(0)) {
        read_all(os, &datagram.encode());
    }

    #[test]
    fn damaged_messages(
        (os, datagram) in any_datagram(1),
        damage in prop::collection::vec((any::<Index>(), any::<u8>()), 1..6),
        cut in any::<Index>(),
    ) {
        let mut bytes = datagram.encode();
        for (place, byte) in &damage {
            let place = place.index(bytes.len());
            bytes[place] = *byte;
        }
        read_all(os, &bytes);
        bytes.truncate(cut.index(bytes.len()));
        read_all(os, &bytes);
    }

    #[test]
    fn the_writer_agrees_with_the_tree((_, mut datagram) in any_datagram(0)) {
        datagram.trailing.clear();
        let mut w = Writer::growing();
        for message in &datagram.messages {
            w.begin(message.header);
            w.put(&message.fixed);
            message.attrs.iter().for_each(|attr| write_attr(&mut w, attr));
            prop_assert_eq!(w.end(), Ok(()));
        }
        prop_assert_eq!(w.into_vec(), Ok(datagram.encode()));
    }

    #[test]
    fn the_walk_finds_a_length_that_lies((os, datagram) in any_datagram(1), which in any::<Index>()) {
        let mut datagram = datagram;
        datagram.trailing.clear();
        let which = which.index(datagram.messages.len());
        let offset = datagram.messages[..which].iter().map(|m| m.header.len as usize).sum::<usize>();
        datagram.messages[which].header.len = u32::MAX;
        let bytes = datagram.encode();
        let mut found = Vec::new();
        strict::faults(os, &bytes, Options::default(), &mut |fault| {
            found.push(fault.offset);
            std::ops::ControlFlow::Continue(())
        });
        prop_assert_eq!(found.last(), Some(&offset));
        prop_assert_eq!(Datagram::decode(os, &bytes).messages.len(), which);
    }
}
