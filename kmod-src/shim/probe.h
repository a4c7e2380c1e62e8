/* SPDX-License-Identifier: BSD-2-Clause */
/* Probes: points of a request's or an event's path. probes.h, generated from kmod-src/probes.yaml, has their
 * names and numbers. */
#ifndef NLPROOF_PROBE_H
#define NLPROOF_PROBE_H

#include <sys/types.h>

#include "probes.h"

struct ifnet;

/* Something keeps records. Whether DTrace listens is the kernel's own word, sdt_probes_enabled. */
extern volatile uint32_t nlproof_ring_on;
extern volatile bool sdt_probes_enabled;

/* Fires a probe: to the ring, if that is on, and as SDT probe nlproof:::NAME. Called only if somebody listens. */
void	nlproof_probe(uint32_t probe, const uint64_t args[NLPROOF_PROBE_WORDS]);

static inline bool
nlproof_probes_heard(void)
{
	return (__predict_false(nlproof_ring_on != 0 || sdt_probes_enabled));
}

#define	NLPROOF_PROBE(_probe, ...) do {							\
	if (nlproof_probes_heard())							\
		nlproof_probe((_probe), (const uint64_t[NLPROOF_PROBE_WORDS]){ __VA_ARGS__ });	\
} while (0)

#endif
