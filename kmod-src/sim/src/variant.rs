// SPDX-License-Identifier: BSD-2-Clause
//! Differences between the kernels around iface.c, as `iface_core::Behaviours` has them for iface.c itself.

use iface_core::Profile;

use crate::release::Release;

/// What one branch's network stack and netlink socket layer do where branches differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Variant {
    /// Bytes of a request's first reply buffer. 14's NLMSG_SMALL (128) becomes an mbuf with a packet header,
    /// which holds 160; 15 allocates what is asked for.
    pub(crate) first_buffer: usize,
    /// A datagram longer than one mbuf of a page is taken up last page first: `sbcut_locked`
    /// (`kern/uipc_sockbuf.c`) turns the chain round. 15 keeps a datagram in one buffer.
    pub(crate) pages_reversed: bool,
    /// Bytes of the sender's address before each datagram in a receive buffer, whose room the whole must fit into
    /// (`sbappendaddr_locked`). 15 has no address there and only asks whether the buffer is full (`nl_send`).
    pub(crate) address_in_buffer: Option<usize>,
    /// A socket that asks for it (SO_RERROR) hears ENOBUFS after events were lost. 15's `nl_send` tells nobody.
    pub(crate) loss_told: bool,
    /// What SIOCAIFADDR_IN6 found wrong is returned. In 14 `in6_control_ioctl` overwrites it with 0.
    pub(crate) inet6_add_errors: bool,
    /// Capabilities of epair(4): IFCAP_* of `net/if.h`.
    pub(crate) epair_capabilities: u32,
    /// First three bytes of an epair's address: locally administered, or FreeBSD's own range.
    pub(crate) epair_prefix: [u8; 3],
    /// Capabilities of bridge(4).
    pub(crate) bridge_capabilities: u32,
    /// Bytes of the smallest MTU that bridge(4) takes.
    pub(crate) bridge_mtu_min: u32,
    /// The last VLAN id that is looked at. 4095 is reserved and refused in any case.
    pub(crate) last_vlan_id: u16,
    /// What tun(4) and tap(4) can do and do from the start.
    pub(crate) tun_capabilities: u32,
    /// A VLAN is announced as what it is. In 14 it is Ethernet when it arrives and changes then.
    pub(crate) vlan_type_early: bool,
    /// AF_NETLINK is among the families that a jail without a network stack of its own has (`prison_check_af` of
    /// `kern/kern_jail.c`). It came with 14; before, only `allow.socket_af` lets such a jail have a socket.
    pub(crate) jailed_sockets: bool,
    /// vlan(4) and gif(4) say of themselves what they are (their `dump_nl_f` is asked), and gif(4) reads
    /// IFLA_INFO_DATA. Up to 15.1 `ifc_attach_cloner` overwrites the first, and gif(4) has neither.
    pub(crate) drivers_describe: bool,
    /// A route to a host takes the place of the one that this host has to an address of its own. Elsewhere it is EEXIST.
    pub(crate) own_route_yields: bool,
}

pub(crate) const IFCAP_RXCSUM: u32 = 1;
const IFCAP_TXCSUM: u32 = 1 << 1;
pub(crate) const IFCAP_VLAN_MTU: u32 = 1 << 3;
pub(crate) const IFCAP_VLAN_HWTAGGING: u32 = 1 << 4;
pub(crate) const IFCAP_LRO: u32 = 1 << 10;
pub(crate) const IFCAP_LINKSTATE: u32 = 1 << 19;
pub(crate) const IFCAP_RXCSUM_IPV6: u32 = 1 << 21;
const IFCAP_TXCSUM_IPV6: u32 = 1 << 22;
pub(crate) const IFCAP_MEXTPG: u32 = 1 << 26;
const CHECKSUMS: u32 = IFCAP_RXCSUM | IFCAP_TXCSUM | IFCAP_RXCSUM_IPV6 | IFCAP_TXCSUM_IPV6;

/// Capabilities of lo(4), the same in every branch.
pub(crate) const LOOPBACK_CAPABILITIES: u32 = CHECKSUMS | IFCAP_LINKSTATE;

impl Variant {
    pub(crate) const fn of(profile: Profile) -> Self {
        match profile {
            // tun(4) of 14.2 is what is newest of 14 (see `Release`).
            Profile::R14_3 => Self::of_release(Release::R14_2),
            Profile::Seed | Profile::R13 => Self { jailed_sockets: false, ..Self::of(Profile::R14_0) },
            Profile::R14_0 => Self {
                first_buffer: 160,
                pages_reversed: true,
                address_in_buffer: Some(12),
                loss_told: true,
                inet6_add_errors: false,
                epair_capabilities: IFCAP_VLAN_MTU,
                epair_prefix: [0x02, 0, 0],
                bridge_capabilities: 0,
                bridge_mtu_min: 576,
                last_vlan_id: 4095,
                tun_capabilities: IFCAP_LINKSTATE,
                vlan_type_early: false,
                jailed_sockets: true,
                drivers_describe: false,
                own_route_yields: false,
            },
            Profile::R15 => Self {
                first_buffer: 128,
                pages_reversed: false,
                address_in_buffer: None,
                loss_told: false,
                inet6_add_errors: true,
                epair_capabilities: CHECKSUMS | IFCAP_VLAN_MTU | IFCAP_VLAN_HWTAGGING,
                epair_prefix: [0x58, 0x9c, 0xfc],
                bridge_capabilities: IFCAP_VLAN_HWTAGGING,
                bridge_mtu_min: 0,
                last_vlan_id: 4094,
                tun_capabilities: IFCAP_LINKSTATE | IFCAP_MEXTPG,
                vlan_type_early: true,
                jailed_sockets: true,
                drivers_describe: false,
                own_route_yields: false,
            },
            Profile::R16 => Self { drivers_describe: true, ..Self::of(Profile::R15) },
        }
    }

    /// What a release does where it differs from the one that stands for its profile.
    pub(crate) const fn of_release(release: Release) -> Self {
        let of_profile = Self::of(release.profile());
        match release {
            Release::R14_2 => Self {
                tun_capabilities: IFCAP_LINKSTATE | IFCAP_MEXTPG,
                own_route_yields: true,
                ..of_profile
            },
            Release::R15_0 => Self { epair_capabilities: CHECKSUMS | IFCAP_VLAN_MTU, ..of_profile },
        }
    }
}
