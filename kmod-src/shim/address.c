/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses of interfaces, and the ioctls of netinet/in.c and netinet6/in6.c that change them. */
#include "kernel.h"

#include <net/if_dl.h>
#include <netinet6/scope6_var.h>

#include "address.h"
#include "stay.h"

/* CARP's hook, set while its module is there. */
extern int	(*carp_get_vhid_p)(struct ifaddr *);

static inline void
show(const struct sockaddr *sa, struct nlproof_sockaddr_view *out)
{
	const struct sockaddr_dl *sdl;

	out->family = sa->sa_family;
	switch (sa->sa_family) {
	case AF_INET:
		out->bytes = (const uint8_t *)&((const struct sockaddr_in *)sa)->sin_addr;
		out->len = sizeof(struct in_addr);
		break;
	case AF_INET6:
		out->bytes = (const uint8_t *)&((const struct sockaddr_in6 *)sa)->sin6_addr;
		out->len = sizeof(struct in6_addr);
		break;
	case AF_LINK:
		sdl = (const struct sockaddr_dl *)sa;
		out->bytes = (const uint8_t *)sdl->sdl_data + sdl->sdl_nlen;
		out->len = sdl->sdl_alen;
		break;
	default:
		/* Of other families nothing but their name is sent. */
		out->bytes = NULL;
		out->len = 0;
	}
}

static uint8_t
ones_of(const struct sockaddr *mask)
{
	const uint32_t *words;

	if (mask == NULL)
		return (0);
	switch (mask->sa_family) {
	case AF_INET:
		return (bitcount32(((const struct sockaddr_in *)mask)->sin_addr.s_addr));
	case AF_INET6:
		words = ((const struct sockaddr_in6 *)mask)->sin6_addr.s6_addr32;
		return (bitcount32(words[0]) + bitcount32(words[1]) + bitcount32(words[2]) +
		    bitcount32(words[3]));
	}
	return (0);
}

void
nlproof_address_of(struct ifaddr *ifa, struct nlproof_address *out)
{
	/* What is not there is not read either. */
	show(ifa->ifa_addr, &out->local);
	out->has_destination = ifa->ifa_dstaddr != NULL;
	if (out->has_destination)
		show(ifa->ifa_dstaddr, &out->destination);
	out->prefix_len = ones_of(ifa->ifa_netmask);
	out->has_vhid = ifa->ifa_carp != NULL && carp_get_vhid_p != NULL;
	if (out->has_vhid)
		out->vhid = (*carp_get_vhid_p)(ifa);
	/* net.inet.ip.loopback_prefixlen, to which IN_LOOPBACK looks. */
	out->loopback_mask = V_in_loopback_mask;
	out->has_inet6 = false;
	if (ifa->ifa_addr->sa_family == AF_INET6) {
		const struct in6_ifaddr *ia = (const struct in6_ifaddr *)ifa;

		out->has_inet6 = 1;
		out->inet6_flags = ia->ia6_flags;
		out->preferred = ia->ia6_lifetime.ia6t_pltime;
		out->valid = ia->ia6_lifetime.ia6t_vltime;
		out->created = ia->ia6_createtime;
		out->updated = ia->ia6_updatetime;
	}
}

int
nlproof_ifa_foreach(struct ifnet *ifp, nlproof_each_address_f *each, void *arg)
{
	struct nlproof_address address;
	struct ifa_iter iter;
	int error = 0;

	for (struct ifaddr *ifa = ifa_iter_start(ifp, &iter); ifa != NULL && error == 0;
	    ifa = ifa_iter_next(&iter)) {
		nlproof_address_of(ifa, &address);
		error = each(&address, arg);
	}
	ifa_iter_finish(&iter);
	return (error);
}

static struct sockaddr_in
sin_of(const uint8_t bytes[4])
{
	struct sockaddr_in sin = { .sin_len = sizeof(sin), .sin_family = AF_INET };

	memcpy(&sin.sin_addr, bytes, sizeof(sin.sin_addr));
	return (sin);
}

static struct sockaddr_in6
sin6_of(const uint8_t bytes[16])
{
	struct sockaddr_in6 sin6 = { .sin6_len = sizeof(sin6), .sin6_family = AF_INET6 };

	memcpy(&sin6.sin6_addr, bytes, sizeof(sin6.sin6_addr));
	return (sin6);
}

static int
change_inet(struct nlproof_call *call, u_long command, void *request, struct ifnet *ifp)
{
	int error;

	if (!nlproof_stays(ifp))
		return (ENXIO);
	error = in_control_ioctl(command, request, ifp, nlp_get_cred(call->npt->nlp));
	nlproof_may_go();
	return (error);
}

static int
change_inet6(struct nlproof_call *call, u_long command, void *request, struct ifnet *ifp)
{
	int error;

	if (!nlproof_stays(ifp))
		return (ENXIO);
	error = in6_control_ioctl(command, request, ifp, nlp_get_cred(call->npt->nlp));
	nlproof_may_go();
	return (error);
}

int
nlproof_inet_add(struct nlproof_call *call, struct ifnet *ifp, const struct nlproof_inet *inet)
{
	struct in_aliasreq req = {
		.ifra_addr = sin_of(inet->address),
		.ifra_mask = sin_of(inet->mask),
		.ifra_vhid = inet->vhid,
	};

	if (inet->has_destination)
		req.ifra_dstaddr = sin_of(inet->destination);
	return (change_inet(call, SIOCAIFADDR, &req, ifp));
}

int
nlproof_inet_delete(struct nlproof_call *call, struct ifnet *ifp, const uint8_t address[4])
{
	struct sockaddr_in sin = sin_of(address);
	VERSION_INET_DELETE(req, sin);

	return (change_inet(call, SIOCDIFADDR, &req, ifp));
}

int
nlproof_inet6_add(struct nlproof_call *call, struct ifnet *ifp, const struct nlproof_inet6 *inet6)
{
	static const uint8_t zero[16];
	struct in6_aliasreq req = {
		.ifra_addr = sin6_of(inet6->address),
		.ifra_prefixmask = sin6_of(zero),
		.ifra_flags = inet6->flags,
		.ifra_lifetime = { .ia6t_vltime = inet6->valid, .ia6t_pltime = inet6->preferred },
		.ifra_vhid = inet6->vhid,
	};

	for (u_int bit = 0; bit < MIN(inet6->prefix_len, 128); bit++)
		req.ifra_prefixmask.sin6_addr.s6_addr[bit / 8] |= 0x80 >> (bit % 8);
	if (inet6->has_destination)
		req.ifra_dstaddr = sin6_of(inet6->destination);
	return (change_inet6(call, SIOCAIFADDR_IN6, &req, ifp));
}

int
nlproof_inet6_delete(struct nlproof_call *call, struct ifnet *ifp, const uint8_t address[16])
{
	struct sockaddr_in6 sin6 = sin6_of(address);
	VERSION_INET6_DELETE(req, sin6);

	return (change_inet6(call, SIOCDIFADDR_IN6, &req, ifp));
}
