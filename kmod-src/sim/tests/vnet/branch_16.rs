// SPDX-License-Identifier: BSD-2-Clause
//! What 16 has and no release: main of summer 2026, read at git revision 2019f3d86f78 (gif(4) at a6c9cdc41420). No kernel
//! of it was recorded; each case has 15 beside it.

use iface_sim::{Fault, Ifconfig, Profile};
use nlproof_wire::consts::freebsd::*;
use nlproof_wire::consts::*;
use nlproof_wire::tree::{Attr, Message};
use nlproof_wire::view::IfInfoMsg;

use crate::support::*;

/// The names in IFLAF_GROUP; `None`: there is no such attribute.
fn groups(message: &Message) -> Option<Vec<String>> {
    let all = message.get(IFLA_FREEBSD)?.get(IFLAF_GROUP)?;
    let names = all.as_nested()?.iter().map(|one| text(one.get(IFLAF_GROUP)).expect("a name"));
    Some(names.collect())
}

fn some(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|&name| name.into()).collect())
}

fn ifconfig(vnet: &Vnet, line: &str) {
    let words: Vec<_> = line.split(' ').collect();
    vnet.sim.ifconfig(&Ifconfig::parse(&words).expect("it is modelled")).expect("it works");
}

#[test]
fn the_groups_are_nested_three_times_and_the_lengths_count_padding() {
    assert_eq!(groups(&Vnet::new(Profile::R15).link("lo0")), None);
    let lo0 = Vnet::new(Profile::R16).link("lo0");
    assert_eq!(groups(&lo0), some(&["all", "lo"]));
    let mut bytes = Vec::new();
    lo0.encode_to(&mut bytes);
    let freebsd = [68, 0, IFLA_FREEBSD as u8, 0];
    let at = bytes.windows(4).position(|window| window == freebsd).expect("IFLA_FREEBSD with 64 bytes in it");
    let expected = [
        &[28, 0, 4, 0][..],
        &[12, 0, 4, 0, 8, 0, 4, 0, b'a', b'l', b'l', 0],
        &[12, 0, 4, 0, 7, 0, 4, 0, b'l', b'o', 0, 0],
    ];
    assert_eq!(bytes[at + 40..at + 68], expected.concat());
}

#[test]
fn the_cloners_group_comes_after_the_first_event_and_goes_before_the_last() {
    let vnet = Vnet::new(Profile::R16);
    let events = vnet.sim.join(RTNLGRP_LINK);
    let index = vnet.create("lo10", "lo");
    let told: Vec<_> = vnet.drain(events).iter().map(groups).collect();
    // The second is that of the flags, of which a change of 0 means all.
    assert_eq!(told, [some(&["all"]), some(&["all", "lo"])]);
    ifconfig(&vnet, "ifconfig lo10 group blue");
    assert_eq!(groups(&vnet.link("lo10")), some(&["all", "lo", "blue"]));
    ifconfig(&vnet, "ifconfig lo10 name outer");
    let told: Vec<_> = vnet.drain(events).iter().map(groups).collect();
    assert_eq!(told, [some(&["all", "lo", "blue"]), some(&["all", "lo", "blue"])]);
    ifconfig(&vnet, "ifconfig outer -group lo");
    assert_eq!(groups(&vnet.link("outer")), some(&["all", "blue"]));
    assert_eq!(vnet.ack(&link(RTM_DELLINK, ACK, index, vec![])).error, 0);
    let told: Vec<_> = vnet.drain(events).iter().map(groups).collect();
    assert_eq!(told, [some(&[]), some(&[])], "down and gone");
}

#[test]
fn an_interface_that_stays_joins_its_cloners_group_anew() {
    let vnet = Vnet::new(Profile::R16);
    ifconfig(&vnet, "ifconfig lo0 group blue");
    assert_eq!(vnet.ack(&link(RTM_DELLINK, ACK, 3, vec![])).error, 22);
    assert_eq!(groups(&vnet.link("lo0")), some(&["all", "blue", "lo"]));
}

#[test]
fn a_driver_that_takes_itself_down_shows_the_groups_it_has_left() {
    let vnet = Vnet::new(Profile::R16);
    vnet.create("epair0a", "epair");
    let events = vnet.sim.join(RTNLGRP_LINK);
    assert_eq!(vnet.ack(&link(RTM_DELLINK, ACK, vnet.index("epair0a"), vec![])).error, 0);
    let told: Vec<_> =
        vnet.drain(events).iter().map(|event| (text(event.get(IFLA_IFNAME)), groups(event))).collect();
    let of = |name: &str| -> Vec<_> {
        told.iter()
            .filter(|(told, _)| told.as_deref() == Some(name))
            .map(|(_, groups)| groups.clone())
            .collect()
    };
    assert_eq!(of("epair0a"), [some(&["all"]), some(&["all"]), some(&[]), some(&[])]);
    assert_eq!(of("epair0b"), [some(&["all", "epair"]), some(&["all", "epair"]), some(&[]), some(&[])]);
}

fn of_type(flags: u16, kind: u16, index: u32) -> Message {
    let info = IfInfoMsg { kind, index: index.cast_signed(), ..IfInfoMsg::default() };
    Message::new(header(RTM_GETLINK, flags), info.to_bytes(), vec![])
}

#[test]
fn the_type_of_a_request_is_a_filter() {
    for (profile, dumped, single) in [(Profile::R15, 0, NLMSG_ERROR), (Profile::R16, 2, RTM_NEWLINK)] {
        let vnet = Vnet::new(profile);
        vnet.create("lo10", "lo");
        vnet.create("bridge0", "bridge");
        assert_eq!(vnet.ask(&of_type(DUMP, IFT_LOOP, 0)).len(), dumped + 1, "{profile}");
        assert_eq!(vnet.ask(&of_type(DUMP, IFT_ETHER, 0)).len(), 1, "{profile}");
        assert_eq!(vnet.ask(&of_type(NLM_F_REQUEST, IFT_LOOP, 3))[0].header.kind, single, "{profile}");
        assert_eq!(vnet.ack(&of_type(NLM_F_REQUEST, IFT_ETHER, 3)).brief(), (19, ""), "{profile}");
    }
}

#[test]
fn an_extended_mask_is_a_u32_in_all_three_requests() {
    for kind in [RTM_GETLINK, RTM_NEWLINK, RTM_DELLINK] {
        for len in [0, 1, 2, 8] {
            let request = link(kind, ACK, 99, vec![Attr::bytes(IFLA_EXT_MASK, vec![1; len])]);
            let before = Vnet::new(Profile::R15).ack(&request);
            assert!(before.error != 22 && before.offset.is_none(), "{before:?}");
            let now = Vnet::new(Profile::R16).ack(&request);
            let text = format!("nla type 29 size({len}) is not uint32");
            assert_eq!((now.brief(), now.offset), ((22, text.as_str()), Some(32)));
        }
        let whole = link(kind, ACK, 99, vec![Attr::bytes(IFLA_EXT_MASK, 1_u32.to_le_bytes())]);
        let both = [Profile::R15, Profile::R16].map(|profile| Vnet::new(profile).ack(&whole));
        assert_eq!(both[0], both[1]);
    }
}

#[test]
fn a_dump_that_fails_half_way_says_so() {
    for (profile, error) in [(Profile::R15, 0), (Profile::R16, 12)] {
        let vnet = Vnet::new(profile);
        vnet.create("lo10", "lo");
        vnet.sim.inject(Fault::MessageWithoutMemory);
        let answers = vnet.ask(&link(RTM_GETLINK, DUMP | NLM_F_ACK, 0, vec![]));
        // Nothing of the interface, nothing of the next, no acknowledgement.
        let [done] = &answers[..] else { panic!("{profile}: {answers:?}") };
        assert_eq!((done.header.kind, number_of(&done.fixed)), (NLMSG_DONE, error), "{profile}");
        assert_eq!(vnet.ask(&link(RTM_GETLINK, DUMP, 0, vec![])).len(), 3, "the fault is made once");
        vnet.sim.inject(Fault::MessageWithoutMemory);
        assert_eq!(vnet.ack(&link(RTM_GETLINK, NLM_F_REQUEST, 3, vec![])).error, 12, "{profile}");
        assert_eq!(vnet.sim.held(), 0);
    }
}

fn number_of(bytes: &[u8]) -> i32 {
    bytes.first_chunk().map_or(-1, |bytes| i32::from_le_bytes(*bytes))
}

/// IFLA_LINKINFO of that kind with that data.
fn linkinfo(kind: &str, data: Vec<Attr>) -> Attr {
    let kind = Attr::string(IFLA_INFO_KIND, kind.as_bytes());
    Attr::nested(IFLA_LINKINFO, vec![kind, Attr::nested(IFLA_INFO_DATA, data)])
}

fn u16_attr(kind: u16, value: u16) -> Attr {
    Attr::bytes(kind, value.to_le_bytes())
}

fn u32_attr(kind: u16, value: u32) -> Attr {
    Attr::bytes(kind, value.to_le_bytes())
}

/// The bytes of IFLA_INFO_DATA.
fn data(message: &Message) -> Option<Vec<u8>> {
    message.get(IFLA_LINKINFO)?.get(IFLA_INFO_DATA)?.as_bytes().map(<[u8]>::to_vec)
}

#[test]
fn a_vlan_tells_its_parent_its_number_and_its_protocol() {
    let vlan7 = [6, 0, 1, 0, 7, 0, 0, 0, 6, 0, 5, 0, 0, 0x81, 0, 0];
    for (profile, known) in [(Profile::R15, false), (Profile::R16, true)] {
        let vnet = Vnet::new(profile);
        let parent = vnet.create("epair3a", "epair");
        let events = vnet.sim.join(RTNLGRP_LINK);
        let info = linkinfo("vlan", vec![u16_attr(IFLA_VLAN_ID, 7)]);
        let request = link(RTM_NEWLINK, CREATE, parent, vec![Attr::string(IFLA_IFNAME, b"vlan7"), info]);
        assert_eq!(vnet.ack(&request).error, 0);
        // Announced before it is on anything.
        let first = vnet.drain(events).into_iter().next().expect("an event");
        let nothing = [6, 0, 1, 0, 0, 0, 0, 0, 6, 0, 5, 0, 0, 0, 0, 0];
        assert_eq!((first.get(IFLA_LINK), data(&first)), (None, known.then(|| nothing.to_vec())));
        let shown = vnet.link("vlan7");
        assert_eq!(number(shown.get(IFLA_LINK)), known.then_some(parent), "{profile}");
        assert_eq!(data(&shown), known.then(|| vlan7.to_vec()), "{profile}");
        // The number outlasts the parent.
        assert_eq!(vnet.ack(&link(RTM_DELLINK, ACK, parent, vec![])).error, 0);
        let shown = vnet.link("vlan7");
        assert_eq!((shown.get(IFLA_LINK), data(&shown)), (None, known.then(|| vlan7.to_vec())));
    }
}

fn gif(name: &str, data: Vec<Attr>) -> Message {
    let attrs = vec![Attr::string(IFLA_IFNAME, name.as_bytes()), linkinfo("gif", data)];
    link(RTM_NEWLINK, CREATE, 0, attrs)
}

fn ends(local: [u8; 4], remote: [u8; 4]) -> Vec<Attr> {
    vec![Attr::bytes(IFLA_IPTUN_LOCAL, local), Attr::bytes(IFLA_IPTUN_REMOTE, remote)]
}

const A: [u8; 4] = [192, 0, 2, 1];
const B: [u8; 4] = [192, 0, 2, 2];

#[test]
fn a_gif_tells_its_tunnel() {
    let vnet = Vnet::new(Profile::R16);
    assert_eq!(vnet.ack(&inet(RTM_NEWADDR, 3, 32, A)).error, 0);
    let mut wanted = ends(A, B);
    wanted.push(u32_attr(IFLA_IPTUN_FLAGS, 3));
    assert_eq!(vnet.ack(&gif("gif7", wanted)).error, 0);
    let shown = vnet.link("gif7");
    let names: Vec<_> = shown.attrs.iter().filter(|attr| attr.number() == IFLA_IFNAME).collect();
    assert_eq!(names.len(), 2);
    assert_eq!(number(shown.get(IFLA_LINK)), Some(vnet.index("gif7")));
    let expected = [&[8, 0, 1, 0][..], &A, &[8, 0, 2, 0], &B, &[8, 0, 3, 0, 3, 0, 0, 0]].concat();
    assert_eq!(data(&shown), Some(expected));
    let flags = IfInfoMsg::parse(&shown.fixed).expect("a whole header").flags;
    assert_ne!(flags & IFF_DRV_RUNNING, 0, "the near end is lo0's address");
    // Without a tunnel the flags alone, and in 15 nothing.
    assert_eq!(vnet.ack(&create("gif8", "gif", &[])).error, 0);
    assert_eq!(data(&vnet.link("gif8")), Some(vec![8, 0, 3, 0, 0, 0, 0, 0]));
    let older = Vnet::new(Profile::R15);
    assert_eq!(older.ack(&gif("gif7", ends(A, [0; 4]))).error, 0, "15 does not read it");
    assert_eq!((older.link("gif7").get(IFLA_LINK), data(&older.link("gif7"))), (None, None));
}

#[test]
fn what_a_gif_rejects() {
    let six = |last| {
        Attr::bytes(IFLA_IPTUN_REMOTE, [[0x20, 1, 0xd, 0xb8].to_vec(), vec![0; 11], vec![last]].concat())
    };
    let vnet = Vnet::new(Profile::R16);
    assert_eq!(vnet.ack(&gif("gif0", ends(A, B))).error, 0);
    let together = "Specify both remote and local address together";
    for (wanted, error, text) in [
        (ends(A, B)[..1].to_vec(), 22, together),
        (ends(A, B)[1..].to_vec(), 22, together),
        (ends(A, [0; 4]), 49, "address is invalid"),
        (vec![Attr::bytes(IFLA_IPTUN_LOCAL, A), six(1)], 49, "address is invalid"),
        (ends(A, B), 49, "address is invalid"),
        (vec![u32_attr(IFLA_IPTUN_FLAGS, 4)], 22, "gif flags are invalid"),
        (vec![Attr::bytes(IFLA_IPTUN_LOCAL, [1, 2])], 45, "unknown IP len: 2 for rta type 1"),
    ] {
        let ack = vnet.ack(&gif("gif7", wanted));
        assert_eq!((ack.brief(), &ack.cookie), ((error, text), &None));
        // What was made stays.
        assert_eq!(vnet.ack(&link(RTM_DELLINK, ACK, vnet.index("gif7"), vec![])).error, 0, "{text}");
    }
    // The same tunnel for the same interface is no change; addresses are looked at before flags, and stay.
    let change = |data| vnet.ack(&link(RTM_NEWLINK, ACK, vnet.index("gif0"), vec![linkinfo("gif", data)]));
    assert_eq!(change(ends(A, B)).error, 0);
    let mut both = ends(B, A);
    both.push(u32_attr(IFLA_IPTUN_FLAGS, 8));
    assert_eq!(change(both).brief(), (22, "gif flags are invalid"));
    let swapped = [&[8, 0, 1, 0][..], &B, &[8, 0, 2, 0], &A, &[8, 0, 3, 0, 0, 0, 0, 0]].concat();
    assert_eq!(data(&vnet.link("gif0")), Some(swapped));
    // A tunnel takes over no flag but with GIF_IGNORE_SOURCE.
    let flags = |value| {
        assert_eq!(change(vec![u32_attr(IFLA_IPTUN_FLAGS, value)]).error, 0);
        data(&vnet.link("gif0")).expect("data")[20]
    };
    assert_eq!([flags(1), flags(3), flags(2), flags(0)], [0, 3, 3, 0]);
    assert_eq!(vnet.sim.held(), 0);
}

#[test]
fn a_gif_that_goes_has_nothing_to_tell() {
    let vnet = Vnet::new(Profile::R16);
    assert_eq!(vnet.ack(&gif("gif0", ends(A, B))).error, 0);
    let events = vnet.sim.join(RTNLGRP_LINK);
    assert_eq!(vnet.ack(&link(RTM_DELLINK, ACK, vnet.index("gif0"), vec![])).error, 0);
    let told: Vec<_> = vnet.drain(events).iter().map(|event| (groups(event), data(event))).collect();
    let (left, gone) = ((some(&["all"]), Some(vec![])), (some(&[]), Some(vec![])));
    assert_eq!(told, [left.clone(), left, gone.clone(), gone]);
}
