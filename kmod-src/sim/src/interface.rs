// SPDX-License-Identifier: BSD-2-Clause
//! One interface: the fields of `struct ifnet` (`net/if_private.h`) that matter here.

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::rc::{Rc, Weak};

use iface_core::{Address, Capabilities, LinkAddress, Name, SocketAddress, Tunnel};

/// What drives an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Driver {
    /// lo(4).
    Loopback,
    /// epair(4): one end of a pair.
    Epair,
    /// bridge(4).
    Bridge,
    /// vlan(4).
    Vlan,
    /// gif(4): a tunnel. Only requests of 16 give it end points here.
    Gif,
    /// tun(4): a point-to-point interface whose other end is a program.
    Tun,
    /// tap(4): Ethernet whose other end is a program.
    Tap,
    /// disc(4).
    Disc,
}

impl Driver {
    /// All that are modelled, in the order in which the kernel asks whether a name is theirs: the driver that
    /// came last is asked first.
    pub(crate) const ALL: [Self; 8] =
        [Self::Disc, Self::Bridge, Self::Epair, Self::Vlan, Self::Tap, Self::Tun, Self::Gif, Self::Loopback];

    /// `if_dname`, which is also the name of its cloner.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Loopback => "lo",
            Self::Epair => "epair",
            Self::Bridge => "bridge",
            Self::Vlan => "vlan",
            Self::Gif => "gif",
            Self::Tun => "tun",
            Self::Tap => "tap",
            Self::Disc => "disc",
        }
    }
}

/// `if_link_state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkState {
    Unknown,
    Down,
    Up,
}

/// `struct ifnet`.
#[derive(Debug)]
pub(crate) struct Ifnet {
    pub(crate) index: u32,
    pub(crate) name: Cell<Name>,
    pub(crate) driver: Driver,
    /// `if_dunit`; `None` for a VLAN that is named after its parent.
    pub(crate) unit: Option<u32>,
    /// IFT_*.
    pub(crate) kind: Cell<u8>,
    pub(crate) flags: Cell<u32>,
    pub(crate) driver_flags: Cell<u32>,
    pub(crate) mtu: Cell<u32>,
    /// Users of promiscuous mode; more leavers than comers make it negative, as in the kernel.
    pub(crate) promiscuous: Cell<i32>,
    pub(crate) link_state: Cell<LinkState>,
    pub(crate) link_address_len: Cell<u8>,
    pub(crate) link_address: Cell<LinkAddress>,
    pub(crate) hardware_address: Cell<LinkAddress>,
    pub(crate) broadcast_address: Cell<Option<LinkAddress>>,
    pub(crate) capabilities: Cell<Capabilities>,
    pub(crate) description: RefCell<Option<Vec<u8>>>,
    /// `if_groups`, in the order in which the interface joined them.
    pub(crate) groups: RefCell<Vec<Name>>,
    /// `if_addrhead` without the link-level address, which is always its first.
    pub(crate) addresses: RefCell<Vec<Rc<IfAddr>>>,
    /// ND6_IFF_IFDISABLED: IPv6 waits for the first address.
    pub(crate) inet6_disabled: Cell<bool>,
    /// The other end of an epair.
    pub(crate) peer: RefCell<Weak<Ifnet>>,
    /// What a VLAN is on.
    pub(crate) trunk: RefCell<Option<Trunk>>,
    /// `ifv_qtag`: id and protocol of a VLAN. They outlast the parent.
    pub(crate) tag: Cell<(u16, u16)>,
    /// What a gif is; `None` once it is being destroyed (`if_softc`).
    pub(crate) gif: Cell<Option<Gif>>,
}

/// `struct gif_softc` of `net/if_gif.h`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Gif {
    pub(crate) tunnel: Option<Tunnel>,
    /// `gif_options`.
    pub(crate) options: u32,
}

/// Where a VLAN belongs: `struct ifvlan` of `net/if_vlan.c`.
#[derive(Debug, Clone)]
pub(crate) struct Trunk {
    pub(crate) parent: Weak<Ifnet>,
    /// `ifv_mtufudge`: bytes by which packets must be smaller than the parent's.
    pub(crate) mtu_fudge: u32,
    /// The parent is promiscuous because the VLAN is.
    pub(crate) promiscuous: bool,
}

/// `struct ifaddr` with what IPv4 and IPv6 add to it.
#[derive(Debug)]
pub(crate) struct IfAddr {
    pub(crate) owner: Weak<Ifnet>,
    pub(crate) address: Cell<Address>,
    /// IPv4: `ia_subnetmask`.
    pub(crate) mask: u32,
    /// IPv4: IFA_ROUTE, the prefix's route is this address's.
    pub(crate) route: Cell<bool>,
}

impl IfAddr {
    /// The IPv4 address as a number.
    pub(crate) fn inet(&self) -> Option<u32> {
        match self.address.get().local {
            SocketAddress::Inet(inet) => Some(u32::from_be_bytes(inet)),
            _ => None,
        }
    }

    /// The IPv6 address, with its scope embedded.
    pub(crate) fn inet6(&self) -> Option<[u8; 16]> {
        match self.address.get().local {
            SocketAddress::Inet6(inet6) => Some(inet6),
            _ => None,
        }
    }
}

/// A counted reference to an interface: `if_ref`, and `if_rele` on drop.
#[derive(Debug, Clone)]
pub(crate) struct IfRef(pub(crate) Rc<Ifnet>);

impl Deref for IfRef {
    type Target = Ifnet;

    fn deref(&self) -> &Ifnet {
        &self.0
    }
}

impl Ifnet {
    pub(crate) fn has(&self, flag: u32) -> bool {
        self.flags.get() & flag != 0
    }

    pub(crate) fn set(&self, flag: u32) {
        self.flags.set(self.flags.get() | flag);
    }

    pub(crate) fn clear(&self, flag: u32) {
        self.flags.set(self.flags.get() & !flag);
    }

    /// `if_addgroup`: false for a group that it is in already, or a name that ends with a digit.
    pub(crate) fn join(&self, group: &[u8]) -> bool {
        let group = Name::truncated(group);
        let mut groups = self.groups.borrow_mut();
        let possible = !group.as_bytes().last().is_some_and(u8::is_ascii_digit) && !groups.contains(&group);
        if possible {
            groups.push(group);
        }
        possible
    }

    /// `if_delgroup`: whether it was in that group.
    pub(crate) fn leave(&self, group: &[u8]) -> bool {
        let group = Name::truncated(group);
        let mut groups = self.groups.borrow_mut();
        let before = groups.len();
        groups.retain(|other| *other != group);
        groups.len() < before
    }
}

/// What a driver knows of an interface before it exists.
#[derive(Debug)]
pub(crate) struct Blueprint {
    pub(crate) name: String,
    pub(crate) driver: Driver,
    pub(crate) unit: Option<u32>,
    pub(crate) kind: u16,
    pub(crate) flags: u32,
    pub(crate) mtu: u32,
    pub(crate) capabilities: u32,
}
