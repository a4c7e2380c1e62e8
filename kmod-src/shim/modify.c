/* SPDX-License-Identifier: BSD-2-Clause */
/* Changing an interface: what net/if.c offers to the rest of the kernel. */
#include "kernel.h"

#include "stay.h"

void
nlproof_if_set_description(struct ifnet *ifp, const uint8_t *text, size_t len)
{
	char *copy = if_allocdescr(len + 1, M_WAITOK);

	memcpy(copy, text, len);
	copy[len] = '\0';
	if_setdescr(ifp, copy);
	if_setlastchange(ifp);
}

void
nlproof_if_up(struct ifnet *ifp)
{
	if (!nlproof_stays(ifp))
		return;
	if_up(ifp);
	nlproof_may_go();
}

void
nlproof_if_down(struct ifnet *ifp)
{
	if (!nlproof_stays(ifp))
		return;
	if_down(ifp);
	nlproof_may_go();
}

int
nlproof_if_set_mtu(struct ifnet *ifp, uint32_t mtu)
{
	struct ifreq ifr = { .ifr_mtu = mtu };
	int error;

	if (!nlproof_stays(ifp))
		return (ENXIO);
	error = ifhwioctl(SIOCSIFMTU, ifp, (caddr_t)&ifr, curthread);
	nlproof_may_go();
	return (error);
}

int
nlproof_if_count_promiscuous(struct ifnet *ifp, bool on)
{
	int error;

	if (!nlproof_stays(ifp))
		return (ENXIO);
	error = ifpromisc(ifp, on);
	nlproof_may_go();
	return (error);
}

void
nlproof_if_set_promiscuous(struct ifnet *ifp, bool on)
{
	if (!nlproof_stays(ifp))
		return;
	VERSION_SET_PERMANENT_PROMISC(ifp, on);
	nlproof_may_go();
}

int
nlproof_if_set_address(struct ifnet *ifp, const uint8_t *address, size_t len)
{
	int error;

	if (!nlproof_stays(ifp))
		return (ENXIO);
	error = if_setlladdr(ifp, address, len);
	nlproof_may_go();
	return (error);
}
