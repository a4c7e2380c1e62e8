// SPDX-License-Identifier: BSD-2-Clause
//! Any bytes as a datagram.

use std::ops::ControlFlow;

use nlproof_wire::Os;
use nlproof_wire::consts::{NLA_HDRLEN, NLMSG_HDRLEN};
use nlproof_wire::strict::{self, Options};
use nlproof_wire::tree::{Attr, Datagram, Message, Value};
use nlproof_wire::view::{AttrItem, MessageItem, attrs, messages};
use nlproof_wire::write::{Sink, Writer};

/// Every reader of the wire crate over the same bytes, with the numbers of both systems.
///
/// # Panics
/// The views leave a gap, the tree loses a byte, a fault lies outside, or the two writers disagree.
pub fn wire(data: &[u8]) {
    views(data);
    for os in Os::ALL {
        let tree = Datagram::decode(os, data);
        assert_eq!(tree.encode(), data, "the tree gives back what it was made from");
        faults(os, data);
        writers(&tree);
    }
}

/// The items of a datagram, and of it taken as attributes, follow each other without gap or overlap.
fn views(data: &[u8]) {
    let mut end = 0;
    for item in messages(data) {
        let (offset, size) = match item {
            MessageItem::Message(found) => {
                (found.offset, NLMSG_HDRLEN + found.payload.len() + found.padding.len())
            }
            MessageItem::Trailing(rest) => (rest.offset, rest.bytes.len()),
        };
        assert_eq!(offset, end, "a message begins where the one before it ended");
        end += size;
    }
    assert_eq!(end, data.len(), "messages cover the datagram");
    let mut end = 0;
    for item in attrs(data) {
        let (offset, size) = match item {
            AttrItem::Attr(found) => (found.offset, NLA_HDRLEN + found.payload.len() + found.padding.len()),
            AttrItem::Trailing(rest) => (rest.offset, rest.bytes.len()),
        };
        assert_eq!(offset, end, "an attribute begins where the one before it ended");
        end += size;
    }
    assert_eq!(end, data.len(), "attributes cover the list");
}

/// Faults lie inside, can be shown, and the first of them is what the walk returns.
fn faults(os: Os, data: &[u8]) {
    for unknown in [false, true] {
        let mut first = None;
        strict::faults(os, data, Options { unknown }, &mut |fault| {
            assert!(fault.offset <= data.len(), "{fault}");
            assert!(!fault.to_string().is_empty());
            first.get_or_insert(fault);
            ControlFlow::Continue(())
        });
        assert_eq!(strict::walk_with(os, data, Options { unknown }).err(), first);
    }
}

/// What a tree with true lengths becomes is the same through the tree and through the writer, and a buffer
/// that is too small gets whole messages or none.
fn writers(tree: &Datagram) {
    for message in &tree.messages {
        let mut message = message.clone();
        message.fix_lengths();
        // An attribute list cut in its middle, a part that is not aligned (the writer pads it, the tree does
        // not), or a length of 16 bits that saturated: not for the writer.
        let aligned = message.fixed.len().is_multiple_of(4) && message.echo.len().is_multiple_of(4);
        if !message.rest.is_empty() || !aligned || message.attrs.iter().any(too_long) {
            continue;
        }
        let mut expected = Vec::new();
        message.encode_to(&mut expected);
        let mut growing = Writer::growing();
        assert_eq!(write(&mut growing, &message), Ok(()));
        assert_eq!(growing.into_vec().as_ref(), Ok(&expected));
        for size in [expected.len(), expected.len() - 1, expected.len() / 2] {
            let mut buffer = vec![0xa5; size];
            let mut writer = Writer::new(&mut buffer);
            let written = write(&mut writer, &message).is_ok();
            assert_eq!(written, size == expected.len(), "{size} of {} bytes", expected.len());
            assert_eq!(writer.len(), if written { size } else { 0 });
        }
    }
}

fn too_long(attr: &Attr) -> bool {
    attr.len == u16::MAX || matches!(&attr.value, Value::Nested(inner) if inner.iter().any(too_long))
}

fn write<S: Sink>(writer: &mut Writer<S>, message: &Message) -> Result<(), nlproof_wire::write::WriteError> {
    writer.begin(message.header);
    writer.put(&message.fixed);
    writer.put(&message.echo);
    message.attrs.iter().for_each(|attr| write_attr(writer, attr));
    writer.end()
}

fn write_attr<S: Sink>(writer: &mut Writer<S>, attr: &Attr) {
    match &attr.value {
        Value::Bytes(bytes) => writer.attr(attr.type_field, bytes),
        Value::Nested(inner) => {
            let nest = writer.begin_nest(attr.type_field);
            inner.iter().for_each(|attr| write_attr(writer, attr));
            writer.end_nest(nest);
        }
    }
}
