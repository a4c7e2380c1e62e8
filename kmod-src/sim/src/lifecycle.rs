// SPDX-License-Identifier: BSD-2-Clause
//! Arrival, change and departure of interfaces (`net/if.c`), and the order of their announcements.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Weak;

use iface_core::{Capabilities, Errno, LinkAddress, LinkEvent, Name, Sleepable};
use nlproof_wire::consts::freebsd::{
    IFF_DRV_RUNNING, IFF_DYING, IFF_PPROMISC, IFT_BRIDGE, IFT_ETHER, IFT_L2VLAN,
};
use nlproof_wire::consts::{IFF_LOOPBACK, IFF_PROMISC, IFF_UP};

use crate::bridge::bridge_flags;
use crate::interface::{Blueprint, Driver, Gif, IfRef, Ifnet, LinkState};
use crate::stack::Stack;
use crate::tracer::LINK_THREAD;
use crate::tunnel::GIF_MTU_RANGE;
use crate::vlan::vlan_mtu_possible;

/// `IF_MINMTU` and `IF_MAXMTU` of `net/if_var.h`, in bytes.
const MTU_RANGE: std::ops::RangeInclusive<u32> = 72..=65535;

impl Stack {
    /// `if_alloc` and what a driver fills in: the interface has an index but cannot be found yet.
    pub(crate) fn allocate_interface(&self, blueprint: &Blueprint) -> IfRef {
        let capabilities = [blueprint.capabilities, 0];
        IfRef(std::rc::Rc::new(Ifnet {
            index: self.indexes.allocate(),
            name: Cell::new(Name::truncated(blueprint.name.as_bytes())),
            driver: blueprint.driver,
            unit: blueprint.unit,
            kind: Cell::new(u8::try_from(blueprint.kind).unwrap_or(0)),
            flags: Cell::new(blueprint.flags),
            driver_flags: Cell::new(0),
            mtu: Cell::new(blueprint.mtu),
            promiscuous: Cell::new(0),
            link_state: Cell::new(LinkState::Unknown),
            link_address_len: Cell::new(0),
            link_address: Cell::default(),
            hardware_address: Cell::default(),
            broadcast_address: Cell::new(None),
            capabilities: Cell::new(Capabilities { supported: capabilities, enabled: capabilities }),
            description: RefCell::new(None),
            groups: RefCell::default(),
            addresses: RefCell::default(),
            inet6_disabled: Cell::new(blueprint.flags & IFF_LOOPBACK == 0),
            peer: RefCell::new(Weak::new()),
            trunk: RefCell::new(None),
            tag: Cell::default(),
            gif: Cell::new((blueprint.driver == Driver::Gif).then(Gif::default)),
        }))
    }

    /// `if_attach`: the interface joins the group of all before it is announced.
    pub(crate) fn attach(&self, thread: &mut Sleepable, ifp: &IfRef) {
        ifp.join(b"all");
        self.interfaces.borrow_mut().push(ifp.clone());
        self.announce(thread, ifp, LinkEvent::Arrived);
    }

    /// `if_detach`: nobody can find the interface any more; it leaves its groups, goes down, loses its addresses, and is
    /// announced as gone with IFF_DYING.
    pub(crate) fn detach(&self, thread: &mut Sleepable, ifp: &IfRef) {
        self.interfaces.borrow_mut().retain(|other| other.index != ifp.index);
        ifp.set(IFF_DYING);
        ifp.groups.borrow_mut().clear();
        self.interface_down(thread, ifp);
        self.purge_addresses(ifp);
        self.vlan_parent_gone(thread, ifp);
        self.announce(thread, ifp, LinkEvent::Departed);
    }

    /// `if_purgeaddrs`.
    fn purge_addresses(&self, ifp: &IfRef) {
        loop {
            let first = ifp.addresses.borrow().first().cloned();
            match first {
                Some(ifa) if ifa.inet6().is_some() => self.inet6_purge(ifp, &ifa),
                Some(ifa) => self.inet_remove(ifp, &ifa),
                None => return,
            }
        }
    }

    /// `if_free`: the index can be given to another interface.
    pub(crate) fn free_interface(&self, ifp: &IfRef) {
        self.indexes.free(ifp.index);
    }

    /// `if_up`: the protocols hear of it after everybody else.
    pub(crate) fn interface_up(&self, thread: &mut Sleepable, ifp: &IfRef) {
        ifp.set(IFF_UP);
        self.announce(thread, ifp, LinkEvent::Changed(IFF_UP));
        self.inet_up(ifp);
        self.inet6_up(thread, ifp);
    }

    /// `if_down`: the protocols hear of it before everybody else. It is announced even if nothing changes.
    pub(crate) fn interface_down(&self, thread: &mut Sleepable, ifp: &IfRef) {
        self.inet_down(ifp);
        ifp.clear(IFF_UP);
        self.announce(thread, ifp, LinkEvent::Changed(IFF_UP));
    }

    /// `if_link_state_change` and `do_link_state_change`: two announcements for one change. The kernel does
    /// it in another thread, of higher priority; here it happens at once.
    pub(crate) fn link_state_change(&self, thread: &mut Sleepable, ifp: &IfRef, state: LinkState) {
        let mut waiting = VecDeque::from([ifp.clone()]);
        while let Some(ifp) = waiting.pop_front() {
            if ifp.link_state.replace(state) != state {
                self.tracer.in_thread(LINK_THREAD, || {
                    self.announce(thread, &ifp, LinkEvent::Changed(0));
                    self.announce(thread, &ifp, LinkEvent::LinkState);
                });
                // `vlan_link_state`: VLANs follow their parent.
                waiting.extend(self.vlans_on(&ifp));
            }
        }
    }

    /// SIOCSIFADDR: the driver hears of an address.
    pub(crate) fn driver_address(&self, thread: &mut Sleepable, ifp: &IfRef) {
        match ifp.driver {
            Driver::Loopback => self.loopback_first_address(thread, ifp),
            Driver::Epair | Driver::Vlan | Driver::Gif | Driver::Disc => ifp.set(IFF_UP),
            Driver::Bridge | Driver::Tun | Driver::Tap => {
                ifp.set(IFF_UP);
                ifp.driver_flags.set(ifp.driver_flags.get() | IFF_DRV_RUNNING);
            }
        }
    }

    /// SIOCSIFFLAGS: the driver hears of flags.
    pub(crate) fn driver_flags_changed(&self, thread: &mut Sleepable, ifp: &IfRef) -> Result<(), Errno> {
        match ifp.driver {
            Driver::Loopback => self.loopback_flags(thread, ifp),
            Driver::Vlan => self.vlan_flags(thread, ifp),
            Driver::Bridge => bridge_flags(ifp),
            Driver::Epair | Driver::Gif | Driver::Tun | Driver::Tap => {}
            // Its driver does not know the request.
            Driver::Disc => return Err(Errno::EINVAL),
        }
        Ok(())
    }

    /// SIOCSIFMTU.
    pub(crate) fn change_mtu(&self, thread: &mut Sleepable, ifp: &IfRef, mtu: u32) -> Result<(), Errno> {
        let possible = match ifp.driver {
            Driver::Loopback | Driver::Epair | Driver::Tun | Driver::Tap | Driver::Disc => true,
            Driver::Bridge => mtu >= self.variant.bridge_mtu_min,
            Driver::Gif => GIF_MTU_RANGE.contains(&mtu),
            Driver::Vlan => vlan_mtu_possible(ifp, mtu),
        };
        if !MTU_RANGE.contains(&mtu) || !possible {
            return Err(Errno::EINVAL);
        }
        ifp.mtu.set(mtu);
        self.announce(thread, ifp, LinkEvent::Changed(0));
        Ok(())
    }

    /// `ifpromisc`: only the first user to come and the last to leave change anything.
    pub(crate) fn count_promiscuity(
        &self,
        thread: &mut Sleepable,
        ifp: &IfRef,
        on: bool,
    ) -> Result<(), Errno> {
        let before = ifp.promiscuous.get();
        let after = if on { before + 1 } else { before - 1 };
        ifp.promiscuous.set(after);
        let edge = if on { before == 0 } else { after == 0 };
        if ifp.has(IFF_PPROMISC) || !edge {
            return Ok(());
        }
        let flags = ifp.flags.get();
        if on {
            ifp.set(IFF_PROMISC);
        } else {
            ifp.clear(IFF_PROMISC);
        }
        if let Err(error) = self.driver_flags_changed(thread, ifp) {
            ifp.promiscuous.set(before);
            ifp.flags.set(flags);
            return Err(error);
        }
        self.announce(thread, ifp, LinkEvent::Changed(IFF_PROMISC));
        Ok(())
    }

    /// `if_setppromisc`: nothing is announced.
    pub(crate) fn permanent_promiscuity(&self, ifp: &IfRef, on: bool) {
        if ifp.has(IFF_PPROMISC) == on {
            return;
        }
        if on {
            ifp.set(IFF_PPROMISC | IFF_PROMISC);
        } else {
            ifp.clear(IFF_PPROMISC);
            if ifp.promiscuous.get() == 0 {
                ifp.clear(IFF_PROMISC);
            }
        }
    }

    /// `if_setlladdr`.
    pub(crate) fn change_link_address(&self, ifp: &IfRef, address: &[u8]) -> Result<(), Errno> {
        if address.len() != ifp.link_address.get().as_bytes().len() {
            return Err(Errno::EINVAL);
        }
        if !matches!(u16::from(ifp.kind.get()), IFT_ETHER | IFT_L2VLAN | IFT_BRIDGE) {
            return Err(Errno::ENODEV);
        }
        ifp.link_address.set(LinkAddress::new(address));
        self.vlan_address(ifp);
        Ok(())
    }
}
