// SPDX-License-Identifier: BSD-2-Clause
//! A jail that shares its network stack: whether it has a socket, and what it may ask.

use iface_sim::{Privilege, Profile, SocketOptions};
use nlproof_wire::consts::*;

use super::support::*;

const BEFORE_14: [Profile; 2] = [Profile::Seed, Profile::R13];

fn jailed(profile: Profile, privilege: Privilege) -> Vnet {
    Vnet::with(profile, SocketOptions { ext_ack: true, ..SocketOptions::default() }, privilege)
}

#[test]
fn before_14_it_has_no_socket_unless_it_has_all() {
    for profile in Profile::ALL {
        let vnet = Vnet::new(profile);
        let opened = vnet.sim.may_open(Privilege::Jailed).map_err(|errno| errno.number());
        assert_eq!(opened, if BEFORE_14.contains(&profile) { Err(43) } else { Ok(()) }, "{profile}");
        for others in [Privilege::Root, Privilege::Unprivileged, Privilege::JailedWithSockets] {
            assert_eq!(vnet.sim.may_open(others), Ok(()), "{profile} {others:?}");
        }
    }
}

#[test]
fn before_14_nobody_asks_for_jails_and_privileges_alone_keep_it_from_changing_links() {
    for profile in BEFORE_14 {
        let vnet = jailed(profile, Privilege::JailedWithSockets);
        assert_eq!(info(&vnet.link("lo0")).index, 3, "{profile}");
        assert!(vnet.addresses(3).is_empty());
        assert_eq!(vnet.ack(&create("lo10", "lo", &[])).brief(), (1, ""));
        assert_eq!(vnet.ack(&link(RTM_NEWLINK, ACK, 3, vec![])).brief(), (1, ""));
        assert_eq!(vnet.ack(&link(RTM_DELLINK, ACK, 3, vec![])).brief(), (1, ""));
        // A change of addresses is a list of them in these branches, for everybody.
        for kind in [RTM_NEWADDR, RTM_DELADDR] {
            let answers = vnet.ask(&inet(kind, 3, 24, [192, 0, 2, 17]));
            let kinds: Vec<_> = answers.iter().map(|answer| answer.header.kind).collect();
            assert_eq!(kinds, [NLMSG_DONE], "{profile} {kind}");
        }
        assert_eq!(vnet.ack(&link(RTM_SETLINK, ACK, 3, vec![])).brief(), (45, "unknown message type: 19"));
    }
}

#[test]
fn from_14_on_it_may_look_and_no_more() {
    for profile in Profile::ALL.into_iter().filter(|profile| !BEFORE_14.contains(profile)) {
        for privilege in [Privilege::Jailed, Privilege::JailedWithSockets] {
            let vnet = jailed(profile, privilege);
            assert_eq!(info(&vnet.link("lo0")).index, 3, "{profile}");
            for kind in [RTM_NEWADDR, RTM_DELADDR] {
                assert_eq!(
                    vnet.ack(&inet(kind, 3, 24, [192, 0, 2, 17])).brief(),
                    (1, ""),
                    "{profile} {kind}"
                );
            }
        }
    }
}
