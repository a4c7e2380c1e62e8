// SPDX-License-Identifier: BSD-2-Clause
//! RTM_GETLINK, RTM_NEWLINK, RTM_DELLINK.

use iface_sim::{Privilege, Profile, SocketOptions};
use nlproof_wire::consts::freebsd::*;
use nlproof_wire::consts::*;
use nlproof_wire::tree::{Attr, Message};
use nlproof_wire::view::IfInfoMsg;

use crate::support::*;

fn by_name(name: &str) -> Vec<Attr> {
    vec![Attr::string(IFLA_IFNAME, name.as_bytes())]
}

#[test]
fn get_by_name_and_by_index_is_one_message_with_the_requests_flags() {
    let vnet = Vnet::new(Profile::R14_0);
    for request in [
        link(RTM_GETLINK, NLM_F_REQUEST, 0, by_name("lo0")),
        link(RTM_GETLINK, NLM_F_REQUEST, 3, vec![]),
        link(RTM_GETLINK, DUMP, 3, by_name("lo0")),
        link(RTM_GETLINK, NLM_F_REQUEST, 0, vec![Attr::string(IFLA_ALT_IFNAME, b"lo0")]),
    ] {
        let answers = vnet.ask(&request);
        let [answer] = &answers[..] else { panic!("{answers:?}") };
        assert_eq!((answer.header.kind, answer.header.flags), (RTM_NEWLINK, request.header.flags));
        assert_eq!((answer.header.seq, answer.header.pid), (7, vnet.sim.pid(vnet.socket)));
        assert_eq!(info(answer).index, 3);
    }
    let answers = vnet.ask(&link(RTM_GETLINK, ACK, 3, vec![]));
    assert_eq!(
        answers.iter().map(|answer| answer.header.kind).collect::<Vec<_>>(),
        [RTM_NEWLINK, NLMSG_ERROR]
    );
}

#[test]
fn get_of_what_is_not_there() {
    let vnet = Vnet::new(Profile::R14_0);
    for request in [
        link(RTM_GETLINK, NLM_F_REQUEST, 0, by_name("lo9")),
        link(RTM_GETLINK, NLM_F_REQUEST, 9, vec![]),
        link(RTM_GETLINK, NLM_F_REQUEST, 3, by_name("lo9")),
        // The host's interfaces have indexes too, but they cannot be seen from here.
        link(RTM_GETLINK, NLM_F_REQUEST, 1, vec![]),
    ] {
        assert_eq!(vnet.ack(&request).brief(), (19, ""));
    }
}

#[test]
fn attributes_of_a_loopback_interface_by_branch() {
    let common = [IFLA_IFNAME, IFLA_OPERSTATE, IFLA_CARRIER];
    let rest = [IFLA_STATS64, IFLA_PROMISCUITY];
    let old = [&common[..], &[IFLA_ADDRESS, IFLA_MTU], &rest].concat();
    let new = [&common[..], &[IFLA_MTU, IFLA_FREEBSD], &rest, &[IFLA_LINKINFO]].concat();
    for (profile, expected, bits) in [
        (Profile::Seed, &old, None),
        (Profile::R13, &old, None),
        (Profile::R14_0, &new, Some(34)),
        (Profile::R14_3, &new, Some(34)),
        (Profile::R15, &new, Some(35)),
        (Profile::R16, &new, Some(35)),
    ] {
        let answer = Vnet::new(profile).link("lo0");
        assert_eq!(kinds(&answer), *expected, "{profile}");
        let caps = answer.get(IFLA_FREEBSD).and_then(|nest| nest.get(IFLAF_CAPS));
        assert_eq!(number(caps.and_then(|caps| caps.get(NLA_BITSET_SIZE))), bits, "{profile}");
    }
    let answer = Vnet::new(Profile::Seed).link("lo0");
    assert_eq!(answer.get(IFLA_ADDRESS).and_then(Attr::as_bytes), Some(&[][..]));
}

#[test]
fn an_ethernet_interface_tells_its_addresses() {
    let vnet = Vnet::new(Profile::R14_0);
    vnet.create("epair0a", "epair");
    let (a, b) = (vnet.link("epair0a"), vnet.link("epair0b"));
    let bytes = |message: &Message, kind| message.get(kind).and_then(Attr::as_bytes).map(<[u8]>::to_vec);
    let (address, peer) = (bytes(&a, IFLA_ADDRESS).unwrap(), bytes(&b, IFLA_ADDRESS).unwrap());
    assert_eq!((address.len(), address[0], address[5], peer[5]), (6, 0x02, 0x0a, 0x0b));
    assert_eq!(address[..5], peer[..5]);
    assert_eq!(bytes(&a, IFLA_BROADCAST), Some(vec![0xff; 6]));
    let original = a.get(IFLA_FREEBSD).and_then(|nest| nest.get(IFLAF_ORIG_HWADDR)).and_then(Attr::as_bytes);
    assert_eq!(original, Some(&address[..]));
    let flags = IFF_BROADCAST | IFF_SIMPLEX | IFF_MULTICAST | IFF_DRV_RUNNING | IFF_LOWER_UP;
    assert_eq!((info(&a).kind, info(&a).flags), (IFT_ETHER, flags));
    assert_eq!(number(a.get(IFLA_MTU)), Some(1500));
}

#[test]
fn create_is_acknowledged_with_a_cookie_from_14_on() {
    for (profile, cookie) in [(Profile::R13, None), (Profile::R14_0, Some((4, "lo10".into())))] {
        let vnet = Vnet::new(profile);
        let ack = vnet.ack(&create("lo10", "lo", &[]));
        assert_eq!((ack.error, ack.cookie), (0, cookie), "{profile}");
        // No flag tells of the cookie.
        assert_eq!(ack.flags, NLM_F_CAPPED);
        assert_eq!(vnet.names(), ["lo0", "lo10"]);
    }
}

#[test]
fn names_and_what_they_make() {
    let vnet = Vnet::new(Profile::R14_0);
    let made = |name: &str, kind: &str| vnet.ack(&create(name, kind, &[])).cookie.map(|(_, name)| name);
    assert_eq!(made("lo", "lo").as_deref(), Some("lo1"));
    assert_eq!(made("lo7", "lo").as_deref(), Some("lo7"));
    assert_eq!(made("epair", "epair").as_deref(), Some("epair0a"));
    assert_eq!(made("epair3", "epair").as_deref(), Some("epair3a"));
    // The name alone chooses the driver.
    assert_eq!(made("lo8", "anything").as_deref(), Some("lo8"));
    assert_eq!(vnet.names(), ["lo0", "lo1", "lo7", "epair0a", "epair0b", "epair3a", "epair3b", "lo8"]);
}

#[test]
fn create_that_fails() {
    let vnet = Vnet::new(Profile::R14_0);
    vnet.create("lo10", "lo");
    let kind = |kind: &str| Attr::nested(IFLA_LINKINFO, vec![Attr::string(IFLA_INFO_KIND, kind.as_bytes())]);
    let no_name = (22, "empty IFLA_IFNAME attribute");
    let no_kind = (22, "empty IFLA_INFO_KIND attribute");
    for (attrs, expected) in [
        (vec![kind("lo")], no_name),
        (vec![Attr::string(IFLA_IFNAME, b""), kind("lo")], no_name),
        (by_name("lo11"), no_kind),
        (vec![Attr::string(IFLA_IFNAME, b"lo11"), kind("")], no_kind),
        (vec![Attr::string(IFLA_IFNAME, b"lo10"), kind("lo")], (17, "")),
        (vec![Attr::string(IFLA_IFNAME, b"lo0"), kind("lo")], (17, "")),
        (vec![Attr::string(IFLA_IFNAME, b"nosuch0"), kind("lo")], (22, "")),
        (vec![Attr::string(IFLA_IFNAME, b"lo010"), kind("lo")], (22, "")),
        (vec![Attr::string(IFLA_IFNAME, b"lo40000"), kind("lo")], (28, "")),
        (vec![Attr::string(IFLA_IFNAME, b"epair0a"), kind("epair")], (22, "")),
    ] {
        assert_eq!(vnet.ack(&link(RTM_NEWLINK, CREATE, 0, attrs.clone())).brief(), expected, "{attrs:?}");
    }
    let without_excl = link(RTM_NEWLINK, ACK | NLM_F_CREATE, 0, create("lo10", "lo", &[]).attrs);
    assert_eq!(vnet.ack(&without_excl).error, 17);
    assert_eq!(vnet.names(), ["lo0", "lo10"]);
}

#[test]
fn create_with_properties() {
    let vnet = Vnet::new(Profile::R14_0);
    assert_eq!(vnet.ack(&create("lo10", "lo", &[mtu(1400), alias("ground")])).error, 0);
    let made = vnet.link("lo10");
    assert_eq!(
        (number(made.get(IFLA_MTU)), text(made.get(IFLA_IFALIAS)).as_deref()),
        (Some(1400), Some("ground"))
    );
}

#[test]
fn modify_by_index_or_name() {
    let vnet = Vnet::new(Profile::R14_0);
    let index = vnet.create("lo10", "lo");
    let attrs = vec![mtu(9000), alias("first")];
    assert_eq!(vnet.ack(&flagged(RTM_NEWLINK, ACK, index, 0, 0, attrs)).error, 0);
    assert_eq!(number(vnet.link("lo10").get(IFLA_MTU)), Some(9000));
    let attrs = vec![Attr::string(IFLA_IFNAME, b"lo10"), alias("second")];
    assert_eq!(vnet.ack(&link(RTM_NEWLINK, ACK, 0, attrs)).error, 0);
    assert_eq!(text(vnet.link("lo10").get(IFLA_IFALIAS)).as_deref(), Some("second"));
    // With both, the index decides and the name is not looked at: nothing is renamed.
    let attrs = vec![Attr::string(IFLA_IFNAME, b"other"), mtu(1280)];
    assert_eq!(vnet.ack(&link(RTM_NEWLINK, ACK, index, attrs)).error, 0);
    assert_eq!(number(vnet.link("lo10").get(IFLA_MTU)), Some(1280));
}

#[test]
fn modify_of_what_is_not_there() {
    let vnet = Vnet::new(Profile::R14_0);
    assert_eq!(vnet.ack(&link(RTM_NEWLINK, ACK, 0, vec![])).brief(), (1, "empty ifi_index field"));
    assert_eq!(vnet.ack(&link(RTM_NEWLINK, ACK, 77, vec![])).brief(), (2, "unable to find interface #77"));
    let ack = vnet.ack(&link(RTM_NEWLINK, ACK, 0, by_name("lo77")));
    assert_eq!(ack.brief(), (2, "unable to find interface lo77"));
    assert_eq!(ack.flags, NLM_F_ACK_TLVS);
}

#[test]
fn a_wrong_mtu_is_told_from_15_on() {
    for (profile, expected) in [(Profile::R14_3, (0, "")), (Profile::R15, (22, "Failed to set mtu"))] {
        let vnet = Vnet::new(profile);
        let index = vnet.create("lo10", "lo");
        let request = flagged(RTM_NEWLINK, ACK, index, IFF_UP, IFF_UP, vec![mtu(70000)]);
        assert_eq!(vnet.ack(&request).brief(), expected, "{profile}");
        assert_eq!(number(vnet.link("lo10").get(IFLA_MTU)), Some(16384));
    }
}

#[test]
fn up_has_an_effect_from_15_on() {
    for (profile, up) in [(Profile::R13, false), (Profile::R14_3, false), (Profile::R15, true)] {
        let vnet = Vnet::new(profile);
        let index = vnet.create("lo10", "lo");
        assert_eq!(vnet.ack(&flagged(RTM_NEWLINK, ACK, index, IFF_UP, IFF_UP, vec![])).error, 0);
        let lo10 = vnet.link("lo10");
        assert_eq!(info(&lo10).flags & IFF_UP != 0, up, "{profile}");
        let state = lo10.get(IFLA_OPERSTATE).and_then(Attr::as_bytes);
        assert_eq!(state, Some(&[if up { IF_OPER_UP } else { IF_OPER_DOWN }][..]), "{profile}");
    }
}

#[test]
fn down_works_everywhere_and_15_takes_down_what_no_flag_speaks_of() {
    for (profile, change, up) in [
        (Profile::R14_0, IFF_UP, false),
        (Profile::R14_0, 0, true),
        (Profile::R15, IFF_UP, false),
        (Profile::R15, 0, false),
        (Profile::R15, IFF_PROMISC, true),
    ] {
        let vnet = Vnet::new(profile);
        let index = vnet.create("lo10", "lo");
        assert_eq!(vnet.ack(&inet(RTM_NEWADDR, index, 24, [192, 0, 2, 1])).error, 0);
        assert_eq!(vnet.ack(&flagged(RTM_NEWLINK, ACK, index, 0, change, vec![])).error, 0);
        assert_eq!(info(&vnet.link("lo10")).flags & IFF_UP != 0, up, "{profile} change {change:#x}");
    }
}

#[test]
fn promiscuous_mode() {
    for (profile, permanent) in [(Profile::R14_0, 0), (Profile::R15, IFF_PPROMISC)] {
        let vnet = Vnet::new(profile);
        let index = vnet.create("lo10", "lo");
        let set = |flags| vnet.ack(&flagged(RTM_NEWLINK, ACK, index, flags, IFF_PROMISC, vec![])).error;
        assert_eq!(set(IFF_PROMISC), 0);
        let on = vnet.link("lo10");
        assert_eq!(info(&on).flags & (IFF_PROMISC | IFF_PPROMISC), IFF_PROMISC | permanent, "{profile}");
        assert_eq!(number(on.get(IFLA_PROMISCUITY)), Some(1));
        assert_eq!(set(0), 0);
        assert_eq!(number(vnet.link("lo10").get(IFLA_PROMISCUITY)), Some(0));
    }
}

#[test]
fn the_link_address_can_be_set_from_15_on() {
    let new = [2, 0, 0, 0, 0, 42];
    for (profile, works) in [(Profile::R14_3, false), (Profile::R15, true)] {
        let vnet = Vnet::new(profile);
        let index = vnet.create("epair0a", "epair");
        let attrs = |address: &[u8]| vec![Attr::bytes(IFLA_ADDRESS, address)];
        assert_eq!(vnet.ack(&link(RTM_NEWLINK, ACK, index, attrs(&new))).error, 0);
        let now = vnet.link("epair0a").get(IFLA_ADDRESS).and_then(Attr::as_bytes).map(<[u8]>::to_vec);
        assert_eq!(now == Some(new.to_vec()), works, "{profile}");
        let short = vnet.ack(&link(RTM_NEWLINK, ACK, index, attrs(&[1, 2])));
        let expected = (22, "setting IFLA_ADDRESS failed with error code: 22");
        assert_eq!(short.brief(), if works { expected } else { (0, "") }, "{profile}");
    }
}

#[test]
fn delete() {
    let vnet = Vnet::new(Profile::R14_0);
    let index = vnet.create("lo10", "lo");
    assert_eq!(vnet.ack(&link(RTM_DELLINK, ACK, index, vec![])).brief(), (0, ""));
    assert_eq!(vnet.names(), ["lo0"]);
    assert_eq!(vnet.ack(&link(RTM_DELLINK, ACK, index, vec![])).brief(), (2, ""));
    assert_eq!(vnet.ack(&link(RTM_DELLINK, ACK, 0, by_name("lo0"))).brief(), (2, ""));
    assert_eq!(vnet.ack(&link(RTM_DELLINK, ACK, 3, vec![])).brief(), (22, ""), "lo0 stays");
    let first = vnet.create("epair0a", "epair");
    assert_eq!(first, index, "the index is free again");
    assert_eq!(vnet.ack(&link(RTM_DELLINK, ACK, vnet.index("epair0b"), vec![])).error, 0);
    assert_eq!(vnet.names(), ["lo0"]);
    assert_eq!(vnet.sim.held(), 0);
}

#[test]
fn who_may_not_change_anything_may_look() {
    let options = SocketOptions { ext_ack: true, ..SocketOptions::default() };
    let vnet = Vnet::with(Profile::R14_0, options, Privilege::Unprivileged);
    assert_eq!(vnet.ack(&create("lo10", "lo", &[])).brief(), (1, ""));
    assert_eq!(vnet.ack(&link(RTM_NEWLINK, ACK, 3, vec![mtu(1400)])).brief(), (1, ""));
    assert_eq!(vnet.ack(&link(RTM_DELLINK, ACK, 3, vec![])).brief(), (1, ""));
    assert_eq!(vnet.ack(&inet(RTM_NEWADDR, 3, 8, [127, 0, 0, 1])).brief(), (1, ""));
    assert_eq!(vnet.ack(&inet(RTM_DELADDR, 3, 8, [127, 0, 0, 1])).brief(), (1, ""));
    assert_eq!(info(&vnet.link("lo0")).index, 3);
    assert!(vnet.addresses(3).is_empty());
    assert_eq!(vnet.names(), ["lo0"]);
}

#[test]
fn a_dump_with_a_type_finds_nothing() {
    let vnet = Vnet::new(Profile::R14_0);
    let mut request = link(RTM_GETLINK, DUMP, 0, vec![]);
    let typed = IfInfoMsg { kind: IFT_LOOP, ..IfInfoMsg::default() };
    request.fixed = typed.to_bytes().to_vec();
    let answers = vnet.ask(&request);
    assert_eq!(answers.iter().map(|answer| answer.header.kind).collect::<Vec<_>>(), [NLMSG_DONE]);
}

#[test]
fn messages_of_others() {
    let vnet = Vnet::new(Profile::R14_0);
    assert_eq!(vnet.ack(&link(RTM_SETLINK, ACK, 3, vec![])).brief(), (45, "unknown message type: 19"));
    assert_eq!(vnet.ack(&link(60000, ACK, 3, vec![])).brief(), (45, "unknown message type: 60000"));
}
