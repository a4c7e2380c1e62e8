// SPDX-License-Identifier: BSD-2-Clause
//! Which probes fire.

use std::cell::Cell;

use iface_core::Probe;
use iface_sim::{Fault, Profile};
use nlproof_wire::consts::*;

use crate::support::*;

/// A vnet that is traced by a clock that counts.
fn traced(profile: Profile) -> Vnet {
    let vnet = Vnet::new(profile);
    let ticks = Cell::new(0);
    vnet.sim.trace(move || {
        ticks.set(ticks.get() + 1);
        ticks.get()
    });
    vnet
}

/// The names of the probes that have fired since the last call.
fn fired(vnet: &Vnet) -> Vec<&'static str> {
    let records = vnet.sim.kernel_records();
    assert!(records.is_sorted_by(|a, b| a.t_ns < b.t_ns));
    records.iter().map(|record| Probe::TABLE[usize::from(record.fired.probe)].0).collect()
}

#[test]
fn a_request_is_traced_from_its_handler_to_its_end() {
    let vnet = traced(Profile::R14_0);
    let index = vnet.create("lo10", "lo");
    assert_eq!(
        fired(&vnet),
        [
            "request-in",
            "request-parsed",
            "cloner-in",
            "event-begin",
            "message-written",
            "event-out",
            "event-end",
            "reference-taken",
            "cloner-out",
            "reference-released",
            "request-out"
        ]
    );
    vnet.ask(&link(RTM_GETLINK, NLM_F_REQUEST, index, vec![]));
    assert_eq!(
        fired(&vnet),
        [
            "request-in",
            "request-parsed",
            "epoch-enter",
            "reference-taken",
            "interface-looked-up",
            "epoch-exit",
            "message-written",
            "reference-released",
            "request-out"
        ]
    );
    vnet.ask(&address(RTM_GETADDR, DUMP, 0, 0, 999, vec![]));
    assert_eq!(
        fired(&vnet),
        [
            "request-in",
            "epoch-enter",
            "request-parsed",
            "dump-begin",
            "interface-looked-up",
            "dump-end",
            "epoch-exit",
            "request-out"
        ]
    );
    vnet.ask(&link(RTM_DELLINK, ACK, 999, vec![]));
    assert_eq!(fired(&vnet)[5..], ["error", "request-out"]);
}

#[test]
fn nothing_is_kept_unless_somebody_wants_it() {
    let vnet = Vnet::new(Profile::R15);
    vnet.create("lo10", "lo");
    assert!(fired(&vnet).is_empty());
}

#[test]
fn a_mistake_is_made_once_and_can_be_seen() {
    for (fault, missing) in
        [(Fault::ReferenceNotReleased, "reference-released"), (Fault::EpochNotLeft, "epoch-exit")]
    {
        let vnet = traced(Profile::R14_0);
        vnet.sim.inject(fault);
        let ask = |vnet: &Vnet| vnet.ask(&link(RTM_GETLINK, NLM_F_REQUEST, 3, vec![]));
        ask(&vnet);
        assert!(!fired(&vnet).contains(&missing));
        assert_eq!(vnet.sim.held(), 1, "it is a mistake, not only a missing record");
        ask(&vnet);
        assert!(fired(&vnet).contains(&missing));
        assert_eq!(vnet.sim.held(), 1);
    }
}
