// SPDX-License-Identifier: BSD-2-Clause
//! Tunnels: gif(4) (`net/if_gif.c`) without end points, tun(4) and tap(4) (`net/if_tuntap.c`) that no program
//! has opened.

use std::ops::RangeInclusive;

use iface_core::{Capabilities, Errno, Name, Sleepable};
use nlproof_wire::consts::freebsd::{IFF_MULTICAST, IFF_SIMPLEX, IFT_ETHER, IFT_GIF, IFT_PPP};
use nlproof_wire::consts::{IFF_BROADCAST, IFF_POINTOPOINT};

use crate::interface::{Blueprint, Driver, IfRef, LinkState};
use crate::stack::Stack;
use crate::variant::{IFCAP_LINKSTATE, IFCAP_LRO, IFCAP_RXCSUM, IFCAP_RXCSUM_IPV6};

/// `GIF_MTU_MIN` and `GIF_MTU_MAX` of `net/if_gif.h`, in bytes.
pub(crate) const GIF_MTU_RANGE: RangeInclusive<u32> = 1280..=8192;
/// `GIF_MTU`.
const GIF_MTU: u32 = 1280;
/// `TUNMTU` of `net/if_tun.h`.
const TUN_MTU: u32 = 1500;

impl Stack {
    /// `gif_clone_create`.
    pub(crate) fn gif_create(&self, thread: &mut Sleepable, name: Name) -> Result<IfRef, Errno> {
        self.point_to_point(thread, name, Driver::Gif, IFT_GIF, GIF_MTU, IFCAP_LINKSTATE)
    }

    /// `tun_clone_create` and `tuncreate`.
    pub(crate) fn tun_create(&self, thread: &mut Sleepable, name: Name) -> Result<IfRef, Errno> {
        self.point_to_point(thread, name, Driver::Tun, IFT_PPP, TUN_MTU, self.variant.tun_capabilities)
    }

    /// `tun_clone_create` and `tuncreate` for tap(4). Nothing but the link's state is switched on before a
    /// program asks for it.
    pub(crate) fn tap_create(&self, thread: &mut Sleepable, name: Name) -> Result<IfRef, Errno> {
        let unit = self.allocate_unit(Driver::Tap, name)?;
        let ifp = self.allocate_interface(&Blueprint {
            name: format!("tap{unit}"),
            driver: Driver::Tap,
            unit: Some(unit),
            kind: IFT_ETHER,
            flags: IFF_BROADCAST | IFF_SIMPLEX | IFF_MULTICAST,
            mtu: TUN_MTU,
            capabilities: self.variant.tun_capabilities,
        });
        let enabled = ifp.capabilities.get().enabled;
        let supported = [enabled[0] | IFCAP_RXCSUM | IFCAP_RXCSUM_IPV6 | IFCAP_LRO, 0];
        ifp.capabilities.set(Capabilities { supported, enabled });
        // `ether_gen_addr` hashes the host's id and the name; nobody can foretell that.
        let [.., high, low] = ifp.index.to_be_bytes();
        self.ethernet_attach(thread, &ifp, [0x58, 0x9c, 0xfc, high, low, 0x0d]);
        Ok(ifp)
    }

    fn point_to_point(
        &self,
        thread: &mut Sleepable,
        name: Name,
        driver: Driver,
        kind: u16,
        mtu: u32,
        capabilities: u32,
    ) -> Result<IfRef, Errno> {
        let unit = self.allocate_unit(driver, name)?;
        let ifp = self.allocate_interface(&Blueprint {
            name: format!("{}{unit}", driver.name()),
            driver,
            unit: Some(unit),
            kind,
            flags: IFF_POINTOPOINT | IFF_MULTICAST,
            mtu,
            capabilities,
        });
        self.attach(thread, &ifp);
        Ok(ifp)
    }

    /// `gif_clone_destroy`: the tunnel's link goes down, also when there never was a tunnel.
    pub(crate) fn gif_destroy(&self, thread: &mut Sleepable, ifp: &IfRef) {
        self.link_state_change(thread, ifp, LinkState::Down);
        self.simple_destroy(thread, ifp);
    }

    /// What most drivers do to destroy an interface.
    pub(crate) fn simple_destroy(&self, thread: &mut Sleepable, ifp: &IfRef) {
        self.detach(thread, ifp);
        self.free_interface(ifp);
        self.free_unit(ifp);
    }
}
