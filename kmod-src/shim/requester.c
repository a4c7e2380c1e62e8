/* SPDX-License-Identifier: BSD-2-Clause */
/* The socket that a request came from, and what its acknowledgement will carry. */
#include "kernel.h"

#include <sys/jail.h>
#include <sys/priv.h>

bool
nlproof_requester_may(struct nlpcb *nlp, uint32_t privilege)
{
	/* In the order of iface_core::Privilege. */
	static const int privileges[] = {
		PRIV_NET_IFCREATE, PRIV_NET_IFDESTROY, PRIV_NET_ADDIFADDR, PRIV_NET_DELIFADDR,
		PRIV_NET_SETIFDESCR, PRIV_NET_SETIFMTU, PRIV_NET_SETIFMAC,
	};

	return (privilege < nitems(privileges) && nlp_has_priv(nlp, privileges[privilege]));
}

bool
nlproof_requester_owns_stack(struct nlpcb *nlp)
{
	return (nlp_unconstrained_vnet(nlp));
}

bool
nlproof_requester_may_see(struct nlpcb *nlp, const struct nlproof_sockaddr *address)
{
	union {
		struct sockaddr		sa;
		struct sockaddr_in	sin;
		struct sockaddr_in6	sin6;
	} u = {};

	u.sa.sa_family = address->family;
	u.sa.sa_len = sizeof(u);
	if (address->family == AF_INET)
		memcpy(&u.sin.sin_addr, address->bytes, sizeof(u.sin.sin_addr));
	else if (address->family == AF_INET6)
		memcpy(&u.sin6.sin6_addr, address->bytes, sizeof(u.sin6.sin6_addr));
	return (prison_if(nlp_get_cred(nlp), &u.sa) == 0);
}

void
nlproof_report_text(struct nlproof_call *call, const uint8_t *text, size_t len)
{
	nlmsg_report_err_msg(call->npt, "%.*s", (int)len, (const char *)text);
}

void
nlproof_report_offset(struct nlproof_call *call, uint32_t offset)
{
	nlmsg_report_err_offset(call->npt, offset);
}

void
nlproof_report_cookie(struct nlproof_call *call, const uint8_t *nested, size_t len)
{
	struct nlattr *nla = npt_alloc(call->npt, sizeof(*nla) + len);

	if (nla == NULL)
		return;
	nla->nla_len = sizeof(*nla) + len;
	nla->nla_type = NLMSGERR_ATTR_COOKIE;
	memcpy(nla + 1, nested, len);
	nlmsg_report_cookie(call->npt, nla);
}
