/* SPDX-License-Identifier: BSD-2-Clause */
/* net.netlink.nlproof: the mode and the counters. */
#include "kernel.h"

#include <sys/sysctl.h>

#include "counters.h"

u_long nlproof_requests;
u_long nlproof_errors;
u_long nlproof_events;
u_long nlproof_observed;
u_long nlproof_bytes;
u_long nlproof_references;
int nlproof_mode = NLPROOF_REPLACE;

static const char *const modes[] = {
	[NLPROOF_REPLACE] = "replace",
	[NLPROOF_OBSERVE] = "observe",
};

static int
mode_sysctl(SYSCTL_HANDLER_ARGS)
{
	char text[16];
	int error;

	strlcpy(text, modes[atomic_load_int(&nlproof_mode)], sizeof(text));
	error = sysctl_handle_string(oidp, text, sizeof(text), req);
	if (error != 0 || req->newptr == NULL)
		return (error);
	for (u_int mode = 0; mode < nitems(modes); mode++) {
		if (strcmp(text, modes[mode]) == 0) {
			atomic_store_int(&nlproof_mode, mode);
			return (0);
		}
	}
	return (EINVAL);
}

/*
 * Returns when every thread that is in the network epoch now has left it, whoever entered it, and what was put off
 * until then (epoch_call) has been done: a thread that never leaves keeps this from returning. As a setting, because
 * that is work for the whole system, and the kernel asks for a privilege before a setting.
 */
static int
epoch_wait_sysctl(SYSCTL_HANDLER_ARGS)
{
	int wanted = 0;
	int error = sysctl_handle_int(oidp, &wanted, 0, req);

	if (error != 0 || req->newptr == NULL)
		return (error);
	if (wanted != 1)
		return (EINVAL);
	NET_EPOCH_WAIT();
	NET_EPOCH_DRAIN_CALLBACKS();
	return (0);
}

SYSCTL_NODE(_net_netlink, OID_AUTO, nlproof, CTLFLAG_RD | CTLFLAG_MPSAFE, 0,
    "Interface messages answered in Rust");
SYSCTL_DECL(_net_netlink_nlproof);
SYSCTL_PROC(_net_netlink_nlproof, OID_AUTO, mode, CTLTYPE_STRING | CTLFLAG_RWTUN | CTLFLAG_MPSAFE, NULL, 0,
    mode_sysctl, "A", "replace: Rust answers; observe: the stock code answers and is counted");
SYSCTL_ULONG(_net_netlink_nlproof, OID_AUTO, requests, CTLFLAG_RD, &nlproof_requests, 0,
    "Interface messages that Rust answered");
SYSCTL_ULONG(_net_netlink_nlproof, OID_AUTO, errors, CTLFLAG_RD, &nlproof_errors, 0,
    "Of these, those answered with an error");
SYSCTL_ULONG(_net_netlink_nlproof, OID_AUTO, events, CTLFLAG_RD, &nlproof_events, 0,
    "Events that Rust announced");
SYSCTL_ULONG(_net_netlink_nlproof, OID_AUTO, observed, CTLFLAG_RD, &nlproof_observed, 0,
    "Interface messages and events left to the stock code");
SYSCTL_ULONG(_net_netlink_nlproof, OID_AUTO, bytes, CTLFLAG_RD, &nlproof_bytes, 0,
    "Bytes of finished messages");
SYSCTL_ULONG(_net_netlink_nlproof, OID_AUTO, references, CTLFLAG_RD, &nlproof_references, 0,
    "References to interfaces that Rust holds now");
SYSCTL_ULONG(_net_netlink_nlproof, OID_AUTO, epochs, CTLFLAG_RD, &nlproof_epochs, 0,
    "Stays of Rust in the network epoch now");
SYSCTL_PROC(_net_netlink_nlproof, OID_AUTO, epoch_wait, CTLTYPE_INT | CTLFLAG_RW | CTLFLAG_MPSAFE, NULL, 0,
    epoch_wait_sysctl, "I", "1: return when every thread has left the network epoch and its deferred calls are done");
