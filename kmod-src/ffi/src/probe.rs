// SPDX-License-Identifier: BSD-2-Clause
//! Probes: to the module's ring and to DTrace, if one of them listens.

use core::sync::atomic::Ordering::Relaxed;

use iface_core::Probe;

use crate::abi;

/// Whether anybody listens: two loads, which is all that a probe costs while nobody does.
#[inline(always)]
pub(crate) fn heard() -> bool {
    // SAFETY: the one is the shim's, the other the kernel's; both live as long as the module, and whoever writes
    // them writes single words or bytes.
    let (ring, sdt) =
        unsafe { (abi::nlproof_ring_on.load(Relaxed), abi::sdt_probes_enabled.load(Relaxed)) };
    ring != 0 || sdt != 0
}

/// Fires a probe. Kept out of the way of those that nobody hears.
#[cold]
#[inline(never)]
pub(crate) fn fire(probe: &Probe) {
    let fired = probe.fired();
    // SAFETY: the words live during the call, in which C copies them.
    unsafe { abi::nlproof_probe(u32::from(fired.probe), &raw const fired.args) }
}
