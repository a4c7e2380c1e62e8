/* SPDX-License-Identifier: BSD-2-Clause */
/* What one entry into Rust needs that must not move in memory. It lives on the stack of the C function that
 * calls Rust; Rust holds a pointer to it for the length of the call. */
#ifndef NLPROOF_CALL_H
#define NLPROOF_CALL_H

struct nlproof_call {
	struct epoch_tracker	 tracker;
	u_int			 depth;		/* times the epoch was entered and not left */
	bool			 group_used;	/* the writer below is in use */
	struct nl_writer	 group;
	struct nl_pstate	*npt;		/* of the request; NULL in an event */
};

/* Tracker and writer are not looked at before they are used. */
static inline void
nlproof_call_begin(struct nlproof_call *call, struct nl_pstate *npt)
{
	call->depth = 0;
	call->group_used = false;
	call->npt = npt;
}

#endif
