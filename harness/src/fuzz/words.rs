// SPDX-License-Identifier: BSD-2-Clause
//! The words that requests are made of: interfaces and their kinds, addresses, numbers at which kernels decide.

use super::rng::Rng;

/// Kinds of interfaces that every guest has, the names that ask for one, and the interfaces that there are then. The
/// simulator has all of them too.
pub(super) const KINDS: [(&str, &str, &[&str]); 8] = [
    ("lo", "lo10", &["lo10"]),
    ("lo", "lo11", &["lo11"]),
    ("epair", "epair7", &["epair7a", "epair7b"]),
    ("bridge", "bridge7", &["bridge7"]),
    ("disc", "disc7", &["disc7"]),
    ("gif", "gif7", &["gif7"]),
    ("tap", "tap7", &["tap7"]),
    ("vlan", "vlan7", &["vlan7"]),
];

/// Beginnings of names that a cloner takes, and the modules that they are in. The simulator does not have all of them.
pub(super) const MODULES: [(&str, &str); 13] = [
    ("epair", "if_epair"),
    ("bridge", "if_bridge"),
    ("disc", "if_disc"),
    ("gif", "if_gif"),
    ("tap", "if_tuntap"),
    ("tun", "if_tuntap"),
    ("vlan", "if_vlan"),
    ("lagg", "if_lagg"),
    ("vxlan", "if_vxlan"),
    ("gre", "if_gre"),
    ("stf", "if_stf"),
    ("wg", "if_wg"),
    ("fault", "nlproof_faultnic"),
];

const ODD_NAMES: [&str; 10] =
    ["", "l", "nosuch0", "lo", "lo0", "lo99", "Lo10", "lo 10", "fifteen_letters", "sixteen__letters"];
const ODD_KINDS: [&str; 6] = ["", "nosuch", "LO", "lo0", "vlan7", "wg"];
const NUMBERS: [u32; 18] = [
    0,
    1,
    2,
    71,
    72,
    127,
    128,
    255,
    256,
    576,
    1280,
    1500,
    9000,
    16384,
    65535,
    65536,
    0x7fff_ffff,
    0xffff_ffff,
];
const INET: [[u8; 4]; 9] = [
    [10, 0, 0, 1],
    [10, 0, 0, 2],
    [10, 0, 0, 255],
    [127, 0, 0, 1],
    [169, 254, 0, 1],
    [192, 0, 2, 1],
    [224, 0, 0, 1],
    [0, 0, 0, 0],
    [255, 255, 255, 255],
];
/// Prefixes of IPv6 addresses; the last byte is drawn.
const INET6: [[u8; 3]; 7] = [
    [0x20, 0x01, 0x0d],
    [0xfe, 0x80, 0],
    [0xfc, 0, 0],
    [0xff, 0x02, 0],
    [0, 0, 0],
    [0xfe, 0x80, 0x20],
    [0x20, 0x02, 0],
];

/// The name of an interface: mostly one that is there.
pub(super) fn name(rng: &mut Rng, there: &[String]) -> String {
    if rng.chance(70)
        && let Some(name) = rng.maybe(there)
    {
        return name.clone();
    }
    if rng.chance(60) { rng.one(&KINDS).1.to_owned() } else { rng.one(&ODD_NAMES).to_owned() }
}

/// A kind of interfaces: mostly one that can be made.
pub(super) fn kind(rng: &mut Rng) -> String {
    if rng.chance(85) { rng.one(&KINDS).0.to_owned() } else { rng.one(&ODD_KINDS).to_owned() }
}

/// A text of letters. Long ones are rare, and their lengths those of the kernel's buffers.
pub(super) fn text(rng: &mut Rng) -> String {
    let len = match rng.below(40) {
        0 => 100 + rng.below(1200),
        1..4 => 60 + rng.below(10),
        _ => rng.below(20),
    };
    (0..len).map(|_| char::from(b'a' + u8::try_from(rng.below(26)).unwrap_or_default())).collect()
}

/// A number, mostly one at which somebody decides something.
pub(super) fn number(rng: &mut Rng) -> u32 {
    if rng.chance(80) { rng.one(&NUMBERS) } else { rng.word() }
}

/// An IPv4 address.
pub(super) fn inet(rng: &mut Rng) -> Vec<u8> {
    if rng.chance(90) { rng.one(&INET).to_vec() } else { rng.bytes(4) }
}

/// An IPv6 address.
pub(super) fn inet6(rng: &mut Rng) -> Vec<u8> {
    let mut address = vec![0; 16];
    let prefix = rng.one(&INET6);
    address.splice(..3, prefix);
    if rng.chance(20) {
        address.splice(8..12, rng.bytes(4));
    }
    address.splice(15.., [u8::try_from(rng.below(4)).unwrap_or_default()]);
    address
}

/// A link-level address.
pub(super) fn hwaddr(rng: &mut Rng) -> Vec<u8> {
    match rng.below(10) {
        0 => {
            let len = rng.below(24);
            rng.bytes(len)
        }
        1 => vec![0xff; 6],
        2 => vec![1, 0, 0x5e, 0, 0, 1],
        last => [&[2, 0, 0, 0, 0], &[u8::try_from(last).unwrap_or_default()][..]].concat(),
    }
}
