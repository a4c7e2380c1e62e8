// SPDX-License-Identifier: BSD-2-Clause
//! The traits by which this crate uses the kernel around it.
//!
//! The kernel module implements these traits over opaque pointers and a C shim. They are made so that
//! they cannot be used wrongly: a reference to an interface gives itself back when it is dropped, what
//! may sleep asks for a [`Sleepable`], what needs the network epoch for an [`Epoch`].

use crate::address::{Inet6Alias, InetAlias, InterfaceAddress, LinkAddress, SocketAddress};
use crate::context::{Epoch, Sleepable};
use crate::errno::Errno;
use crate::link_request::LinkRequest;
use crate::name::Name;
use crate::probe::Probe;
use crate::report::Report;
use crate::writer::GroupWriter;

/// One interface: the accessors of `net/if_var.h` that a dump needs.
pub trait Interface {
    /// `if_getindex`.
    fn index(&self) -> u32;
    /// `if_name`.
    fn name(&self) -> Name;
    /// `if_gettype`: IFT_* of `net/if_types.h`.
    fn kind(&self) -> u8;
    /// `if_getflags`: IFF_* that the stack owns.
    fn flags(&self) -> u32;
    /// `if_getdrvflags`: IFF_DRV_* that the driver owns.
    fn driver_flags(&self) -> u32;
    /// `if_getmtu`, in bytes.
    fn mtu(&self) -> u32;
    /// `if_getaddrlen`: bytes of a link-level address; 0 if the interface has none.
    fn link_address_len(&self) -> u8;
    /// The address that is first in the interface's list if it is of AF_LINK, as it always is.
    fn link_address(&self) -> Option<LinkAddress>;
    /// `if_getbroadcastaddr`.
    fn broadcast_address(&self) -> Option<LinkAddress>;
    /// `if_gethwaddr`: the address that the hardware came with; only Ethernet and lagg have one.
    fn hardware_address(&self) -> Option<LinkAddress>;
    /// `if_getcapabilities` and `if_getcapenable`.
    fn capabilities(&self) -> Capabilities;
    /// `if_getcounter`.
    fn counter(&self, counter: Counter) -> u64;
    /// Everything that a message says in numbers, read at once.
    fn state(&self) -> LinkState {
        LinkState {
            index: self.index(),
            kind: self.kind(),
            link_address_len: self.link_address_len(),
            has_broadcast: self.broadcast_address().is_some(),
            flags: self.flags(),
            driver_flags: self.driver_flags(),
            mtu: self.mtu(),
            capabilities: self.capabilities(),
        }
    }
    /// Writes `struct rtnl_link_stats64`: the counters, and 0 for what the kernel does not count.
    fn statistics(&self, out: &mut [u8; STATISTICS]) {
        *out = [0; STATISTICS];
        for counter in Counter::ALL {
            let place = counter.place();
            if let Some(slot) = out.get_mut(place..place.saturating_add(8)) {
                slot.copy_from_slice(&self.counter(counter).to_ne_bytes());
            }
        }
    }
    /// `if_foreach_group`: the names of the groups that the interface is in, in the order in which it joined them.
    fn for_each_group(&self, each: impl FnMut(Name));
    /// Shows the description (`if_getdescr`), without its NUL, to `show`; `None` if there is none.
    fn description<R>(&self, show: impl FnOnce(Option<&[u8]>) -> R) -> R;
}

/// Capabilities of an interface: IFCAP_* in two words, as the kernel keeps them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// What the interface can do.
    pub supported: [u32; 2],
    /// What is switched on.
    pub enabled: [u32; 2],
}

/// What a message says of an interface in numbers: what the accessors of [`Interface`] give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the accessors")]
pub struct LinkState {
    pub index: u32,
    pub kind: u8,
    pub link_address_len: u8,
    pub has_broadcast: bool,
    pub flags: u32,
    pub driver_flags: u32,
    pub mtu: u32,
    pub capabilities: Capabilities,
}

/// Bytes of `struct rtnl_link_stats64`: 24 numbers of eight bytes.
pub const STATISTICS: usize = 192;

/// The counters that are sent (`IFCOUNTER_*` of `net/if.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of rtnl_link_stats64, which say what they count")]
pub enum Counter {
    RxPackets,
    TxPackets,
    RxBytes,
    TxBytes,
    RxErrors,
    TxErrors,
    RxDropped,
    TxDropped,
    Multicast,
    RxNoHandler,
}

impl Counter {
    /// All of them, in the order of `rtnl_link_stats64`.
    pub const ALL: [Self; 10] = [
        Self::RxPackets,
        Self::TxPackets,
        Self::RxBytes,
        Self::TxBytes,
        Self::RxErrors,
        Self::TxErrors,
        Self::RxDropped,
        Self::TxDropped,
        Self::Multicast,
        Self::RxNoHandler,
    ];

    /// Where it stands in `struct rtnl_link_stats64`: the first nine are the first in both, the last is the last.
    const fn place(self) -> usize {
        match self {
            Self::RxPackets => 0,
            Self::TxPackets => 8,
            Self::RxBytes => 16,
            Self::TxBytes => 24,
            Self::RxErrors => 32,
            Self::TxErrors => 40,
            Self::RxDropped => 48,
            Self::TxDropped => 56,
            Self::Multicast => 64,
            Self::RxNoHandler => 184,
        }
    }
}

/// What SIOCGIFMEDIA tells about an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Media {
    /// The active media is of the type IFM_ETHER.
    pub ethernet: bool,
    /// IFM_ACTIVE: there is a link.
    pub active: bool,
}

/// Privileges that requests need, `PRIV_NET_*` of `sys/priv.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of sys/priv.h")]
pub enum Privilege {
    IfCreate,
    IfDestroy,
    AddIfAddr,
    DelIfAddr,
    SetIfDescr,
    SetIfMtu,
    SetIfMac,
}

/// The socket that a request came from: `struct nlpcb`.
pub trait Requester {
    /// `nlp_has_priv`.
    fn has_privilege(&self, privilege: Privilege) -> bool;
    /// `nlp_unconstrained_vnet`: the socket's owner is not in a jail that shares its network stack.
    fn owns_network_stack(&self) -> bool;
    /// `prison_if`: the owner's jail may see an interface's address.
    fn may_see(&self, address: &SocketAddress) -> bool;
}

/// The network stack.
pub trait Kernel {
    /// A counted reference to an interface (`if_ref`), which `Drop` gives back (`if_rele`).
    type Ref: Interface;
    /// An address of an interface (`struct ifaddr`).
    type Address: InterfaceAddress;
    /// Leaves the network epoch when dropped (`struct epoch_tracker`).
    type EpochTracker;
    /// What drivers write to.
    type Stream;
    /// Writes to a multicast group.
    type GroupWriter: GroupWriter<Stream = Self::Stream>;

    /// A point of the path was passed. Who traces hears of it here; the default does nothing and costs nothing.
    #[inline(always)]
    fn probe(&self, _probe: Probe) {}

    /// NET_EPOCH_ENTER. Use [`in_epoch`](crate::in_epoch).
    fn epoch_enter(&self) -> Self::EpochTracker;

    /// `ifnet_byindex_ref`: the interface with that index, unless it is dying.
    fn by_index(&self, epoch: &Epoch<'_>, index: u32) -> Option<Self::Ref>;
    /// `ifunit_ref`: the interface of that name, unless it is dying. At most 16 bytes are compared.
    fn by_name(&self, name: &[u8]) -> Option<Self::Ref>;
    /// `if_foreach_sleep`: references the interfaces that match, inside the epoch, and then shows them one by
    /// one outside of it, until one call fails.
    ///
    /// # Errors
    /// What `each` returned.
    fn for_each_interface(
        &self,
        thread: &mut Sleepable,
        matches: impl FnMut(&Self::Ref) -> bool,
        each: impl FnMut(&mut Sleepable, &Self::Ref) -> Result<(), Errno>,
    ) -> Result<(), Errno>;
    /// `if_iter_start` and `if_iter_next`: every interface, inside the epoch, until one call fails.
    ///
    /// # Errors
    /// What `each` returned.
    fn for_each_interface_in(
        &self,
        epoch: &Epoch<'_>,
        each: impl FnMut(&Self::Ref) -> Result<(), Errno>,
    ) -> Result<(), Errno>;
    /// `ifa_iter_start` and `ifa_iter_next`: every address of an interface, until one call fails.
    ///
    /// # Errors
    /// What `each` returned.
    fn for_each_address(
        &self,
        epoch: &Epoch<'_>,
        ifp: &Self::Ref,
        each: impl FnMut(&Self::Address) -> Result<(), Errno>,
    ) -> Result<(), Errno>;

    /// SIOCGIFMEDIA.
    ///
    /// # Errors
    /// The driver's error.
    fn media(&self, thread: &mut Sleepable, ifp: &Self::Ref) -> Result<Media, Errno>;
    /// `ifc_dump_ifp_nl`: if there is a cloner of the driver's name in this network stack, it adds what it has to say
    /// of the interface to the message: [`link_info`](crate::link_info). Before 16 no driver's own function is
    /// asked (vlan(4) has one): `ifc_attach_cloner` overwrites it.
    fn describe(&self, ifp: &Self::Ref, stream: &mut Self::Stream);

    /// `ifc_create_ifp_nl`: makes an interface with the cloner that matches the name, and has it configured by its
    /// driver. If that fails, the interface stays.
    ///
    /// # Errors
    /// EINVAL when no cloner matches, EEXIST when there is such an interface, else the cloner's error.
    fn create(
        &self,
        thread: &mut Sleepable,
        name: &[u8],
        request: &LinkRequest<'_>,
    ) -> Result<Self::Ref, Errno>;
    /// What a request to change an interface asks of its driver beyond what every interface has: the part of
    /// the cloner's `modify_nl` before `nl_modify_ifp_generic`. Only vlan(4) has one, and from 16 on gif(4); the
    /// default does nothing.
    ///
    /// # Errors
    /// The driver's error, with what it reported.
    fn configure(
        &self,
        _thread: &mut Sleepable,
        _ifp: &Self::Ref,
        _request: &LinkRequest<'_>,
        _report: &mut Report,
    ) -> Result<(), Errno> {
        Ok(())
    }
    /// `if_clone_destroy`, by the name the interface has now.
    ///
    /// # Errors
    /// ENXIO when it is gone, EINVAL when it was not cloned, else the cloner's error.
    fn destroy(&self, thread: &mut Sleepable, ifp: &Self::Ref) -> Result<(), Errno>;

    /// `if_setdescr` with a copy of `description` (which has no NUL).
    fn set_description(&self, thread: &mut Sleepable, ifp: &Self::Ref, description: &[u8]);
    /// `if_up`.
    fn up(&self, thread: &mut Sleepable, ifp: &Self::Ref);
    /// `if_down`.
    fn down(&self, thread: &mut Sleepable, ifp: &Self::Ref);
    /// SIOCSIFMTU through `ifhwioctl`.
    ///
    /// # Errors
    /// EINVAL for a value that no interface can have, else the driver's error.
    fn set_mtu(&self, thread: &mut Sleepable, ifp: &Self::Ref, mtu: u32) -> Result<(), Errno>;
    /// `ifpromisc`: counts one user of promiscuous mode more or less.
    ///
    /// # Errors
    /// The driver's error.
    fn count_promiscuous(&self, thread: &mut Sleepable, ifp: &Self::Ref, on: bool) -> Result<(), Errno>;
    /// `if_setppromisc`: switches promiscuous mode as the administrator's wish.
    fn set_promiscuous(&self, thread: &mut Sleepable, ifp: &Self::Ref, on: bool);
    /// `if_setlladdr`.
    ///
    /// # Errors
    /// EINVAL for an address of the wrong length, else the driver's error.
    fn set_link_address(&self, thread: &mut Sleepable, ifp: &Self::Ref, address: &[u8]) -> Result<(), Errno>;

    /// SIOCAIFADDR.
    ///
    /// # Errors
    /// What `in_control_ioctl` returns.
    fn add_inet(&self, thread: &mut Sleepable, ifp: &Self::Ref, alias: &InetAlias) -> Result<(), Errno>;
    /// SIOCDIFADDR.
    ///
    /// # Errors
    /// What `in_control_ioctl` returns.
    fn delete_inet(&self, thread: &mut Sleepable, ifp: &Self::Ref, address: [u8; 4]) -> Result<(), Errno>;
    /// SIOCAIFADDR_IN6.
    ///
    /// # Errors
    /// What `in6_control_ioctl` returns.
    fn add_inet6(&self, thread: &mut Sleepable, ifp: &Self::Ref, alias: &Inet6Alias) -> Result<(), Errno>;
    /// SIOCDIFADDR_IN6.
    ///
    /// # Errors
    /// What `in6_control_ioctl` returns.
    fn delete_inet6(&self, thread: &mut Sleepable, ifp: &Self::Ref, address: [u8; 16]) -> Result<(), Errno>;

    /// A writer to a group of NETLINK_ROUTE (RTNLGRP_*); `None` when nobody could listen or no memory is left.
    fn group_writer(&self, group: u32) -> Option<Self::GroupWriter>;
}
