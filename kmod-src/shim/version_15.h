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

/* A writer into memory that is large enough never to be refilled, and what was written to it. */
struct version_scratch {
	struct nl_writer	nw;
	union {
		struct nl_buf	buf;
		char		room[256 + sizeof(struct nl_buf)];
	};
};

static inline void
version_scratch_init(struct version_scratch *scratch)
{
	bzero(scratch, sizeof(*scratch));
	scratch->buf.buflen = 256;
	scratch->buf.datalen = sizeof(struct nlmsghdr);
	scratch->nw.buf = &scratch->buf;
	scratch->nw.hdr = (struct nlmsghdr *)scratch->buf.data;
}

static inline bool
version_scratch_used(const struct version_scratch *scratch)
{
	return (scratch->buf.datalen > sizeof(struct nlmsghdr));
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
