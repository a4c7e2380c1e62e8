// SPDX-License-Identifier: BSD-2-Clause
//! RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR.

use iface_sim::Profile;
use nlproof_wire::consts::freebsd::*;
use nlproof_wire::consts::*;
use nlproof_wire::tree::Attr;
use nlproof_wire::view::{IfAddrMsg, IfInfoMsg, IfaCacheInfo};

use crate::support::*;

#[test]
fn inet_add_list_delete() {
    let vnet = Vnet::new(Profile::R14_0);
    let index = vnet.create("lo10", "lo");
    assert_eq!(vnet.ack(&inet(RTM_NEWADDR, index, 24, [192, 0, 2, 1])).brief(), (0, ""));
    let listed = vnet.addresses(index);
    let v4: Vec<_> = listed.iter().filter(|message| message.fixed[0] == AF_INET).collect();
    let [address] = v4[..] else { panic!("{listed:?}") };
    assert_eq!(address.header.flags, DUMP | NLM_F_MULTI);
    let info = IfAddrMsg::parse(&address.fixed).unwrap();
    assert_eq!(info, IfAddrMsg { family: AF_INET, prefixlen: 24, flags: 0, scope: RT_SCOPE_UNIVERSE, index });
    assert_eq!(kinds(address), [IFA_ADDRESS, IFA_LOCAL, IFA_LABEL, IFA_FLAGS, FREEBSD_NEST]);
    assert_eq!(address.get(FREEBSD_NEST).and_then(Attr::as_nested), Some(&[][..]));
    assert_eq!(text(address.get(IFA_LABEL)).as_deref(), Some("lo10"));

    assert_eq!(vnet.ack(&inet(RTM_DELADDR, index, 24, [192, 0, 2, 1])).brief(), (0, ""));
    assert_eq!(vnet.ack(&inet(RTM_DELADDR, index, 24, [192, 0, 2, 1])).brief(), (49, ""));
    assert!(vnet.addresses(index).iter().all(|message| message.fixed[0] != AF_INET));
}

#[test]
fn inet6_add_list_delete() {
    let vnet = Vnet::new(Profile::R14_0);
    let index = vnet.create("lo10", "lo");
    assert_eq!(vnet.ack(&inet6(RTM_NEWADDR, index, 64, "2001:db8::1")).brief(), (0, ""));
    let listed: Vec<String> = vnet
        .addresses(index)
        .iter()
        .map(|message| {
            let mut event = message.clone();
            event.header.flags = 0;
            (event.header.seq, event.header.pid) = (0, 0);
            brief(&event)
        })
        .collect();
    // The interface came up, and with it the addresses that it gives itself.
    assert_eq!(listed, ["new lo10 2001:db8::1/64", "new lo10 ::1/128", "new lo10 fe80::1/64"]);
    let first = &vnet.addresses(index)[0];
    assert_eq!(kinds(first), [IFA_ADDRESS, IFA_LABEL, IFA_FLAGS, IFA_CACHEINFO, FREEBSD_NEST]);
    let cache = first.get(IFA_CACHEINFO).and_then(Attr::as_bytes).and_then(IfaCacheInfo::parse).unwrap();
    let now = u32::try_from(vnet.sim.uptime() * 1000).unwrap();
    assert_eq!(cache, IfaCacheInfo { preferred: u32::MAX, valid: u32::MAX, created: now, updated: now });
    assert_eq!(number(first.get(FREEBSD_NEST).and_then(|nest| nest.get(IFAF_FLAGS))), Some(0));

    assert_eq!(vnet.ack(&inet6(RTM_DELADDR, index, 64, "2001:db8::1")).brief(), (0, ""));
    assert_eq!(vnet.ack(&inet6(RTM_DELADDR, index, 64, "2001:db8::1")).brief(), (49, ""));
    assert_eq!(vnet.ack(&inet6(RTM_DELADDR, index, 64, "fe80::1")).brief(), (0, ""));
    assert_eq!(vnet.addresses(index).len(), 1);
}

#[test]
fn scopes_by_branch() {
    for (profile, scope) in
        [(Profile::R14_0, RT_SCOPE_UNIVERSE), (Profile::R14_3, RT_SCOPE_HOST), (Profile::R15, RT_SCOPE_HOST)]
    {
        let vnet = Vnet::new(profile);
        assert_eq!(vnet.ack(&inet(RTM_NEWADDR, 3, 8, [127, 0, 0, 1])).error, 0);
        let of = |number: usize| IfAddrMsg::parse(&vnet.addresses(3)[number].fixed).unwrap().scope;
        assert_eq!([of(0), of(1), of(2)], [scope, RT_SCOPE_HOST, RT_SCOPE_LINK], "{profile}");
    }
}

#[test]
fn a_broadcast_address_is_made_up_or_taken() {
    let vnet = Vnet::new(Profile::R14_0);
    let index = vnet.create("epair0a", "epair");
    assert_eq!(vnet.ack(&inet(RTM_NEWADDR, index, 24, [192, 0, 2, 1])).error, 0);
    let given =
        vec![Attr::bytes(IFA_LOCAL, [198, 51, 100, 1]), Attr::bytes(IFA_BROADCAST, [198, 51, 100, 99])];
    assert_eq!(vnet.ack(&address(RTM_NEWADDR, ACK, AF_INET, 24, index, given)).error, 0);
    let broadcasts: Vec<_> = vnet
        .addresses(index)
        .iter()
        .map(|message| message.get(IFA_BROADCAST).and_then(Attr::as_bytes).map(<[u8]>::to_vec))
        .collect();
    assert_eq!(broadcasts, [Some(vec![192, 0, 2, 255]), Some(vec![198, 51, 100, 99])]);
}

#[test]
fn requests_that_fail() {
    let vnet = Vnet::new(Profile::R14_0);
    let index = vnet.create("lo10", "lo");
    let v4 = || Attr::bytes(IFA_LOCAL, [192, 0, 2, 1]);
    let missing = (22, "Empty IFA_LOCAL/IFA_ADDRESS");
    for (kind, family, prefix_len, at, attrs, expected) in [
        (RTM_NEWADDR, AF_INET, 24, 77, vec![v4()], (2, "Unable to find interface with index 77")),
        (RTM_DELADDR, AF_INET, 24, 77, vec![v4()], (2, "Unable to find interface with index 77")),
        (RTM_NEWADDR, AF_LINK, 24, index, vec![], (47, "")),
        (RTM_NEWADDR, AF_UNSPEC, 24, index, vec![], (47, "")),
        (RTM_NEWADDR, AF_INET6, 24, index, vec![v4()], (22, "wrong family for IFA_LOCAL attribute: 28 != 2")),
        (RTM_NEWADDR, AF_INET, 33, index, vec![v4()], (22, "invalid ifa_prefixlen")),
        (RTM_NEWADDR, AF_INET6, 129, index, vec![], (22, "invalid ifa_prefixlen")),
        (RTM_NEWADDR, AF_INET, 24, index, vec![], missing),
        (RTM_NEWADDR, AF_INET6, 64, index, vec![], missing),
        (RTM_DELADDR, AF_INET6, 64, index, vec![], missing),
        (RTM_DELADDR, AF_INET, 24, index, vec![], (22, "empty IFA_ADDRESS/IFA_LOCAL")),
        (
            RTM_NEWADDR,
            AF_INET,
            24,
            index,
            vec![Attr::bytes(IFA_LOCAL, [1, 2, 3])],
            (45, "unknown IP len: 3 for rta type 2"),
        ),
        (
            RTM_NEWADDR,
            AF_INET,
            24,
            index,
            vec![Attr::bytes(IFA_FLAGS, [1])],
            (22, "nla type 8 size(1) is not uint32"),
        ),
        (
            RTM_NEWADDR,
            AF_INET,
            24,
            index,
            vec![Attr::bytes(IFA_CACHEINFO, [1])],
            (22, "nla type 6 size(1) is not ifa_cacheinfo"),
        ),
    ] {
        let request = address(kind, ACK, family, prefix_len, at, attrs);
        assert_eq!(vnet.ack(&request).brief(), expected, "{request:?}");
    }
    assert!(vnet.addresses(index).is_empty());
}

#[test]
fn what_ipv6_finds_wrong_is_lost_in_14() {
    for (profile, error) in [(Profile::R14_0, 0), (Profile::R15, 22)] {
        let vnet = Vnet::new(profile);
        let index = vnet.create("lo10", "lo");
        assert_eq!(vnet.ack(&inet6(RTM_NEWADDR, index, 0, "2001:db8::1")).error, error, "{profile}");
        assert!(vnet.addresses(index).is_empty());
    }
}

#[test]
fn loopback_belongs_on_loopback() {
    let vnet = Vnet::new(Profile::R14_0);
    let index = vnet.create("epair0a", "epair");
    assert_eq!(vnet.ack(&inet6(RTM_NEWADDR, index, 128, "::1")).error, 22);
    assert_eq!(vnet.ack(&inet6(RTM_DELADDR, index, 128, "::1")).error, 22);
}

#[test]
fn addresses_of_all_interfaces_by_family() {
    let vnet = Vnet::new(Profile::R14_0);
    let index = vnet.create("lo10", "lo");
    assert_eq!(vnet.ack(&inet(RTM_NEWADDR, 3, 8, [127, 0, 0, 1])).error, 0);
    assert_eq!(vnet.ack(&inet(RTM_NEWADDR, index, 24, [192, 0, 2, 1])).error, 0);
    let count = |family, index| vnet.ask(&address(RTM_GETADDR, DUMP, family, 0, index, vec![])).len() - 1;
    // lo0 took ::1 first; both have a link-local address.
    assert_eq!([count(AF_UNSPEC, 0), count(AF_INET, 0), count(AF_INET6, 0), count(AF_LINK, 0)], [5, 2, 3, 0]);
    assert_eq!([count(AF_UNSPEC, 3), count(AF_INET, index)], [3, 1]);
}

#[test]
fn an_unknown_interface_is_an_error_inside_done() {
    let vnet = Vnet::new(Profile::R14_0);
    let answers = vnet.ask(&address(RTM_GETADDR, ACK, 0, 0, 77, vec![]));
    let [done] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!((done.header.kind, done.header.flags, &done.fixed[..]), (NLMSG_DONE, 0, &[2, 0, 0, 0][..]));
}

#[test]
fn before_14_changes_are_answered_with_a_list() {
    let vnet = Vnet::new(Profile::R13);
    let answers = vnet.ask(&inet(RTM_NEWADDR, 3, 8, [127, 0, 0, 1]));
    assert_eq!(answers.iter().map(|answer| answer.header.kind).collect::<Vec<_>>(), [NLMSG_DONE]);
    assert!(vnet.addresses(3).is_empty());
}

#[test]
fn the_first_address_brings_an_interface_up() {
    let vnet = Vnet::new(Profile::R14_0);
    let flags = |name: &str| IfInfoMsg::parse(&vnet.link(name).fixed).unwrap().flags;
    assert_eq!(flags("lo0"), IFF_LOOPBACK | IFF_MULTICAST);
    assert_eq!(vnet.ack(&inet(RTM_NEWADDR, 3, 8, [127, 0, 0, 1])).error, 0);
    assert_eq!(flags("lo0"), IFF_LOOPBACK | IFF_MULTICAST | IFF_UP | IFF_DRV_RUNNING | IFF_LOWER_UP);
}

#[test]
fn lifetimes_end() {
    let vnet = Vnet::new(Profile::R14_0);
    let index = vnet.create("lo10", "lo");
    let brief_life = IfaCacheInfo { preferred: 1, valid: 3, ..IfaCacheInfo::default() };
    let attrs =
        vec![Attr::bytes(IFA_LOCAL, v6("2001:db8::1")), Attr::bytes(IFA_CACHEINFO, brief_life.to_bytes())];
    assert_eq!(vnet.ack(&address(RTM_NEWADDR, ACK, AF_INET6, 64, index, attrs)).error, 0);
    let flags = || number(vnet.addresses(index)[0].get(IFA_FLAGS));
    assert_eq!(flags(), Some(0));
    vnet.sim.advance(2);
    assert_eq!(flags(), Some(IFA_F_DEPRECATED));
    vnet.sim.advance(2);
    assert!(vnet.addresses(index).iter().all(|message| brief_address(message) != "2001:db8::1"));
    // Those that the interface gave itself stay.
    assert_eq!(vnet.addresses(index).len(), 2);
}

fn brief_address(message: &nlproof_wire::tree::Message) -> String {
    let bytes = message.get(IFA_ADDRESS).and_then(Attr::as_bytes).unwrap();
    std::net::Ipv6Addr::from(<[u8; 16]>::try_from(bytes).unwrap()).to_string()
}
