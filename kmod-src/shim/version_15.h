/* SPDX-License-Identifier: BSD-2-Clause */
/* FreeBSD 15: tried on 15.1-RELEASE. */
#ifndef NLPROOF_VERSION_15_H
#define NLPROOF_VERSION_15_H

#include <netinet/in_var.h>
#include <netinet6/in6_var.h>

static inline bool
version_group_writer(struct nl_writer *nw, uint16_t group)
{
	return (nl_writer_group(nw, NLMSG_LARGE, NETLINK_ROUTE, group, 0, false));
}

/* Where a message that was begun goes on. */
static inline void
version_window(const struct nl_writer *nw, struct nlproof_window *window)
{
	bool memory = !nw->enomem;

	window->next = memory ? (uint8_t *)nw->buf->data + nw->buf->datalen : NULL;
	window->room = memory ? nw->buf->buflen - nw->buf->datalen : 0;
	window->offset = memory ? nlattr_save_offset(nw) : 0;
}

/* Takes bytes that were written there. */
static inline void
version_advance(struct nl_writer *nw, uint32_t used)
{
	nw->buf->datalen += used;
}

/* 15.1 leaves the lock to if_clone_destroy; 15.0 took it here, and is not supported. */
#define	VERSION_DESTROY_ENTER()	do { } while (0)
#define	VERSION_DESTROY_LEAVE()	do { } while (0)

#define	VERSION_INET_DELETE(_name, _sin)						\
	struct ifreq _name = {};							\
	memcpy(&_name.ifr_addr, &(_sin), sizeof(_sin))
#define	VERSION_INET6_DELETE(_name, _sin6)						\
	struct in6_ifreq _name = { .ifr_addr = (_sin6) }

#define	VERSION_SET_PERMANENT_PROMISC(_ifp, _on)	if_setppromisc((_ifp), (_on))

#define	VERSION_MAJOR	15

#endif
