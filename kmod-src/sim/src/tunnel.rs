// SPDX-License-Identifier: BSD-2-Clause
//! Tunnels: gif(4) (`net/if_gif.c`, `netinet/in_gif.c`, `netinet6/in6_gif.c`), tun(4) and tap(4) (`net/if_tuntap.c`)
//! that no program has opened.

use std::ops::RangeInclusive;

use iface_core::{
    Capabilities, Errno, GifRequest, LinkRequest, Name, Report, Sleepable, SocketAddress, Tunnel, Writer,
};
use nlproof_wire::consts::freebsd::{
    IFF_DRV_RUNNING, IFF_MULTICAST, IFF_SIMPLEX, IFLA_IPTUN_FLAGS, IFLA_IPTUN_LOCAL, IFLA_IPTUN_REMOTE,
    IFT_ETHER, IFT_GIF, IFT_PPP,
};
use nlproof_wire::consts::{IFF_BROADCAST, IFF_POINTOPOINT, IFLA_IFNAME, IFLA_LINK};

use crate::describe::link_info_with;
use crate::interface::{Blueprint, Driver, Gif, IfRef, LinkState};
use crate::stack::Stack;
use crate::variant::{IFCAP_LINKSTATE, IFCAP_LRO, IFCAP_RXCSUM, IFCAP_RXCSUM_IPV6};
use crate::writer::NlWriter;

/// `GIF_MTU_MIN` and `GIF_MTU_MAX` of `net/if_gif.h`, in bytes.
pub(crate) const GIF_MTU_RANGE: RangeInclusive<u32> = 1280..=8192;
/// `GIF_MTU`.
const GIF_MTU: u32 = 1280;
/// `GIF_IGNORE_SOURCE`.
const IGNORE_SOURCE: u32 = 2;
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

    /// The part of `gif_clone_modify_nl` for tunnels alone. The sender may do it (PRIV_NET_GIF) in every network stack
    /// in which it may make interfaces.
    pub(crate) fn gif_change(
        &self,
        ifp: &IfRef,
        request: &LinkRequest<'_>,
        report: &mut Report,
    ) -> Result<(), Errno> {
        let data = request.driver_data.as_ref().filter(|_| self.variant.drivers_describe);
        let Some(data) = data else { return Ok(()) };
        let wanted = GifRequest::of(data, report)?;
        let Some(mut gif) = ifp.gif.get() else { return Ok(()) };
        if let Some(tunnel) = wanted.tunnel(report)?
            && gif.tunnel != Some(tunnel)
        {
            let taken = |other: &IfRef| other.gif.get().is_some_and(|gif| gif.tunnel == Some(tunnel));
            if self.living().iter().any(taken) {
                return Err(GifRequest::refused(Errno::EADDRNOTAVAIL, report));
            }
            gif.tunnel = Some(tunnel);
            ifp.gif.set(Some(gif));
            self.gif_running(ifp, &tunnel);
        }
        if let Some(options) = wanted.flags(report)? {
            // A tunnel takes over flags only together with a change of GIF_IGNORE_SOURCE (`in_gif_setopts`).
            if gif.tunnel.is_none() || (options ^ gif.options) & IGNORE_SOURCE != 0 {
                gif.options = options;
            }
            ifp.gif.set(Some(gif));
        }
        Ok(())
    }

    /// `in_gif_set_running`: a tunnel runs when its near end is an address of this machine. The kernel looks again when
    /// addresses come and go; here it is asked once.
    fn gif_running(&self, ifp: &IfRef, tunnel: &Tunnel) {
        let local =
            self.interfaces.borrow().iter().any(|other| {
                other.addresses.borrow().iter().any(|ifa| ifa.address.get().local == tunnel.local)
            });
        let running = if local { IFF_DRV_RUNNING } else { 0 };
        ifp.driver_flags.set(ifp.driver_flags.get() & !IFF_DRV_RUNNING | running);
    }

    /// `gif_clone_dump_nl`: index and name once more, and the tunnel. One that is being destroyed has nothing to tell.
    pub(crate) fn gif_describe(ifp: &IfRef, stream: &mut NlWriter) {
        stream.u32(IFLA_LINK, ifp.index);
        stream.name(IFLA_IFNAME, ifp.name.get());
        link_info_with(stream, Driver::Gif, |stream| {
            let Some(Gif { tunnel, options }) = ifp.gif.get() else { return };
            if let Some(Tunnel { local, remote }) = tunnel {
                for (kind, address) in [(IFLA_IPTUN_LOCAL, local), (IFLA_IPTUN_REMOTE, remote)] {
                    match address {
                        SocketAddress::Inet(inet) => stream.attribute(kind, &inet),
                        SocketAddress::Inet6(inet6) => stream.attribute(kind, &inet6),
                        SocketAddress::Link(_) | SocketAddress::Other(_) => {}
                    }
                }
            }
            stream.u32(IFLA_IPTUN_FLAGS, options);
        });
    }

    /// `gif_clone_destroy`: the tunnel's link goes down, also when there never was a tunnel. Who asks for the message
    /// about it waits until the tunnel is gone (`gif_ioctl_sx`).
    pub(crate) fn gif_destroy(&self, thread: &mut Sleepable, ifp: &IfRef) {
        ifp.gif.set(None);
        ifp.driver_flags.set(ifp.driver_flags.get() & !IFF_DRV_RUNNING);
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
