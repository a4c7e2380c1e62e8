// SPDX-License-Identifier: BSD-2-Clause
//! Interfaces by driver: what a new one is like, and what its driver allows. The values are those that
//! 14.0-STABLE and 15.1-RELEASE kernels showed.

use iface_sim::Profile;
use nlproof_wire::consts::freebsd::*;
use nlproof_wire::consts::*;
use nlproof_wire::tree::{Attr, Message};

use crate::support::*;

fn modify(vnet: &Vnet, index: u32, flags: u32, change: u32, attrs: Vec<Attr>) -> Ack {
    vnet.ack(&flagged(RTM_NEWLINK, ACK, index, flags, change, attrs))
}

fn mtu_of(vnet: &Vnet, name: &str) -> Option<u32> {
    number(vnet.link(name).get(IFLA_MTU))
}

/// IFLA_LINKINFO of a VLAN with that id and, if given, protocol.
fn vlan_info(id: u16, protocol: Option<u16>) -> Attr {
    let mut data = vec![Attr::bytes(IFLA_VLAN_ID, id.to_le_bytes())];
    data.extend(protocol.map(|protocol| Attr::bytes(IFLA_VLAN_PROTOCOL, protocol.to_le_bytes())));
    let kind = Attr::string(IFLA_INFO_KIND, b"vlan");
    Attr::nested(IFLA_LINKINFO, vec![kind, Attr::nested(IFLA_INFO_DATA, data)])
}

fn vlan(name: &str, id: u16, parent: u32) -> Message {
    link(RTM_NEWLINK, CREATE, parent, vec![Attr::string(IFLA_IFNAME, name.as_bytes()), vlan_info(id, None)])
}

/// The same as other systems ask for it: the parent is in IFLA_LINK.
fn vlan_with_link(name: &str, id: u16, parent: u32) -> Message {
    let parent = Attr::bytes(IFLA_LINK, parent.to_le_bytes());
    let attrs = vec![Attr::string(IFLA_IFNAME, name.as_bytes()), parent, vlan_info(id, None)];
    link(RTM_NEWLINK, CREATE, 0, attrs)
}

fn with_epair(profile: Profile) -> (Vnet, u32) {
    let vnet = Vnet::new(profile);
    let parent = vnet.create("epair3a", "epair");
    (vnet, parent)
}

#[test]
fn type_flags_and_mtu() {
    let p2p = IFF_POINTOPOINT | IFF_MULTICAST;
    let ethernet = IFF_BROADCAST | IFF_SIMPLEX | IFF_MULTICAST;
    for profile in [Profile::R14_0, Profile::R15] {
        let vnet = Vnet::new(profile);
        for (driver, kind, flags, mtu) in [
            ("gif", IFT_GIF, p2p, 1280),
            ("tun", IFT_PPP, p2p, 1500),
            ("tap", IFT_ETHER, ethernet, 1500),
            ("bridge", IFT_BRIDGE, ethernet, 1500),
            ("disc", IFT_LOOP, IFF_LOOPBACK | IFF_MULTICAST | IFF_DRV_RUNNING, 65532),
        ] {
            let name = format!("{driver}3");
            vnet.create(&name, driver);
            let shown = vnet.link(&name);
            // From 15 on a creation that names no flags takes the interface down, which it was.
            assert_eq!((info(&shown).kind, info(&shown).flags), (kind, flags), "{name}");
            assert_eq!(number(shown.get(IFLA_MTU)), Some(mtu), "{name}");
            let kind = shown.get(IFLA_LINKINFO).and_then(|info| info.get(IFLA_INFO_KIND));
            assert_eq!(text(kind).as_deref(), Some(driver));
            assert_eq!(vnet.ack(&create(&name, driver, &[])).error, 17);
        }
    }
}

#[test]
fn mtu_limits_are_the_drivers() {
    let vnet = Vnet::new(Profile::R15);
    for (driver, good, bad) in [
        ("gif", vec![1280, 8192], vec![1279, 8193]),
        ("bridge", vec![72, 9000], vec![71, 65536]),
        ("tun", vec![72, 65535], vec![71, 65536]),
    ] {
        let name = format!("{driver}3");
        let index = vnet.create(&name, driver);
        for size in good {
            assert_eq!(modify(&vnet, index, IFF_UP, IFF_UP, vec![mtu(size)]).error, 0, "{name} {size}");
            assert_eq!(mtu_of(&vnet, &name), Some(size));
        }
        for size in bad {
            let ack = modify(&vnet, index, IFF_UP, IFF_UP, vec![mtu(size)]);
            assert_eq!(ack.brief(), (22, "Failed to set mtu"), "{name} {size}");
        }
    }
    let vnet = Vnet::new(Profile::R14_0);
    let index = vnet.create("bridge3", "bridge");
    assert_eq!(modify(&vnet, index, 0, 0, vec![mtu(575)]).error, 0);
    assert_eq!(mtu_of(&vnet, "bridge3"), Some(1500));
}

#[test]
fn disc_refuses_to_be_promiscuous_and_gif_does_not() {
    let vnet = Vnet::new(Profile::R14_0);
    let disc = vnet.create("disc3", "disc");
    let ack = modify(&vnet, disc, IFF_PROMISC, IFF_PROMISC, vec![]);
    assert_eq!(ack.brief(), (22, "unable to set promisc"));
    assert_eq!(info(&vnet.link("disc3")).flags & IFF_PROMISC, 0);
    let gif = vnet.create("gif3", "gif");
    assert_eq!(modify(&vnet, gif, IFF_PROMISC, IFF_PROMISC, vec![]).error, 0);
    assert_eq!(number(vnet.link("gif3").get(IFLA_PROMISCUITY)), Some(1));
}

#[test]
fn the_first_address_brings_them_up() {
    let vnet = Vnet::new(Profile::R14_0);
    for (driver, running) in [("bridge", IFF_DRV_RUNNING), ("tap", IFF_DRV_RUNNING)] {
        let name = format!("{driver}3");
        let index = vnet.create(&name, driver);
        assert_eq!(vnet.ack(&inet(RTM_NEWADDR, index, 24, [192, 0, 2, 1])).error, 0);
        let both = IFF_UP | IFF_DRV_RUNNING;
        assert_eq!(info(&vnet.link(&name)).flags & both, IFF_UP | running, "{name}");
    }
}

#[test]
fn point_to_point_addresses_have_a_peer() {
    let vnet = Vnet::new(Profile::R14_0);
    let index = vnet.create("tun3", "tun");
    assert_eq!(vnet.ack(&inet(RTM_NEWADDR, index, 24, [192, 0, 2, 1])).error, 22);
    let peer = vec![Attr::bytes(IFA_LOCAL, [192, 0, 2, 1]), Attr::bytes(IFA_ADDRESS, [192, 0, 2, 2])];
    assert_eq!(vnet.ack(&address(RTM_NEWADDR, ACK, AF_INET, 24, index, peer)).error, 0);
    let [shown] = &vnet.addresses(index)[..] else { panic!() };
    assert_eq!(shown.get(IFA_ADDRESS).and_then(Attr::as_bytes), Some(&[192, 0, 2, 2][..]));
    assert_eq!(shown.get(IFA_LOCAL).and_then(Attr::as_bytes), Some(&[192, 0, 2, 1][..]));
    assert_eq!(shown.get(IFA_BROADCAST), None);
}

#[test]
fn the_parent_of_a_new_vlan_is_in_the_header() {
    let (vnet, parent) = with_epair(Profile::R14_0);
    assert_eq!(
        vnet.ack(&vlan_with_link("vlan7", 7, parent)).brief(),
        (2, "unable to find parent interface 0")
    );
    assert_eq!(vnet.ack(&vlan("vlan7", 7, parent)).error, 0);
    let shown = vnet.link("vlan7");
    let flags = IFF_BROADCAST | IFF_DRV_RUNNING | IFF_SIMPLEX | IFF_MULTICAST | IFF_LOWER_UP;
    assert_eq!((info(&shown).kind, info(&shown).flags), (IFT_L2VLAN, flags));
    assert_eq!(shown.get(IFLA_ADDRESS), vnet.link("epair3a").get(IFLA_ADDRESS));
    assert_eq!(shown.get(IFLA_LINK), None, "the driver's own dump is never called");
}

#[test]
fn vlan_requests_that_are_refused() {
    let (vnet, parent) = with_epair(Profile::R14_0);
    let without = link(RTM_NEWLINK, CREATE, parent, create("vlan7", "vlan", &[]).attrs);
    assert_eq!(vnet.ack(&without).brief(), (45, "vlan id is required, guessing not supported"));
    assert_eq!(vnet.ack(&vlan("vlan7", 4096, parent)).brief(), (22, "Invalid VID: 4096"));
    assert_eq!(vnet.ack(&vlan("vlan7", 4095, parent)).brief(), (22, ""));
    assert_eq!(vnet.ack(&vlan("vlan7", 0, parent)).brief(), (22, ""));
    assert_eq!(vnet.ack(&vlan("vlan07", 7, parent)).brief(), (6, ""));
    assert_eq!(vnet.ack(&vlan("vlan7", 7, 3)).brief(), (43, ""), "lo0 can have no VLAN");
    let name = Attr::string(IFLA_IFNAME, b"vlan7");
    let foreign = link(RTM_NEWLINK, CREATE, parent, vec![name, vlan_info(7, Some(0xa888))]);
    assert_eq!(vnet.ack(&foreign).brief(), (45, "Unsupported ethertype: 0xA888"));
    assert_eq!(vnet.ack(&vlan("vlan7", 7, parent)).error, 0);
    assert_eq!(vnet.ack(&vlan("vlan8", 7, parent)).brief(), (17, ""), "one VLAN for each id");
    let (vnet, parent) = with_epair(Profile::R15);
    assert_eq!(vnet.ack(&vlan("vlan7", 4095, parent)).brief(), (22, "Invalid VID: 4095"));
    assert_eq!(vnet.names(), ["lo0", "epair3a", "epair3b"]);
}

#[test]
fn a_vlan_is_changed_with_its_parent_in_ifla_link() {
    let (vnet, parent) = with_epair(Profile::R14_0);
    assert_eq!(vnet.ack(&vlan("vlan7", 7, parent)).error, 0);
    let index = vnet.index("vlan7");
    let with_link = |parent: u32| vec![vlan_info(8, None), Attr::bytes(IFLA_LINK, parent.to_le_bytes())];
    assert_eq!(modify(&vnet, index, 0, 0, with_link(parent)).error, 0);
    assert_eq!(modify(&vnet, index, 0, 0, with_link(parent + 1)).error, 16);
    let ack = modify(&vnet, index, 0, 0, vec![vlan_info(8, None)]);
    assert_eq!(ack.brief(), (2, "unable to find parent interface 0"));
    assert_eq!(vnet.ack(&vlan("vlan8", 8, parent)).error, 17, "the id has been taken");
}

#[test]
fn vlans_and_their_parents() {
    let (vnet, parent) = with_epair(Profile::R14_0);
    assert_eq!(vnet.ack(&vlan("epair3a.9", 5, parent)).error, 0);
    let inner = vnet.index("epair3a.9");
    assert_eq!(vnet.ack(&vlan("vlan40", 40, inner)).error, 0);
    assert_eq!(mtu_of(&vnet, "vlan40"), Some(1496));
    let delete = |index| vnet.ack(&link(RTM_DELLINK, ACK, index, vec![])).error;
    assert_eq!(delete(inner), 16, "it carries another");
    assert_eq!(modify(&vnet, inner, IFF_PROMISC, IFF_PROMISC, vec![]).error, 0);
    assert_ne!(info(&vnet.link("epair3a")).flags & IFF_PROMISC, 0, "its parent has to listen too");
    assert_eq!(delete(parent), 0);
    let orphan = vnet.link("epair3a.9");
    assert_eq!(info(&orphan).flags & (IFF_DRV_RUNNING | IFF_LOWER_UP), 0);
    assert_eq!((vnet.names().len(), vnet.sim.held()), (3, 0));
}

#[test]
fn netlinks_own_vlan_cloner_forgets_the_parent() {
    for profile in [Profile::Seed, Profile::R13] {
        let (vnet, parent) = with_epair(profile);
        assert_eq!(vnet.ack(&vlan("vlan7", 7, 0)).brief(), (2, ""));
        let ack = vnet.ack(&vlan_with_link("vlan7", 7, parent));
        assert_eq!((ack.error, &ack.cookie), (0, &None), "{profile}: {ack:?}");
        assert_eq!(info(&vnet.link("vlan7")).flags & IFF_DRV_RUNNING, 0, "on nothing");
        // Any other kind leaves the choice of the driver to the name.
        assert_eq!(vnet.ack(&create("vlan8", "lo", &[])).error, 0);
        // A kind of that name is enough to be asked for an id.
        assert_eq!(vnet.ack(&create("lo8", "vlan", &[])).error, 45);
    }
}
