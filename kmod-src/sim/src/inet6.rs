// SPDX-License-Identifier: BSD-2-Clause
//! IPv6 addresses (`netinet6/in6.c`, `netinet6/in6_ifattach.c`, `netinet6/nd6.c`).
//!
//! Link-local addresses carry the interface's index in their second two bytes, as in the kernel.
//! `net.inet6.ip6.auto_linklocal` is 1, its default in every network stack.

use std::cell::Cell;
use std::rc::Rc;

use iface_core::{Address, AddressEvent, CacheInfo, Errno, Inet6Alias, Inet6State, Sleepable, SocketAddress};
use nlproof_wire::consts::freebsd::{IFF_DRV_RUNNING, IFF_MULTICAST};
use nlproof_wire::consts::{IFF_LOOPBACK, IFF_POINTOPOINT, IFF_UP, INFINITE_LIFETIME};

use crate::interface::{Driver, IfAddr, IfRef};
use crate::stack::Stack;

const IN6_IFF_ANYCAST: u32 = 0x01;
const IN6_IFF_TENTATIVE: u32 = 0x02;
const IN6_IFF_DUPLICATED: u32 = 0x04;
const IN6_IFF_DETACHED: u32 = 0x08;
const IN6_IFF_DEPRECATED: u32 = 0x10;
const IN6_IFF_AUTOCONF: u32 = 0x40;

/// ::1.
const LOOPBACK: [u8; 16] = 1_u128.to_be_bytes();

fn is_link_local(address: [u8; 16]) -> bool {
    address[0] == 0xfe && address[1] & 0xc0 == 0x80
}

/// `in6_setscope`: puts the interface's index into addresses of link-local scope. ::1 is for loopback
/// interfaces alone.
fn scoped(ifp: &IfRef, address: [u8; 16]) -> Result<[u8; 16], Errno> {
    if address == LOOPBACK && !ifp.has(IFF_LOOPBACK) {
        return Err(Errno::EINVAL);
    }
    let multicast = address[0] == 0xff && matches!(address[1] & 0x0f, 1 | 2);
    let mut scoped = address;
    if multicast || is_link_local(address) {
        scoped[2..4].copy_from_slice(&ifp.index.to_be_bytes()[2..]);
    }
    Ok(scoped)
}

/// `nd6_dad_start`: an anycast address may be there several times, and is not looked for.
fn detection_begun(flags: u32) -> u32 {
    if flags & IN6_IFF_ANYCAST != 0 { flags & !IN6_IFF_TENTATIVE } else { flags }
}

impl Stack {
    /// SIOCAIFADDR_IN6.
    pub(crate) fn inet6_add(
        &self,
        thread: &mut Sleepable,
        ifp: &IfRef,
        alias: &Inet6Alias,
    ) -> Result<(), Errno> {
        let alias = Inet6Alias { address: scoped(ifp, alias.address)?, ..*alias };
        let added = self.inet6_add_address(thread, ifp, &alias);
        if self.variant.inet6_add_errors { added } else { Ok(()) }
    }

    /// `in6_addifaddr`.
    fn inet6_add_address(
        &self,
        thread: &mut Sleepable,
        ifp: &IfRef,
        alias: &Inet6Alias,
    ) -> Result<(), Errno> {
        self.inet6_update(thread, ifp, alias)?;
        // `ifra_vhid` is an int here: what is more than it holds is below 0, and not looked at.
        if i32::try_from(alias.vhid).is_ok_and(|vhid| vhid > 0) {
            // carp(4) has no such host on the interface; the address stays.
            return Err(Errno::ENOPROTOOPT);
        }
        // That of a whole address is no prefix of the link.
        if alias.prefix_len != 128 {
            self.inet6_check_on_link();
        }
        // The first address switches IPv6 on.
        if ifp.inet6_disabled.replace(false) && ifp.has(IFF_UP) {
            self.inet6_up(thread, ifp);
        }
        Ok(())
    }

    /// SIOCDIFADDR_IN6.
    pub(crate) fn inet6_delete(&self, ifp: &IfRef, address: [u8; 16]) -> Result<(), Errno> {
        let address = scoped(ifp, address)?;
        let ifa = self.inet6_find(ifp, address).ok_or(Errno::EADDRNOTAVAIL)?;
        self.inet6_purge(ifp, &ifa);
        Ok(())
    }

    fn inet6_find(&self, ifp: &IfRef, address: [u8; 16]) -> Option<Rc<IfAddr>> {
        ifp.addresses.borrow().iter().find(|ifa| ifa.inet6() == Some(address)).cloned()
    }

    /// `in6_purgeaddr`: announced while the address is still there.
    pub(crate) fn inet6_purge(&self, ifp: &IfRef, ifa: &Rc<IfAddr>) {
        self.announce_address(ifp, ifa, AddressEvent::Deleted);
        ifp.addresses.borrow_mut().retain(|other| !Rc::ptr_eq(other, ifa));
    }

    /// `in6_validate_ifra`: the destination with its scope.
    fn inet6_check(
        &self,
        ifp: &IfRef,
        alias: &Inet6Alias,
        existing: Option<&IfAddr>,
    ) -> Result<Option<[u8; 16]>, Errno> {
        let takes_peer = ifp.has(IFF_POINTOPOINT | IFF_LOOPBACK);
        let bad_peer = alias.destination.is_some() && (!takes_peer || alias.prefix_len != 128);
        let other_prefix = existing.is_some_and(|ifa| ifa.address.get().prefix_len != alias.prefix_len);
        if alias.prefix_len == 0 || bad_peer || alias.preferred > alias.valid || other_prefix {
            return Err(Errno::EINVAL);
        }
        alias.destination.map(|peer| scoped(ifp, peer)).transpose()
    }

    /// `in6_update_ifa`: adds an address, or changes flags and lifetimes of one that is there. Only the
    /// former is announced. A valid lifetime of 0 does not keep an address from being added; the timer
    /// removes it within seconds.
    fn inet6_update(&self, thread: &mut Sleepable, ifp: &IfRef, alias: &Inet6Alias) -> Result<(), Errno> {
        let existing = self.inet6_find(ifp, alias.address);
        let peer = self.inet6_check(ifp, alias, existing.as_deref())?;
        let now = self.uptime.get();
        let before = existing.as_ref().map(|ifa| ifa.address.get());
        let created = before.and_then(|before| before.inet6).map_or(now, |inet6| inet6.cache.created);
        let deprecated = alias.flags & IN6_IFF_DEPRECATED != 0;
        let mut flags = alias.flags & !IN6_IFF_DUPLICATED;
        if existing.is_none() {
            if self.detects_duplicates(ifp) {
                flags |= IN6_IFF_TENTATIVE;
            }
            flags = detection_begun(flags);
        }
        // Point-to-point and loopback interfaces have a place for a peer even without one.
        let place = ifp.has(IFF_POINTOPOINT | IFF_LOOPBACK).then_some(SocketAddress::Other(0));
        let kept = before.map_or(place, |before| before.destination);
        let preferred = if deprecated { 0 } else { alias.preferred };
        let address = Address {
            local: SocketAddress::Inet6(alias.address),
            destination: peer.map(SocketAddress::Inet6).or(kept),
            prefix_len: alias.prefix_len,
            vhid: None,
            inet6: Some(Inet6State {
                flags,
                cache: CacheInfo { preferred, valid: alias.valid, created, updated: now },
            }),
        };
        if let Some(ifa) = existing {
            ifa.address.set(address);
            self.driver_address(thread, ifp);
            return Ok(());
        }
        let ifa = Rc::new(IfAddr {
            owner: Rc::downgrade(&ifp.0),
            address: Cell::new(address),
            mask: 0,
            route: Cell::new(false),
        });
        ifp.addresses.borrow_mut().push(ifa.clone());
        if ifp.addresses.borrow().iter().filter(|ifa| ifa.inet6().is_some()).count() <= 1 {
            self.driver_address(thread, ifp);
        }
        // As for IPv4: no route can be added to the host ::, nor, where it does not yield, to a host that has one, which is
        // itself.
        let elsewhere =
            |other: &IfRef| other.index != ifp.index && self.inet6_find(other, alias.address).is_some();
        let is_own = !self.variant.own_route_yields && self.living().iter().any(elsewhere);
        if alias.address == [0; 16] || is_own {
            ifp.addresses.borrow_mut().retain(|other| !Rc::ptr_eq(other, &ifa));
            return Err(Errno::EEXIST);
        }
        self.announce_address(ifp, &ifa, AddressEvent::Added);
        Ok(())
    }

    /// `pfxlist_onlink_check` where no router is known: addresses that say that they are detached begin again.
    fn inet6_check_on_link(&self) {
        for ifp in self.living() {
            for ifa in ifp.addresses.borrow().iter() {
                let mut address = ifa.address.get();
                let Some(inet6) = &mut address.inet6 else { continue };
                let both = IN6_IFF_AUTOCONF | IN6_IFF_DETACHED;
                if inet6.flags & both == both {
                    inet6.flags = detection_begun(inet6.flags & !IN6_IFF_DETACHED | IN6_IFF_TENTATIVE);
                    ifa.address.set(address);
                }
            }
        }
    }

    /// `in6if_do_dad`.
    fn detects_duplicates(&self, ifp: &IfRef) -> bool {
        !ifp.has(IFF_LOOPBACK) && ifp.has(IFF_MULTICAST) && !ifp.inet6_disabled.get()
    }

    /// `in6_if_up` and `in6_ifattach`: a loopback interface gets ::1 unless another has it, and every
    /// interface on which IPv6 is on gets a link-local address.
    pub(crate) fn inet6_up(&self, thread: &mut Sleepable, ifp: &IfRef) {
        if !ifp.has(IFF_MULTICAST) {
            return;
        }
        let own = |address, prefix_len, destination| Inet6Alias {
            address,
            prefix_len,
            destination,
            flags: 0,
            preferred: INFINITE_LIFETIME,
            valid: INFINITE_LIFETIME,
            vhid: 0,
        };
        if ifp.has(IFF_LOOPBACK) && !self.living().iter().any(|ifp| self.inet6_find(ifp, LOOPBACK).is_some())
        {
            // These cannot fail: the addresses are new and their prefixes fit.
            self.inet6_update(thread, ifp, &own(LOOPBACK, 128, Some(LOOPBACK))).unwrap_or(());
        }
        let has_link_local = ifp.addresses.borrow().iter().any(|ifa| ifa.inet6().is_some_and(is_link_local));
        if !ifp.inet6_disabled.get()
            && !has_link_local
            // A bridge's members might be in other zones.
            && ifp.driver != Driver::Bridge
            && let Ok(address) = scoped(ifp, self.link_local(ifp))
        {
            self.inet6_update(thread, ifp, &own(address, 64, None)).unwrap_or(());
        }
    }

    /// `nd6_timer`, which runs every second: addresses whose lifetime is over go, and those of an interface
    /// that is down wait for duplicate address detection.
    pub(crate) fn inet6_timer(&self) {
        let now = self.uptime.get();
        for ifp in self.living() {
            let addresses = ifp.addresses.borrow().clone();
            for ifa in addresses {
                let mut address = ifa.address.get();
                let Some(inet6) = &mut address.inet6 else { continue };
                let age = now - inet6.cache.updated;
                let over = |lifetime: u32| lifetime != INFINITE_LIFETIME && age > u64::from(lifetime);
                let running = ifp.has(IFF_UP) && ifp.driver_flags.get() & IFF_DRV_RUNNING != 0;
                if over(inet6.cache.valid) {
                    self.inet6_purge(&ifp, &ifa);
                    continue;
                }
                if over(inet6.cache.preferred) {
                    inet6.flags |= IN6_IFF_DEPRECATED;
                } else if inet6.flags & IN6_IFF_TENTATIVE == 0 {
                    inet6.flags &= !IN6_IFF_DEPRECATED;
                    if !running || ifp.inet6_disabled.get() {
                        inet6.flags = inet6.flags & !IN6_IFF_DUPLICATED | IN6_IFF_TENTATIVE;
                    }
                }
                ifa.address.set(address);
            }
        }
    }
}

/// MD5 of "nlproof", the host name of the guests, from which the kernel makes identifiers when there is nothing
/// better; first eight bytes.
const HOST_NAME_DIGEST: [u8; 8] = [0x84, 0x9d, 0x17, 0x0a, 0x09, 0xdc, 0x31, 0x9f];

impl Stack {
    /// The link-local address that an interface gives itself (`get_ifid`): fe80::1 on loopback, else made of
    /// its own Ethernet address, of another interface's that is globally unique, or of the host's name.
    fn link_local(&self, ifp: &IfRef) -> [u8; 16] {
        let mut address = [0; 16];
        address[..2].copy_from_slice(&[0xfe, 0x80]);
        if ifp.has(IFF_LOOPBACK) {
            address[15] = 1;
            return address;
        }
        let borrowed = || {
            let others = self.living().into_iter().filter(|other| other.index != ifp.index);
            others.filter_map(|other| interface_identifier(&other)).find(|[first, ..]| first & 2 != 0)
        };
        let [first, rest @ ..] = HOST_NAME_DIGEST;
        let of_host = || {
            let mut identifier = [0; 8];
            identifier[0] = first & !3;
            identifier[1..].copy_from_slice(&rest);
            identifier
        };
        let identifier = interface_identifier(ifp).or_else(borrowed).unwrap_or_else(of_host);
        address[8..].copy_from_slice(&identifier);
        address
    }
}

/// `in6_get_hw_ifid`: the interface identifier that an Ethernet address gives (RFC 4291 appendix A).
fn interface_identifier(ifp: &IfRef) -> Option<[u8; 8]> {
    match ifp.link_address.get().as_bytes() {
        [0, 0, 0, 0, 0, 0] => None,
        // The group bit makes it no interface's address.
        &[a, b, c, d, e, f] if a & 1 == 0 => Some([a ^ 2, b, c, 0xff, 0xfe, d, e, f]),
        _ => None,
    }
}
