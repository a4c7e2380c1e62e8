// SPDX-License-Identifier: BSD-2-Clause
//! bridge(4) (`net/if_bridge.c`), without members: no message adds one.

use iface_core::{Errno, Name, Sleepable};
use nlproof_wire::consts::freebsd::{IFF_DRV_RUNNING, IFF_MULTICAST, IFF_SIMPLEX, IFT_BRIDGE};
use nlproof_wire::consts::{IFF_BROADCAST, IFF_UP};

use crate::interface::{Blueprint, Driver, IfRef};
use crate::stack::Stack;

impl Stack {
    /// `bridge_clone_create`.
    pub(crate) fn bridge_create(&self, thread: &mut Sleepable, name: Name) -> Result<IfRef, Errno> {
        let unit = self.allocate_unit(Driver::Bridge, name)?;
        let ifp = self.allocate_interface(&Blueprint {
            name: format!("bridge{unit}"),
            driver: Driver::Bridge,
            unit: Some(unit),
            kind: IFT_BRIDGE,
            flags: IFF_BROADCAST | IFF_SIMPLEX | IFF_MULTICAST,
            mtu: 1500,
            capabilities: self.variant.bridge_capabilities,
        });
        // `ether_gen_addr` hashes the host's id and the name; nobody can foretell that.
        let [.., high, low] = ifp.index.to_be_bytes();
        self.ethernet_attach(thread, &ifp, [0x58, 0x9c, 0xfc, high, low, 0x0c]);
        Ok(ifp)
    }

    /// `bridge_clone_destroy`: it is stopped and down before anybody hears of it.
    pub(crate) fn bridge_destroy(&self, thread: &mut Sleepable, ifp: &IfRef) {
        ifp.clear(IFF_UP);
        bridge_flags(ifp);
        self.detach(thread, ifp);
        self.free_interface(ifp);
        self.free_unit(ifp);
    }
}

/// SIOCSIFFLAGS: it runs when it is up.
pub(crate) fn bridge_flags(ifp: &IfRef) {
    let running = if ifp.has(IFF_UP) { IFF_DRV_RUNNING } else { 0 };
    ifp.driver_flags.set(ifp.driver_flags.get() & !IFF_DRV_RUNNING | running);
}
