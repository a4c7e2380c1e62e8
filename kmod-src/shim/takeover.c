/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking over from sys/netlink/route/iface.c and handing back.
 *
 * Everything is taken over by exchanging one pointer where the kernel keeps it, and handed back by putting the
 * old value there again, so no message and no event is lost or doubled, nothing is allocated, and afterwards
 * the kernel is exactly as it was:
 *
 *  - messages: the handler of NETLINK_ROUTE in nl_handlers[]. What is not about interfaces goes on to the
 *    stock handler. (rtnl_register_messages() would refuse a second handler on a kernel with INVARIANTS.)
 *  - flag changes: netlink_callback_p.
 *  - four event handlers, in 16 five: the function pointer inside the stock handler's entry in its event's list. Taking it
 *    off the list and registering another (rtnl_ifaces_destroy(), EVENTHANDLER_REGISTER) would leave a gap,
 *    and the way back (rtnl_ifaces_init()) registers the messages again.
 */
#include "kernel.h"

#include <sys/linker.h>

#include <net/route.h>
#include <net/route/route_ctl.h>

#include "address.h"
#include "counters.h"
#include "early.h"
#include "fault.h"
#include "observe.h"
#include "probe.h"
#include "takeover.h"
#include "threads.h"

/* The entry that eventhandler_register() makes; private to kern/subr_eventhandler.c. */
struct entry {
	struct eventhandler_entry	ee;
	void				*function;
};

static void on_arrival(void *, struct ifnet *);
static void on_departure(void *, struct ifnet *);
static void on_link(void *, struct ifnet *, int);
static void on_address(void *, struct ifaddr *, int);
#ifdef VERSION_RENAME_EVENT
static void on_rename(void *, struct ifnet *, const char *);
#endif
static void on_flags(struct ifnet *, int);
static int on_message(struct nlmsghdr *, struct nl_pstate *);

enum { ARRIVAL, DEPARTURE, LINK, ADDRESS, RENAME };

/* The stock code's event handlers, found by the names of their static functions. */
static struct hook {
	const char	*list;
	const char	*stock_name;
	void		*ours;
	void		*stock;
	struct entry	*entry;
} hooks[] = {
	[ARRIVAL] = { VERSION_ARRIVAL_EVENT, "rtnl_handle_ifattach", on_arrival },
	[DEPARTURE] = { "ifnet_departure_event", "rtnl_handle_ifdetach", on_departure },
	[LINK] = { "ifnet_link_event", "rtnl_handle_iflink", on_link },
	[ADDRESS] = { "rt_addrmsg", "rtnl_handle_ifaddr", on_address },
#ifdef VERSION_RENAME_EVENT
	[RENAME] = { VERSION_RENAME_EVENT, "rtnl_handle_ifrename", on_rename },
#endif
};

static nl_handler_f stock_message;
static struct rtbridge *stock_bridge;
static struct rtbridge our_bridge = { .ifmsg_f = on_flags };
static bool taken;
/* Threads inside our handlers. */
static u_int in_flight;

static bool
replacing(void)
{
	if (atomic_load_int(&nlproof_mode) == NLPROOF_REPLACE)
		return (true);
	atomic_add_long(&nlproof_observed, 1);
	return (false);
}

static void
enter(void)
{
	atomic_add_acq_int(&in_flight, 1);
}

static void
leave(void)
{
	atomic_subtract_rel_int(&in_flight, 1);
}

static int
answer(struct nlmsghdr *hdr, struct nl_pstate *npt)
{
	struct nlproof_call call;
	struct nlproof_request request = {
		.payload = (const uint8_t *)(hdr + 1),
		.payload_len = hdr->nlmsg_len - sizeof(*hdr),
		.kind = hdr->nlmsg_type,
		.flags = hdr->nlmsg_flags,
		.seq = hdr->nlmsg_seq,
		.pid = hdr->nlmsg_pid,
		.strict = npt->strict,
		.osreldate = osreldate,
	};

	nlproof_call_begin(&call, npt);
	int error = nlproof_core_request(&call, npt->nlp, npt->nw, &request);

	atomic_add_long(&nlproof_requests, 1);
	if (error != 0)
		atomic_add_long(&nlproof_errors, 1);
	return (error);
}

/* The stock code answers, and we look on. */
static int
observe(struct nlmsghdr *hdr, struct nl_pstate *npt)
{
	/* The stock code may write into the message. */
	uint16_t message = hdr->nlmsg_type;
	uint32_t seq = hdr->nlmsg_seq;

	nlproof_saw_request(hdr);
	int error = stock_message(hdr, npt);
	nlproof_saw_request_end(message, seq, error);
	return (error);
}

static int
on_message(struct nlmsghdr *hdr, struct nl_pstate *npt)
{
	int error;

	enter();
	NLPROOF_FAULT_POINT(hdr);
	if (!nlproof_core_handles(hdr->nlmsg_type))
		error = stock_message(hdr, npt);
	else if (replacing())
		error = answer(hdr, npt);
	else
		error = observe(hdr, npt);
	leave();
	return (error);
}

/* Announces an event, or says that the stock handler has to. */
static bool
announce(struct ifnet *ifp, uint32_t event, uint32_t change)
{
	if (!replacing())
		return (false);
	struct nlproof_call call;

	nlproof_call_begin(&call, NULL);
	atomic_add_long(&nlproof_events, 1);
	nlproof_core_link_event(&call, ifp, osreldate, event, change);
	return (true);
}

static void
on_arrival(void *arg, struct ifnet *ifp)
{
	enter();
	if (!announce(ifp, NLPROOF_LINK_ARRIVED, 0)) {
		uint32_t index = nlproof_saw_event(ifp, NLPROOF_LINK_ARRIVED, 0);

		((void (*)(void *, struct ifnet *))hooks[ARRIVAL].stock)(arg, ifp);
		nlproof_saw_event_end(NLPROOF_LINK_ARRIVED, index);
	}
	leave();
}

static void
on_departure(void *arg, struct ifnet *ifp)
{
	enter();
	if (!announce(ifp, NLPROOF_LINK_DEPARTED, 0)) {
		uint32_t index = nlproof_saw_event(ifp, NLPROOF_LINK_DEPARTED, 0);

		((void (*)(void *, struct ifnet *))hooks[DEPARTURE].stock)(arg, ifp);
		nlproof_saw_event_end(NLPROOF_LINK_DEPARTED, index);
	}
	leave();
}

static void
on_link(void *arg, struct ifnet *ifp, int state)
{
	enter();
	if (!announce(ifp, NLPROOF_LINK_STATE, 0)) {
		uint32_t index = nlproof_saw_event(ifp, NLPROOF_LINK_STATE, 0);

		((void (*)(void *, struct ifnet *, int))hooks[LINK].stock)(arg, ifp, state);
		nlproof_saw_event_end(NLPROOF_LINK_STATE, index);
	}
	leave();
}

#ifdef VERSION_RENAME_EVENT
static void
on_rename(void *arg, struct ifnet *ifp, const char *old)
{
	enter();
	if (replacing()) {
		struct nlproof_call call;

		nlproof_call_begin(&call, NULL);
		atomic_add_long(&nlproof_events, 1);
		nlproof_core_link_renamed(&call, ifp, osreldate, old);
	} else {
		uint32_t index = nlproof_saw_event(ifp, NLPROOF_SAW_RENAMED, 0);

		((void (*)(void *, struct ifnet *, const char *))hooks[RENAME].stock)(arg, ifp, old);
		nlproof_saw_event_end(NLPROOF_SAW_RENAMED, index);
	}
	leave();
}
#endif

static void
on_flags(struct ifnet *ifp, int mask)
{
	enter();
	if (!announce(ifp, NLPROOF_LINK_CHANGED, mask)) {
		uint32_t index = nlproof_saw_event(ifp, NLPROOF_LINK_CHANGED, mask);

		stock_bridge->ifmsg_f(ifp, mask);
		nlproof_saw_event_end(NLPROOF_LINK_CHANGED, index);
	}
	leave();
}

static void
on_address(void *arg, struct ifaddr *ifa, int cmd)
{
	enter();
	if (replacing()) {
		struct nlproof_call call;
		struct nlproof_address address;

		nlproof_call_begin(&call, NULL);
		atomic_add_long(&nlproof_events, 1);
		nlproof_address_of(ifa, &address);
		nlproof_core_address_event(&call, ifa->ifa_ifp, osreldate, &address, cmd == RTM_DELETE);
	} else {
		uint32_t what = cmd == RTM_DELETE ? NLPROOF_SAW_ADDRESS_DELETED : NLPROOF_SAW_ADDRESS_ADDED;
		uint32_t index = nlproof_saw_event(ifa->ifa_ifp, what, 0);

		((void (*)(void *, struct ifaddr *, int))hooks[ADDRESS].stock)(arg, ifa, cmd);
		nlproof_saw_event_end(what, index);
	}
	leave();
}

/* Whether a function of the running kernel has that name, static functions included. */
static bool
is_named(void *function, const char *name)
{
	char found[64];
	long offset;

	return (linker_ddb_search_symbol_name(function, found, sizeof(found), &offset) == 0 && offset == 0 &&
	    strcmp(found, name) == 0);
}

/* Finds the stock handler in its event's list. */
static int
find(struct hook *hook)
{
	struct eventhandler_entry *ee;
	struct eventhandler_list *list = eventhandler_find_list(hook->list);

	hook->entry = NULL;
	if (list != NULL) {
		TAILQ_FOREACH(ee, &list->el_entries, ee_link) {
			struct entry *entry = (struct entry *)ee;

			if (ee->ee_priority != EHE_DEAD_PRIORITY && is_named(entry->function, hook->stock_name)) {
				hook->entry = entry;
				hook->stock = entry->function;
			}
		}
		EHL_UNLOCK(list);
	}
	if (hook->entry == NULL) {
		printf("nlproof_iface: not loaded: %s does not handle %s in this kernel, or the kernel has no "
		    "symbols\n", hook->stock_name, hook->list);
		return (ENOENT);
	}
	return (0);
}

static void
exchange(void **place, void *value)
{
	atomic_store_rel_ptr((volatile uintptr_t *)place, (uintptr_t)value);
}

static void
put(bool ours)
{
	for (u_int i = 0; i < nitems(hooks); i++)
		exchange(&hooks[i].entry->function, ours ? hooks[i].ours : hooks[i].stock);
	exchange((void **)&netlink_callback_p, ours ? &our_bridge : stock_bridge);
	exchange((void **)&nl_handlers[NETLINK_ROUTE].cb, ours ? (void *)on_message : (void *)stock_message);
}

int
nlproof_take_over(void)
{
	nlproof_early_end();
	if (osreldate / 100000 != VERSION_MAJOR) {
		printf("nlproof_iface: not loaded: built for FreeBSD %d, this is %d\n", VERSION_MAJOR, osreldate);
		return (ENOEXEC);
	}
	if (nl_handlers[NETLINK_ROUTE].cb == NULL) {
		printf("nlproof_iface: not loaded: nothing handles NETLINK_ROUTE in this kernel\n");
		return (ENOENT);
	}
	for (u_int i = 0; i < nitems(hooks); i++) {
		int error = find(&hooks[i]);

		if (error != 0)
			return (error);
	}
	stock_message = nl_handlers[NETLINK_ROUTE].cb;
	stock_bridge = netlink_callback_p;
	our_bridge.route_f = stock_bridge->route_f;
	put(true);
	taken = true;
	NLPROOF_PROBE(NLPROOF_TAKE_OVER, osreldate, 0);
	printf("nlproof_iface: interface messages and events are answered in Rust\n");
	return (0);
}

int
nlproof_hand_back(void)
{
	/* After a failed load the kernel unloads too. */
	if (!taken)
		return (0);
	if (nl_handlers[NETLINK_ROUTE].cb != on_message || netlink_callback_p != &our_bridge) {
		printf("nlproof_iface: not unloaded: another module has taken over after this one\n");
		return (EBUSY);
	}
	put(false);
	/*
	 * A thread may have read one of our pointers and not yet counted itself, or have counted itself out and not
	 * yet returned. It sleeps in neither place. So once every thread was seen elsewhere, nobody counts himself any
	 * more; once the count is 0 then, nobody is inside; and once every thread was seen elsewhere again, nobody is
	 * on the way out. Messages and events are the stock code's meanwhile.
	 */
	int deadline = ticks + 10 * hz;
	int error = nlproof_all_elsewhere(deadline);
	while (error == 0 && atomic_load_acq_int(&in_flight) != 0) {
		error = deadline - ticks > 0 ? 0 : EWOULDBLOCK;
		pause("nlproof", 1);
	}
	if (error == 0)
		error = nlproof_all_elsewhere(deadline);
	if (error != 0) {
		put(true);
		printf("nlproof_iface: still loaded: for ten seconds %u handlers did not return, or a thread ran or "
		    "waited for a lock without a pause\n", atomic_load_int(&in_flight));
		NLPROOF_PROBE(NLPROOF_HAND_BACK, EBUSY);
		return (EBUSY);
	}
	taken = false;
	NLPROOF_PROBE(NLPROOF_HAND_BACK, 0);
	printf("nlproof_iface: the stock code answers again\n");
	return (0);
}
