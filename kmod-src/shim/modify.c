/* SPDX-License-Identifier: BSD-2-Clause */
/* Changing an interface: what net/if.c offers to the rest of the kernel. */
#include "kernel.h"

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
	if_up(ifp);
}

void
nlproof_if_down(struct ifnet *ifp)
{
	if_down(ifp);
}

int
nlproof_if_set_mtu(struct ifnet *ifp, uint32_t mtu)
{
	struct ifreq ifr = { .ifr_mtu = mtu };

	return (ifhwioctl(SIOCSIFMTU, ifp, (caddr_t)&ifr, curthread));
}

int
nlproof_if_count_promiscuous(struct ifnet *ifp, bool on)
{
	return (ifpromisc(ifp, on));
}

void
nlproof_if_set_promiscuous(struct ifnet *ifp, bool on)
{
	VERSION_SET_PERMANENT_PROMISC(ifp, on);
}

int
nlproof_if_set_address(struct ifnet *ifp, const uint8_t *address, size_t len)
{
	return (if_setlladdr(ifp, address, len));
}
