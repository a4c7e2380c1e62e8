// SPDX-License-Identifier: BSD-2-Clause
//! Attributes behind the echo of an acknowledgement (`netlink/netlink.h`, `linux/netlink.h`).

use super::attr::{AttrKind as K, AttrTable, attr};
use crate::consts::{
    IFLA_IFNAME, IFLA_NEW_IFINDEX, NLMSGERR_ATTR_COOKIE, NLMSGERR_ATTR_MISS_NEST, NLMSGERR_ATTR_MISS_TYPE,
    NLMSGERR_ATTR_MSG, NLMSGERR_ATTR_OFFS, NLMSGERR_ATTR_POLICY,
};

/// What FreeBSD says about a created interface (`nl_store_ifp_cookie()` of `route/iface_drivers.c`).
static COOKIE: AttrTable = AttrTable {
    name: "cookie",
    attrs: &[attr(IFLA_IFNAME, "ifname", K::Str), attr(IFLA_NEW_IFINDEX, "new_ifindex", K::IfIndex)],
};

/// `NLMSGERR_ATTR_*` of FreeBSD.
pub(super) static FREEBSD_NLMSGERR: AttrTable = AttrTable {
    name: "nlmsgerr_attr",
    attrs: &[
        attr(NLMSGERR_ATTR_MSG, "msg", K::Str),
        attr(NLMSGERR_ATTR_OFFS, "offs", K::U32),
        attr(NLMSGERR_ATTR_COOKIE, "cookie", K::Nested(&COOKIE)),
        attr(NLMSGERR_ATTR_POLICY, "policy", K::Binary),
    ],
};

/// `NLMSGERR_ATTR_*` of Linux, whose cookie is up to the family that sends it.
pub(super) static LINUX_NLMSGERR: AttrTable = AttrTable {
    name: "nlmsgerr_attr",
    attrs: &[
        attr(NLMSGERR_ATTR_MSG, "msg", K::Str),
        attr(NLMSGERR_ATTR_OFFS, "offs", K::U32),
        attr(NLMSGERR_ATTR_COOKIE, "cookie", K::Binary),
        attr(NLMSGERR_ATTR_POLICY, "policy", K::Binary),
        attr(NLMSGERR_ATTR_MISS_TYPE, "miss_type", K::U32),
        attr(NLMSGERR_ATTR_MISS_NEST, "miss_nest", K::U32),
    ],
};
