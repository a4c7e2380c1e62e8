// SPDX-License-Identifier: BSD-2-Clause
//! In what the kernels around iface.c differ: what `iface_core::Behaviours` is for iface.c itself.

use iface_core::Profile;

/// What one branch's network stack and netlink socket layer do where branches differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Variant {
    /// Bytes of a request's first reply buffer. 14's NLMSG_SMALL (128) becomes an mbuf with a packet header,
    /// which holds 160; 15 allocates what is asked for.
    pub(crate) first_buffer: usize,
    /// What SIOCAIFADDR_IN6 found wrong is returned. In 14 `in6_control_ioctl` overwrites it with 0.
    pub(crate) inet6_add_errors: bool,
    /// Capabilities of epair(4): IFCAP_* of `net/if.h`.
    pub(crate) epair_capabilities: u32,
    /// First three bytes of an epair's address: locally administered, or FreeBSD's own range.
    pub(crate) epair_prefix: [u8; 3],
}

const IFCAP_RXCSUM: u32 = 1;
const IFCAP_TXCSUM: u32 = 1 << 1;
const IFCAP_VLAN_MTU: u32 = 1 << 3;
const IFCAP_VLAN_HWTAGGING: u32 = 1 << 4;
const IFCAP_LINKSTATE: u32 = 1 << 19;
const IFCAP_RXCSUM_IPV6: u32 = 1 << 21;
const IFCAP_TXCSUM_IPV6: u32 = 1 << 22;
const CHECKSUMS: u32 = IFCAP_RXCSUM | IFCAP_TXCSUM | IFCAP_RXCSUM_IPV6 | IFCAP_TXCSUM_IPV6;

/// Capabilities of lo(4), the same in every branch.
pub(crate) const LOOPBACK_CAPABILITIES: u32 = CHECKSUMS | IFCAP_LINKSTATE;

impl Variant {
    pub(crate) const fn of(profile: Profile) -> Self {
        match profile {
            Profile::Seed | Profile::R13 | Profile::R14_0 | Profile::R14_3 => Self {
                first_buffer: 160,
                inet6_add_errors: false,
                epair_capabilities: IFCAP_VLAN_MTU,
                epair_prefix: [0x02, 0, 0],
            },
            Profile::R15 | Profile::R16 => Self {
                first_buffer: 128,
                inet6_add_errors: true,
                epair_capabilities: CHECKSUMS | IFCAP_VLAN_MTU | IFCAP_VLAN_HWTAGGING,
                epair_prefix: [0x58, 0x9c, 0xfc],
            },
        }
    }
}
