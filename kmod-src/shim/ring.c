/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A ring for each processor. A thread writes to that of its processor, and cannot be preempted meanwhile, so
 * there is one writer at a time: it takes the slot at the head, fills it, and then moves the head, which commits
 * the record. The one reader (the lock below) moves the tail. A record that finds the ring full is dropped and
 * counted: a trace with a hole says so.
 */
#include "kernel.h"

#include <sys/pcpu.h>
#include <sys/smp.h>
#include <sys/sysctl.h>
#include <sys/time.h>

#include "probe.h"
#include "ring.h"

#define	RECORDS	32768u	/* of each ring, 2 MiB; a power of two */

struct ring {
	volatile u_int		head;		/* the next to be written; only its processor's threads move it */
	volatile u_int		tail;		/* the next to be read; only the reader moves it */
	volatile u_long		dropped;
	struct nlproof_record	records[RECORDS];
};

volatile uint32_t nlproof_ring_on;

static struct ring *rings[MAXCPU];
static struct sx reader;
SX_SYSINIT(nlproof_ring_reader, &reader, "nlproof ring");

/* Network stacks are allocated; what is the same in all of them and whole addresses tell nobody anything. */
static uint32_t
vnet_id(void)
{
	return ((uint32_t)((uintptr_t)curvnet >> 6));
}

void
nlproof_ring_put(uint32_t probe, const uint64_t args[NLPROOF_PROBE_WORDS])
{
	struct timespec now;
	struct ring *ring;

	nanouptime(&now);
	critical_enter();
	ring = rings[curcpu];
	u_int head = ring->head;
	if (head - atomic_load_acq_int(&ring->tail) >= RECORDS)
		ring->dropped++;
	else {
		struct nlproof_record *record = &ring->records[head % RECORDS];

		record->t_ns = (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec;
		record->tid = curthread->td_tid;
		record->vnet = vnet_id();
		record->cpu = curcpu;
		record->probe = probe;
		record->reserved = 0;
		memcpy(record->args, args, sizeof(record->args));
		atomic_store_rel_int(&ring->head, head + 1);
	}
	critical_exit();
}

/* When nobody fires any more and the sysctls are gone. */
static void
ring_free(void *arg __unused)
{
	u_int cpu;

	nlproof_ring_on = 0;
	CPU_FOREACH(cpu) {
		free(rings[cpu], M_TEMP);
		rings[cpu] = NULL;
	}
}
SYSUNINIT(nlproof_ring, SI_SUB_PROTO_END, SI_ORDER_FIRST, ring_free, NULL);

/* The rings stay once they are there: somebody may be about to write. */
static int
trace_sysctl(SYSCTL_HANDLER_ARGS)
{
	int on = nlproof_ring_on;
	int error = sysctl_handle_int(oidp, &on, 0, req);
	u_int cpu;

	if (error != 0 || req->newptr == NULL)
		return (error);
	sx_xlock(&reader);
	CPU_FOREACH(cpu) {
		if (rings[cpu] == NULL)
			rings[cpu] = malloc(sizeof(struct ring), M_TEMP, M_WAITOK | M_ZERO);
	}
	atomic_store_rel_int(&nlproof_ring_on, on != 0);
	sx_xunlock(&reader);
	return (0);
}

/* Hands out what is committed, ring after ring, as far as whole records fit, and makes room for more. */
static int
records_sysctl(SYSCTL_HANDLER_ARGS)
{
	int error = 0;
	u_int cpu;

	sx_xlock(&reader);
	CPU_FOREACH(cpu) {
		struct ring *ring = rings[cpu];

		if (ring == NULL)
			continue;
		u_int head = atomic_load_acq_int(&ring->head);
		u_int tail = ring->tail;
		if (req->oldptr == NULL) {
			/* How much there is; more may come until it is asked for. */
			error = SYSCTL_OUT(req, NULL, (size_t)(head - tail) * sizeof(struct nlproof_record));
			continue;
		}
		while (error == 0 && tail != head &&
		    req->oldlen - req->oldidx >= sizeof(struct nlproof_record)) {
			error = SYSCTL_OUT(req, &ring->records[tail % RECORDS], sizeof(struct nlproof_record));
			if (error == 0)
				tail++;
		}
		atomic_store_rel_int(&ring->tail, tail);
	}
	sx_xunlock(&reader);
	return (error);
}

/* That of the process that asks. */
static int
vnet_sysctl(SYSCTL_HANDLER_ARGS)
{
	uint32_t id = vnet_id();

	return (SYSCTL_OUT(req, &id, sizeof(id)));
}

static int
dropped_sysctl(SYSCTL_HANDLER_ARGS)
{
	u_long dropped = 0;
	u_int cpu;

	sx_xlock(&reader);
	CPU_FOREACH(cpu) {
		if (rings[cpu] != NULL)
			dropped += rings[cpu]->dropped;
	}
	sx_xunlock(&reader);
	return (sysctl_handle_long(oidp, &dropped, 0, req));
}

SYSCTL_DECL(_net_netlink_nlproof);
SYSCTL_PROC(_net_netlink_nlproof, OID_AUTO, trace, CTLTYPE_INT | CTLFLAG_RW | CTLFLAG_MPSAFE, NULL, 0,
    trace_sysctl, "I", "1: record which probes fire");
SYSCTL_PROC(_net_netlink_nlproof, OID_AUTO, records, CTLTYPE_OPAQUE | CTLFLAG_RD | CTLFLAG_SKIP | CTLFLAG_MPSAFE,
    NULL, 0, records_sysctl, "S,nlproof_record", "Records of the probes that fired, 64 bytes each; read once");
SYSCTL_PROC(_net_netlink_nlproof, OID_AUTO, dropped, CTLTYPE_ULONG | CTLFLAG_RD | CTLFLAG_MPSAFE, NULL, 0,
    dropped_sysctl, "LU", "Records that found their ring full");
SYSCTL_PROC(_net_netlink_nlproof, OID_AUTO, vnet, CTLTYPE_U32 | CTLFLAG_RD | CTLFLAG_SKIP | CTLFLAG_MPSAFE, NULL,
    0, vnet_sysctl, "IU", "The network stack of who asks, as records name it");
