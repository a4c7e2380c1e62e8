// SPDX-License-Identifier: BSD-2-Clause
//! Bytes that a FreeBSD kernel sent.

mod hex;

use nlproof_wire::Os;
use nlproof_wire::consts::{self, freebsd as f};
use nlproof_wire::schema::{self, FlagPart};
use nlproof_wire::strict::{self, Options};
use nlproof_wire::tree::{Attr, Datagram, Message};
use nlproof_wire::view::{NlMsgHdr, RtnlLinkStats64};

/// The answer to a GETLINK dump, observed on a FreeBSD 14.0-STABLE GENERIC kernel (amd64, QEMU) inside a
/// vnet jail with lo0 down and a cloned lo10.
const GETLINK_DUMP: &[&str] = &[include_str!("hex/getlink-dump.hex")];

fn payload(message: &Message, number: u16) -> &[u8] {
    message.get(number).and_then(Attr::as_bytes).expect("attribute of bytes")
}

fn if_flags(message: &Message) -> Vec<&'static str> {
    let value = message.field(Os::FreeBsd, "flags").expect("ifinfomsg");
    let value = u32::try_from(value).expect("unsigned field");
    schema::flag_parts(schema::if_flags(Os::FreeBsd), value)
        .map(|part| match part {
            FlagPart::Named(flag) => flag.name,
            FlagPart::Unnamed(bits) => panic!("bits without a name: {bits:#x}"),
        })
        .collect()
}

#[test]
fn a_freebsd_dump_is_sound_and_round_trips() {
    let dump = hex::bytes(GETLINK_DUMP);
    assert_eq!(strict::walk_with(Os::FreeBsd, &dump, Options { unknown: true }), Ok(()));
    assert_eq!(Datagram::decode(Os::FreeBsd, &dump).encode(), dump);
    // Under the wrong system's numbers the same bytes survive too.
    assert_eq!(Datagram::decode(Os::Linux, &dump).encode(), dump);
}

#[test]
fn a_freebsd_dump_says_what_the_kernel_meant() {
    let datagram = Datagram::decode(Os::FreeBsd, &hex::bytes(GETLINK_DUMP));
    let [lo0, lo10, done] = &datagram.messages[..] else { panic!("{} messages", datagram.messages.len()) };
    assert_eq!((datagram.cause, datagram.trailing.len()), (None, 0));

    assert_eq!(payload(lo0, consts::IFLA_IFNAME), b"lo0\0");
    assert_eq!(if_flags(lo0), ["up", "loopback", "drv_running", "multicast", "lower_up"]);
    assert_eq!(lo0.field(Os::FreeBsd, "type"), Some(i64::from(f::IFT_LOOP)));
    assert_eq!(payload(lo0, consts::IFLA_OPERSTATE), [consts::IF_OPER_UP]);
    assert_eq!(payload(lo0, consts::IFLA_MTU), 16384_u32.to_le_bytes());
    assert!(lo0.get(consts::IFLA_IFALIAS).is_none());

    assert_eq!(payload(lo10, consts::IFLA_IFNAME), b"lo10\0");
    assert_eq!(if_flags(lo10), ["loopback", "multicast"]);
    assert_eq!(payload(lo10, consts::IFLA_MTU), 1400_u32.to_le_bytes());
    assert_eq!(payload(lo10, consts::IFLA_IFALIAS), b"golden ground\0");
    let kind = lo10.get(consts::IFLA_LINKINFO).and_then(|nest| nest.get(consts::IFLA_INFO_KIND));
    assert_eq!(kind.and_then(Attr::as_bytes), Some(&b"lo\0"[..]));
    let caps = lo10.get(f::IFLA_FREEBSD).and_then(|nest| nest.get(f::IFLAF_CAPS)).expect("capabilities");
    let size = caps.get(f::NLA_BITSET_SIZE).and_then(Attr::as_bytes);
    assert_eq!(size, Some(&34_u32.to_le_bytes()[..]));
    let stats = RtnlLinkStats64::parse(payload(lo10, consts::IFLA_STATS64)).expect("24 counters");
    assert_eq!(stats, RtnlLinkStats64::default());

    assert_eq!((done.header.kind, done.header.flags), (consts::NLMSG_DONE, 0));
    assert_eq!(done.field(Os::FreeBsd, "error"), Some(0));
}

#[test]
fn trees_are_built_with_true_lengths_and_can_be_made_to_lie() {
    let header = NlMsgHdr { len: 0, kind: consts::RTM_NEWLINK, flags: consts::NLM_F_REQUEST, seq: 1, pid: 0 };
    let kind = Attr::string(consts::IFLA_INFO_KIND, b"lo");
    let attrs =
        vec![Attr::string(consts::IFLA_IFNAME, b"lo42"), Attr::nested(consts::IFLA_LINKINFO, vec![kind])];
    let message = Message::new(header, [0; 16], attrs);
    let mut datagram = Datagram { messages: vec![message], ..Datagram::default() };
    let sound = datagram.encode();
    assert_eq!(strict::walk_with(Os::FreeBsd, &sound, Options { unknown: true }), Ok(()));
    assert_eq!(Datagram::decode(Os::FreeBsd, &sound), datagram);

    datagram.messages[0].attrs[0].len = 400;
    let fault = strict::walk(Os::FreeBsd, &datagram.encode()).expect_err("a length that lies");
    assert_eq!(fault.to_string(), "byte 32 in newlink: attribute length 400 where 24 bytes are left");
    datagram.fix_lengths();
    assert_eq!(datagram.encode(), sound);
}
