// SPDX-License-Identifier: BSD-2-Clause
//! The network stack as `iface-core` sees it.

use std::cell::Cell;
use std::rc::Rc;

use iface_core::{
    Address, Epoch, Errno, Inet6Alias, InetAlias, Kernel, LinkRequest, Media, Name, Report, Sleepable,
};

use crate::interface::{Driver, IfRef};
use crate::stack::Stack;
use crate::writer::NlWriter;

/// Leaves the network epoch when dropped.
#[derive(Debug)]
pub(crate) struct EpochTracker(Rc<Cell<u32>>);

impl Drop for EpochTracker {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
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
    type Ref = IfRef;
    type EpochTracker = EpochTracker;
    type GroupWriter = NlWriter;

    fn epoch_enter(&self) -> EpochTracker {
        self.epochs.set(self.epochs.get() + 1);
        EpochTracker(self.epochs.clone())
    }

    fn by_index(&self, _epoch: &Epoch<'_>, index: u32) -> Option<IfRef> {
        self.living().into_iter().find(|ifp| ifp.index == index)
    }

    fn by_name(&self, name: &[u8]) -> Option<IfRef> {
        self.living().into_iter().find(|ifp| ifp.name.get().as_bytes() == name)
    }

    fn for_each_interface(
        &self,
        thread: &mut Sleepable,
        mut matches: impl FnMut(&IfRef) -> bool,
        mut each: impl FnMut(&mut Sleepable, &IfRef) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let matching: Vec<IfRef> = self.living().into_iter().filter(|ifp| matches(ifp)).collect();
        matching.iter().try_for_each(|ifp| each(thread, ifp))
    }

    fn for_each_interface_in(
        &self,
        _epoch: &Epoch<'_>,
        each: impl FnMut(&IfRef) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        self.living().iter().try_for_each(each)
    }

    fn for_each_address(
        &self,
        _epoch: &Epoch<'_>,
        ifp: &IfRef,
        mut each: impl FnMut(&Address) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let addresses = ifp.addresses.borrow().clone();
        addresses.iter().try_for_each(|ifa| each(&ifa.address.get()))
    }

    fn media(&self, _thread: &mut Sleepable, ifp: &IfRef) -> Result<Media, Errno> {
        match carrier(ifp).ok_or(Errno::EINVAL)?.driver {
            Driver::Epair => Ok(Media { ethernet: true, active: true }),
            Driver::Tap => Ok(Media { ethernet: true, active: false }),
            Driver::Loopback | Driver::Vlan | Driver::Bridge | Driver::Gif | Driver::Tun | Driver::Disc => {
                Err(Errno::EINVAL)
            }
        }
    }

    fn cloner(&self, ifp: &IfRef) -> Option<Name> {
        Some(Name::truncated(ifp.driver.name().as_bytes()))
    }

    fn create(&self, thread: &mut Sleepable, name: &[u8], request: &LinkRequest<'_>) -> Result<IfRef, Errno> {
        self.clone_create(thread, name, Some(request))
    }

    fn configure(
        &self,
        thread: &mut Sleepable,
        ifp: &IfRef,
        request: &LinkRequest<'_>,
        report: &mut Report,
    ) -> Result<(), Errno> {
        if ifp.driver == Driver::Vlan { self.vlan_change(thread, ifp, request, report) } else { Ok(()) }
    }

    fn destroy(&self, thread: &mut Sleepable, ifp: &IfRef) -> Result<(), Errno> {
        self.clone_destroy(thread, ifp.name.get())
    }

    fn set_description(&self, _thread: &mut Sleepable, ifp: &IfRef, description: &[u8]) {
        *ifp.description.borrow_mut() = Some(description.to_vec());
    }

    fn up(&self, thread: &mut Sleepable, ifp: &IfRef) {
        self.interface_up(thread, ifp);
    }

    fn down(&self, thread: &mut Sleepable, ifp: &IfRef) {
        self.interface_down(thread, ifp);
    }

    fn set_mtu(&self, thread: &mut Sleepable, ifp: &IfRef, mtu: u32) -> Result<(), Errno> {
        self.change_mtu(thread, ifp, mtu)
    }

    fn count_promiscuous(&self, thread: &mut Sleepable, ifp: &IfRef, on: bool) -> Result<(), Errno> {
        self.count_promiscuity(thread, ifp, on)
    }

    fn set_promiscuous(&self, _thread: &mut Sleepable, ifp: &IfRef, on: bool) {
        self.permanent_promiscuity(ifp, on);
    }

    fn set_link_address(&self, _thread: &mut Sleepable, ifp: &IfRef, address: &[u8]) -> Result<(), Errno> {
        self.change_link_address(ifp, address)
    }

    fn add_inet(&self, thread: &mut Sleepable, ifp: &IfRef, alias: &InetAlias) -> Result<(), Errno> {
        self.inet_add(thread, ifp, alias)
    }

    fn delete_inet(&self, _thread: &mut Sleepable, ifp: &IfRef, address: [u8; 4]) -> Result<(), Errno> {
        self.inet_delete(ifp, address)
    }

    fn add_inet6(&self, thread: &mut Sleepable, ifp: &IfRef, alias: &Inet6Alias) -> Result<(), Errno> {
        self.inet6_add(thread, ifp, alias)
    }

    fn delete_inet6(&self, _thread: &mut Sleepable, ifp: &IfRef, address: [u8; 16]) -> Result<(), Errno> {
        self.inet6_delete(ifp, address)
    }

    fn group_writer(&self, group: u32) -> Option<NlWriter> {
        let sockets = self.sockets.borrow();
        let members: Vec<_> = sockets.iter().filter(|socket| socket.group == Some(group)).cloned().collect();
        (!members.is_empty()).then(|| NlWriter::group(members))
    }
}
