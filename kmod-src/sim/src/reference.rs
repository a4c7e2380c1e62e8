// SPDX-License-Identifier: BSD-2-Clause
//! References to interfaces as `iface-core` holds them, which tracers hear of.

use std::ops::Deref;
use std::rc::Rc;

use iface_core::{Capabilities, Counter, Interface, LinkAddress, Name, Probe};
use nlproof_wire::consts::freebsd::IFT_ETHER;

use crate::interface::IfRef;
use crate::tracer::{Fault, Tracer};

/// An interface in `iface-core`'s hands.
#[derive(Debug)]
pub(crate) struct CountedRef {
    ifp: IfRef,
    /// Who hears of the reference; `None` for one that is only lent, which nobody counts.
    counted: Option<Rc<Tracer>>,
}

impl CountedRef {
    /// `if_ref`.
    pub(crate) fn counted(ifp: IfRef, tracer: &Rc<Tracer>) -> Self {
        tracer.fire(Probe::ReferenceTaken { index: ifp.index, interface: place(&ifp) });
        Self { ifp, counted: Some(tracer.clone()) }
    }

    /// An interface that somebody else keeps alive meanwhile.
    pub(crate) fn lent(ifp: &IfRef) -> Self {
        Self { ifp: ifp.clone(), counted: None }
    }
}

/// Where the interface stands in memory.
fn place(ifp: &IfRef) -> u64 {
    Rc::as_ptr(&ifp.0).addr() as u64
}

impl Drop for CountedRef {
    /// `if_rele`.
    fn drop(&mut self) {
        let Some(tracer) = &self.counted else { return };
        if tracer.makes(Fault::ReferenceNotReleased) {
            std::mem::forget(self.ifp.clone());
            return;
        }
        tracer.fire(Probe::ReferenceReleased { index: self.ifp.index, interface: place(&self.ifp) });
    }
}

impl Deref for CountedRef {
    type Target = IfRef;

    fn deref(&self) -> &IfRef {
        &self.ifp
    }
}

impl Interface for CountedRef {
    fn index(&self) -> u32 {
        self.ifp.0.index
    }

    fn name(&self) -> Name {
        self.ifp.0.name.get()
    }

    fn kind(&self) -> u8 {
        self.ifp.0.kind.get()
    }

    fn flags(&self) -> u32 {
        self.ifp.0.flags.get()
    }

    fn driver_flags(&self) -> u32 {
        self.ifp.0.driver_flags.get()
    }

    fn mtu(&self) -> u32 {
        self.ifp.0.mtu.get()
    }

    fn link_address_len(&self) -> u8 {
        self.ifp.0.link_address_len.get()
    }

    fn link_address(&self) -> Option<LinkAddress> {
        Some(self.ifp.0.link_address.get())
    }

    fn broadcast_address(&self) -> Option<LinkAddress> {
        self.ifp.0.broadcast_address.get()
    }

    fn hardware_address(&self) -> Option<LinkAddress> {
        (u16::from(self.ifp.0.kind.get()) == IFT_ETHER).then(|| self.ifp.0.hardware_address.get())
    }

    fn capabilities(&self) -> Capabilities {
        self.ifp.0.capabilities.get()
    }

    /// No packet ever passes.
    fn counter(&self, _counter: Counter) -> u64 {
        0
    }

    fn for_each_group(&self, each: impl FnMut(Name)) {
        self.ifp.0.groups.borrow().iter().copied().for_each(each);
    }

    fn description<R>(&self, show: impl FnOnce(Option<&[u8]>) -> R) -> R {
        show(self.ifp.0.description.borrow().as_deref())
    }
}
