// SPDX-License-Identifier: BSD-2-Clause
//! Names of `IFCAP_*`, FreeBSD's capabilities of an interface, by bit.

use super::names::spells;

/// Bit 0 first, as `net/if.h` numbers them (`IFCAP_B_*`); those from 32 on are the second word's.
static NAMES: [&str; 35] = [
    "rxcsum",
    "txcsum",
    "netcons",
    "vlan_mtu",
    "vlan_hwtagging",
    "jumbo_mtu",
    "polling",
    "vlan_hwcsum",
    "tso4",
    "tso6",
    "lro",
    "wol_ucast",
    "wol_mcast",
    "wol_magic",
    "toe4",
    "toe6",
    "vlan_hwfilter",
    "nv",
    "vlan_hwtso",
    "linkstate",
    "netmap",
    "rxcsum_ipv6",
    "txcsum_ipv6",
    "hwstats",
    "txrtlmt",
    "hwrxtstmp",
    "mextpg",
    "txtls4",
    "txtls6",
    "vxlan_hwcsum",
    "vxlan_hwtso",
    "txtls_rtlmt",
    "rxtls4",
    "rxtls6",
    "ipsec_offload",
];

/// The names of all capabilities, bit 0 first.
#[must_use]
pub fn capabilities() -> &'static [&'static str] {
    &NAMES
}

/// The bit of a capability by its name, which may be the header's own: `IFCAP_VLAN_MTU`.
#[must_use]
pub fn capability(name: &str) -> Option<u64> {
    let bit = NAMES.iter().position(|known| spells(name, known, &["ifcap_", "ifcap2_"]))?;
    1_u64.checked_shl(u32::try_from(bit).ok()?)
}

/// The capabilities of a word in two halves: the names of its bits, and the bits that have none.
pub fn capability_names(word: u64) -> (impl Iterator<Item = &'static str>, u64) {
    let named = NAMES.iter().enumerate().filter(move |(bit, _)| word >> bit & 1 == 1);
    (named.map(|(_, name)| *name), word >> NAMES.len() << NAMES.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn bits_have_the_names_of_the_header() {
        let word = u64::from_le_bytes([0x1b, 0, 0x60, 0, 0, 0, 0, 0x80]);
        let (names, rest) = capability_names(word);
        let names: Vec<_> = names.collect();
        assert_eq!(names, ["rxcsum", "txcsum", "vlan_mtu", "vlan_hwtagging", "rxcsum_ipv6", "txcsum_ipv6"]);
        assert_eq!(rest, 1 << 63);
        assert_eq!((capability("IFCAP_VLAN_MTU"), capability("rxtls4")), (Some(8), Some(1 << 32)));
        assert_eq!(capability("no such"), None);
        for name in capabilities() {
            let bit = capability(name).unwrap();
            assert_eq!(
                (capability_names(bit).0.collect::<Vec<_>>(), capability_names(bit).1),
                (Vec::from([*name]), 0)
            );
        }
    }
}
