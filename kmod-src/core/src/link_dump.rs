// SPDX-License-Identifier: BSD-2-Clause
//! The message about one interface: RTM_NEWLINK and RTM_DELLINK (`dump_iface` of iface.c).

use nlproof_wire::consts::freebsd::{
    IFF_LOWER_UP, IFF_MONITOR, IFLA_FREEBSD, IFLAF_CAPS, IFLAF_GROUP, IFLAF_ORIG_HWADDR, IFT_ETHER,
    IFT_IEEE8023ADLAG, IFT_L2VLAN, NLA_BITSET_MASK, NLA_BITSET_SIZE, NLA_BITSET_VALUE,
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
use crate::writer::{MessageHeader, Writer, attribute_header};

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
    writer.name(IFLA_IFNAME, shown.name.unwrap_or_else(|| ifp.name()));
    writer.words(&[
        attribute_header(IFLA_OPERSTATE, 1),
        byte(oper.state),
        attribute_header(IFLA_CARRIER, 1),
        byte(oper.carrier),
    ]);
    if (behaviours.empty_link_address || now.link_address_len != 0)
        && let Some(address) = ifp.link_address()
    {
        writer.attribute(IFLA_ADDRESS, address.as_bytes());
    }
    if now.has_broadcast
        && let Some(address) = ifp.broadcast_address()
    {
        writer.attribute(IFLA_BROADCAST, address.as_bytes());
    }
    writer.words(&[attribute_header(IFLA_MTU, 4), now.mtu]);
    ifp.description(|description| {
        if let Some(description) = description {
            writer.string(IFLA_IFALIAS, description);
        }
    });
    if let Some(bits) = behaviours.capability_bits {
        freebsd(writer, ifp, &now, bits, behaviours.groups);
    }
    writer.filled(IFLA_STATS64, |out| ifp.statistics(out));
    writer.words(&[attribute_header(IFLA_PROMISCUITY, 4), u32::from(now.flags & IFF_PROMISC != 0)]);
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

/// A number of one byte and the padding behind it.
const fn byte(value: u8) -> u32 {
    u32::from_ne_bytes([value, 0, 0, 0])
}

/// IFLA_LINKINFO as a cloner writes it that has nothing of its own to say (`ifc_dump_ifp_nl_default`).
pub fn link_info(writer: &mut impl Writer, driver: Name) {
    if let Some(nest) = writer.nest(IFLA_LINKINFO) {
        writer.string(IFLA_INFO_KIND, driver.as_bytes());
        writer.end_nest(nest);
    }
}

/// IFLA_FREEBSD. The kernel has mask and value of the capabilities the wrong way round, and its users count on that.
fn freebsd(writer: &mut impl Writer, ifp: &impl Interface, now: &LinkState, bits: u32, with_groups: bool) {
    let ([low, high], [low_known, high_known]) = (now.capabilities.enabled, now.capabilities.supported);
    let size = attribute_header(NLA_BITSET_SIZE, 4);
    let mask = attribute_header(NLA_BITSET_MASK, 8);
    let value = attribute_header(NLA_BITSET_VALUE, 8);
    let capabilities = attribute_header(IFLAF_CAPS, 32);
    // Others have none (`if_gethwaddr`).
    let may_have = matches!(u16::from(now.kind), IFT_ETHER | IFT_IEEE8023ADLAG);
    match if may_have { ifp.hardware_address() } else { None } {
        None if !with_groups => {
            let all = attribute_header(IFLA_FREEBSD, 36);
            writer.words(&[all, capabilities, size, bits, mask, low, high, value, low_known, high_known]);
        }
        address => {
            // Without memory the writer remembers it, and the message fails as a whole.
            let Some(nest) = writer.nest(IFLA_FREEBSD) else { return };
            if let Some(address) = address {
                writer.attribute(IFLAF_ORIG_HWADDR, address.as_bytes());
            }
            writer.words(&[capabilities, size, bits, mask, low, high, value, low_known, high_known]);
            if with_groups {
                groups(writer, ifp);
            }
            writer.end_nest(nest);
        }
    }
}

/// IFLAF_GROUP (`dump_group`): one nest, in it one for each group, in that its name, all three of the same number. An
/// interface that has left its groups has the outer one, empty.
fn groups(writer: &mut impl Writer, ifp: &impl Interface) {
    let Some(all) = writer.nest(IFLAF_GROUP) else { return };
    ifp.for_each_group(|name| {
        if let Some(one) = writer.nest(IFLAF_GROUP) {
            writer.name(IFLAF_GROUP, name);
            writer.end_nest(one);
        }
    });
    writer.end_nest(all);
}
