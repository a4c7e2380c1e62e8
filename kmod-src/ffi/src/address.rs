// SPDX-License-Identifier: BSD-2-Clause
//! Addresses between C and core.

use iface_core::{CacheInfo, Inet6State, InterfaceAddress, LinkAddress, SocketAddress};
use nlproof_wire::consts::{AF_INET, freebsd};

use crate::abi::{IfAddress, SockAddr, SockAddrView};

impl SockAddr {
    /// No address.
    const EMPTY: Self = Self { family: 0, len: 0, bytes: [0; 32] };

    /// The link-level address in it.
    pub(crate) fn link(&self) -> LinkAddress {
        LinkAddress::of(self.bytes, self.len)
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

impl SockAddrView {
    /// # Safety
    /// `len` bytes are readable at `bytes`: 4 of an IPv4 address, 16 of an IPv6 address.
    #[inline(always)]
    unsafe fn to_core(&self) -> SocketAddress {
        match self.family {
            // SAFETY: the caller's promise.
            AF_INET => SocketAddress::Inet(unsafe { self.bytes.cast::<[u8; 4]>().read() }),
            // SAFETY: the caller's promise.
            freebsd::AF_INET6 => SocketAddress::Inet6(unsafe { self.bytes.cast::<[u8; 16]>().read() }),
            freebsd::AF_LINK => {
                // SAFETY: the caller's promise.
                let bytes = unsafe { core::slice::from_raw_parts(self.bytes, usize::from(self.len)) };
                SocketAddress::Link(LinkAddress::new(bytes))
            }
            family => SocketAddress::Other(family),
        }
    }
}

/// # Invariants
/// The addresses in it are readable, as [`SockAddrView::to_core`] wants them: C makes such values, and they are not used
/// after the call in which it does.
impl InterfaceAddress for IfAddress {
    #[inline(always)]
    fn family(&self) -> u8 {
        self.local.family
    }

    #[inline(always)]
    fn local(&self) -> SocketAddress {
        // SAFETY: the type's invariant.
        unsafe { self.local.to_core() }
    }

    #[inline(always)]
    fn destination(&self) -> Option<SocketAddress> {
        // SAFETY: the type's invariant; C writes the field if there is a destination.
        (self.has_destination != 0).then(|| unsafe { self.destination.to_core() })
    }

    #[inline(always)]
    fn prefix_len(&self) -> u8 {
        self.prefix_len
    }

    #[inline(always)]
    fn loopback_mask(&self) -> u32 {
        self.loopback_mask
    }

    #[inline(always)]
    fn vhid(&self) -> Option<u32> {
        (self.has_vhid != 0).then_some(self.vhid)
    }

    #[inline(always)]
    fn inet6(&self) -> Option<Inet6State> {
        (self.has_inet6 != 0).then_some(Inet6State {
            flags: self.inet6_flags,
            cache: CacheInfo {
                preferred: self.preferred,
                valid: self.valid,
                created: self.created,
                updated: self.updated,
            },
        })
    }
}
