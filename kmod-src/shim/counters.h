/* SPDX-License-Identifier: BSD-2-Clause */
/* What the module counts: net.netlink.nlproof.*. */
#ifndef NLPROOF_COUNTERS_H
#define NLPROOF_COUNTERS_H

extern u_long nlproof_requests;		/* interface messages that Rust answered */
extern u_long nlproof_errors;		/* of these, those answered with an error */
extern u_long nlproof_events;		/* events that Rust announced */
extern u_long nlproof_observed;		/* messages and events left to the stock code */
extern u_long nlproof_bytes;		/* bytes of finished messages */
extern u_long nlproof_references;	/* references to interfaces held now */
extern u_long nlproof_epochs;		/* stays of Rust in the network epoch now */
extern int nlproof_mode;		/* NLPROOF_REPLACE or NLPROOF_OBSERVE */

#define	NLPROOF_REPLACE	0
#define	NLPROOF_OBSERVE	1

#endif
