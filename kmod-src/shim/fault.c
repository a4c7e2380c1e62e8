/* SPDX-License-Identifier: BSD-2-Clause */
/* net.netlink.nlproof.fault: what keeps the module from being unloaded, or others waiting. For tests only. */
#include "kernel.h"

#include "fault.h"

#ifdef NLPROOF_FAULTS
#include <sys/sysctl.h>

#define	NONE	0
#define	FOREIGN	1	/* another module has taken over after this one */
#define	HANG	2	/* the next dump does not return */
#define	HUNG	3	/* it has come, and returns when this is NONE */
#define	STAY	4	/* the next stay in the network epoch does not end */
#define	STAYING	5	/* it has begun, and ends when this is NONE */

static int fault;
static nl_handler_f ours;

/* As another module would have it. */
static int
foreign(struct nlmsghdr *hdr, struct nl_pstate *npt)
{
	return (ours(hdr, npt));
}

static void
set_handler(nl_handler_f handler)
{
	atomic_store_rel_ptr((volatile uintptr_t *)&nl_handlers[NETLINK_ROUTE].cb, (uintptr_t)handler);
}

static int
fault_sysctl(SYSCTL_HANDLER_ARGS)
{
	int wanted = atomic_load_int(&fault);
	int error = sysctl_handle_int(oidp, &wanted, 0, req);

	if (error != 0 || req->newptr == NULL)
		return (error);
	if (wanted < NONE || wanted == HUNG || wanted > STAY)
		return (EINVAL);
	if (wanted == FOREIGN && nl_handlers[NETLINK_ROUTE].cb != foreign) {
		ours = nl_handlers[NETLINK_ROUTE].cb;
		set_handler(foreign);
	} else if (wanted != FOREIGN && nl_handlers[NETLINK_ROUTE].cb == foreign)
		set_handler(ours);
	atomic_store_int(&fault, wanted);
	return (0);
}

void
nlproof_fault_point(const struct nlmsghdr *hdr)
{
	if ((hdr->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP || !atomic_cmpset_int(&fault, HANG, HUNG))
		return;
	while (atomic_load_int(&fault) == HUNG)
		pause("fault", 1);
}

/* Yields rather than sleeps, which nobody may in the epoch. */
void
nlproof_fault_epoch(void)
{
	if (!atomic_cmpset_int(&fault, STAY, STAYING))
		return;
	while (atomic_load_int(&fault) == STAYING)
		kern_yield(PRI_USER);
}

SYSCTL_DECL(_net_netlink_nlproof);
SYSCTL_PROC(_net_netlink_nlproof, OID_AUTO, fault, CTLTYPE_INT | CTLFLAG_RW | CTLFLAG_MPSAFE, NULL, 0,
    fault_sysctl, "I", "0: none; 1: another module took over; 2: the next dump hangs; 3: it hangs; "
    "4: the next stay in the epoch does not end; 5: it has begun");
#endif
