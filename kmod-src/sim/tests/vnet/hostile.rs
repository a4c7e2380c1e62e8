// SPDX-License-Identifier: BSD-2-Clause
//! No bytes make the model panic, answer with something malformed, or keep a reference.

use iface_sim::{Privilege, Profile, Sim, SocketOptions};
use nlproof_wire::consts::*;
use nlproof_wire::tree::{Attr, Message};
use nlproof_wire::{Os, strict};
use proptest::prelude::*;

use crate::support::*;

fn profiles() -> impl Strategy<Value = Profile> {
    proptest::sample::select(Profile::ALL.to_vec())
}

/// Attributes as requests have them, with any contents, some of them nested.
fn attributes() -> impl Strategy<Value = Vec<Attr>> {
    let payload = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        any::<[u8; 4]>().prop_map(|bytes| bytes.to_vec()),
        any::<[u8; 16]>().prop_map(|bytes| bytes.to_vec()),
        proptest::sample::select(vec!["lo0", "lo10", "lo", "epair0a", "epair", "em0", "vlan7", "epair0a.7"])
            .prop_map(|name| [name.as_bytes(), &[0]].concat()),
    ];
    let leaf = (0_u16..70, payload).prop_map(|(kind, payload)| Attr::bytes(kind, payload));
    let nest = (
        proptest::sample::select(vec![IFLA_LINKINFO, FREEBSD_NEST, 64]),
        proptest::collection::vec((0_u16..7, proptest::collection::vec(any::<u8>(), 0..12)), 0..4),
    )
        .prop_map(|(kind, inner)| {
            Attr::nested(kind, inner.into_iter().map(|(kind, payload)| Attr::bytes(kind, payload)).collect())
        });
    let names = vec![
        "lo10", "lo", "epair", "epair7", "gif", "tun", "tap", "disc", "bridge", "vlan", "vlan1", "vlan2",
    ];
    let kinds = proptest::sample::select(vec!["lo", "vlan"]);
    let data = (0_u16..6, proptest::collection::vec(any::<u8>(), 0..5), any::<bool>());
    let named = (proptest::sample::select(names), kinds, data, 0_u32..9).prop_map(
        |(name, kind, (id, junk, whole), parent)| {
            let id = Attr::bytes(IFLA_VLAN_ID, id.to_le_bytes());
            let data = if whole { vec![id] } else { vec![id, Attr::bytes(IFLA_VLAN_PROTOCOL, junk)] };
            let data = Attr::nested(IFLA_INFO_DATA, data);
            vec![
                Attr::string(IFLA_IFNAME, name.as_bytes()),
                Attr::bytes(IFLA_LINK, parent.to_le_bytes()),
                Attr::nested(IFLA_LINKINFO, vec![Attr::string(IFLA_INFO_KIND, kind.as_bytes()), data]),
            ]
        },
    );
    prop_oneof![named, proptest::collection::vec(prop_oneof![leaf, nest], 0..6)]
}

/// Messages that get past the first checks.
fn requests() -> impl Strategy<Value = Message> {
    let families = proptest::sample::select(vec![0_u8, AF_INET, 28, 18]);
    let links = (16_u16..20, any::<u16>(), 0_u32..7, any::<u32>(), any::<u32>(), attributes()).prop_map(
        |(kind, flags, index, if_flags, change, attrs)| {
            flagged(kind, flags | NLM_F_REQUEST, index, if_flags, change, attrs)
        },
    );
    let addresses = (20_u16..24, any::<u16>(), families, 0_u8..130, 0_u32..7, attributes()).prop_map(
        |(kind, flags, family, prefix_len, index, attrs)| {
            address(kind, flags | NLM_F_REQUEST, family, prefix_len, index, attrs)
        },
    );
    prop_oneof![links, addresses]
}

/// Sends the datagrams and looks at all that comes back.
fn run(profile: Profile, options: SocketOptions, datagrams: &[Vec<u8>]) -> Result<(), TestCaseError> {
    let sim = Sim::new(profile);
    let mut sockets = vec![sim.socket(options, Privilege::Root)];
    sockets.extend([RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR].map(|group| sim.join(group)));
    for datagram in datagrams {
        let sent = sim.send(sockets[0], datagram);
        prop_assert_eq!(sent.is_ok(), (16..=65536).contains(&datagram.len()));
        prop_assert_eq!(sim.held(), 0);
        sim.advance(1);
        for &socket in &sockets {
            while let Some(reply) = sim.recv(socket) {
                // What the request lied about comes back inside acknowledgements and is no fault of theirs.
                let mut offset = 0;
                for item in nlproof_wire::view::messages(&reply) {
                    let nlproof_wire::view::MessageItem::Message(message) = item else {
                        return Err(TestCaseError::fail(format!(
                            "unreadable after {offset} bytes: {reply:?}"
                        )));
                    };
                    let end = message.offset + message.header.len as usize;
                    if message.header.kind != NLMSG_ERROR {
                        let checked = strict::walk(Os::FreeBsd, &reply[message.offset..end]);
                        prop_assert!(checked.is_ok(), "{:?}: {:?}", checked, message);
                    }
                    offset = end;
                }
            }
        }
    }
    Ok(())
}

fn options() -> impl Strategy<Value = SocketOptions> {
    any::<[bool; 4]>().prop_map(|[ext_ack, cap_ack, strict, bound]| SocketOptions {
        ext_ack,
        cap_ack,
        strict,
        bound,
    })
}

proptest! {
    #[test]
    fn any_bytes(
        profile in profiles(),
        options in options(),
        datagrams in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..8192), 1..3),
    ) {
        run(profile, options, &datagrams)?;
    }

    #[test]
    fn requests_in_any_order(
        profile in profiles(),
        options in options(),
        messages in proptest::collection::vec(requests(), 1..16),
    ) {
        let datagrams: Vec<_> = messages.iter().map(|message| {
            let mut bytes = Vec::new();
            message.encode_to(&mut bytes);
            bytes
        }).collect();
        run(profile, options, &datagrams)?;
        run(profile, options, &[datagrams.concat()])?;
    }

    #[test]
    fn damaged_requests(
        profile in profiles(),
        options in options(),
        message in requests(),
        place in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
        cut in 0_usize..4,
    ) {
        let mut bytes = Vec::new();
        message.encode_to(&mut bytes);
        let place = place.index(bytes.len());
        bytes[place] = byte;
        bytes.truncate(bytes.len() - cut);
        run(profile, options, &[bytes])?;
    }
}
