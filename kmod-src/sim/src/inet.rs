// SPDX-License-Identifier: BSD-2-Clause
//! IPv4 addresses (`netinet/in.c`).
//!
//! Of the routing table only this is kept: which address owns the route of its prefix, and which addresses of the host have
//! a route to itself. That decides whether adding fails, and whether adding, removing, and an interface going up or down are
//! announced.

use std::cell::Cell;
use std::rc::Rc;

use iface_core::{Address, AddressEvent, Errno, InetAlias, Sleepable, SocketAddress};
use nlproof_wire::consts::{IFF_BROADCAST, IFF_LOOPBACK, IFF_POINTOPOINT, IFF_UP};

use crate::interface::{IfAddr, IfRef};
use crate::stack::Stack;

/// `ia_getrtprefix`: address and mask of the route that an address brings.
fn route_of(ifa: &IfAddr) -> Option<(u32, u32)> {
    let owner = ifa.owner.upgrade()?;
    let address = ifa.inet()?;
    if owner.has(IFF_POINTOPOINT) {
        return match ifa.address.get().destination {
            Some(SocketAddress::Inet(peer)) => Some((u32::from_be_bytes(peer), u32::MAX)),
            _ => Some((0, u32::MAX)),
        };
    }
    if owner.has(IFF_LOOPBACK) {
        return Some((address, u32::MAX));
    }
    Some((address & ifa.mask, ifa.mask))
}

/// `ia_need_loopback_route`: whether the host gets a route to this address of its own.
fn needs_own_route(ifa: &IfAddr) -> bool {
    let (Some(owner), Some(address)) = (ifa.owner.upgrade(), ifa.inet()) else { return false };
    let peer = match ifa.address.get().destination {
        Some(SocketAddress::Inet(peer)) => u32::from_be_bytes(peer),
        _ => 0,
    };
    let is_tunnel = owner.has(IFF_POINTOPOINT);
    let is_own = if is_tunnel { peer == address } else { ifa.mask == u32::MAX };
    !owner.has(IFF_LOOPBACK) && address != 0 && !is_own
}

impl Stack {
    /// SIOCAIFADDR: an address that is there already is removed first.
    pub(crate) fn inet_add(
        &self,
        thread: &mut Sleepable,
        ifp: &IfRef,
        alias: &InetAlias,
    ) -> Result<(), Errno> {
        if ifp.has(IFF_POINTOPOINT) && alias.destination.is_none_or(|peer| peer == [0; 4]) {
            return Err(Errno::EDESTADDRREQ);
        }
        if alias.vhid != 0 {
            // carp(4) has no such host on the interface.
            return Err(Errno::ENOPROTOOPT);
        }
        if let Some(ifa) = self.inet_find(ifp, alias.address) {
            self.inet_remove(ifp, &ifa);
        }
        let kept = alias.destination.filter(|_| ifp.has(IFF_BROADCAST | IFF_POINTOPOINT));
        let mask = u32::from_be_bytes(alias.mask);
        let ifa = Rc::new(IfAddr {
            owner: Rc::downgrade(&ifp.0),
            address: Cell::new(Address {
                local: SocketAddress::Inet(alias.address),
                destination: Some(kept.map_or(SocketAddress::Other(0), SocketAddress::Inet)),
                prefix_len: u8::try_from(mask.count_ones()).unwrap_or(32),
                vhid: None,
                inet6: None,
            }),
            mask,
            route: Cell::new(false),
        });
        ifp.addresses.borrow_mut().push(ifa.clone());
        self.inet_addresses.borrow_mut().push(ifa.clone());
        self.driver_address(thread, ifp);
        self.announce_address(ifp, &ifa, AddressEvent::Added);
        if self.prefix_has_route(&ifa) {
            self.add_own_route(&ifa);
            return Ok(());
        }
        if self.host_is_taken(&ifa) {
            ifp.addresses.borrow_mut().retain(|other| !Rc::ptr_eq(other, &ifa));
            self.inet_addresses.borrow_mut().retain(|other| !Rc::ptr_eq(other, &ifa));
            return Err(Errno::EEXIST);
        }
        ifa.route.set(true);
        self.add_own_route(&ifa);
        Ok(())
    }

    /// Whether the routing table has this address's route already, as somebody else's: a route to a host is one to 0.0.0.0, for
    /// which it has a place of its own, or one of the host to itself.
    fn host_is_taken(&self, ifa: &IfAddr) -> bool {
        let is_own = |host: u32| !self.variant.own_route_yields && self.own_routes.borrow().contains(&host);
        let is_taken = |host: u32| host == 0 || is_own(host);
        matches!(route_of(ifa), Some((host, u32::MAX)) if is_taken(host))
    }

    /// `ifa_add_loopback_route`. Another address that is equal has it already.
    fn add_own_route(&self, ifa: &Rc<IfAddr>) {
        if let Some(host) = self.own_route_of(ifa) {
            self.own_routes.borrow_mut().insert(host);
        }
    }

    /// `ifa_del_loopback_route`, or `ifa_switch_loopback_route` where another address is equal.
    fn remove_own_route(&self, ifa: &IfAddr) {
        if let Some(host) = self.own_route_of(ifa) {
            self.own_routes.borrow_mut().remove(&host);
        }
    }

    /// The host to which there is a route for this address alone.
    fn own_route_of(&self, ifa: &IfAddr) -> Option<u32> {
        ifa.inet().filter(|_| needs_own_route(ifa) && !self.has_another(ifa))
    }

    /// `in_localip_more`: whether the host has this address on another interface as well.
    fn has_another(&self, ifa: &IfAddr) -> bool {
        let addresses = self.inet_addresses.borrow();
        addresses.iter().any(|other| !std::ptr::eq(Rc::as_ptr(other), ifa) && other.inet() == ifa.inet())
    }

    /// SIOCDIFADDR.
    pub(crate) fn inet_delete(&self, ifp: &IfRef, address: [u8; 4]) -> Result<(), Errno> {
        let ifa = self.inet_find(ifp, address).ok_or(Errno::EADDRNOTAVAIL)?;
        self.inet_remove(ifp, &ifa);
        Ok(())
    }

    fn inet_find(&self, ifp: &IfRef, address: [u8; 4]) -> Option<Rc<IfAddr>> {
        let address = u32::from_be_bytes(address);
        ifp.addresses.borrow().iter().find(|ifa| ifa.inet() == Some(address)).cloned()
    }

    /// The part of SIOCDIFADDR after the address was found.
    pub(crate) fn inet_remove(&self, ifp: &IfRef, ifa: &Rc<IfAddr>) {
        ifp.addresses.borrow_mut().retain(|other| !Rc::ptr_eq(other, ifa));
        self.inet_addresses.borrow_mut().retain(|other| !Rc::ptr_eq(other, ifa));
        self.remove_own_route(ifa);
        self.inet_scrub(ifp, ifa);
    }

    /// `in_scrubprefix`: the route goes, or passes on to another address with the same prefix. In the latter
    /// case the kernel announces nothing.
    fn inet_scrub(&self, ifp: &IfRef, ifa: &IfAddr) {
        if ifa.route.get() {
            let heir = self
                .inet_addresses
                .borrow()
                .iter()
                .find(|other| {
                    route_of(other) == route_of(ifa)
                        && !other.route.get()
                        && other.owner.upgrade().is_some_and(|owner| owner.has(IFF_UP))
                })
                .cloned();
            ifa.route.set(false);
            if let Some(heir) = heir {
                heir.route.set(true);
                return;
            }
        }
        self.announce_address(ifp, ifa, AddressEvent::Deleted);
    }

    /// `in_hasrtprefix`.
    fn prefix_has_route(&self, ifa: &IfAddr) -> bool {
        self.inet_addresses.borrow().iter().any(|other| other.route.get() && route_of(other) == route_of(ifa))
    }

    /// IFNET_EVENT_DOWN: addresses lose their routes, which looks as if they were deleted.
    pub(crate) fn inet_down(&self, ifp: &IfRef) {
        let addresses = ifp.addresses.borrow().clone();
        for ifa in addresses.iter().filter(|ifa| ifa.inet().is_some() && ifa.route.get()) {
            self.inet_scrub(ifp, ifa);
        }
    }

    /// IFNET_EVENT_UP: addresses without a route get one and are announced again.
    pub(crate) fn inet_up(&self, ifp: &IfRef) {
        let addresses = ifp.addresses.borrow().clone();
        for ifa in addresses.iter().filter(|ifa| ifa.inet().is_some() && !ifa.route.get()) {
            self.announce_address(ifp, ifa, AddressEvent::Added);
            ifa.route.set(!self.prefix_has_route(ifa));
        }
    }
}
