/* SPDX-License-Identifier: BSD-2-Clause */
/* Where probes are recorded without DTrace: a ring for each processor, read through sysctl. */
#ifndef NLPROOF_RING_H
#define NLPROOF_RING_H

#include <sys/types.h>
#include <sys/stddef.h>

#include "probes.h"

/* A probe that fired, as net.netlink.nlproof.records has it. */
struct nlproof_record {
	uint64_t	t_ns;		/* CLOCK_MONOTONIC */
	uint32_t	tid;
	uint32_t	vnet;		/* tells network stacks apart; no address */
	uint16_t	cpu;
	uint16_t	probe;
	uint32_t	reserved;
	uint64_t	args[NLPROOF_PROBE_WORDS];
};
_Static_assert(sizeof(struct nlproof_record) == 64, "readers count on it");
_Static_assert(offsetof(struct nlproof_record, args) == 24, "readers count on it");

/* Records a probe, or counts it as dropped if the reader is a whole ring behind. Never sleeps. */
void	nlproof_ring_put(uint32_t probe, const uint64_t args[NLPROOF_PROBE_WORDS]);

#endif
