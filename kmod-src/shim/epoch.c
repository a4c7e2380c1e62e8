/* SPDX-License-Identifier: BSD-2-Clause */
/* The network epoch. Its tracker is linked into a list of the thread and must not move, so it is part of the
 * call, and counted: entering twice is entering once. */
#include "kernel.h"

#include "counters.h"
#include "fault.h"
#include "probe.h"

u_long nlproof_epochs;

void
nlproof_epoch_enter(struct nlproof_call *call)
{
	if (call->depth++ == 0) {
		NET_EPOCH_ENTER(call->tracker);
		atomic_add_long(&nlproof_epochs, 1);
		NLPROOF_FAULT_EPOCH();
	}
	NLPROOF_PROBE(NLPROOF_EPOCH_ENTER, call->depth);
}

void
nlproof_epoch_exit(struct nlproof_call *call)
{
	NLPROOF_PROBE(NLPROOF_EPOCH_EXIT, call->depth);
	if (--call->depth == 0) {
		atomic_subtract_long(&nlproof_epochs, 1);
		NET_EPOCH_EXIT(call->tracker);
	}
}
