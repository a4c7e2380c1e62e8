// SPDX-License-Identifier: BSD-2-Clause
//! epair(4): two Ethernet interfaces joined back to back (`net/if_epair.c`, `net/if_ethersubr.c`).

use std::rc::Rc;

use iface_core::{Errno, LinkAddress, Name, Sleepable};
use nlproof_wire::consts::freebsd::{IFF_DRV_RUNNING, IFF_MULTICAST, IFF_SIMPLEX, IFT_ETHER};
use nlproof_wire::consts::{IFF_BROADCAST, IFNAMSIZ};

use crate::interface::{Blueprint, Driver, IfRef, LinkState};
use crate::stack::Stack;

/// Bytes of an Ethernet address.
const ADDRESS_LEN: u8 = 6;

impl Stack {
    /// `epair_clone_create`: both ends at once; the request is answered with the first.
    pub(crate) fn epair_create(&self, thread: &mut Sleepable, name: Name) -> Result<IfRef, Errno> {
        let unit = self.epair_unit(name)?;
        let first = self.epair_end(unit, 'a');
        let second = self.epair_end(unit, 'b');
        *first.peer.borrow_mut() = Rc::downgrade(&second.0);
        *second.peer.borrow_mut() = Rc::downgrade(&first.0);
        // The kernel hashes the host's id; nobody can foretell that, so here it is the index.
        let [a, b, c] = self.variant.epair_prefix;
        let [.., high, low] = first.index.to_be_bytes();
        self.ethernet_attach(thread, &first, [a, b, c, high, low, 0x0a]);
        self.ethernet_attach(thread, &second, [a, b, c, high, low, 0x0b]);
        // `epair_clone_add`: the second is the cloner's here, the first when it is returned.
        second.join(Driver::Epair.name().as_bytes());
        self.epair_state(thread, &first, true);
        self.epair_state(thread, &second, true);
        Ok(first)
    }

    /// `epair_handle_unit`: the name needs room for the letter, and neither end may exist.
    fn epair_unit(&self, name: Name) -> Result<u32, Errno> {
        let unit = self.allocate_unit(Driver::Epair, name)?;
        let longest = IFNAMSIZ - 1;
        let taken = |end| self.unit(format!("epair{unit}{end}").as_bytes()).is_some();
        let error = if format!("epair{unit}a").len() > longest {
            Errno::ENOSPC
        } else if taken('b') || taken('a') {
            Errno::EEXIST
        } else {
            return Ok(unit);
        };
        self.give_unit_back(Driver::Epair, unit);
        Err(error)
    }

    fn epair_end(&self, unit: u32, end: char) -> IfRef {
        self.allocate_interface(&Blueprint {
            name: format!("epair{unit}{end}"),
            driver: Driver::Epair,
            unit: Some(unit),
            kind: IFT_ETHER,
            flags: IFF_BROADCAST | IFF_SIMPLEX | IFF_MULTICAST,
            mtu: 1500,
            capabilities: self.variant.epair_capabilities,
        })
    }

    /// `ether_ifattach`: the interface is announced before it has its address.
    pub(crate) fn ethernet_attach(&self, thread: &mut Sleepable, ifp: &IfRef, address: [u8; 6]) {
        ifp.link_address_len.set(ADDRESS_LEN);
        ifp.hardware_address.set(LinkAddress::new(&[0; 6]));
        self.attach(thread, ifp);
        ifp.broadcast_address.set(Some(LinkAddress::new(&[0xff; 6])));
        ifp.link_address.set(LinkAddress::new(&address));
        ifp.hardware_address.set(LinkAddress::new(&address));
    }

    /// `epair_set_state`. The link's change is announced by another thread, which runs at once: the interface
    /// still seems to run when its link has gone down.
    fn epair_state(&self, thread: &mut Sleepable, ifp: &IfRef, running: bool) {
        let flags = ifp.driver_flags.get();
        if running {
            ifp.driver_flags.set(flags | IFF_DRV_RUNNING);
            self.link_state_change(thread, ifp, LinkState::Up);
        } else {
            self.link_state_change(thread, ifp, LinkState::Down);
            ifp.driver_flags.set(flags & !IFF_DRV_RUNNING);
        }
    }

    /// `epair_clone_destroy`: either end takes the other with it.
    pub(crate) fn epair_destroy(&self, thread: &mut Sleepable, ifp: &IfRef) -> Result<(), Errno> {
        let peer = ifp.peer.borrow().upgrade().map(IfRef).ok_or(Errno::ENXIO)?;
        self.epair_state(thread, ifp, false);
        self.epair_state(thread, &peer, false);
        self.detach(thread, ifp);
        self.detach(thread, &peer);
        self.free_interface(&peer);
        self.free_interface(ifp);
        self.free_unit(ifp);
        Ok(())
    }
}
