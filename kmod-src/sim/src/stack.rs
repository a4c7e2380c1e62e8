// SPDX-License-Identifier: BSD-2-Clause
//! One network stack (vnet): its interfaces, addresses, sockets and clock.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use iface_core::{
    AddressEvent, Behaviours, LinkEvent, Profile, Report, Sleepable, address_event, link_event,
};
use nlproof_wire::consts::freebsd::IFF_DYING;

use crate::cloner::Cloners;
use crate::index_table::IndexTable;
use crate::interface::{IfAddr, IfRef};
use crate::reference::CountedRef;
use crate::socket::Socket;
use crate::tracer::Tracer;
use crate::variant::Variant;

/// A network stack.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) behaviours: Behaviours,
    pub(crate) variant: Variant,
    pub(crate) indexes: IndexTable,
    pub(crate) cloners: Cloners,
    /// `V_ifnet`, in the order of arrival.
    pub(crate) interfaces: RefCell<Vec<IfRef>>,
    /// `V_in_ifaddrhead`: IPv4 addresses in the order in which they were added.
    pub(crate) inet_addresses: RefCell<Vec<Rc<IfAddr>>>,
    /// Addresses of this host that have a route to themselves.
    pub(crate) own_routes: RefCell<BTreeSet<u32>>,
    pub(crate) sockets: RefCell<Vec<Rc<Socket>>>,
    /// `time_uptime`: seconds since boot.
    pub(crate) uptime: Cell<u64>,
    /// What a driver said about the request that is being answered. In the kernel it speaks into the same
    /// `struct nl_pstate` as everybody.
    pub(crate) driver_report: RefCell<Report>,
    /// How often the network epoch has been entered and not left.
    pub(crate) epochs: Rc<Cell<u32>>,
    /// Who hears of the probes.
    pub(crate) tracer: Rc<Tracer>,
}

impl Stack {
    /// A stack without interfaces, on a machine whose host has `host_interfaces`.
    pub(crate) fn new(profile: Profile, variant: Variant, host_interfaces: u32) -> Self {
        Self {
            behaviours: Behaviours::of(profile),
            variant,
            indexes: IndexTable::new(host_interfaces),
            cloners: Cloners::default(),
            interfaces: RefCell::default(),
            inet_addresses: RefCell::default(),
            own_routes: RefCell::default(),
            sockets: RefCell::default(),
            uptime: Cell::new(100),
            driver_report: RefCell::default(),
            epochs: Rc::default(),
            tracer: Rc::default(),
        }
    }

    /// `ifunit`: also finds an interface that is dying. Names are compared as `strncmp` with 16 bytes does.
    pub(crate) fn unit(&self, name: &[u8]) -> Option<IfRef> {
        self.interfaces.borrow().iter().find(|ifp| ifp.name.get().as_bytes() == name).cloned()
    }

    /// The interfaces that are not dying.
    pub(crate) fn living(&self) -> Vec<IfRef> {
        self.interfaces.borrow().iter().filter(|ifp| !ifp.has(IFF_DYING)).cloned().collect()
    }

    /// Announces what happened to an interface.
    pub(crate) fn announce(&self, thread: &mut Sleepable, ifp: &IfRef, event: LinkEvent) {
        link_event(self, &self.behaviours, thread, &CountedRef::lent(ifp), event);
    }

    /// `rt_addrmsg`.
    pub(crate) fn announce_address(&self, ifp: &IfRef, ifa: &IfAddr, event: AddressEvent) {
        address_event(self, &self.behaviours, &CountedRef::lent(ifp), &ifa.address.get(), event);
    }
}
