/* SPDX-License-Identifier: BSD-2-Clause */
/* The SDT probes, nlproof:::request-in and so on: DTrace shows two underscores as a dash. All arguments are
 * words; kmod-src/probes.yaml says what each is. */
/* A kernel without DTrace's hooks has nobody who would enable them, and loads the module all the same. Only here:
 * elsewhere it would make every lock's inline functions larger. */
#define	KDTRACE_HOOKS	1
#include "kernel.h"

#include <sys/sdt.h>

#include "probe.h"
#include "ring.h"

#define	W	"uint64_t"

SDT_PROVIDER_DEFINE(nlproof);

#define	DEFINE(_number, _name, _sdt)	SDT_PROBE_DEFINE5(nlproof, , , _sdt, W, W, W, W, W);
NLPROOF_PROBES(DEFINE)

void
nlproof_probe(uint32_t probe, const uint64_t args[NLPROOF_PROBE_WORDS])
{
	if (nlproof_ring_on != 0)
		nlproof_ring_put(probe, args);
	switch (probe) {
#define	FIRE(_number, _name, _sdt)								\
	case _number:										\
		SDT_PROBE5(nlproof, , , _sdt, args[0], args[1], args[2], args[3], args[4]);	\
		break;
	NLPROOF_PROBES(FIRE)
	}
}
