// SPDX-License-Identifier: BSD-2-Clause
//! disc(4): a loopback interface that throws everything away (`net/if_disc.c`).

use iface_core::{Errno, Name, Sleepable};
use nlproof_wire::consts::IFF_LOOPBACK;
use nlproof_wire::consts::freebsd::{IFF_DRV_RUNNING, IFF_MULTICAST, IFT_LOOP};

use crate::interface::{Blueprint, Driver, IfRef};
use crate::stack::Stack;

/// Bytes of the largest packet (`DSMTU`).
const MTU: u32 = 65532;

impl Stack {
    /// `disc_clone_create`.
    pub(crate) fn discard_create(&self, thread: &mut Sleepable, name: Name) -> Result<IfRef, Errno> {
        let unit = self.allocate_unit(Driver::Disc, name)?;
        let ifp = self.allocate_interface(&Blueprint {
            name: format!("disc{unit}"),
            driver: Driver::Disc,
            unit: Some(unit),
            kind: IFT_LOOP,
            flags: IFF_LOOPBACK | IFF_MULTICAST,
            mtu: MTU,
            capabilities: 0,
        });
        ifp.driver_flags.set(IFF_DRV_RUNNING);
        self.attach(thread, &ifp);
        Ok(ifp)
    }
}
