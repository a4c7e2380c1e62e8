/* SPDX-License-Identifier: BSD-2-Clause */
/* FreeBSD 15: tested on 15.0-RELEASE and 15.1-RELEASE. */
#ifndef NLPROOF_VERSION_15_H
#define NLPROOF_VERSION_15_H

#include <netinet/in_var.h>
#include <netinet6/in6_var.h>

static inline bool
version_group_writer(struct nl_writer *nw, uint16_t group)
{
	return (nl_writer_group(nw, NLMSG_LARGE, NETLINK_ROUTE, group, 0, false));
}

/* Bytes of the unfinished message, from its header on. */
static inline uint32_t
version_offset(const struct nl_writer *nw)
{
	return ((const char *)nw->buf->data + nw->buf->datalen - (const char *)nw->hdr);
}

/* Where a message that was begun goes on. */
static inline void
version_window(const struct nl_writer *nw, struct nlproof_window *window)
{
	if (nw->enomem) {
		*window = (struct nlproof_window){};
		return;
	}
	window->next = (uint8_t *)nw->buf->data + nw->buf->datalen;
	window->end = (uint8_t *)nw->buf->data + nw->buf->buflen;
	window->message = (uint8_t *)nw->hdr;
}

/* Takes bytes that were written there, or gives some back. */
static inline void
version_advance(struct nl_writer *nw, int32_t used)
{
	nw->buf->datalen += used;
}

/*
 * 15.0 destroys clones with the interface list's lock held; from 15.1 on if_clone_destroy takes it. Which of the
 * versions in between do is not known: the lock recurses, so that taking it twice is harmless, also where a module
 * with 15.0's headers is loaded into 15.1.
 */
#if __FreeBSD_version < 1501000
#include <sys/sx.h>
#define	VERSION_DESTROY_ENTER()	sx_xlock(&ifnet_detach_sxlock)
#define	VERSION_DESTROY_LEAVE()	sx_xunlock(&ifnet_detach_sxlock)
#else
#define	VERSION_DESTROY_ENTER()	do { } while (0)
#define	VERSION_DESTROY_LEAVE()	do { } while (0)
#endif

#define	VERSION_INET_DELETE(_name, _sin)						\
	struct ifreq _name = {};							\
	memcpy(&_name.ifr_addr, &(_sin), sizeof(_sin))
#define	VERSION_INET6_DELETE(_name, _sin6)						\
	struct in6_ifreq _name = { .ifr_addr = (_sin6) }

#define	VERSION_SET_PERMANENT_PROMISC(_ifp, _on)	if_setppromisc((_ifp), (_on))

#define	VERSION_FOREACH_GROUP(_ifp, _each, _arg)	((void)(_ifp), (void)(_each), (void)(_arg))

/* What cloners are shown of a request (clone.c): the kernel's fields are where this file was tried with them. */
_Static_assert(sizeof(struct nl_parsed_link) == 72, "struct nl_parsed_link of 15");
_Static_assert(offsetof(struct nl_parsed_link, ifla_idata) == 32, "struct nl_parsed_link of 15");
_Static_assert(offsetof(struct nl_parsed_link, ifi_index) == 52, "struct nl_parsed_link of 15");
_Static_assert(offsetof(struct nl_parsed_link, ifla_link) == 56, "struct nl_parsed_link of 15");
_Static_assert(offsetof(struct nl_parsed_link, ifi_change) == 68, "struct nl_parsed_link of 15");

#define	VERSION_MAJOR	15
#define	VERSION_ARRIVAL_EVENT	"ifnet_arrival_event"

#endif
