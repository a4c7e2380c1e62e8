// SPDX-License-Identifier: BSD-2-Clause
//! What works without the `alloc` feature does not allocate when the feature is there either.

mod hex;

use allocation_counter::measure;
use nlproof_wire::schema::{self, AttrTable};
use nlproof_wire::tree::Datagram;
use nlproof_wire::view::{AttrItem, Attrs, IfInfoMsg, MessageItem, RtnlLinkStats64, messages};
use nlproof_wire::write::Writer;
use nlproof_wire::{Os, strict};

/// One RTM_NEWLINK of a 14.0-STABLE GENERIC kernel: lo10 with a description, counters and three levels of
/// attributes. The second message of a dump.
fn newlink() -> Vec<u8> {
    hex::bytes(&[include_str!("hex/getlink-dump.hex")])[320..][..344].to_vec()
}

/// Attributes of a list and of the nests in it, every value read.
fn read(list: Attrs<'_>, table: &'static AttrTable) -> usize {
    let mut count = 0;
    for item in list {
        let AttrItem::Attr(attr) = item else { continue };
        let counters = RtnlLinkStats64::parse(attr.payload).map(|stats| stats.counters);
        std::hint::black_box((attr.as_u32(), attr.as_str_bytes(), counters));
        let inner = table.by_number(attr.number()).and_then(|spec| spec.kind.table());
        count += 1 + inner.map_or(0, |inner| read(attr.nested(), inner));
    }
    count
}

/// Attributes of all messages.
fn decode(datagram: &[u8]) -> usize {
    let mut count = 0;
    for item in messages(datagram) {
        let MessageItem::Message(message) = item else { continue };
        let spec = schema::message(Os::FreeBsd, message.header.kind);
        std::hint::black_box(IfInfoMsg::parse(message.payload));
        if let Some(table) = spec.and_then(|spec| spec.attrs) {
            let list = message.payload.get(IfInfoMsg::SIZE..).unwrap_or_default();
            count += read(nlproof_wire::view::attrs(list), table);
        }
    }
    count
}

#[test]
fn the_view_layer_does_not_allocate() {
    let bytes = newlink().repeat(8);
    let mut attributes = 0;
    let info = measure(|| attributes = decode(&bytes));
    assert_eq!((attributes, info.count_total), (8 * 14, 0), "{info:?}");
}

#[test]
fn the_strict_walk_does_not_allocate_with_or_without_a_fault() {
    let sound = newlink();
    let cut = &sound[..sound.len() - 4];
    let mut walks = (Ok(()), Ok(()));
    let info = measure(|| walks = (strict::walk(Os::FreeBsd, &sound), strict::walk(Os::FreeBsd, cut)));
    assert_eq!((walks.0.is_ok(), walks.1.is_ok(), info.count_total), (true, false, 0), "{info:?}");
}

#[test]
fn writing_into_a_buffer_does_not_allocate() {
    let mut buffer = [0; 128];
    let mut length = 0;
    let info = measure(|| {
        let mut writer = Writer::new(&mut buffer);
        writer.begin(nlproof_wire::view::NlMsgHdr::default());
        writer.attr(3, b"lo10\0");
        length = writer.end().map_or(0, |()| writer.len());
    });
    assert_eq!((length, info.count_total), (28, 0), "{info:?}");
}

/// The counter counts: the owned tree of the same bytes does allocate.
#[test]
fn the_owned_tree_is_seen_to_allocate() {
    let bytes = newlink();
    let info = measure(|| drop(std::hint::black_box(Datagram::decode(Os::FreeBsd, &bytes))));
    assert!(info.count_total > 14, "{info:?}");
}
