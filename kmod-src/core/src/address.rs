// SPDX-License-Identifier: BSD-2-Clause
//! Addresses as the kernel holds them, and what it is asked to add.

use nlproof_wire::consts::{AF_INET, freebsd};

/// A link-level address of at most 32 bytes; longer ones do not exist (InfiniBand has 20).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkAddress {
    bytes: [u8; 32],
    len: u8,
}

impl LinkAddress {
    /// The address of those bytes; what exceeds 32 is cut off.
    #[must_use]
    pub fn new(address: &[u8]) -> Self {
        let mut bytes = [0; 32];
        let mut len = 0_u8;
        for (slot, &byte) in bytes.iter_mut().zip(address) {
            *slot = byte;
            len = len.saturating_add(1);
        }
        Self { bytes, len }
    }

    /// The first `len` of those bytes, the rest of which are 0; no more than there are.
    #[must_use]
    pub const fn of(bytes: [u8; 32], len: u8) -> Self {
        Self { bytes, len: if len > 32 { 32 } else { len } }
    }

    /// The bytes; none for an interface without link-level addresses.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&[])
    }
}

/// What iface.c looks at in a `struct sockaddr`. IPv6 addresses of link-local scope carry the interface's
/// index in their second two bytes, as everywhere inside the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketAddress {
    /// AF_INET: the address in network order.
    Inet([u8; 4]),
    /// AF_INET6: the address in network order.
    Inet6([u8; 16]),
    /// AF_LINK.
    Link(LinkAddress),
    /// Any other family; nothing of it is ever sent.
    Other(u8),
}

impl SocketAddress {
    /// `sa_family`.
    #[must_use]
    pub const fn family(&self) -> u8 {
        match self {
            Self::Inet(_) => AF_INET,
            Self::Inet6(_) => freebsd::AF_INET6,
            Self::Link(_) => freebsd::AF_LINK,
            Self::Other(family) => *family,
        }
    }
}

/// One address of an interface: what iface.c reads of `struct ifaddr`, `in_ifaddr` and `in6_ifaddr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// `ifa_addr`.
    pub local: SocketAddress,
    /// `ifa_dstaddr`, which is the same field as `ifa_broadaddr`: the peer on a point-to-point interface, the
    /// broadcast address elsewhere. `None` for a null pointer; a `sockaddr` of family 0 is `Other(0)`.
    pub destination: Option<SocketAddress>,
    /// One bits in `ifa_netmask`.
    pub prefix_len: u8,
    /// `carp_get_vhid` of an address that CARP manages.
    pub vhid: Option<u32>,
    /// What only IPv6 addresses have.
    pub inet6: Option<Inet6State>,
}

/// `IN_LOOPBACK_MASK_DFLT` of `netinet/in.h`: 127/8.
pub(crate) const IN_LOOPBACK_MASK_DFLT: u32 = 0xff00_0000;

/// An address of an interface as the kernel around this crate has it: each thing is read when it is asked for.
pub trait InterfaceAddress {
    /// `sa_family` of [`local`](Self::local).
    fn family(&self) -> u8;
    /// [`Address::local`].
    fn local(&self) -> SocketAddress;
    /// [`Address::destination`].
    fn destination(&self) -> Option<SocketAddress>;
    /// [`Address::prefix_len`].
    fn prefix_len(&self) -> u8;
    /// `V_in_loopback_mask` of the network stack, in host order: what of an IPv4 address says that it is one of the
    /// host's own (net.inet.ip.loopback_prefixlen).
    fn loopback_mask(&self) -> u32;
    /// [`Address::vhid`].
    fn vhid(&self) -> Option<u32>;
    /// [`Address::inet6`].
    fn inet6(&self) -> Option<Inet6State>;
}

impl InterfaceAddress for Address {
    fn family(&self) -> u8 {
        self.local.family()
    }

    fn local(&self) -> SocketAddress {
        self.local
    }

    fn destination(&self) -> Option<SocketAddress> {
        self.destination
    }

    fn prefix_len(&self) -> u8 {
        self.prefix_len
    }

    /// The mask of a stack in which nobody has changed it.
    fn loopback_mask(&self) -> u32 {
        IN_LOOPBACK_MASK_DFLT
    }

    fn vhid(&self) -> Option<u32> {
        self.vhid
    }

    fn inet6(&self) -> Option<Inet6State> {
        self.inet6
    }
}

/// What only IPv6 addresses have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inet6State {
    /// `ia6_flags`: IN6_IFF_* of `netinet6/in6_var.h`.
    pub flags: u32,
    /// Lifetimes and time stamps.
    pub cache: CacheInfo,
}

/// Lifetimes of an address as configured, in seconds (`INFINITE_LIFETIME`: for ever), and when it was made and
/// changed, in seconds since boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheInfo {
    /// `ia6t_pltime`.
    pub preferred: u32,
    /// `ia6t_vltime`.
    pub valid: u32,
    /// `ia6_createtime`.
    pub created: u64,
    /// `ia6_updatetime`.
    pub updated: u64,
}

/// An IPv4 address to add: `struct in_aliasreq` of `netinet/in.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InetAlias {
    /// `ifra_addr`.
    pub address: [u8; 4],
    /// `ifra_mask`.
    pub mask: [u8; 4],
    /// `ifra_dstaddr`, which is the same field as `ifra_broadaddr`.
    pub destination: Option<[u8; 4]>,
    /// `ifra_vhid`; 0: no CARP.
    pub vhid: u32,
}

/// An IPv6 address to add: `struct in6_aliasreq` of `netinet6/in6_var.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inet6Alias {
    /// `ifra_addr`.
    pub address: [u8; 16],
    /// Leading one bits of `ifra_prefixmask`, 0 to 128.
    pub prefix_len: u8,
    /// `ifra_dstaddr`.
    pub destination: Option<[u8; 16]>,
    /// `ifra_flags`: IN6_IFF_*.
    pub flags: u32,
    /// `ia6t_pltime` in seconds.
    pub preferred: u32,
    /// `ia6t_vltime` in seconds.
    pub valid: u32,
    /// `ifra_vhid`; 0: no CARP.
    pub vhid: u32,
}

/// `IN6_IS_ADDR_LINKLOCAL`: fe80::/10.
pub(crate) const fn is_link_local(address: &[u8; 16]) -> bool {
    let [first, second, ..] = *address;
    first == 0xfe && second & 0xc0 == 0x80
}

/// `IN6_IS_ADDR_LOOPBACK`: ::1.
pub(crate) const fn is_loopback(address: &[u8; 16]) -> bool {
    u128::from_be_bytes(*address) == 1
}

/// The address without the interface's index that the kernel keeps inside it (`in6_splitscope`): for
/// link-local unicast and for multicast of interface-local or link-local scope.
pub(crate) const fn without_scope(address: &[u8; 16]) -> [u8; 16] {
    let mut plain = *address;
    let [first, second, third, fourth, ..] = &mut plain;
    let scoped_multicast = *first == 0xff && matches!(*second & 0x0f, 1 | 2);
    if scoped_multicast || is_link_local(address) {
        *third = 0;
        *fourth = 0;
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v6(text: &str) -> [u8; 16] {
        text.parse::<core::net::Ipv6Addr>().unwrap().octets()
    }

    #[test]
    fn scopes() {
        assert_eq!(without_scope(&v6("fe80:7::1")), v6("fe80::1"));
        assert_eq!(without_scope(&v6("ff02:7::1")), v6("ff02::1"));
        assert_eq!(without_scope(&v6("ff05:7::1")), v6("ff05:7::1"));
        assert_eq!(without_scope(&v6("2001:db8::1")), v6("2001:db8::1"));
        assert!(is_link_local(&v6("febf::1")) && !is_link_local(&v6("fec0::1")));
        assert!(is_loopback(&v6("::1")) && !is_loopback(&v6("::")));
    }

    #[test]
    fn families_are_freebsds() {
        assert_eq!(SocketAddress::Inet6(v6("::")).family(), 28);
        assert_eq!(SocketAddress::Link(LinkAddress::new(&[1; 40])).family(), 18);
        assert_eq!(LinkAddress::new(&[1; 40]).as_bytes().len(), 32);
    }
}
