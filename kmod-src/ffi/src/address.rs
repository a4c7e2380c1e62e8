// SPDX-License-Identifier: BSD-2-Clause
//! Addresses between C and core.

use iface_core::{Address, CacheInfo, Inet6State, LinkAddress, SocketAddress};
use nlproof_wire::consts::{AF_INET, freebsd};

use crate::abi::{IfAddress, SockAddr};

impl SockAddr {
    /// Room for the shim to write to.
    pub(crate) const EMPTY: Self = Self { family: 0, len: 0, bytes: [0; 32] };

    fn used(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&[])
    }

    /// The link-level address in it.
    pub(crate) fn link(&self) -> LinkAddress {
        LinkAddress::new(self.used())
    }

    fn to_core(self) -> SocketAddress {
        match self.family {
            AF_INET => self.used().first_chunk().map(|inet| SocketAddress::Inet(*inet)),
            freebsd::AF_INET6 => self.used().first_chunk().map(|inet6| SocketAddress::Inet6(*inet6)),
            freebsd::AF_LINK => Some(SocketAddress::Link(self.link())),
            _ => None,
        }
        .unwrap_or(SocketAddress::Other(self.family))
    }

    /// An address that core knows, for the shim.
    pub(crate) fn of(address: &SocketAddress) -> Self {
        let mut sockaddr = Self { family: address.family(), ..Self::EMPTY };
        let bytes = match address {
            SocketAddress::Inet(inet) => &inet[..],
            SocketAddress::Inet6(inet6) => &inet6[..],
            SocketAddress::Link(link) => link.as_bytes(),
            SocketAddress::Other(_) => &[],
        };
        for (slot, &byte) in sockaddr.bytes.iter_mut().zip(bytes) {
            *slot = byte;
            sockaddr.len = sockaddr.len.saturating_add(1);
        }
        sockaddr
    }
}

impl IfAddress {
    pub(crate) fn to_core(&self) -> Address {
        Address {
            local: self.local.to_core(),
            destination: (self.has_destination != 0).then(|| self.destination.to_core()),
            prefix_len: self.prefix_len,
            vhid: (self.has_vhid != 0).then_some(self.vhid),
            inet6: (self.has_inet6 != 0).then_some(Inet6State {
                flags: self.inet6_flags,
                cache: CacheInfo {
                    preferred: self.preferred,
                    valid: self.valid,
                    created: self.created,
                    updated: self.updated,
                },
            }),
        }
    }
}
