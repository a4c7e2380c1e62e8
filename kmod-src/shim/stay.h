/* SPDX-License-Identifier: BSD-2-Clause */
/* Keeping an interface whole while it is changed. */
#ifndef NLPROOF_STAY_H
#define NLPROOF_STAY_H

#include "detach.h"

/*
 * A request's reference keeps the structure and not what hangs on it: a detach takes the link-level address away, and
 * then the driver. A detach marks the interface first (IFF_DYING) and then takes ifnet_detach_sxlock exclusively; the
 * locks of a change (in_control_sx, its relative for IPv6, a driver's own) it takes within. Whoever holds the lock shared
 * and sees no mark keeps the interface as it is. No event asks for the lock in this way: a detach waits for some. What a
 * driver does before the mark is kept off by nlproof_change_begins().
 *
 * Whether it stays, which nlproof_may_go() ends. One that does not answers ENXIO, as it does when it is gone
 * (sys/net/if.c ifdead_ioctl).
 */
static __always_inline bool
nlproof_stays(struct ifnet *ifp)
{
	nlproof_change_begins();
	sx_slock(&ifnet_detach_sxlock);
	if ((if_getflags(ifp) & IFF_DYING) == 0)
		return (true);
	sx_sunlock(&ifnet_detach_sxlock);
	nlproof_change_ends();
	return (false);
}

static __always_inline void
nlproof_may_go(void)
{
	sx_sunlock(&ifnet_detach_sxlock);
	nlproof_change_ends();
}

#endif
