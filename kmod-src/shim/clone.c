/* SPDX-License-Identifier: BSD-2-Clause */
/* Cloned interfaces (net/if_clone.c). */
#include "kernel.h"

#include <net/if_clone.h>

#include "counters.h"
#include "probe.h"

/*
 * A bit of ifi_change that no code looks at. A request that changes nothing must not say 0, because FreeBSD
 * 15 takes 0 for "all flags".
 */
#define	NO_FLAG	0x80000000u

/* An interface without a cloner has nothing to add. */
void
nlproof_clone_describe(struct ifnet *ifp, struct nl_writer *nw, uint32_t used, struct nlproof_window *window)
{
	version_advance(nw, used);
	ifc_dump_ifp_nl(ifp, nw);
	version_window(nw, window);
}

/*
 * A request as a cloner sees it: with what it needs to make or configure its interface, and nothing to change
 * about it otherwise. That is Rust's part.
 */
struct cloner_view {
	struct nl_parsed_link	lattrs;
	struct nlattr_bmask	bm;
	struct ifc_data_nl	ifd;
};

static void
view_of(struct nlproof_call *call, const struct nlproof_create *create, struct cloner_view *view)
{
	struct nlmsghdr *hdr = call->npt->hdr;
	int header = sizeof(struct nlmsghdr) + sizeof(struct ifinfomsg);

	bzero(view, sizeof(*view));
	view->lattrs.ifla_ifname = __DECONST(char *, create->name);
	view->lattrs.ifla_cloner = __DECONST(char *, create->kind);
	view->lattrs.ifi_index = create->index;
	view->lattrs.ifla_link = create->parent;
	view->lattrs.ifi_change = NO_FLAG;
	/* The attribute's header stands before its payload. */
	if (create->data != NULL)
		view->lattrs.ifla_idata = __DECONST(struct nlattr *, create->data) - 1;
	nl_get_attrs_bmask_raw((struct nlattr *)((char *)hdr + header), MAX((int)hdr->nlmsg_len - header, 0),
	    &view->bm);
	view->ifd.lattrs = &view->lattrs;
	view->ifd.bm = &view->bm;
	view->ifd.npt = call->npt;
}

int
nlproof_clone_create(struct nlproof_call *call, const struct nlproof_create *create, struct ifnet **ifpp)
{
	struct cloner_view view;

	view_of(call, create, &view);
	view.ifd.flags = IFC_F_CREATE;
	if (!ifc_create_ifp_nl(create->name, &view.ifd) || view.ifd.error != 0)
		return (view.ifd.error);
	if_ref(view.ifd.ifp);
	atomic_add_long(&nlproof_references, 1);
	NLPROOF_PROBE(NLPROOF_REFERENCE_TAKEN, if_getindex(view.ifd.ifp), (uintptr_t)view.ifd.ifp);
	*ifpp = view.ifd.ifp;
	return (0);
}

/* Without a cloner there is nothing to configure. */
int
nlproof_clone_configure(struct nlproof_call *call, struct ifnet *ifp, const struct nlproof_create *modify)
{
	struct cloner_view view;

	view_of(call, modify, &view);
	return (ifc_modify_ifp_nl(ifp, &view.ifd) ? view.ifd.error : 0);
}

int
nlproof_clone_destroy(struct ifnet *ifp)
{
	int error;

	VERSION_DESTROY_ENTER();
	error = if_clone_destroy(if_name(ifp));
	VERSION_DESTROY_LEAVE();
	return (error);
}
