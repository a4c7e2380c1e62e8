/* SPDX-License-Identifier: BSD-2-Clause */
/* What the stock code does in mode observe, seen from its caller: the probes of a request's and an event's begin and
 * end. What happens between them only the stock code itself could tell; dtrace(1) follows that. */
#ifndef NLPROOF_OBSERVE_H
#define NLPROOF_OBSERVE_H

#include <sys/types.h>

#include "probe.h"

struct ifnet;
struct nlmsghdr;

/* event-begin's and event-end's `what` of new names and addresses (kmod-src/probes.yaml); that of links is NLPROOF_LINK_*. */
#define	NLPROOF_SAW_RENAMED		4
#define	NLPROOF_SAW_ADDRESS_ADDED	5
#define	NLPROOF_SAW_ADDRESS_DELETED	6

void	nlproof_saw_request(const struct nlmsghdr *);
void	nlproof_saw_request_end(uint16_t message, uint32_t seq, int error);
/* The interface's index, for the end: by then the interface may be gone. */
uint32_t nlproof_saw_event(struct ifnet *, uint32_t what, uint32_t change);
void	nlproof_saw_event_end(uint32_t what, uint32_t index);

#endif
