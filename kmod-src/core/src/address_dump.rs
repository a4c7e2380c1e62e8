// SPDX-License-Identifier: BSD-2-Clause
//! The message about one address: RTM_NEWADDR and RTM_DELADDR (`dump_iface_addr` of iface.c).

use nlproof_wire::consts::freebsd::{AF_INET6, IFA_FREEBSD, IFAF_FLAGS, IFAF_VHID};
use nlproof_wire::consts::{
    AF_INET, IFA_ADDRESS, IFA_BROADCAST, IFA_CACHEINFO, IFA_F_DEPRECATED, IFA_F_NODAD, IFA_F_TEMPORARY,
    IFA_F_TENTATIVE, IFA_FLAGS, IFA_LABEL, IFA_LOCAL, IFF_BROADCAST, IFF_POINTOPOINT, RT_SCOPE_HOST,
    RT_SCOPE_LINK, RT_SCOPE_UNIVERSE,
};
use nlproof_wire::view::{IfAddrMsg, IfaCacheInfo};

use crate::address::{CacheInfo, InterfaceAddress, SocketAddress, is_link_local, is_loopback, without_scope};
use crate::behaviour::{AddressDump, Behaviours, Inet4Scope};
use crate::errno::Errno;
use crate::kernel::{Interface, Kernel};
use crate::name::Name;
use crate::probe::Probe;
use crate::writer::{MessageHeader, Writer, attribute_header};

/// Flags of IPv6 addresses (`netinet6/in6_var.h`).
pub(crate) mod in6_iff {
    pub(crate) const TENTATIVE: u32 = 0x02;
    pub(crate) const DUPLICATED: u32 = 0x04;
    pub(crate) const DEPRECATED: u32 = 0x10;
    pub(crate) const NODAD: u32 = 0x20;
    pub(crate) const TEMPORARY: u32 = 0x80;
}

/// What every message about an address of an interface says of the interface.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner {
    index: u32,
    flags: u32,
    name: Name,
}

impl Owner {
    /// A snapshot of the interface as it is now.
    pub(crate) fn of(ifp: &impl Interface) -> Self {
        Self { index: ifp.index(), flags: ifp.flags(), name: ifp.name() }
    }
}

/// Writes the message about one address of `owner`.
pub(crate) fn address<K: Kernel>(
    kernel: &K,
    behaviours: &Behaviours,
    writer: &mut impl Writer,
    header: &MessageHeader,
    owner: &Owner,
    address: &impl InterfaceAddress,
) -> Result<(), Errno> {
    let local = address.local();
    let info = IfAddrMsg {
        family: address.family(),
        prefixlen: address.prefix_len(),
        flags: 0,
        scope: scope(behaviours.inet4_scope, address.loopback_mask(), &local),
        index: owner.index,
    };
    if !writer.begin(header, &info.to_bytes()) {
        return Err(Errno::ENOMEM);
    }
    let full = behaviours.address_dump == AddressDump::Full;
    let point_to_point = owner.flags & IFF_POINTOPOINT != 0;
    let peer = if point_to_point { address.destination() } else { None };
    if let Some(peer) = peer.filter(|peer| !full || peer.family() != 0) {
        socket_address(writer, IFA_ADDRESS, &peer);
        socket_address(writer, IFA_LOCAL, &local);
    } else if !full && point_to_point {
        socket_address(writer, IFA_LOCAL, &local);
    } else {
        match local {
            SocketAddress::Inet(inet) => {
                let inet = u32::from_ne_bytes(inet);
                writer.words(&[attribute_header(IFA_ADDRESS, 4), inet, attribute_header(IFA_LOCAL, 4), inet]);
            }
            other => socket_address(writer, IFA_ADDRESS, &other),
        }
    }
    if owner.flags & IFF_BROADCAST != 0
        && let Some(broadcast) = address.destination()
    {
        socket_address(writer, IFA_BROADCAST, &broadcast);
    }
    writer.name(IFA_LABEL, owner.name);
    let flags_header = attribute_header(IFA_FLAGS, 4);
    let (inet6, vhid) = if full { (address.inet6(), address.vhid()) } else { (None, None) };
    match inet6 {
        None if !full => writer.words(&[flags_header, 0]),
        None if vhid.is_none() => {
            writer.words(&[flags_header, 0, attribute_header(IFA_FREEBSD, 0)]);
        }
        inet6 => {
            writer.words(&[flags_header, inet6.map_or(0, |inet6| flags(inet6.flags))]);
            if let Some(inet6) = inet6 {
                writer.attribute(IFA_CACHEINFO, &cache_info(inet6.cache).to_bytes());
            }
            if let Some(nest) = writer.nest(IFA_FREEBSD) {
                if let Some(vhid) = vhid {
                    writer.words(&[attribute_header(IFAF_VHID, 4), vhid]);
                }
                if let Some(inet6) = inet6 {
                    writer.words(&[attribute_header(IFAF_FLAGS, 4), inet6.flags]);
                }
                writer.end_nest(nest);
            }
        }
    }
    if writer.end() {
        let MessageHeader { kind: message, flags, seq, .. } = *header;
        kernel.probe(Probe::MessageWritten { message, flags, seq, index: owner.index });
        Ok(())
    } else {
        writer.abort();
        Err(Errno::ENOMEM)
    }
}

/// An attribute with an address. Families that netlink has no form for are left out.
fn socket_address(writer: &mut impl Writer, kind: u16, address: &SocketAddress) {
    match address {
        SocketAddress::Inet(inet) => writer.attribute(kind, inet),
        SocketAddress::Inet6(inet6) => writer.attribute(kind, &without_scope(inet6)),
        SocketAddress::Link(link) => writer.attribute(kind, link.as_bytes()),
        SocketAddress::Other(_) => {}
    }
}

/// `ifa_get_scope`.
fn scope(inet4: Inet4Scope, loopback_mask: u32, address: &SocketAddress) -> u8 {
    match address {
        SocketAddress::Inet(inet) => {
            let inet = match inet4 {
                Inet4Scope::HostOrder => u32::from_be_bytes(*inet),
                // The macros are made for host order, and a little-endian machine sees the last byte first.
                Inet4Scope::NetworkOrderAsHost => u32::from_le_bytes(*inet),
            };
            // IN_LOOPBACK, IN_LINKLOCAL.
            match inet {
                _ if inet & loopback_mask == 0x7f00_0000 => RT_SCOPE_HOST,
                _ if inet & 0xffff_0000 == 0xa9fe_0000 => RT_SCOPE_LINK,
                _ => RT_SCOPE_UNIVERSE,
            }
        }
        SocketAddress::Inet6(inet6) if is_loopback(inet6) => RT_SCOPE_HOST,
        SocketAddress::Inet6(inet6) if is_link_local(inet6) => RT_SCOPE_LINK,
        _ => RT_SCOPE_UNIVERSE,
    }
}

/// `in6_flags_to_nl`. It means to report IFA_F_PERMANENT and IFA_F_DADFAILED as well, but sets them in the
/// wrong variable, so that nobody has ever seen them.
fn flags(in6: u32) -> u32 {
    [
        (in6_iff::TEMPORARY, IFA_F_TEMPORARY),
        (in6_iff::NODAD, IFA_F_NODAD),
        (in6_iff::DEPRECATED, IFA_F_DEPRECATED),
        (in6_iff::TENTATIVE, IFA_F_TENTATIVE),
    ]
    .into_iter()
    .filter(|&(kernel, _)| in6 & kernel != 0)
    .fold(0, |flags, (_, netlink)| flags | netlink)
}

/// Time stamps go out in milliseconds and wrap after 49 days.
fn cache_info(cache: CacheInfo) -> IfaCacheInfo {
    let milliseconds = |seconds: u64| {
        let [a, b, c, d, ..] = seconds.wrapping_mul(1000).to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    };
    IfaCacheInfo {
        preferred: cache.preferred,
        valid: cache.valid,
        created: milliseconds(cache.created),
        updated: milliseconds(cache.updated),
    }
}

const _: () = assert!(AF_INET == 2 && AF_INET6 == 28);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::IN_LOOPBACK_MASK_DFLT;

    #[test]
    fn scope_by_byte_order() {
        let scope_of = |order, address| scope(order, IN_LOOPBACK_MASK_DFLT, &SocketAddress::Inet(address));
        let (wrong, right) = (Inet4Scope::NetworkOrderAsHost, Inet4Scope::HostOrder);
        for (address, before, after) in [
            ([127, 0, 0, 1], RT_SCOPE_UNIVERSE, RT_SCOPE_HOST),
            ([169, 254, 0, 1], RT_SCOPE_UNIVERSE, RT_SCOPE_LINK),
            ([10, 0, 0, 127], RT_SCOPE_HOST, RT_SCOPE_UNIVERSE),
            ([10, 0, 254, 169], RT_SCOPE_LINK, RT_SCOPE_UNIVERSE),
            ([192, 0, 2, 1], RT_SCOPE_UNIVERSE, RT_SCOPE_UNIVERSE),
        ] {
            assert_eq!((scope_of(wrong, address), scope_of(right, address)), (before, after), "{address:?}");
        }
    }

    #[test]
    fn what_is_the_host_s_own_is_a_question_of_the_stack_s_mask() {
        let scope_of = |mask, address| scope(Inet4Scope::HostOrder, mask, &SocketAddress::Inet(address));
        assert_eq!(scope_of(0xffff_0000, [127, 0, 77, 1]), RT_SCOPE_HOST);
        assert_eq!(scope_of(0xffff_0000, [127, 1, 0, 1]), RT_SCOPE_UNIVERSE);
    }

    #[test]
    fn flags_that_are_lost() {
        assert_eq!(flags(0), 0);
        assert_eq!(flags(in6_iff::DUPLICATED), 0);
        assert_eq!(flags(in6_iff::TENTATIVE | in6_iff::NODAD), 0x42);
    }

    #[test]
    fn stamps_wrap() {
        let cache = CacheInfo { created: 4_294_968, ..CacheInfo::default() };
        assert_eq!(cache_info(cache).created, 704);
    }
}
