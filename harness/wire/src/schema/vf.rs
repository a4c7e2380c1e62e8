// SPDX-License-Identifier: BSD-2-Clause
//! What main of summer 2026 tells of virtual functions (SR-IOV), when IFLA_EXT_MASK asks for it: `dump_vf_status` and
//! `dump_vf_entry` of `netlink/route/iface.c`. Truth values take a byte.

use super::attr::{AttrKind as K, AttrTable, attr};
use crate::consts::freebsd as f;

/// Inside `IFLAF_VF_STATUS`: the physical function, or why nothing can be told.
pub(super) static STATUS: AttrTable = AttrTable {
    name: "iflaf_vfs",
    attrs: &[
        attr(f::IFLAF_VFS_ERROR, "error", K::U32),
        attr(f::IFLAF_VFS_PF_LINK_STATE, "pf_link_state", K::U8),
        attr(f::IFLAF_VFS_PF_LINK_SPEED, "pf_link_speed", K::U64),
    ],
};

/// Inside `IFLA_FREEBSD_VF`: one virtual function, as far as the driver knows it.
pub(super) static RECORD: AttrTable = AttrTable {
    name: "iflaf_vf",
    attrs: &[
        attr(f::IFLAF_VF_INDEX, "index", K::U32),
        attr(f::IFLAF_VF_CONFIGURED, "configured", K::U8),
        attr(f::IFLAF_VF_INITIALIZED, "initialized", K::U8),
        attr(f::IFLAF_VF_MAC, "mac", K::HwAddr),
        attr(f::IFLAF_VF_VLAN_MODE, "vlan_mode", K::U8),
        attr(f::IFLAF_VF_VLAN, "vlan", K::U16),
        attr(f::IFLAF_VF_VLAN_PCP, "vlan_pcp", K::U8),
        attr(f::IFLAF_VF_VLAN_PROTO, "vlan_proto", K::U16),
        attr(f::IFLAF_VF_VLAN_COUNT, "vlan_count", K::U32),
        attr(f::IFLAF_VF_VLAN_LIMIT, "vlan_limit", K::U32),
        attr(f::IFLAF_VF_NUM_TX_QUEUES, "num_tx_queues", K::U16),
        attr(f::IFLAF_VF_NUM_RX_QUEUES, "num_rx_queues", K::U16),
        attr(f::IFLAF_VF_MIN_TX_RATE, "min_tx_rate", K::U64),
        attr(f::IFLAF_VF_MAX_TX_RATE, "max_tx_rate", K::U64),
        attr(f::IFLAF_VF_ALLOW_SET_MAC, "allow_set_mac", K::U8),
        attr(f::IFLAF_VF_ALLOW_SET_VLAN, "allow_set_vlan", K::U8),
        attr(f::IFLAF_VF_MAC_ANTI_SPOOF, "mac_anti_spoof", K::U8),
        attr(f::IFLAF_VF_ALLOW_PROMISC, "allow_promisc", K::U8),
        attr(f::IFLAF_VF_TRAFFIC_ALLOWED, "traffic_allowed", K::U8),
        attr(f::IFLAF_VF_FAULT_BLOCKED, "fault_blocked", K::U8),
        attr(f::IFLAF_VF_QUARANTINED, "quarantined", K::U8),
        attr(f::IFLAF_VF_API_VERSION, "api_version", K::Str),
        attr(f::IFLAF_VF_LINK_STATE_POLICY, "link_state_policy", K::U8),
        attr(f::IFLAF_VF_DRIVER, "driver", K::Nested(&DRIVER)),
    ],
};

/// Inside `IFLAF_VF_DRIVER`, of which there may be several.
static DRIVER: AttrTable = AttrTable {
    name: "iflaf_vfd",
    attrs: &[
        attr(f::IFLAF_VFD_NAME, "name", K::Str),
        attr(f::IFLAF_VFD_VERSION, "version", K::U32),
        attr(f::IFLAF_VFD_FIELD, "field", K::Nested(&FIELD)),
    ],
};

/// Inside `IFLAF_VFD_FIELD`: a name and exactly one of the values.
static FIELD: AttrTable = AttrTable {
    name: "iflaf_vfdf",
    attrs: &[
        attr(f::IFLAF_VFDF_NAME, "name", K::Str),
        attr(f::IFLAF_VFDF_BOOL, "bool", K::U8),
        attr(f::IFLAF_VFDF_NUMBER, "number", K::U64),
        attr(f::IFLAF_VFDF_STRING, "string", K::Str),
        attr(f::IFLAF_VFDF_BINARY, "binary", K::Binary),
    ],
};
