// SPDX-License-Identifier: BSD-2-Clause
//! lo(4) (`net/if_loop.c`).

use iface_core::{Errno, Name, Sleepable};
use nlproof_wire::consts::freebsd::{IFF_DRV_RUNNING, IFF_MULTICAST, IFT_LOOP};
use nlproof_wire::consts::{IFF_LOOPBACK, IFF_UP};

use crate::interface::{Blueprint, Driver, IfRef, LinkState};
use crate::stack::Stack;
use crate::variant::LOOPBACK_CAPABILITIES;

/// Bytes of the largest packet (`LOMTU`).
const MTU: u32 = 16384;

impl Stack {
    /// `lo_clone_create`.
    pub(crate) fn loopback_create(&self, thread: &mut Sleepable, name: Name) -> Result<IfRef, Errno> {
        let unit = self.allocate_unit(Driver::Loopback, name)?;
        let ifp = self.allocate_interface(&Blueprint {
            name: format!("lo{unit}"),
            driver: Driver::Loopback,
            unit: Some(unit),
            kind: IFT_LOOP,
            flags: IFF_LOOPBACK | IFF_MULTICAST,
            mtu: MTU,
            capabilities: LOOPBACK_CAPABILITIES,
        });
        self.attach(thread, &ifp);
        Ok(ifp)
    }

    /// `lo_clone_destroy`: lo0 stays for as long as its network stack.
    pub(crate) fn loopback_destroy(&self, thread: &mut Sleepable, ifp: &IfRef) -> Result<(), Errno> {
        if ifp.unit == Some(0) {
            return Err(Errno::EINVAL);
        }
        self.detach(thread, ifp);
        self.free_interface(ifp);
        self.free_unit(ifp);
        Ok(())
    }

    /// SIOCSIFADDR: the first address brings it up.
    pub(crate) fn loopback_first_address(&self, thread: &mut Sleepable, ifp: &IfRef) {
        ifp.set(IFF_UP);
        ifp.driver_flags.set(ifp.driver_flags.get() | IFF_DRV_RUNNING);
        self.link_state_change(thread, ifp, LinkState::Up);
    }

    /// SIOCSIFFLAGS: the link is up when the interface is.
    pub(crate) fn loopback_flags(&self, thread: &mut Sleepable, ifp: &IfRef) {
        let state = if ifp.has(IFF_UP) { LinkState::Up } else { LinkState::Down };
        self.link_state_change(thread, ifp, state);
    }
}
