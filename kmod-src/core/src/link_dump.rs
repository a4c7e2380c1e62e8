// SPDX-License-Identifier: BSD-2-Clause
//! The message about one interface: RTM_NEWLINK and RTM_DELLINK (`dump_iface` of iface.c).

use nlproof_wire::consts::freebsd::{
    IFF_LOWER_UP, IFF_MONITOR, IFLA_FREEBSD, IFLAF_CAPS, IFLAF_ORIG_HWADDR, IFT_ETHER, IFT_L2VLAN,
    NLA_BITSET_MASK, NLA_BITSET_SIZE, NLA_BITSET_VALUE,
};
use nlproof_wire::consts::{
    IF_OPER_DORMANT, IF_OPER_DOWN, IF_OPER_UNKNOWN, IF_OPER_UP, IFF_PROMISC, IFF_UP, IFLA_ADDRESS,
    IFLA_BROADCAST, IFLA_CARRIER, IFLA_IFALIAS, IFLA_IFNAME, IFLA_INFO_KIND, IFLA_LINKINFO, IFLA_MTU,
    IFLA_OPERSTATE, IFLA_PROMISCUITY, IFLA_STATS64,
};
use nlproof_wire::view::IfInfoMsg;

use crate::behaviour::Behaviours;
use crate::context::Sleepable;
use crate::errno::Errno;
use crate::kernel::{Interface, Kernel, LinkState};
use crate::name::Name;
use crate::probe::Probe;
use crate::writer::{MessageHeader, Writer};

/// IFLA_OPERSTATE and IFLA_CARRIER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OperState {
    state: u8,
    carrier: u8,
}

impl OperState {
    /// Ethernet and VLAN interfaces are asked for their media; for others the administrator's word counts.
    fn of<K: Kernel>(kernel: &K, thread: &mut Sleepable, ifp: &K::Ref, now: &LinkState) -> Self {
        let (state, carrier) = if matches!(u16::from(now.kind), IFT_ETHER | IFT_L2VLAN) {
            match kernel.media(thread, ifp) {
                Ok(media) if !media.ethernet => (IF_OPER_UNKNOWN, 0),
                Ok(media) if !media.active => (IF_OPER_DOWN, 0),
                Ok(_) if now.flags & IFF_MONITOR != 0 => (IF_OPER_DORMANT, 1),
                Ok(_) => (IF_OPER_UP, 1),
                Err(_) => (IF_OPER_UNKNOWN, 0),
            }
        } else if now.flags & IFF_UP != 0 {
            (IF_OPER_UP, 1)
        } else {
            (IF_OPER_DOWN, 0)
        };
        Self { state, carrier }
    }
}

/// What a message shows beside the interface as it is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shown {
    /// Which of its flags have changed.
    pub(crate) change: u32,
    /// A name that it has no longer.
    pub(crate) name: Option<Name>,
}

/// Writes the message about `ifp`.
pub(crate) fn link<K: Kernel>(
    kernel: &K,
    behaviours: &Behaviours,
    thread: &mut Sleepable,
    writer: &mut impl Writer<Stream = K::Stream>,
    header: &MessageHeader,
    ifp: &K::Ref,
    shown: Shown,
) -> Result<(), Errno> {
    let now = ifp.state();
    let oper = OperState::of(kernel, thread, ifp, &now);
    let lower_up = if oper.state == IF_OPER_UP { IFF_LOWER_UP } else { 0 };
    let info = IfInfoMsg {
        family: 0,
        pad: 0,
        kind: u16::from(now.kind),
        index: now.index.cast_signed(),
        flags: now.flags | now.driver_flags | lower_up,
        change: shown.change,
    };
    if !writer.begin(header, &info.to_bytes()) {
        return Err(Errno::ENOMEM);
    }
    match shown.name {
        Some(name) => writer.string(IFLA_IFNAME, name.as_bytes()),
        None => ifp.show_name(|name| writer.string(IFLA_IFNAME, name)),
    }
    writer.u8(IFLA_OPERSTATE, oper.state);
    writer.u8(IFLA_CARRIER, oper.carrier);
    if (behaviours.empty_link_address || now.link_address_len != 0)
        && let Some(address) = ifp.link_address()
    {
        writer.attribute(IFLA_ADDRESS, address.as_bytes());
    }
    if let Some(address) = ifp.broadcast_address() {
        writer.attribute(IFLA_BROADCAST, address.as_bytes());
    }
    writer.u32(IFLA_MTU, now.mtu);
    ifp.description(|description| {
        if let Some(description) = description {
            writer.string(IFLA_IFALIAS, description);
        }
    });
    if let Some(bits) = behaviours.capability_bits {
        freebsd(writer, ifp, &now, bits);
    }
    statistics(writer, &now);
    writer.u32(IFLA_PROMISCUITY, u32::from(now.flags & IFF_PROMISC != 0));
    if behaviours.link_info {
        kernel.describe(ifp, writer.stream());
    }
    if writer.end() {
        let MessageHeader { kind: message, flags, seq, .. } = *header;
        kernel.probe(Probe::MessageWritten { message, flags, seq, index: now.index });
        Ok(())
    } else {
        writer.abort();
        Err(Errno::ENOMEM)
    }
}

/// IFLA_LINKINFO as every cloner but vlan(4)'s writes it (`ifc_dump_ifp_nl_default`).
pub fn link_info(writer: &mut impl Writer, driver: Name) {
    if let Some(nest) = writer.nest(IFLA_LINKINFO) {
        writer.string(IFLA_INFO_KIND, driver.as_bytes());
        writer.end_nest(nest);
    }
}

/// IFLA_FREEBSD.
fn freebsd(writer: &mut impl Writer, ifp: &impl Interface, now: &LinkState, bits: u32) {
    let Some(nest) = writer.nest(IFLA_FREEBSD) else { return };
    if let Some(address) = ifp.hardware_address() {
        writer.attribute(IFLAF_ORIG_HWADDR, address.as_bytes());
    }
    if let Some(capabilities) = writer.nest(IFLAF_CAPS) {
        let known = now.capabilities;
        writer.u32(NLA_BITSET_SIZE, bits);
        // The kernel has the two the wrong way round, and its users count on that.
        writer.attribute(NLA_BITSET_MASK, &words(known.enabled));
        writer.attribute(NLA_BITSET_VALUE, &words(known.supported));
        writer.end_nest(capabilities);
    }
    writer.end_nest(nest);
}

fn words([low, high]: [u32; 2]) -> [u8; 8] {
    (u64::from(low) | (u64::from(high) << 32)).to_le_bytes()
}

/// IFLA_STATS64: what the kernel does not count is 0.
fn statistics(writer: &mut impl Writer, now: &LinkState) {
    let [rx, tx, rx_bytes, tx_bytes, rx_errors, tx_errors, rx_dropped, tx_dropped, multicast, no_handler] =
        now.counters;
    let values = [
        rx, tx, rx_bytes, tx_bytes, rx_errors, tx_errors, rx_dropped, tx_dropped, multicast, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, no_handler,
    ];
    writer.statistics(IFLA_STATS64, &values);
}
