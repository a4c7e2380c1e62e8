// SPDX-License-Identifier: BSD-2-Clause
//! A reply of a real kernel, byte for byte.

use crate::support::*;
use iface_sim::{Privilege, Profile, Sim, SocketOptions};
use nlproof_wire::consts::{RTM_GETLINK, RTM_NEWADDR};

/// RTM_GETLINK with NLM_F_DUMP and sequence number 7, answered by a stock 14.0-STABLE GENERIC kernel
/// (`kern.osreldate` 1400507, amd64) in a fresh vnet jail: lo0 with 127.0.0.1/8, up, and lo10, created with
/// MTU 1400 and the description "golden ground".
const DUMP_OF_TWO: &str = include_str!("../../../../harness/wire/tests/hex/getlink-dump.hex");

fn observed() -> Vec<u8> {
    let digits: Vec<u8> = DUMP_OF_TWO.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[test]
fn dump_of_two_interfaces() {
    let sim = Sim::new(Profile::R14_0);
    let options = SocketOptions { bound: false, ..SocketOptions::default() };
    let socket = sim.socket(options, Privilege::Root);
    let vnet = Vnet { sim, socket };
    assert_eq!(vnet.index("lo0"), 3, "the jail's first interface had this index");
    assert_eq!(vnet.ack(&inet(RTM_NEWADDR, 3, 8, [127, 0, 0, 1])).error, 0);
    assert_eq!(vnet.ack(&create("lo10", "lo", &[mtu(1400), alias("golden ground")])).error, 0);

    let mut request = Vec::new();
    link(RTM_GETLINK, DUMP, 0, vec![]).encode_to(&mut request);
    vnet.sim.send(socket, &request).expect("a whole message");
    let replies: Vec<u8> = std::iter::from_fn(|| vnet.sim.recv(socket)).flatten().collect();
    assert_eq!(replies, observed());
}
