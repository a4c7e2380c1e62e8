// SPDX-License-Identifier: BSD-2-Clause
//! The network stack as `iface-core` sees it.

use std::cell::Cell;
use std::rc::Rc;

use iface_core::{
    Address, Epoch, Errno, Inet6Alias, InetAlias, Kernel, LinkRequest, Media, Probe, Report, Sleepable,
};

use crate::interface::{Driver, IfRef};
use crate::reference::CountedRef;
use crate::stack::Stack;
use crate::tracer::{Fault, Tracer};
use crate::writer::NlWriter;

/// Leaves the network epoch when dropped.
#[derive(Debug)]
pub(crate) struct EpochTracker {
    epochs: Rc<Cell<u32>>,
    tracer: Rc<Tracer>,
}

impl Drop for EpochTracker {
    fn drop(&mut self) {
        if self.tracer.makes(Fault::EpochNotLeft) {
            return;
        }
        self.tracer.fire(Probe::EpochExit { depth: self.epochs.get() });
        self.epochs.set(self.epochs.get() - 1);
    }
}

/// What carries the packets of an interface: itself, or what a VLAN is on in the end. VLANs that are on each
/// other have nothing (and a real kernel asked for their media would not come back).
fn carrier(ifp: &IfRef) -> Option<IfRef> {
    const DEEPEST: usize = 64;
    let mut carrier = ifp.clone();
    for _ in 0..DEEPEST {
        if carrier.driver != Driver::Vlan {
            return Some(carrier);
        }
        let parent = carrier.trunk.borrow().as_ref().and_then(|trunk| trunk.parent.upgrade());
        carrier = IfRef(parent?);
    }
    None
}

impl Kernel for Stack {
    type Ref = CountedRef;
    type Address = Address;
    type EpochTracker = EpochTracker;
    type Stream = NlWriter;
    type GroupWriter = NlWriter;

    fn probe(&self, probe: Probe) {
        self.tracer.fire(probe);
    }

    fn epoch_enter(&self) -> EpochTracker {
        self.epochs.set(self.epochs.get() + 1);
        self.tracer.fire(Probe::EpochEnter { depth: self.epochs.get() });
        EpochTracker { epochs: self.epochs.clone(), tracer: self.tracer.clone() }
    }

    fn by_index(&self, _epoch: &Epoch<'_>, index: u32) -> Option<CountedRef> {
        let found = self.living().into_iter().find(|ifp| ifp.index == index)?;
        Some(CountedRef::counted(found, &self.tracer))
    }

    fn by_name(&self, name: &[u8]) -> Option<CountedRef> {
        let found = self.living().into_iter().find(|ifp| ifp.name.get().as_bytes() == name)?;
        Some(CountedRef::counted(found, &self.tracer))
    }

    fn for_each_interface(
        &self,
        thread: &mut Sleepable,
        mut matches: impl FnMut(&CountedRef) -> bool,
        mut each: impl FnMut(&mut Sleepable, &CountedRef) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let matching: Vec<_> =
            self.living().iter().map(CountedRef::lent).filter(|ifp| matches(ifp)).collect();
        matching.iter().try_for_each(|ifp| each(thread, ifp))
    }

    fn for_each_interface_in(
        &self,
        _epoch: &Epoch<'_>,
        mut each: impl FnMut(&CountedRef) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        self.living().iter().map(CountedRef::lent).try_for_each(|ifp| each(&ifp))
    }

    fn for_each_address(
        &self,
        _epoch: &Epoch<'_>,
        ifp: &CountedRef,
        mut each: impl FnMut(&Address) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let addresses = ifp.addresses.borrow().clone();
        addresses.iter().try_for_each(|ifa| each(&ifa.address.get()))
    }

    fn media(&self, _thread: &mut Sleepable, ifp: &CountedRef) -> Result<Media, Errno> {
        match carrier(ifp).ok_or(Errno::EINVAL)?.driver {
            Driver::Epair => Ok(Media { ethernet: true, active: true }),
            Driver::Tap => Ok(Media { ethernet: true, active: false }),
            Driver::Loopback | Driver::Vlan | Driver::Bridge | Driver::Gif | Driver::Tun | Driver::Disc => {
                Err(Errno::EINVAL)
            }
        }
    }

    fn describe(&self, ifp: &CountedRef, stream: &mut NlWriter) {
        self.cloner_describes(ifp, stream);
    }

    fn create(
        &self,
        thread: &mut Sleepable,
        name: &[u8],
        request: &LinkRequest<'_>,
    ) -> Result<CountedRef, Errno> {
        let ifp = self.clone_create(thread, name, Some(request))?;
        // `modify_nl` of the new interface's cloner. vlan's has nothing to do here: its interface was made as asked.
        if ifp.driver == Driver::Gif {
            self.gif_change(&ifp, request, &mut self.driver_report.borrow_mut())?;
        }
        Ok(CountedRef::counted(ifp, &self.tracer))
    }

    fn configure(
        &self,
        thread: &mut Sleepable,
        ifp: &CountedRef,
        request: &LinkRequest<'_>,
        report: &mut Report,
    ) -> Result<(), Errno> {
        match ifp.driver {
            Driver::Vlan => self.vlan_change(thread, ifp, request, report),
            Driver::Gif => self.gif_change(ifp, request, report),
            _ => Ok(()),
        }
    }

    fn destroy(&self, thread: &mut Sleepable, ifp: &CountedRef) -> Result<(), Errno> {
        self.clone_destroy(thread, ifp.name.get())
    }

    fn set_description(&self, _thread: &mut Sleepable, ifp: &CountedRef, description: &[u8]) {
        *ifp.description.borrow_mut() = Some(description.to_vec());
    }

    fn up(&self, thread: &mut Sleepable, ifp: &CountedRef) {
        self.interface_up(thread, ifp);
    }

    fn down(&self, thread: &mut Sleepable, ifp: &CountedRef) {
        self.interface_down(thread, ifp);
    }

    fn set_mtu(&self, thread: &mut Sleepable, ifp: &CountedRef, mtu: u32) -> Result<(), Errno> {
        self.change_mtu(thread, ifp, mtu)
    }

    fn count_promiscuous(&self, thread: &mut Sleepable, ifp: &CountedRef, on: bool) -> Result<(), Errno> {
        self.count_promiscuity(thread, ifp, on)
    }

    fn set_promiscuous(&self, _thread: &mut Sleepable, ifp: &CountedRef, on: bool) {
        self.permanent_promiscuity(ifp, on);
    }

    fn set_link_address(
        &self,
        _thread: &mut Sleepable,
        ifp: &CountedRef,
        address: &[u8],
    ) -> Result<(), Errno> {
        self.change_link_address(ifp, address)
    }

    fn add_inet(&self, thread: &mut Sleepable, ifp: &CountedRef, alias: &InetAlias) -> Result<(), Errno> {
        self.inet_add(thread, ifp, alias)
    }

    fn delete_inet(&self, _thread: &mut Sleepable, ifp: &CountedRef, address: [u8; 4]) -> Result<(), Errno> {
        self.inet_delete(ifp, address)
    }

    fn add_inet6(&self, thread: &mut Sleepable, ifp: &CountedRef, alias: &Inet6Alias) -> Result<(), Errno> {
        self.inet6_add(thread, ifp, alias)
    }

    fn delete_inet6(
        &self,
        _thread: &mut Sleepable,
        ifp: &CountedRef,
        address: [u8; 16],
    ) -> Result<(), Errno> {
        self.inet6_delete(ifp, address)
    }

    fn group_writer(&self, group: u32) -> Option<NlWriter> {
        // `nl_has_listeners` asks whether the network stack has any netlink socket, whatever it has joined.
        let sockets = self.sockets.borrow();
        let members = sockets.iter().filter(|socket| socket.group == Some(group)).cloned();
        (!sockets.is_empty()).then(|| NlWriter::group(members.collect()))
    }
}
