// SPDX-License-Identifier: BSD-2-Clause
//! Link-level addresses: six bytes that are neither all zero nor all ones become `$mac0`, `$mac1`, ... in the
//! order in which they appear; the same address gets the same name. So do the IPv6 link-local addresses that
//! the kernel derives from them (RFC 4291, appendix A): `fe80::$mac0`.

use std::net::IpAddr;

use super::super::item::Trace;
use super::super::node::Val;
use super::messages;

pub(super) fn rename(trace: &mut Trace) {
    let mut known: Vec<[u8; 6]> = Vec::new();
    for message in messages(trace) {
        message.walk_mut(&mut |node| {
            if let Val::HwAddr(bytes) = &node.value
                && let Ok(mac) = <[u8; 6]>::try_from(bytes.as_slice())
                && mac != [0; 6]
                && mac != [0xff; 6]
            {
                node.value = Val::Text(name(&mut known, mac));
            }
        });
    }
    for message in messages(trace) {
        message.walk_mut(&mut |node| {
            if let Val::Ip(address) = node.value
                && let Some(mac) = mac_of_link_local(address)
            {
                node.value = Val::Text(format!("fe80::{}", name(&mut known, mac)));
            }
        });
    }
}

fn name(known: &mut Vec<[u8; 6]>, mac: [u8; 6]) -> String {
    let position = known.iter().position(|other| *other == mac).unwrap_or_else(|| {
        known.push(mac);
        known.len() - 1
    });
    format!("$mac{position}")
}

/// The 48-bit address inside a modified EUI-64 link-local address.
fn mac_of_link_local(address: IpAddr) -> Option<[u8; 6]> {
    let IpAddr::V6(address) = address else { return None };
    match address.octets() {
        [0xfe, 0x80, 0, 0, 0, 0, 0, 0, a, b, c, 0xff, 0xfe, d, e, f] => Some([a ^ 2, b, c, d, e, f]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{replies, values, with};
    use super::*;

    #[test]
    fn the_same_address_has_the_same_name_and_odd_ones_stay() {
        let macs: [&[u8]; 5] =
            [&[2, 0, 0, 0, 0, 1], &[2, 0, 0, 0, 0, 2], &[2, 0, 0, 0, 0, 1], &[0xff; 6], &[1, 2, 3]];
        let mut nodes: Vec<_> = macs.iter().map(|mac| with("a", Val::HwAddr(mac.to_vec()))).collect();
        nodes.push(with("a", Val::Ip("fe80::ff:fe00:2".parse().unwrap())));
        nodes.push(with("a", Val::Ip("fe80::1".parse().unwrap())));
        let mut trace = replies(nodes);
        rename(&mut trace);
        let text = |text: &str| Val::Text(text.into());
        assert_eq!(
            values(&trace, "a"),
            [
                text("$mac0"),
                text("$mac1"),
                text("$mac0"),
                Val::HwAddr(vec![0xff; 6]),
                Val::HwAddr(vec![1, 2, 3]),
                text("fe80::$mac1"),
                Val::Ip("fe80::1".parse().unwrap()),
            ]
        );
    }
}
