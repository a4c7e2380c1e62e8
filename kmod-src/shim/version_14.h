/* SPDX-License-Identifier: BSD-2-Clause */
/* FreeBSD 14: tested on 14.0-STABLE and 14.2-STABLE. */
#ifndef NLPROOF_VERSION_14_H
#define NLPROOF_VERSION_14_H

#include <sys/sx.h>
#include <netinet/in_var.h>
#include <netinet6/in6_var.h>

/* A writer to a group, which nobody needs while the network stack has no netlink socket at all. */
static inline bool
version_group_writer(struct nl_writer *nw, uint16_t group)
{
	bzero(nw, sizeof(*nw));
	return (nl_has_listeners(NETLINK_ROUTE, group) &&
	    nlmsg_get_group_writer(nw, NLMSG_LARGE, NETLINK_ROUTE, group));
}

/* Bytes of the unfinished message, from its header on. */
static inline uint32_t
version_offset(const struct nl_writer *nw)
{
	return ((const char *)nw->data + nw->offset - (const char *)nw->hdr);
}

/* Where a message that was begun goes on. */
static inline void
version_window(const struct nl_writer *nw, struct nlproof_window *window)
{
	if (nw->enomem) {
		*window = (struct nlproof_window){};
		return;
	}
	window->next = (uint8_t *)nw->data + nw->offset;
	window->end = (uint8_t *)nw->data + nw->alloc_len;
	window->message = (uint8_t *)nw->hdr;
}

/* Takes bytes that were written there, or gives some back. */
static inline void
version_advance(struct nl_writer *nw, int32_t used)
{
	nw->offset += used;
}

/* 14 destroys clones with the interface list's lock held. */
#define	VERSION_DESTROY_ENTER()	sx_xlock(&ifnet_detach_sxlock)
#define	VERSION_DESTROY_LEAVE()	sx_xunlock(&ifnet_detach_sxlock)

/* The request that deletes an address. */
#define	VERSION_INET_DELETE(_name, _sin)						\
	struct in_aliasreq _name = { .ifra_addr = (_sin) }
#define	VERSION_INET6_DELETE(_name, _sin6)						\
	struct in6_aliasreq _name = { .ifra_addr = (_sin6) }

/* There is no permanent promiscuous mode here; 14's requests count, so Rust never asks for it. */
#define	VERSION_SET_PERMANENT_PROMISC(_ifp, _on)	((void)(_ifp), (void)(_on))

#define	VERSION_FOREACH_GROUP(_ifp, _each, _arg)	((void)(_ifp), (void)(_each), (void)(_arg))

/* What cloners are shown of a request (clone.c): the kernel's fields are where this file was tried with them. */
_Static_assert(sizeof(struct nl_parsed_link) == 64, "struct nl_parsed_link of 14");
_Static_assert(offsetof(struct nl_parsed_link, ifla_idata) == 32, "struct nl_parsed_link of 14");
_Static_assert(offsetof(struct nl_parsed_link, ifi_index) == 44, "struct nl_parsed_link of 14");
_Static_assert(offsetof(struct nl_parsed_link, ifla_link) == 48, "struct nl_parsed_link of 14");
_Static_assert(offsetof(struct nl_parsed_link, ifi_change) == 60, "struct nl_parsed_link of 14");

#define	VERSION_MAJOR	14
#define	VERSION_ARRIVAL_EVENT	"ifnet_arrival_event"

#endif
