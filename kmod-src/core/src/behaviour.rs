// SPDX-License-Identifier: BSD-2-Clause
//! Differences between the branches, each under a name.

use crate::cloners::Cloners;
use crate::profile::Profile;

/// Behaviour of one branch where the branches differ. Everything else is the same in all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviours {
    /// How RTM_NEWLINK changes an interface.
    pub link_modify: LinkModify,
    /// Where the parent's index in IFLA_LINK goes.
    pub link_parent: LinkParent,
    /// Which code makes an interface.
    pub link_cloner: LinkCloner,
    /// A successful create is acknowledged with a cookie: index and name of the new interface.
    pub cookie_on_create: bool,
    /// `IFCAP_B_SIZE` of `net/if.h`: bits of the capability bitset. `None`: IFLA_FREEBSD is not sent.
    pub capability_bits: Option<u32>,
    /// IFLA_LINKINFO with the driver's name is sent for interfaces whose driver clones.
    pub link_info: bool,
    /// IFLA_ADDRESS is sent even when the interface has no link-level address (then it is empty).
    pub empty_link_address: bool,
    /// How the scope of an IPv4 address is found.
    pub inet4_scope: Inet4Scope,
    /// What RTM_NEWADDR and RTM_DELADDR do.
    pub address_changes: AddressChanges,
    /// How much an address message tells.
    pub address_dump: AddressDump,
    /// What a jail without a network stack of its own may ask, and is shown.
    pub shared_stack: SharedStack,
    /// How a new name is announced.
    pub rename: Rename,
    /// What `ifi_type` of RTM_GETLINK is compared with.
    pub type_filter: TypeFilter,
    /// IFLA_EXT_MASK is read, and must be a u32.
    pub extended_mask: bool,
    /// What becomes of an error that cuts a dump of interfaces short.
    pub dump_error: DumpError,
    /// IFLAF_GROUP is sent: the groups of the interface. Not without [`capability_bits`](Self::capability_bits).
    pub groups: bool,
}

/// How `_nl_modify_ifp_generic` (`netlink/route/iface_drivers.c`) changes an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkModify {
    /// Which requests bring the interface up or down.
    pub up_down: UpDown,
    /// What becomes of a failure to set the MTU.
    pub mtu_error: MtuError,
    /// How promiscuous mode is switched.
    pub promiscuity: Promiscuity,
    /// What IFLA_ADDRESS of a request does.
    pub link_address: LinkAddressChange,
}

/// Which requests bring an interface up or down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpDown {
    /// Only down, and only with IFF_UP in `ifi_change`. A request to bring it up succeeds without effect.
    DownOnly,
    /// To what IFF_UP of `ifi_flags` says, when `ifi_change` has IFF_UP or is 0.
    Both,
}

/// What becomes of a failure to set the MTU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MtuError {
    /// The request succeeds.
    Lost,
    /// The request fails with the driver's error.
    Returned,
}

/// How promiscuous mode is switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promiscuity {
    /// By counting (`ifpromisc`), when `ifi_change` has IFF_PROMISC.
    Counted,
    /// By counting, when `ifi_change` has IFF_PROMISC or is 0.
    CountedOrAll,
    /// IFF_PROMISC sets the permanent flag (`if_setppromisc`), when `ifi_change` has IFF_PROMISC or is 0.
    Permanent,
}

/// What IFLA_ADDRESS of a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkAddressChange {
    /// Nothing.
    Ignored,
    /// IFLA_ADDRESS sets the link-level address. The text of a failure names no error. (main, before 15)
    Set,
    /// IFLA_ADDRESS sets the link-level address. The text of a failure ends with the error's number.
    SetOrTellErrno,
}

impl LinkModify {
    /// 13, 14: an interface can be taken down but not brought up, and a failure to set the MTU is lost.
    pub const RELEASE_13: Self = Self {
        up_down: UpDown::DownOnly,
        mtu_error: MtuError::Lost,
        promiscuity: Promiscuity::Counted,
        link_address: LinkAddressChange::Ignored,
    };
    /// 15: `ifi_change` 0 stands for all flags, IFF_UP is obeyed both ways, a failure to set the MTU is returned, and
    /// IFLA_ADDRESS sets the link-level address.
    pub const RELEASE_15: Self = Self {
        up_down: UpDown::Both,
        mtu_error: MtuError::Returned,
        promiscuity: Promiscuity::Permanent,
        link_address: LinkAddressChange::SetOrTellErrno,
    };
}

/// Where the parent's index in IFLA_LINK goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkParent {
    /// Over `ifi_index`: a request with IFLA_LINK is about the parent.
    OverIndex,
    /// Into a field of its own.
    Own,
}

/// Which code makes an interface that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkCloner {
    /// netlink's own cloner for IFLA_INFO_KIND (`nl_cloners`; there is one, vlan), else a generic one. The
    /// driver is found by the name of the interface and sees nothing of the request.
    ByKind(Cloners),
    /// The driver whose name is in IFLA_IFNAME (`ifc_create_ifp_nl`), which then also sees changes.
    ByName,
}

/// What a jail without a network stack of its own may ask, and is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedStack {
    /// netlink knows no such jails: whoever has a socket may send every message and is shown everything, and only
    /// privileges are asked for. AF_NETLINK is not among the families that such a jail has (`prison_check_af`), so its
    /// socket(2) fails with EPROTONOSUPPORT, unless the jail has `allow.socket_af`.
    Unknown,
    /// A jail has sockets and may send the GET messages (RTNL_F_ALLOW_NONVNET_JAIL); RTM_GETADDR shows it its own
    /// addresses alone.
    GetsAlone,
}

/// How a new name of an interface is announced. Both ways it is RTM_DELLINK with the old one and RTM_NEWLINK with the
/// new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rename {
    /// A renaming is a departure and an arrival, while IFF_RENAMING is set.
    DepartureAndArrival,
    /// By `ifnet_rename_event`, after the fact and without a flag.
    EventOfItsOwn,
}

/// What `ifi_type` of RTM_GETLINK is compared with (`match_iface`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeFilter {
    /// The type is compared with the requested *index*: a slip, which finds nothing for any type but 0.
    AgainstIndex,
    /// The type is compared with the interface's.
    AgainstType,
}

/// What becomes of an error that cuts a dump of interfaces short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DumpError {
    /// Nobody hears of it: NLMSG_DONE says 0.
    Dropped,
    /// NLMSG_DONE carries it, and the handler returns it.
    Told,
}

/// How the scope of an IPv4 address is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inet4Scope {
    /// The address is read as if it were in host order: on a little-endian machine x.x.x.127 is of host scope and
    /// x.y.254.169 of link scope, while 127.0.0.1 and 169.254/16 are global.
    NetworkOrderAsHost,
    /// 127/8 is of host scope, 169.254/16 of link scope.
    HostOrder,
}

/// What RTM_NEWADDR and RTM_DELADDR do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressChanges {
    /// RTM_NEWADDR and RTM_DELADDR are answered as RTM_GETADDR is, to anybody, and change nothing.
    ListInstead,
    /// RTM_NEWADDR and RTM_DELADDR add and delete addresses.
    Change,
}

/// How much an address message tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressDump {
    /// No IFA_CACHEINFO and no IFA_FREEBSD, IFA_FLAGS always 0; a point-to-point interface's address
    /// without a peer has no IFA_ADDRESS.
    Plain,
    /// With IFA_CACHEINFO (IPv6), IFA_FREEBSD and the IPv6 flags.
    Full,
}

impl Behaviours {
    /// Behaviour of that branch.
    #[must_use]
    pub const fn of(profile: Profile) -> Self {
        let release_13 = Self {
            link_modify: LinkModify::RELEASE_13,
            link_parent: LinkParent::OverIndex,
            link_cloner: LinkCloner::ByKind(Cloners::of_the_kernel()),
            cookie_on_create: false,
            capability_bits: None,
            link_info: false,
            empty_link_address: true,
            inet4_scope: Inet4Scope::NetworkOrderAsHost,
            address_changes: AddressChanges::ListInstead,
            address_dump: AddressDump::Plain,
            shared_stack: SharedStack::Unknown,
            rename: Rename::DepartureAndArrival,
            type_filter: TypeFilter::AgainstIndex,
            extended_mask: false,
            dump_error: DumpError::Dropped,
            groups: false,
        };
        let release_14_0 = Self {
            link_modify: LinkModify::RELEASE_13,
            link_parent: LinkParent::Own,
            link_cloner: LinkCloner::ByName,
            cookie_on_create: true,
            capability_bits: Some(34),
            link_info: true,
            empty_link_address: false,
            inet4_scope: Inet4Scope::NetworkOrderAsHost,
            address_changes: AddressChanges::Change,
            address_dump: AddressDump::Full,
            shared_stack: SharedStack::GetsAlone,
            rename: Rename::DepartureAndArrival,
            type_filter: TypeFilter::AgainstIndex,
            extended_mask: false,
            dump_error: DumpError::Dropped,
            groups: false,
        };
        let release_14_3 = Self { inet4_scope: Inet4Scope::HostOrder, ..release_14_0 };
        let release_15 =
            Self { link_modify: LinkModify::RELEASE_15, capability_bits: Some(35), ..release_14_3 };
        match profile {
            Profile::Seed | Profile::R13 => release_13,
            Profile::R14_0 => release_14_0,
            Profile::R14_3 => release_14_3,
            Profile::R15 => release_15,
            // iface.c was read at git revision 2019f3d86f78. Nobody has read 16's iface_drivers.c; 15's variant is
            // the newest that is known.
            Profile::R16 => Self {
                rename: Rename::EventOfItsOwn,
                type_filter: TypeFilter::AgainstType,
                extended_mask: true,
                dump_error: DumpError::Told,
                groups: true,
                ..release_15
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_releases_are_known_to_do() {
        let all = Profile::ALL.map(Behaviours::of);
        assert_eq!(all.map(|b| b.capability_bits), [None, None, Some(34), Some(34), Some(35), Some(35)]);
        assert_eq!(all.map(|b| b.cookie_on_create), [false, false, true, true, true, true]);
        assert_eq!(
            all.map(|b| b.link_modify.up_down == UpDown::Both),
            [false, false, false, false, true, true]
        );
        assert_eq!(
            all.map(|b| b.inet4_scope == Inet4Scope::HostOrder),
            [false, false, false, true, true, true]
        );
        assert_eq!(
            all.map(|b| b.link_modify.mtu_error == MtuError::Returned).iter().filter(|&&r| r).count(),
            2
        );
    }

    #[test]
    fn what_changes_an_interface_in_14_and_in_15_has_nothing_in_common() {
        let [old, new] = [Profile::R14_3, Profile::R15].map(|profile| Behaviours::of(profile).link_modify);
        assert_eq!((old, new), (LinkModify::RELEASE_13, LinkModify::RELEASE_15));
        assert_ne!(old.up_down, new.up_down);
        assert_ne!(old.mtu_error, new.mtu_error);
        assert_ne!(old.promiscuity, new.promiscuity);
        assert_ne!(old.link_address, new.link_address);
    }
}
