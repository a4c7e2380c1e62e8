/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FreeBSD 16: never tried. Written from iface.c, route_var.h and interface.h of main at git revision 2019f3d86f78, and
 * from 15.1 for everything else; no 16 was there to compile it against. What it lacks:
 *
 *  - the writer's fields (netlink_message_writer.h) and the calls of in.c and in6.c are 15.1's, not main's, which nobody
 *    here has read;
 *  - IFLA_EXT_MASK is checked, but what it asks for (IFLA_NUM_VF, IFLAF_VF_STATUS, IFLA_FREEBSD_VF) is not sent: that
 *    takes if_get_vf_status();
 *  - nw->ifp, which the Linux translation reads, is not set;
 *  - requests run with the thread's credential, where the stock code takes the socket's.
 */
#ifndef NLPROOF_VERSION_16_H
#define NLPROOF_VERSION_16_H

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

struct version_groups {
	nlproof_each_group_f	*each;
	void			*arg;
};

static int
version_group(struct ifg_group *ifg, void *arg)
{
	struct version_groups *groups = arg;

	groups->each(ifg->ifg_group, groups->arg);
	return (0);
}

static inline void
version_foreach_group(struct ifnet *ifp, nlproof_each_group_f *each, void *arg)
{
	struct version_groups groups = { .each = each, .arg = arg };

	if_foreach_group(ifp, version_group, &groups);
}

#define	VERSION_DESTROY_ENTER()	do { } while (0)
#define	VERSION_DESTROY_LEAVE()	do { } while (0)

#define	VERSION_INET_DELETE(_name, _sin)						\
	struct ifreq _name = {};							\
	memcpy(&_name.ifr_addr, &(_sin), sizeof(_sin))
#define	VERSION_INET6_DELETE(_name, _sin6)						\
	struct in6_ifreq _name = { .ifr_addr = (_sin6) }

#define	VERSION_SET_PERMANENT_PROMISC(_ifp, _on)	if_setppromisc((_ifp), (_on))
#define	VERSION_FOREACH_GROUP(_ifp, _each, _arg)	version_foreach_group((_ifp), (_each), (_arg))

/*
 * What cloners are shown of a request (clone.c). ifla_ext_mask came between ifla_mtu and ifi_flags in 2026: a module
 * for the layout before would hand cloners wrong flags, so it must not compile.
 */
_Static_assert(sizeof(struct nl_parsed_link) == 80, "struct nl_parsed_link of 16");
_Static_assert(offsetof(struct nl_parsed_link, ifla_idata) == 32, "struct nl_parsed_link of 16");
_Static_assert(offsetof(struct nl_parsed_link, ifi_index) == 52, "struct nl_parsed_link of 16");
_Static_assert(offsetof(struct nl_parsed_link, ifla_link) == 56, "struct nl_parsed_link of 16");
_Static_assert(offsetof(struct nl_parsed_link, ifla_ext_mask) == 64, "struct nl_parsed_link of 16");
_Static_assert(offsetof(struct nl_parsed_link, ifi_flags) == 68, "struct nl_parsed_link of 16");
_Static_assert(offsetof(struct nl_parsed_link, ifi_change) == 72, "struct nl_parsed_link of 16");

#define	VERSION_MAJOR	16
/* An interface arrives before it is linked; when it can be found it is attached. */
#define	VERSION_ARRIVAL_EVENT	"ifnet_attached_event"
/* A new name is an event of its own. */
#define	VERSION_RENAME_EVENT	"ifnet_rename_event"

#endif
