// SPDX-License-Identifier: BSD-2-Clause
//! Attributes of link messages (`netlink/route/interface.h`, `linux/if_link.h`).

use super::attr::{AttrKind as K, AttrSpec, AttrTable, ByKind, attr};
use super::vf;
use crate::consts::{freebsd as f, linux as l, *};

/// A table of what stands inside `IFLA_LINKINFO`. What `IFLA_INFO_DATA` holds depends on the kind; of kinds that are not
/// known here it is bytes.
macro_rules! linkinfo {
    ($data:expr) => {
        AttrTable {
            name: "ifla_info",
            attrs: &[
                attr(IFLA_INFO_KIND, "kind", K::Str),
                attr(IFLA_INFO_DATA, "data", K::ByKind($data)),
                attr(IFLA_INFO_XSTATS, "xstats", K::Binary),
                attr(IFLA_INFO_SLAVE_KIND, "slave_kind", K::Str),
                attr(IFLA_INFO_SLAVE_DATA, "slave_data", K::Binary),
            ],
        }
    };
}

static FREEBSD_LINKINFO: AttrTable = linkinfo!(&FREEBSD_DATA);
static LINUX_LINKINFO: AttrTable = linkinfo!(&LINUX_DATA);

static FREEBSD_DATA: ByKind =
    ByKind { number: IFLA_INFO_KIND, tables: &[("vlan", &FREEBSD_VLAN), ("gif", &IPTUN)] };
static LINUX_DATA: ByKind = ByKind { number: IFLA_INFO_KIND, tables: &[("vlan", &LINUX_VLAN)] };

/// Inside `IFLA_INFO_DATA` of a vlan(4). The protocol is in host order, unlike Linux's.
static FREEBSD_VLAN: AttrTable = AttrTable {
    name: "ifla_vlan",
    attrs: &[attr(IFLA_VLAN_ID, "id", K::U16), attr(IFLA_VLAN_PROTOCOL, "protocol", K::EtherType)],
};

static LINUX_VLAN: AttrTable = AttrTable {
    name: "ifla_vlan",
    attrs: &[
        attr(IFLA_VLAN_ID, "id", K::U16),
        attr(IFLA_VLAN_FLAGS, "flags", K::Binary),
        attr(IFLA_VLAN_EGRESS_QOS, "egress_qos", K::Binary),
        attr(IFLA_VLAN_INGRESS_QOS, "ingress_qos", K::Binary),
        attr(IFLA_VLAN_PROTOCOL, "protocol", K::Be16),
    ],
};

/// Inside `IFLA_INFO_DATA` of a gif(4), from main of summer 2026 on.
static IPTUN: AttrTable = AttrTable {
    name: "ifla_iptun",
    attrs: &[
        attr(f::IFLA_IPTUN_LOCAL, "local", K::IpAddr),
        attr(f::IFLA_IPTUN_REMOTE, "remote", K::IpAddr),
        attr(f::IFLA_IPTUN_FLAGS, "flags", K::U32),
    ],
};

/// Inside `IFLA_PROP_LIST`.
static PROP_LIST: AttrTable =
    AttrTable { name: "ifla_prop", attrs: &[attr(IFLA_ALT_IFNAME, "alt_ifname", K::Str)] };

static BITSET_BIT: AttrTable = AttrTable {
    name: "nla_bitset_bit",
    attrs: &[
        attr(f::NLA_BITSET_BIT_INDEX, "index", K::U32),
        attr(f::NLA_BITSET_BIT_NAME, "name", K::Str),
        attr(f::NLA_BITSET_BIT_VALUE, "value", K::Flag),
    ],
};

/// A bit set; FreeBSD sends size, mask and value.
static BITSET: AttrTable = AttrTable {
    name: "nla_bitset",
    attrs: &[
        attr(f::NLA_BITSET_NOMASK, "nomask", K::Flag),
        attr(f::NLA_BITSET_SIZE, "size", K::U32),
        attr(f::NLA_BITSET_BITS, "bits", K::Nested(&BITSET_BIT)),
        attr(f::NLA_BITSET_VALUE, "value", K::BitWords),
        attr(f::NLA_BITSET_MASK, "mask", K::BitWords),
    ],
};

/// Inside `IFLA_FREEBSD`.
static IFLAF: AttrTable = AttrTable {
    name: "iflaf",
    attrs: &[
        attr(f::IFLAF_ORIG_IFNAME, "orig_ifname", K::Str),
        attr(f::IFLAF_ORIG_HWADDR, "orig_hwaddr", K::HwAddr),
        attr(f::IFLAF_CAPS, "caps", K::Nested(&BITSET)),
        attr(f::IFLAF_GROUP, "group", K::Nested(&GROUPS)),
        attr(f::IFLAF_VF_STATUS, "vf_status", K::Nested(&vf::STATUS)),
    ],
};

/// Inside the first `IFLAF_GROUP`: a nest of the same number for each group of the interface.
static GROUPS: AttrTable =
    AttrTable { name: "iflaf", attrs: &[attr(f::IFLAF_GROUP, "group", K::Nested(&GROUP))] };

/// Inside one of those: the group's name, under the same number once more.
static GROUP: AttrTable = AttrTable { name: "iflaf", attrs: &[attr(f::IFLAF_GROUP, "group", K::Str)] };

/// A table of `IFLA_*`: what both systems number alike, then the rest.
macro_rules! ifla {
    ($linkinfo:expr; $($own:expr),+ $(,)?) => {
        &[
            attr(IFLA_ADDRESS, "address", K::HwAddr),
            attr(IFLA_BROADCAST, "broadcast", K::HwAddr),
            attr(IFLA_IFNAME, "ifname", K::Str),
            attr(IFLA_MTU, "mtu", K::U32),
            attr(IFLA_LINK, "link", K::IfIndex),
            attr(IFLA_QDISC, "qdisc", K::Str),
            attr(IFLA_STATS, "stats", K::Binary),
            attr(IFLA_COST, "cost", K::Binary),
            attr(IFLA_PRIORITY, "priority", K::Binary),
            attr(IFLA_MASTER, "master", K::IfIndex),
            attr(IFLA_WIRELESS, "wireless", K::Binary),
            attr(IFLA_PROTINFO, "protinfo", K::Binary),
            attr(IFLA_TXQLEN, "txqlen", K::U32),
            attr(IFLA_MAP, "map", K::Binary),
            attr(IFLA_WEIGHT, "weight", K::U32),
            attr(IFLA_OPERSTATE, "operstate", K::OperState),
            attr(IFLA_LINKMODE, "linkmode", K::U8),
            attr(IFLA_LINKINFO, "linkinfo", K::Nested($linkinfo)),
            attr(IFLA_NET_NS_PID, "net_ns_pid", K::U32),
            attr(IFLA_IFALIAS, "ifalias", K::Str),
            attr(IFLA_NUM_VF, "num_vf", K::U32),
            attr(IFLA_VFINFO_LIST, "vfinfo_list", K::Binary),
            attr(IFLA_STATS64, "stats64", K::Stats64),
            attr(IFLA_VF_PORTS, "vf_ports", K::Binary),
            attr(IFLA_PORT_SELF, "port_self", K::Binary),
            attr(IFLA_AF_SPEC, "af_spec", K::Binary),
            // A number; FreeBSD's parser nevertheless asks for a string (iface.c, nla_p_if).
            attr(IFLA_GROUP, "group", K::U32),
            attr(IFLA_NET_NS_FD, "net_ns_fd", K::U32),
            attr(IFLA_EXT_MASK, "ext_mask", K::U32),
            attr(IFLA_PROMISCUITY, "promiscuity", K::U32),
            attr(IFLA_NUM_TX_QUEUES, "num_tx_queues", K::U32),
            attr(IFLA_NUM_RX_QUEUES, "num_rx_queues", K::U32),
            attr(IFLA_CARRIER, "carrier", K::U8),
            attr(IFLA_PHYS_PORT_ID, "phys_port_id", K::Binary),
            attr(IFLA_CARRIER_CHANGES, "carrier_changes", K::U32),
            attr(IFLA_PHYS_SWITCH_ID, "phys_switch_id", K::Binary),
            attr(IFLA_LINK_NETNSID, "link_netnsid", K::I32),
            attr(IFLA_PHYS_PORT_NAME, "phys_port_name", K::Str),
            attr(IFLA_PROTO_DOWN, "proto_down", K::U8),
            attr(IFLA_GSO_MAX_SEGS, "gso_max_segs", K::U32),
            attr(IFLA_GSO_MAX_SIZE, "gso_max_size", K::U32),
            attr(IFLA_PAD, "pad", K::Binary),
            attr(IFLA_XDP, "xdp", K::Binary),
            attr(IFLA_EVENT, "event", K::U32),
            attr(IFLA_NEW_NETNSID, "new_netnsid", K::I32),
            attr(IFLA_TARGET_NETNSID, "target_netnsid", K::I32),
            attr(IFLA_CARRIER_UP_COUNT, "carrier_up_count", K::U32),
            attr(IFLA_CARRIER_DOWN_COUNT, "carrier_down_count", K::U32),
            attr(IFLA_NEW_IFINDEX, "new_ifindex", K::IfIndex),
            attr(IFLA_MIN_MTU, "min_mtu", K::U32),
            attr(IFLA_MAX_MTU, "max_mtu", K::U32),
            attr(IFLA_PROP_LIST, "prop_list", K::Nested(&PROP_LIST)),
            attr(IFLA_ALT_IFNAME, "alt_ifname", K::Str),
            attr(IFLA_PERM_ADDRESS, "perm_address", K::HwAddr),
            attr(IFLA_PROTO_DOWN_REASON, "proto_down_reason", K::Binary),
            attr(IFLA_PARENT_DEV_NAME, "parent_dev_name", K::Str),
            attr(IFLA_PARENT_DEV_BUS_NAME, "parent_dev_bus_name", K::Str),
            attr(IFLA_GRO_MAX_SIZE, "gro_max_size", K::U32),
            $($own),+
        ]
    };
}

const FREEBSD_ATTRS: &[AttrSpec] = ifla![&FREEBSD_LINKINFO;
    attr(f::IFLA_TSO_MAX_SEGS, "tso_max_segs", K::U32),
    attr(f::IFLA_ALLMULTI, "allmulti", K::U32),
    attr(f::IFLA_DEVLINK_PORT, "devlink_port", K::Binary),
    attr(f::IFLA_GSO_IPV4_MAX_SIZE, "gso_ipv4_max_size", K::U32),
    attr(f::IFLA_GRO_IPV4_MAX_SIZE, "gro_ipv4_max_size", K::U32),
    attr(f::IFLA_FREEBSD, "freebsd", K::Nested(&IFLAF)),
    attr(f::IFLA_FREEBSD_VF, "freebsd_vf", K::Nested(&vf::RECORD)),
];

const LINUX_ATTRS: &[AttrSpec] = ifla![&LINUX_LINKINFO;
    attr(l::IFLA_TSO_MAX_SIZE, "tso_max_size", K::U32),
    attr(l::IFLA_TSO_MAX_SEGS, "tso_max_segs", K::U32),
    attr(l::IFLA_ALLMULTI, "allmulti", K::U32),
    attr(l::IFLA_DEVLINK_PORT, "devlink_port", K::Binary),
    attr(l::IFLA_GSO_IPV4_MAX_SIZE, "gso_ipv4_max_size", K::U32),
    attr(l::IFLA_GRO_IPV4_MAX_SIZE, "gro_ipv4_max_size", K::U32),
    attr(l::IFLA_DPLL_PIN, "dpll_pin", K::Binary),
    attr(l::IFLA_MAX_PACING_OFFLOAD_HORIZON, "max_pacing_offload_horizon", K::U32),
    attr(l::IFLA_NETNS_IMMUTABLE, "netns_immutable", K::U8),
    attr(l::IFLA_HEADROOM, "headroom", K::U16),
    attr(l::IFLA_TAILROOM, "tailroom", K::U16),
];

/// `IFLA_*` of FreeBSD.
pub(super) static FREEBSD_IFLA: AttrTable = AttrTable { name: "ifla", attrs: FREEBSD_ATTRS };
/// `IFLA_*` of Linux.
pub(super) static LINUX_IFLA: AttrTable = AttrTable { name: "ifla", attrs: LINUX_ATTRS };
