/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interfaces that arrive before the protocols are there.
 *
 * A module that the loader loaded is in the kernel before the first device is looked for: network cards arrive at
 * SI_SUB_CONFIGURE, lo0 at SI_SUB_PSEUDO. Netlink comes later (SI_SUB_PROTO_DOMAIN), and only then there are handlers to
 * take over from. Until then we hear of arrivals by a handler of our own. Nobody can have a netlink socket yet, so what
 * Rust announces has no reader, and netlink must not be asked for one: its locks are not there.
 */
#include "kernel.h"

#include <sys/sysctl.h>

#include "counters.h"
#include "early.h"

volatile bool nlproof_early;

/* Names, separated by blanks; those that find no room are left out. */
static char arrivals[128];
static eventhandler_tag tag;

static void
note(const char *name)
{
	size_t used = strlen(arrivals);

	if (used + 1 + strlen(name) + 1 > sizeof(arrivals))
		return;
	if (used > 0)
		arrivals[used++] = ' ';
	strlcpy(arrivals + used, name, sizeof(arrivals) - used);
}

static void
on_arrival(void *arg __unused, struct ifnet *ifp)
{
	/* From then on the stock code hears of it too. */
	if (nl_handlers[NETLINK_ROUTE].cb != NULL)
		return;
	if (atomic_load_int(&nlproof_mode) != NLPROOF_REPLACE) {
		atomic_add_long(&nlproof_observed, 1);
		return;
	}
	struct nlproof_call call;

	nlproof_call_begin(&call, NULL);
	atomic_add_long(&nlproof_events, 1);
	nlproof_core_link_event(&call, ifp, osreldate, NLPROOF_LINK_ARRIVED, 0);
	note(if_name(ifp));
}

/* Only while the kernel starts: what kldload loads comes too late. */
static void
begin(void *arg __unused)
{
	if (!cold || osreldate / 100000 != VERSION_MAJOR)
		return;
	nlproof_early = true;
	tag = eventhandler_register(NULL, VERSION_ARRIVAL_EVENT, on_arrival, NULL, EVENTHANDLER_PRI_ANY);
}
SYSINIT(nlproof_early, SI_SUB_DRIVERS, SI_ORDER_FIRST, begin, NULL);

void
nlproof_early_end(void)
{
	struct eventhandler_list *list;

	if (tag != NULL && (list = eventhandler_find_list(VERSION_ARRIVAL_EVENT)) != NULL)
		eventhandler_deregister(list, tag);
	tag = NULL;
	nlproof_early = false;
}

SYSCTL_DECL(_net_netlink_nlproof);
SYSCTL_STRING(_net_netlink_nlproof, OID_AUTO, arrivals, CTLFLAG_RD, arrivals, 0,
    "Interfaces that arrived before the protocols and that Rust announced");
