// SPDX-License-Identifier: BSD-2-Clause
//! vlan(4) (`net/if_vlan.c`).

use std::rc::Rc;

use iface_core::{Capabilities, Errno, LinkRequest, Name, Report, Sleepable, VlanRequest, Writer};
use nlproof_wire::consts::freebsd::{
    IFF_DRV_RUNNING, IFF_DYING, IFF_MULTICAST, IFF_SIMPLEX, IFT_ETHER, IFT_L2VLAN,
};
use nlproof_wire::consts::{IFF_BROADCAST, IFF_PROMISC, IFLA_LINK, IFLA_VLAN_ID, IFLA_VLAN_PROTOCOL};

use crate::describe::link_info_with;
use crate::interface::{Blueprint, Driver, IfRef, LinkState, Trunk};
use crate::stack::Stack;
use crate::variant::{IFCAP_LINKSTATE, IFCAP_MEXTPG, IFCAP_VLAN_HWTAGGING, IFCAP_VLAN_MTU};
use crate::writer::NlWriter;

/// `VLAN_IFFLAGS`: what a VLAN is, and what its parent must be.
const FLAGS: u32 = IFF_BROADCAST | IFF_MULTICAST;
/// Bytes that a VLAN's header takes (`ETHER_VLAN_ENCAP_LEN`).
const HEADER: u32 = 4;
/// `ETHERMIN`: bytes of the smallest payload of an Ethernet frame.
const SMALLEST: u32 = 46;
const ETHERMTU: u32 = 1500;

/// `vlan_clone_match_ethervid`: the interface that a name like `epair0a.7` begins with, and the number.
fn parent_in_name(stack: &Stack, name: &[u8]) -> Option<(IfRef, u32)> {
    let name = Name::truncated(name);
    let dot = name.as_bytes().iter().rposition(|&byte| byte == b'.')?;
    let (parent, id) = name.as_bytes().split_at(dot);
    let digits = id.get(1..).filter(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))?;
    let number = |number: u32, digit: &u8| number.wrapping_mul(10).wrapping_add(u32::from(digit - b'0'));
    let parent = stack.unit(parent).filter(|ifp| !ifp.has(IFF_DYING))?;
    Some((parent, digits.iter().fold(0, number)))
}

/// SIOCSIFMTU: not more than the parent's.
pub(crate) fn vlan_mtu_possible(ifp: &IfRef, mtu: u32) -> bool {
    let trunk = ifp.trunk.borrow().clone();
    trunk.is_some_and(|trunk| {
        let parent = trunk.parent.upgrade().map_or(0, |parent| parent.mtu.get());
        (SMALLEST - trunk.mtu_fudge..=parent.saturating_sub(trunk.mtu_fudge)).contains(&mtu)
    })
}

impl Stack {
    /// `vlan_clone_match`, for names that are not just the driver's and a number.
    pub(crate) fn names_a_vlan(&self, name: &[u8]) -> bool {
        parent_in_name(self, name).is_some()
    }

    /// `vlan_clone_create_nl`. Its parent is the interface in `ifi_index`, where every other system has it in
    /// IFLA_LINK.
    pub(crate) fn vlan_create_requested(
        &self,
        thread: &mut Sleepable,
        name: Name,
        request: &LinkRequest<'_>,
    ) -> Result<IfRef, Errno> {
        let mut report = self.driver_report.borrow_mut();
        let vlan =
            VlanRequest::for_create(request.driver_data.as_ref(), self.variant.last_vlan_id, &mut report)?;
        let parent = self.living().into_iter().find(|ifp| ifp.index == request.index);
        let parent = parent.ok_or_else(|| VlanRequest::no_parent(request.index, &mut report))?;
        drop(report);
        self.vlan_create(thread, name, Some((parent, u32::from(vlan.id), vlan.protocol)))
    }

    /// `vlan_clone_create`. A name like `epair0a.7` has the last word on the id.
    pub(crate) fn vlan_create(
        &self,
        thread: &mut Sleepable,
        name: Name,
        wanted: Option<(IfRef, u32, u16)>,
    ) -> Result<IfRef, Errno> {
        let (name, unit, wanted) = match self.allocate_unit(Driver::Vlan, name) {
            Ok(unit) if name.as_bytes() == Driver::Vlan.name().as_bytes() => {
                (format!("vlan{unit}"), Some(unit), wanted)
            }
            Ok(unit) => (String::from_utf8_lossy(name.as_bytes()).into_owned(), Some(unit), wanted),
            Err(Errno::EINVAL) => {
                let (parent, id) = parent_in_name(self, name.as_bytes()).ok_or(Errno::ENXIO)?;
                let protocol = match wanted {
                    Some((given, _, _)) if given.index != parent.index => return Err(Errno::EINVAL),
                    Some((_, _, protocol)) => protocol,
                    None => 0x8100,
                };
                let name = String::from_utf8_lossy(name.as_bytes()).into_owned();
                (name, None, Some((parent, id, protocol)))
            }
            Err(error) => return Err(error),
        };
        let ifp = self.allocate_interface(&Blueprint {
            name,
            driver: Driver::Vlan,
            unit,
            kind: if self.variant.vlan_type_early { IFT_L2VLAN } else { IFT_ETHER },
            flags: FLAGS,
            mtu: ETHERMTU,
            capabilities: 0,
        });
        self.ethernet_attach(thread, &ifp, [0; 6]);
        ifp.kind.set(IFT_L2VLAN as u8);
        if let Some((parent, id, protocol)) = wanted
            && let Err(error) = self.vlan_config(thread, &ifp, &parent, id, protocol)
        {
            self.vlan_remove(thread, &ifp);
            return Err(error);
        }
        Ok(ifp)
    }

    /// The part of `vlan_clone_modify_nl` for VLANs alone. Here the parent is in IFLA_LINK.
    pub(crate) fn vlan_change(
        &self,
        thread: &mut Sleepable,
        ifp: &IfRef,
        request: &LinkRequest<'_>,
        report: &mut Report,
    ) -> Result<(), Errno> {
        let Some(data) = &request.driver_data else { return Ok(()) };
        let vlan = VlanRequest::for_change(data, report)?;
        let parent = self.living().into_iter().find(|ifp| ifp.index == request.parent);
        let parent = parent.ok_or_else(|| VlanRequest::no_parent(request.parent, report))?;
        self.vlan_config(thread, ifp, &parent, u32::from(vlan.id), vlan.protocol)
    }

    /// `vlan_config`. The parent's state is taken over without a word to anybody.
    fn vlan_config(
        &self,
        thread: &mut Sleepable,
        ifp: &IfRef,
        parent: &IfRef,
        id: u32,
        protocol: u16,
    ) -> Result<(), Errno> {
        let capabilities = parent.capabilities.get();
        let tags = capabilities.enabled[0] & IFCAP_VLAN_HWTAGGING != 0;
        if !matches!(u16::from(parent.kind.get()), IFT_ETHER | IFT_L2VLAN) && !tags
            || parent.flags.get() & FLAGS != FLAGS
        {
            return Err(Errno::EPROTONOSUPPORT);
        }
        let id = u16::try_from(id).ok().filter(|id| (1..4095).contains(id)).ok_or(Errno::EINVAL)?;
        let taken =
            self.vlans_on(parent).iter().any(|other| other.index != ifp.index && other.tag.get().0 == id);
        let (old_id, old_protocol) = ifp.tag.get();
        if let Some(trunk) = &*ifp.trunk.borrow() {
            if !std::ptr::eq(trunk.parent.as_ptr(), Rc::as_ptr(&parent.0)) {
                return Err(Errno::EBUSY);
            }
            ifp.tag.set((if taken { old_id } else { id }, protocol));
            return if taken { Err(Errno::EEXIST) } else { Ok(()) };
        }
        ifp.tag.set((id, if taken { old_protocol } else { protocol }));
        if taken {
            return Err(Errno::EEXIST);
        }
        let mtu_fudge = if capabilities.enabled[0] & IFCAP_VLAN_MTU != 0 { 0 } else { HEADER };
        let trunk = Trunk { parent: Rc::downgrade(&parent.0), mtu_fudge, promiscuous: false };
        *ifp.trunk.borrow_mut() = Some(trunk);
        ifp.mtu.set(parent.mtu.get().saturating_sub(mtu_fudge));
        ifp.link_address_len.set(parent.link_address_len.get());
        ifp.broadcast_address.set(parent.broadcast_address.get());
        ifp.flags.set(ifp.flags.get() & !IFF_SIMPLEX | parent.flags.get() & IFF_SIMPLEX);
        ifp.link_state.set(parent.link_state.get());
        let inherited = |[low, _]: [u32; 2]| [low & (IFCAP_LINKSTATE | IFCAP_MEXTPG), 0];
        ifp.capabilities.set(Capabilities {
            supported: inherited(capabilities.supported),
            enabled: inherited(capabilities.enabled),
        });
        ifp.link_address.set(parent.link_address.get());
        ifp.driver_flags.set(ifp.driver_flags.get() | IFF_DRV_RUNNING);
        self.vlan_flags(thread, ifp);
        Ok(())
    }

    /// `vlan_clone_dump_nl`: a VLAN that is on nothing has a number all the same.
    pub(crate) fn vlan_describe(ifp: &IfRef, stream: &mut NlWriter) {
        let parent = ifp.trunk.borrow().as_ref().and_then(|trunk| trunk.parent.upgrade());
        if let Some(parent) = parent {
            stream.u32(IFLA_LINK, parent.index);
        }
        let (id, protocol) = ifp.tag.get();
        link_info_with(stream, Driver::Vlan, |stream| {
            stream.attribute(IFLA_VLAN_ID, &id.to_ne_bytes());
            stream.attribute(IFLA_VLAN_PROTOCOL, &protocol.to_ne_bytes());
        });
    }

    /// `vlan_setflags`: a promiscuous VLAN makes its parent promiscuous.
    pub(crate) fn vlan_flags(&self, thread: &mut Sleepable, ifp: &IfRef) {
        let wanted = ifp.has(IFF_PROMISC);
        let parent = match &mut *ifp.trunk.borrow_mut() {
            Some(trunk) if trunk.promiscuous != wanted => {
                trunk.promiscuous = wanted;
                trunk.parent.upgrade()
            }
            _ => None,
        };
        if let Some(parent) = parent {
            // Ethernet drivers do not refuse it.
            self.count_promiscuity(thread, &IfRef(parent), wanted).unwrap_or(());
        }
    }

    /// `vlan_unconfig_locked`.
    fn vlan_unconfig(&self, thread: &mut Sleepable, ifp: &IfRef) {
        let trunk = ifp.trunk.borrow_mut().take();
        if let Some(trunk) = trunk.filter(|trunk| trunk.promiscuous)
            && let Some(parent) = trunk.parent.upgrade()
        {
            self.count_promiscuity(thread, &IfRef(parent), false).unwrap_or(());
        }
        ifp.mtu.set(ETHERMTU);
        ifp.link_state.set(LinkState::Unknown);
        ifp.driver_flags.set(ifp.driver_flags.get() & !IFF_DRV_RUNNING);
    }

    /// `vlan_clone_destroy`: one that has VLANs on it stays.
    pub(crate) fn vlan_destroy(&self, thread: &mut Sleepable, ifp: &IfRef) -> Result<(), Errno> {
        if !self.vlans_on(ifp).is_empty() {
            return Err(Errno::EBUSY);
        }
        self.vlan_remove(thread, ifp);
        Ok(())
    }

    fn vlan_remove(&self, thread: &mut Sleepable, ifp: &IfRef) {
        self.detach(thread, ifp);
        self.vlan_unconfig(thread, ifp);
        self.free_interface(ifp);
        self.free_unit(ifp);
    }

    /// The VLANs of a parent.
    pub(crate) fn vlans_on(&self, parent: &IfRef) -> Vec<IfRef> {
        let is_on = |ifp: &IfRef| {
            let trunk = ifp.trunk.borrow();
            trunk.as_ref().is_some_and(|trunk| std::ptr::eq(trunk.parent.as_ptr(), Rc::as_ptr(&parent.0)))
        };
        self.interfaces.borrow().iter().filter(|ifp| is_on(ifp)).cloned().collect()
    }

    /// `vlan_iflladdr`: VLANs have their parent's address.
    pub(crate) fn vlan_address(&self, parent: &IfRef) {
        for vlan in self.vlans_on(parent) {
            vlan.link_address.set(parent.link_address.get());
        }
    }

    /// `vlan_ifdetach`: VLANs outlive their parent.
    pub(crate) fn vlan_parent_gone(&self, thread: &mut Sleepable, parent: &IfRef) {
        for vlan in self.vlans_on(parent) {
            self.vlan_unconfig(thread, &vlan);
        }
    }
}
