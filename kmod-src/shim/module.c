/* SPDX-License-Identifier: BSD-2-Clause */
/* The module: what kldload and kldunload call. */
#include "kernel.h"

#include <sys/module.h>

#include "takeover.h"

static int
event(module_t module __unused, int what, void *arg __unused)
{
	switch (what) {
	case MOD_LOAD:
		return (nlproof_take_over());
	case MOD_UNLOAD:
		return (nlproof_hand_back());
	case MOD_SHUTDOWN:
		return (0);
	default:
		return (EOPNOTSUPP);
	}
}

static moduledata_t nlproof_iface = {
	.name = "nlproof_iface",
	.evhand = event,
};

/* After the protocols, in case the loader loaded us. */
DECLARE_MODULE(nlproof_iface, nlproof_iface, SI_SUB_PROTO_END, SI_ORDER_ANY);
MODULE_VERSION(nlproof_iface, 1);
MODULE_DEPEND(nlproof_iface, netlink, 1, 1, 1);
