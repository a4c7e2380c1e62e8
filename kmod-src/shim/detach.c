/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices whose driver is being taken away, and changes that keep clear of that.
 *
 * A driver takes itself apart before it unlinks its interface, which is marked only then: iflib_device_deregister()
 * begins with netmap's rings, and whoever adds an address in that moment has iflib_stop() look for them. newbus says when
 * a detach begins and when it is over. It does not say which interface is the device's (that of a USB adapter has another
 * name), and the change of a vlan(4) asks its parent's driver. So all changes wait, and a detach waits for those that
 * have begun.
 *
 * Neither waits for long. What one side does may be held up by the other in a driver: then both go on, as in the stock
 * code.
 *
 * A detach must not sleep here: that gives up Giant, which is the bus's lock, and whoever waits for it with the same device
 * (a second notification of the card's ejection) finds it attached still, and detaches it too.
 */
#include "kernel.h"

#include "detach.h"

/* A change sleeps so long, a detach spins so long. */
#define	LONGEST_SLEEP	(5 * hz)
#define	LONGEST_SPIN	(hz / 10 + 1)

/* Under way. */
static volatile u_int changes;
static volatile u_int detaches;

static eventhandler_tag tag;

/*
 * Each side counts itself before it looks for the other, so that one of two that begin at once sees the other. Adding is
 * a full barrier on amd64 only.
 */
void
nlproof_change_begins(void)
{
	int deadline = ticks + LONGEST_SLEEP;

	for (;;) {
		atomic_add_int(&changes, 1);
		atomic_thread_fence_seq_cst();
		if (atomic_load_int(&detaches) == 0 || deadline - ticks <= 0)
			return;
		atomic_subtract_int(&changes, 1);
		while (atomic_load_int(&detaches) != 0 && deadline - ticks > 0)
			pause("nlproof", 1);
	}
}

void
nlproof_change_ends(void)
{
	atomic_subtract_rel_int(&changes, 1);
}

static void
on_detach(void *arg __unused, device_t dev __unused, enum evhdev_detach what)
{
	if (what == EVHDEV_DETACH_BEGIN) {
		int deadline = ticks + LONGEST_SPIN;

		atomic_add_int(&detaches, 1);
		atomic_thread_fence_seq_cst();
		while (atomic_load_acq_int(&changes) != 0 && deadline - ticks > 0)
			cpu_spinwait();
	} else if (atomic_load_int(&detaches) != 0) {
		/* One that had begun before the module was loaded is not counted. */
		atomic_subtract_rel_int(&detaches, 1);
	}
}

static void
begin(void *arg __unused)
{
	tag = EVENTHANDLER_REGISTER(device_detach, on_detach, NULL, EVENTHANDLER_PRI_ANY);
}
SYSINIT(nlproof_detach, SI_SUB_CONFIGURE, SI_ORDER_ANY, begin, NULL);

static void
end(void *arg __unused)
{
	EVENTHANDLER_DEREGISTER(device_detach, tag);
}
SYSUNINIT(nlproof_detach, SI_SUB_CONFIGURE, SI_ORDER_ANY, end, NULL);
