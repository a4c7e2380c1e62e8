// SPDX-License-Identifier: BSD-2-Clause
//! Announcements to multicast groups. Type, flags, sequence number and port of an event are 0 but for the
//! type.

use nlproof_wire::consts::freebsd::AF_INET6;
use nlproof_wire::consts::{
    AF_INET, RTM_DELADDR, RTM_DELLINK, RTM_NEWADDR, RTM_NEWLINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
    RTNLGRP_LINK,
};

use crate::address::InterfaceAddress;
use crate::address_dump::{self, Owner};
use crate::behaviour::Behaviours;
use crate::context::Sleepable;
use crate::kernel::{Interface, Kernel};
use crate::link_dump::{self, Shown};
use crate::name::Name;
use crate::probe::{Happening, Probe};
use crate::writer::{GroupWriter, MessageHeader};

/// What happened to an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// The interface has arrived and can be found (`ifnet_arrival_event`; in 16, where that comes earlier,
    /// `ifnet_attached_event`).
    Arrived,
    /// The interface is leaving (`ifnet_departure_event`).
    Departed,
    /// The link went up or down (`ifnet_link_event`).
    LinkState,
    /// `rt_ifmsg`: those of its flags have changed, or with 0 something else about it.
    Changed(u32),
}

/// What happened to an address (`rt_addrmsg`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressEvent {
    /// The address was added.
    Added,
    /// The address was, or is about to be, deleted.
    Deleted,
}

/// Announces what happened to `ifp` to RTNLGRP_LINK.
pub fn link_event<K: Kernel>(
    kernel: &K,
    behaviours: &Behaviours,
    thread: &mut Sleepable,
    ifp: &K::Ref,
    event: LinkEvent,
) {
    let (what, change) = match event {
        LinkEvent::Arrived => (Happening::Arrived, 0),
        LinkEvent::Departed => (Happening::Departed, 0),
        LinkEvent::LinkState => (Happening::LinkState, 0),
        LinkEvent::Changed(change) => (Happening::Changed, change),
    };
    let kind = if event == LinkEvent::Departed { RTM_DELLINK } else { RTM_NEWLINK };
    let shown = Shown { change, ..Shown::default() };
    let index = ifp.index();
    kernel.probe(Probe::EventBegin { what, index, change, name: ifp.name() });
    announce(kernel, behaviours, thread, ifp, kind, shown);
    kernel.probe(Probe::EventEnd { what, index });
}

/// Announces that `ifp`, once `old`, has another name now (`ifnet_rename_event`).
pub fn link_renamed<K: Kernel>(
    kernel: &K,
    behaviours: &Behaviours,
    thread: &mut Sleepable,
    ifp: &K::Ref,
    old: Name,
) {
    let (what, index) = (Happening::Renamed, ifp.index());
    kernel.probe(Probe::EventBegin { what, index, change: 0, name: ifp.name() });
    announce(kernel, behaviours, thread, ifp, RTM_DELLINK, Shown { name: Some(old), change: 0 });
    announce(kernel, behaviours, thread, ifp, RTM_NEWLINK, Shown::default());
    kernel.probe(Probe::EventEnd { what, index });
}

fn announce<K: Kernel>(
    kernel: &K,
    behaviours: &Behaviours,
    thread: &mut Sleepable,
    ifp: &K::Ref,
    kind: u16,
    shown: Shown,
) {
    if let Some(mut writer) = kernel.group_writer(RTNLGRP_LINK) {
        let header = MessageHeader { kind, ..MessageHeader::default() };
        // Without memory the event is lost; there is nobody to tell.
        if link_dump::link(kernel, behaviours, thread, &mut writer, &header, ifp, shown).is_ok() {
            kernel.probe(Probe::EventOut { message: kind, group: RTNLGRP_LINK, index: ifp.index() });
        }
        writer.flush();
    }
}

/// Announces what happened to an address of `ifp` to the group of its family. Does not sleep.
pub fn address_event<K: Kernel>(
    kernel: &K,
    behaviours: &Behaviours,
    ifp: &K::Ref,
    address: &impl InterfaceAddress,
    event: AddressEvent,
) {
    let group = match address.family() {
        AF_INET => RTNLGRP_IPV4_IFADDR,
        AF_INET6 => RTNLGRP_IPV6_IFADDR,
        _ => return,
    };
    let (kind, what) = match event {
        AddressEvent::Added => (RTM_NEWADDR, Happening::AddressAdded),
        AddressEvent::Deleted => (RTM_DELADDR, Happening::AddressDeleted),
    };
    let index = ifp.index();
    kernel.probe(Probe::EventBegin { what, index, change: 0, name: ifp.name() });
    if let Some(mut writer) = kernel.group_writer(group) {
        let header = MessageHeader { kind, ..MessageHeader::default() };
        if address_dump::address(kernel, behaviours, &mut writer, &header, &Owner::of(ifp), address).is_ok() {
            kernel.probe(Probe::EventOut { message: kind, group, index });
        }
        writer.flush();
    }
    kernel.probe(Probe::EventEnd { what, index });
}
