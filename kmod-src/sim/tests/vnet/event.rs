// SPDX-License-Identifier: BSD-2-Clause
//! What group members hear, in order.

use iface_sim::{Profile, SocketId};
use nlproof_wire::consts::*;

use crate::support::*;

/// A vnet with a listener in each of the groups LINK, IPV4_IFADDR and IPV6_IFADDR.
struct Listening {
    vnet: Vnet,
    groups: [SocketId; 3],
}

impl Listening {
    fn new(profile: Profile) -> Self {
        let vnet = Vnet::new(profile);
        let groups =
            [RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR].map(|group| vnet.sim.join(group));
        Self { vnet, groups }
    }

    /// The events since the last call, by group.
    fn heard(&self) -> [Vec<String>; 3] {
        self.groups.map(|group| self.vnet.drain(group).iter().map(brief).collect())
    }
}

#[test]
fn create_and_destroy_a_loopback_interface() {
    let it = Listening::new(Profile::R14_0);
    let index = it.vnet.create("lo10", "lo");
    assert_eq!(it.heard(), [vec!["new lo10 flags 0x8008 change 0x0".to_owned()], vec![], vec![]]);
    assert_eq!(it.vnet.ack(&link(RTM_DELLINK, ACK, index, vec![])).error, 0);
    let link = ["new lo10 flags 0x208008 change 0x1", "del lo10 flags 0x208008 change 0x0"];
    assert_eq!(it.heard(), [link.map(str::to_owned).to_vec(), vec![], vec![]]);
}

#[test]
fn in_15_a_create_without_flags_also_takes_the_interface_down() {
    let it = Listening::new(Profile::R15);
    it.vnet.create("lo10", "lo");
    let link = ["new lo10 flags 0x8008 change 0x0", "new lo10 flags 0x8008 change 0x1"];
    assert_eq!(it.heard()[0], link);
}

#[test]
fn the_first_address_and_the_end() {
    let it = Listening::new(Profile::R14_0);
    let index = it.vnet.create("lo10", "lo");
    it.heard();
    assert_eq!(it.vnet.ack(&inet(RTM_NEWADDR, index, 24, [192, 0, 2, 1])).error, 0);
    let [link, v4, v6] = it.heard();
    let up = |change| format!("new lo10 flags 0x1008049 change {change:#x}");
    assert_eq!(link, [up(0), up(0), up(1)]);
    assert_eq!(v4, ["new lo10 192.0.2.1/24"]);
    assert_eq!(v6, ["new lo10 ::1/128", "new lo10 fe80::1/64"]);

    assert_eq!(it.vnet.ack(&crate::support::link(RTM_DELLINK, ACK, index, vec![])).error, 0);
    let [link, v4, v6] = it.heard();
    assert_eq!(link, ["new lo10 flags 0x208048 change 0x1", "del lo10 flags 0x208048 change 0x0"]);
    // Going down takes the route, and going away the address: two announcements.
    assert_eq!(v4, ["del lo10 192.0.2.1/24", "del lo10 192.0.2.1/24"]);
    assert_eq!(v6, ["del lo10 ::1/128", "del lo10 fe80::1/64"]);
}

#[test]
fn down_and_up_again() {
    let it = Listening::new(Profile::R15);
    let index = it.vnet.create("lo10", "lo");
    assert_eq!(it.vnet.ack(&inet(RTM_NEWADDR, index, 24, [192, 0, 2, 1])).error, 0);
    it.heard();
    assert_eq!(it.vnet.ack(&flagged(RTM_NEWLINK, ACK, index, 0, IFF_UP, vec![])).error, 0);
    let down = "new lo10 flags 0x8048 change 0x1".to_owned();
    assert_eq!(it.heard(), [vec![down], vec!["del lo10 192.0.2.1/24".into()], vec![]]);
    assert_eq!(it.vnet.ack(&flagged(RTM_NEWLINK, ACK, index, IFF_UP, IFF_UP, vec![])).error, 0);
    let up = "new lo10 flags 0x1008049 change 0x1".to_owned();
    assert_eq!(it.heard(), [vec![up], vec!["new lo10 192.0.2.1/24".into()], vec![]]);
}

#[test]
fn up_without_an_address_in_15() {
    let it = Listening::new(Profile::R15);
    let index = it.vnet.create("lo10", "lo");
    it.heard();
    assert_eq!(it.vnet.ack(&flagged(RTM_NEWLINK, ACK, index, IFF_UP, IFF_UP, vec![])).error, 0);
    let [link, v4, v6] = it.heard();
    let flags = ["0x1008009 change 0x1", "0x1008049 change 0x0", "0x1008049 change 0x0"];
    assert_eq!(link, flags.map(|flags| format!("new lo10 flags {flags}")));
    assert!(v4.is_empty());
    assert_eq!(v6, ["new lo10 ::1/128", "new lo10 fe80::1/64"]);
}

#[test]
fn adding_and_deleting_addresses() {
    let it = Listening::new(Profile::R14_0);
    let index = it.vnet.create("lo10", "lo");
    assert_eq!(it.vnet.ack(&inet(RTM_NEWADDR, index, 24, [192, 0, 2, 1])).error, 0);
    it.heard();
    let ask = |message| assert_eq!(it.vnet.ack(&message).error, 0);
    ask(inet(RTM_NEWADDR, index, 24, [192, 0, 2, 2]));
    assert_eq!(it.heard(), [vec![], vec!["new lo10 192.0.2.2/24".to_owned()], vec![]]);
    // The same once more: it goes and comes back.
    ask(inet(RTM_NEWADDR, index, 25, [192, 0, 2, 2]));
    assert_eq!(it.heard()[1], ["del lo10 192.0.2.2/24", "new lo10 192.0.2.2/25"]);
    ask(inet(RTM_DELADDR, index, 25, [192, 0, 2, 2]));
    assert_eq!(it.heard(), [vec![], vec!["del lo10 192.0.2.2/25".to_owned()], vec![]]);
    ask(inet6(RTM_NEWADDR, index, 64, "2001:db8::1"));
    assert_eq!(it.heard()[2], ["new lo10 2001:db8::1/64"]);
    // A change of lifetimes is no event.
    ask(inet6(RTM_NEWADDR, index, 64, "2001:db8::1"));
    assert_eq!(it.heard(), [const { Vec::<String>::new() }; 3]);
    ask(inet6(RTM_DELADDR, index, 64, "2001:db8::1"));
    assert_eq!(it.heard()[2], ["del lo10 2001:db8::1/64"]);
}

#[test]
fn a_route_that_passes_on_hides_the_deletion() {
    let it = Listening::new(Profile::R14_0);
    let index = it.vnet.create("epair0a", "epair");
    for host in [1, 2] {
        assert_eq!(it.vnet.ack(&inet(RTM_NEWADDR, index, 24, [192, 0, 2, host])).error, 0);
    }
    it.heard();
    assert_eq!(it.vnet.ack(&inet(RTM_DELADDR, index, 24, [192, 0, 2, 1])).error, 0);
    assert!(it.heard()[1].is_empty());
    assert_eq!(it.vnet.ack(&inet(RTM_DELADDR, index, 24, [192, 0, 2, 2])).error, 0);
    assert_eq!(it.heard()[1], ["del epair0a 192.0.2.2/24"]);
}

#[test]
fn both_ends_of_an_epair() {
    let it = Listening::new(Profile::R14_0);
    let index = it.vnet.create("epair0a", "epair");
    let [link, v4, v6] = it.heard();
    assert_eq!(
        link,
        [
            "new epair0a flags 0x1008802 change 0x0",
            "new epair0b flags 0x1008802 change 0x0",
            "new epair0a flags 0x1008842 change 0x0",
            "new epair0a flags 0x1008842 change 0x0",
            "new epair0b flags 0x1008842 change 0x0",
            "new epair0b flags 0x1008842 change 0x0",
        ]
    );
    assert!(v4.is_empty() && v6.is_empty());
    assert_eq!(it.vnet.ack(&crate::support::link(RTM_DELLINK, ACK, index, vec![])).error, 0);
    let last: Vec<String> = it.heard()[0].split_off(4);
    assert_eq!(
        last,
        [
            "new epair0a flags 0x1208802 change 0x1",
            "del epair0a flags 0x1208802 change 0x0",
            "new epair0b flags 0x1208802 change 0x1",
            "del epair0b flags 0x1208802 change 0x0",
        ]
    );
}

#[test]
fn an_ethernet_interface_is_announced_before_it_has_its_address() {
    let vnet = Vnet::new(Profile::R14_0);
    let listener = vnet.sim.join(RTNLGRP_LINK);
    vnet.create("epair0a", "epair");
    let events = vnet.drain(listener);
    let address =
        |number: usize| events[number].get(IFLA_ADDRESS).and_then(|attr| attr.as_bytes()).map(<[u8]>::len);
    assert_eq!([address(0), address(1), address(2)], [Some(0), Some(0), Some(6)]);
    assert_eq!([0, 2].map(|number| events[number].get(IFLA_BROADCAST).is_some()), [false, true]);
}

#[test]
fn properties() {
    let it = Listening::new(Profile::R14_0);
    let index = it.vnet.create("lo10", "lo");
    it.heard();
    let attrs = vec![mtu(1400), alias("quiet")];
    assert_eq!(it.vnet.ack(&flagged(RTM_NEWLINK, ACK, index, IFF_PROMISC, IFF_PROMISC, attrs)).error, 0);
    // The link of a loopback interface follows its flags whenever they are handed to the driver.
    let link = [
        "new lo10 flags 0x8008 change 0x0",
        "new lo10 flags 0x8108 change 0x0",
        "new lo10 flags 0x8108 change 0x0",
        "new lo10 flags 0x8108 change 0x100",
    ];
    assert_eq!(it.heard()[0], link);
}

#[test]
fn a_small_receive_buffer_loses_events_but_no_replies() {
    let vnet = Vnet::new(Profile::R14_0);
    let listener = vnet.sim.join(RTNLGRP_LINK);
    vnet.sim.set_receive_buffer(listener, 400);
    vnet.sim.set_receive_buffer(vnet.socket, 1);
    assert_eq!(vnet.ack(&create("lo10", "lo", &[])).error, 0);
    assert_eq!(vnet.ack(&create("lo11", "lo", &[])).error, 0);
    assert_eq!((vnet.drain(listener).len(), vnet.sim.dropped(listener)), (1, 1));
    assert_eq!(vnet.ack(&create("lo12", "lo", &[])).error, 0);
    assert_eq!((vnet.drain(listener).len(), vnet.sim.dropped(listener)), (1, 1));
}

#[test]
fn a_full_buffer_takes_one_more_on_15_and_nobody_is_told() {
    for (profile, heard, lost, told) in [(Profile::R14_0, 1, 2, true), (Profile::R15, 2, 4, false)] {
        let vnet = Vnet::new(profile);
        let listener = vnet.sim.join(RTNLGRP_LINK);
        vnet.sim.set_receive_buffer(listener, 400);
        for name in ["lo10", "lo11", "lo12"] {
            assert_eq!(vnet.ack(&create(name, "lo", &[])).error, 0);
        }
        assert_eq!((vnet.drain(listener).len(), vnet.sim.dropped(listener)), (heard, lost));
        assert_eq!(vnet.sim.tells_loss(), told);
    }
}
