// SPDX-License-Identifier: BSD-2-Clause

use std::path::PathBuf;

use nlproof_wire::view::{MessageItem, messages};
use proptest::prelude::*;

use super::*;
use crate::vector::{hex, lint, load_suite};

fn made(os: Os, data: &[u8], interfaces: &[(u32, &str)]) -> (Vector, Vec<Replaced>) {
    let interfaces = interfaces.iter().map(|(index, name)| (*index, (*name).to_owned())).collect();
    let mut replica = Replica::new("x/y", "what was seen", os);
    replica.steps.push(ReplicaStep::Send { data: data.to_vec(), interfaces });
    replica.vector(&PathBuf::from("x/y.yaml")).unwrap()
}

/// The bytes that a vector of one step sends, and those that it was made from, without the numbers of a run.
fn sent_and_seen(os: Os, data: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (vector, _) = made(os, data, &[]);
    assert_eq!(lint(&vector), [], "{}", vector.to_yaml());
    let steps = compile(&vector, os, 0).unwrap().steps;
    let Step::Send(send) = &steps[0] else { panic!("{steps:?}") };
    let mut starts: Vec<_> = messages(data)
        .filter_map(|item| match item {
            MessageItem::Message(message) => Some(message.offset),
            MessageItem::Trailing(_) => None,
        })
        .collect();
    starts.push(0);
    let plain = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        for start in &starts {
            bytes.iter_mut().skip(start + 8).take(8).for_each(|byte| *byte = 0);
        }
        bytes
    };
    (plain(&send.data), plain(data))
}

#[test]
fn names_where_there_is_a_name_and_bytes_where_there_is_none() {
    // newlink of lo10 (index 7), up, with a nest that has NLA_F_NESTED, an unknown attribute and an odd size.
    let bytes = hex("50000000 1000 0580 2a000000 63000000 00000000 07000000 01000000 01000000
         09000300 6c6f3130 00000000 0c001280 07000100 6c6f0000 06004d00 01020000 06000400 dc050000")
    .unwrap();
    let mut bytes = bytes;
    bytes[0] = bytes.len() as u8;
    let (vector, replaced) = made(Os::FreeBsd, &bytes, &[(7, "lo10")]);
    let expected = "about: what was seen\n\
        needs: {os: [freebsd]}\n\
        malformed: [attr-size, unknown-attr]\n\
        steps:\n  \
          - send:\n      \
              message: newlink\n      \
              flags: [request, ack, '0x8000']\n      \
              header: {index: $lo10, flags: up, change: up}\n      \
              attrs:\n        \
                - ifname: lo10\n        \
                - linkinfo|nested:\n            \
                    - kind: lo\n        \
                - '#77': {hex: '0102'}\n        \
                - mtu: {hex: dc05}\n";
    assert_eq!(vector.to_yaml().replace('"', "'"), expected);
    let told: Vec<_> = replaced.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "step 0, message at byte 0: nlmsg_seq 42 is numbered by the run",
            "step 0, message at byte 0: nlmsg_pid 99 is 0",
            "step 0, message at byte 0: index 7 is that of lo10 in the guest",
        ]
    );
}

#[test]
fn every_datagram_of_the_project_s_vectors_has_a_replica_of_its_bytes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors");
    for vector in &load_suite(&root).unwrap().vectors {
        for os in &vector.needs.os {
            for step in compile(vector, *os, 0).unwrap().steps {
                if let Step::Send(send) = step {
                    let (sent, seen) = sent_and_seen(*os, &send.data);
                    assert_eq!(sent, seen, "{}", vector.id);
                }
            }
        }
    }
}

#[test]
fn data_of_a_kind_and_capabilities_are_named() {
    let text = "00000000 1000 0500 00000000 00000000 00000000 00000000 00000000 00000000
         24001200 09000100 766c616e 00000000 14000200 06000100 16000000 06000500 a8880000
         00000000 00000000 00000000 1b006000 00000080";
    let mut bytes = hex(text).unwrap();
    let freebsd = nlproof_wire::schema::message_by_name(Os::FreeBsd, "newlink").unwrap().attrs.unwrap();
    let iflaf = freebsd.by_name("freebsd").unwrap();
    let caps = iflaf.kind.table().unwrap().by_name("caps").unwrap();
    let value = caps.kind.table().unwrap().by_name("value").unwrap();
    let at = bytes.len() - 20;
    for (offset, number) in [(2, iflaf.number), (6, caps.number), (10, value.number)] {
        bytes[at + offset..at + offset + 2].copy_from_slice(&number.to_le_bytes());
    }
    for (offset, len) in [(0, 20_u16), (4, 16), (8, 12)] {
        bytes[at + offset..at + offset + 2].copy_from_slice(&len.to_le_bytes());
    }
    bytes[0] = bytes.len() as u8;
    let (sent, seen) = sent_and_seen(Os::FreeBsd, &bytes);
    assert_eq!(sent, seen);
    let yaml = made(Os::FreeBsd, &bytes, &[]).0.to_yaml();
    for line in ["- kind: vlan\n", "- id: 22\n", "- protocol: 34984\n"] {
        assert!(yaml.contains(line), "{line}: {yaml}");
    }
    let names = "[rxcsum, txcsum, vlan_mtu, vlan_hwtagging, rxcsum_ipv6, txcsum_ipv6, 9223372036854775808]";
    assert!(yaml.contains(&format!("- value: {names}\n")), "{yaml}");
    let odd = yaml.replace("txcsum_ipv6", "txcsum_ipv7");
    let odd = parse_vector("x/y", Path::new("x/y.yaml"), &odd).unwrap();
    let error = compile(&odd, Os::FreeBsd, 0).unwrap_err().to_string();
    assert!(error.contains("capability") && error.contains("txcsum_ipv6"), "{error}");
}

#[test]
fn a_header_that_is_cut_and_says_its_own_length_is_cut() {
    let mut message = [&[16, 0, 0, 0, 0, 0x72, 0, 0x92][..], &[0; 8]].concat();
    for length in (1..16).rev() {
        message.truncate(length);
        let (sent, seen) = sent_and_seen(Os::FreeBsd, &message);
        assert_eq!(sent, seen, "{length} bytes");
    }
}

#[test]
fn bytes_that_are_no_message_are_sent_as_they_are() {
    for text in ["", "01", "0102030405", "ffffffff 1000 0500 00000000 00000000 aabb", "05000000 1000"] {
        let (sent, seen) = sent_and_seen(Os::FreeBsd, &hex(text).unwrap());
        assert_eq!(sent, seen, "{text}");
    }
}

#[test]
fn a_wireless_interface_of_a_freebsd_that_nobody_recorded_is_drafted() {
    let text = include_str!("../../../../../tests/fixtures/import/wlan0-newlink.hex");
    let bytes = hex(text).unwrap();
    let (sent, seen) = sent_and_seen(Os::FreeBsd, &bytes);
    assert_eq!(sent, seen);
    let (vector, _) = made(Os::FreeBsd, &bytes, &[]);
    let yaml = vector.to_yaml();
    assert!(yaml.contains("- ifname: wlan0\n") && yaml.contains("- operstate: unknown\n"), "{yaml}");
}

/// Datagrams near to what is sent in earnest: messages of known types with attributes, cut and damaged.
fn any_datagram() -> impl Strategy<Value = Vec<u8>> {
    let attr = (0_u16..70, prop::collection::vec(any::<u8>(), 0..14), any::<u8>()).prop_map(
        |(number, payload, odd)| {
            let flags = match odd {
                0..=9 => 0x8000,
                10..=15 => 0x4000,
                16..=18 => 0xc000,
                _ => 0,
            };
            let len = payload.len() as u16 + 4 + u16::from(odd == 19);
            let mut bytes = [len.to_le_bytes(), (number | flags).to_le_bytes()].concat();
            bytes.extend(payload);
            bytes.resize(bytes.len().next_multiple_of(4), if odd == 20 { 1 } else { 0 });
            bytes
        },
    );
    let types = prop_oneof![Just(16_u16), Just(17), Just(18), Just(20), Just(2), Just(3), 0_u16..100];
    let message = (types, any::<u16>(), any::<[u8; 16]>(), prop::collection::vec(attr, 0..5), any::<u8>())
        .prop_map(|(kind, flags, fixed, attrs, odd)| {
            let header = if matches!(kind, 20..=22) { &fixed[..8] } else { &fixed[..] };
            let mut body = [header, &attrs.concat()].concat();
            if odd < 40 {
                body.truncate(body.len().saturating_sub(usize::from(odd)));
            }
            let len = 16 + body.len() as u32 + u32::from(odd == 41) * 3;
            let mut bytes = len.to_le_bytes().to_vec();
            bytes.extend([kind.to_le_bytes(), flags.to_le_bytes()].concat());
            bytes.extend([7; 8]);
            bytes.extend(body);
            if odd != 42 {
                bytes.resize(bytes.len().next_multiple_of(4), u8::from(odd == 43));
            }
            bytes
        });
    prop_oneof![
        8 => prop::collection::vec(message, 1..4).prop_map(|messages| messages.concat()),
        1 => prop::collection::vec(any::<u8>(), 0..80),
    ]
}

proptest! {
    #[test]
    fn any_datagram_is_drafted_to_its_bytes(data in any_datagram(), linux: bool) {
        let os = if linux { Os::Linux } else { Os::FreeBsd };
        let (sent, seen) = sent_and_seen(os, &data);
        prop_assert_eq!(sent, seen);
    }
}
