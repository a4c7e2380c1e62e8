/* SPDX-License-Identifier: BSD-2-Clause */
/* Interfaces: lookup, references, iteration and the accessors of net/if_var.h. */
#include "kernel.h"

#include <net/if_dl.h>
#include <net/if_media.h>

#include "counters.h"
#include "probe.h"

/* In the order of iface_core::Counter. */
static const ift_counter counters[] = {
	IFCOUNTER_IPACKETS, IFCOUNTER_OPACKETS, IFCOUNTER_IBYTES, IFCOUNTER_OBYTES, IFCOUNTER_IERRORS,
	IFCOUNTER_OERRORS, IFCOUNTER_IQDROPS, IFCOUNTER_OQDROPS, IFCOUNTER_IMCASTS, IFCOUNTER_NOPROTO,
};
_Static_assert(nitems(counters) == nitems(((struct nlproof_statistics *)0)->counted) + 1, "every counter is read");

static struct ifnet *
counted(struct ifnet *ifp)
{
	if (ifp != NULL) {
		atomic_add_long(&nlproof_references, 1);
		NLPROOF_PROBE(NLPROOF_REFERENCE_TAKEN, if_getindex(ifp), (uintptr_t)ifp);
	}
	return (ifp);
}

struct ifnet *
nlproof_if_by_index(uint32_t index)
{
	return (counted(ifnet_byindex_ref(index)));
}

struct ifnet *
nlproof_if_by_name(const char *name)
{
	return (counted(ifunit_ref(name)));
}

void
nlproof_if_release(struct ifnet *ifp)
{
	atomic_subtract_long(&nlproof_references, 1);
	NLPROOF_PROBE(NLPROOF_REFERENCE_RELEASED, if_getindex(ifp), (uintptr_t)ifp);
	if_rele(ifp);
}

int
nlproof_if_foreach_sleep(nlproof_match_f *match, void *match_arg, nlproof_each_f *each, void *each_arg)
{
	return (if_foreach_sleep(match, match_arg, each, each_arg));
}

int
nlproof_if_foreach(nlproof_each_f *each, void *arg)
{
	struct if_iter iter;
	int error = 0;

	for (if_t ifp = if_iter_start(&iter); ifp != NULL && error == 0; ifp = if_iter_next(&iter))
		error = each(ifp, arg);
	if_iter_finish(&iter);
	return (error);
}

/* Before 16 no message has an interface's groups, and the kernel has no function that shows them. */
void
nlproof_if_foreach_group(struct ifnet *ifp, nlproof_each_group_f *each, void *arg)
{
	VERSION_FOREACH_GROUP(ifp, each, arg);
}

uint32_t
nlproof_if_index(struct ifnet *ifp)
{
	return (if_getindex(ifp));
}

const char *
nlproof_if_name(struct ifnet *ifp)
{
	return (if_name(ifp));
}

/* The stock code reads it unlocked as well: the lock is private to net/if.c. */
const char *
nlproof_if_description(struct ifnet *ifp)
{
	return (if_getdescr(ifp));
}

void
nlproof_if_read(struct ifnet *ifp, struct nlproof_link *out)
{
	out->index = if_getindex(ifp);
	out->flags = if_getflags(ifp);
	out->driver_flags = if_getdrvflags(ifp);
	out->mtu = if_getmtu(ifp);
	nlproof_if_capabilities(ifp, out->supported, out->enabled);
	out->kind = if_gettype(ifp);
	out->address_len = if_getaddrlen(ifp);
	out->has_broadcast = if_getbroadcastaddr(ifp) != NULL;
}

void
nlproof_if_statistics(struct ifnet *ifp, struct nlproof_statistics *out)
{
	for (u_int i = 0; i < nitems(out->counted); i++)
		out->counted[i] = if_getcounter(ifp, counters[i]);
	memset(out->uncounted, 0, sizeof(out->uncounted));
	out->no_handler = if_getcounter(ifp, counters[nitems(out->counted)]);
}

uint8_t
nlproof_if_type(struct ifnet *ifp)
{
	return (if_gettype(ifp));
}

uint32_t
nlproof_if_flags(struct ifnet *ifp)
{
	return (if_getflags(ifp));
}

uint32_t
nlproof_if_driver_flags(struct ifnet *ifp)
{
	return (if_getdrvflags(ifp));
}

uint32_t
nlproof_if_mtu(struct ifnet *ifp)
{
	return (if_getmtu(ifp));
}

uint8_t
nlproof_if_address_len(struct ifnet *ifp)
{
	return (if_getaddrlen(ifp));
}

static void
fill(struct nlproof_sockaddr *out, const void *bytes, size_t len)
{
	bzero(out, sizeof(*out));
	out->family = AF_LINK;
	out->len = MIN(len, sizeof(out->bytes));
	memcpy(out->bytes, bytes, out->len);
}

/* The first address, which is the link-level one of every interface. */
bool
nlproof_if_address(struct ifnet *ifp, struct nlproof_sockaddr *out)
{
	struct epoch_tracker et;
	struct ifa_iter iter;
	bool found = false;

	NET_EPOCH_ENTER(et);
	struct ifaddr *ifa = ifa_iter_start(ifp, &iter);
	if (ifa != NULL && ifa->ifa_addr->sa_family == AF_LINK) {
		const struct sockaddr_dl *sdl = (const struct sockaddr_dl *)ifa->ifa_addr;

		fill(out, sdl->sdl_data + sdl->sdl_nlen, sdl->sdl_alen);
		found = true;
	}
	ifa_iter_finish(&iter);
	NET_EPOCH_EXIT(et);
	return (found);
}

bool
nlproof_if_broadcast(struct ifnet *ifp, struct nlproof_sockaddr *out)
{
	const uint8_t *address = if_getbroadcastaddr(ifp);

	if (address == NULL)
		return (false);
	fill(out, address, if_getaddrlen(ifp));
	return (true);
}

bool
nlproof_if_hardware(struct ifnet *ifp, struct nlproof_sockaddr *out)
{
	struct ifreq ifr = {};

	if (if_gethwaddr(ifp, &ifr) != 0)
		return (false);
	fill(out, ifr.ifr_addr.sa_data, MIN(if_getaddrlen(ifp), sizeof(ifr.ifr_addr.sa_data)));
	return (true);
}

void
nlproof_if_capabilities(struct ifnet *ifp, uint32_t supported[2], uint32_t enabled[2])
{
	supported[0] = if_getcapabilities(ifp);
	supported[1] = if_getcapabilities2(ifp);
	enabled[0] = if_getcapenable(ifp);
	enabled[1] = if_getcapenable2(ifp);
}

uint64_t
nlproof_if_counter(struct ifnet *ifp, uint32_t counter)
{
	return (counter < nitems(counters) ? if_getcounter(ifp, counters[counter]) : 0);
}

/* sys/bus.h wants headers that are generated, and this is all that is needed of it. */
struct devclass;
struct devclass	*devclass_find(const char *);

/*
 * A device's driver that is still attaching, or is going. vmxnet3(4) follows a null pointer if it is asked for its
 * media by the event of its own arrival; iflib(4) uses tasks that are gone if it is asked after ether_ifdetach().
 *
 * ether_ifattach() announces the interface before it gives the link-level address its length. That is so for cloned
 * interfaces too, whose drivers may be asked at any time: they have no device class, and answer as in the stock code.
 * Classes are never freed.
 */
static bool
in_transit(struct ifnet *ifp)
{
	struct nlproof_sockaddr address;
	bool attaching = nlproof_if_address(ifp, &address) && address.len == 0;
	bool going = (if_getflags(ifp) & IFF_DYING) != 0;

	return (attaching || going);
}

static int
no_media(struct nlproof_media *out)
{
	*out = (struct nlproof_media){};
	return (ENXIO);
}

static int
driver_media(struct ifnet *ifp, struct nlproof_media *out)
{
	struct ifmediareq ifmr = {};
	int error = if_ioctl(ifp, SIOCGIFMEDIA, (void *)&ifmr);

	out->ethernet = IFM_TYPE(ifmr.ifm_active) == IFM_ETHER;
	out->active = (ifmr.ifm_status & IFM_ACTIVE) != 0;
	return (error);
}

/* What the kernel itself keeps of a link, if its driver ever told. */
static int
kept_media(struct ifnet *ifp, struct nlproof_media *out)
{
	int link = if_getlinkstate(ifp);

	if (link == LINK_STATE_UNKNOWN)
		return (no_media(out));
	out->ethernet = 1;
	out->active = link == LINK_STATE_UP;
	return (0);
}

/*
 * A detach marks the interface first (IFF_DYING) and then takes ifnet_detach_sxlock exclusively, before anything of its
 * driver goes. Whoever holds the lock shared and sees no mark keeps the driver where it is. It must not be waited for: a
 * detach that holds it drains the link-state task, which asks too. While one is under way on another processor a device
 * is not asked, and what the kernel keeps is said.
 */
int
nlproof_if_media(struct ifnet *ifp, struct nlproof_media *out)
{
	int error;

	if (devclass_find(if_getdname(ifp)) == NULL)
		return (driver_media(ifp, out));
	if (sx_xlocked(&ifnet_detach_sxlock))
		return (in_transit(ifp) ? no_media(out) : driver_media(ifp, out));
	if (!sx_try_slock(&ifnet_detach_sxlock))
		return (in_transit(ifp) ? no_media(out) : kept_media(ifp, out));
	error = in_transit(ifp) ? no_media(out) : driver_media(ifp, out);
	sx_sunlock(&ifnet_detach_sxlock);
	return (error);
}
