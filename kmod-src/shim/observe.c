/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel.h"

#include "observe.h"

void
nlproof_saw_request(const struct nlmsghdr *hdr)
{
	NLPROOF_PROBE(NLPROOF_REQUEST_IN, hdr->nlmsg_type, hdr->nlmsg_flags, hdr->nlmsg_seq, hdr->nlmsg_pid,
	    hdr->nlmsg_len);
}

void
nlproof_saw_request_end(uint16_t message, uint32_t seq, int error)
{
	NLPROOF_PROBE(NLPROOF_REQUEST_OUT, message, seq, (uint64_t)(int64_t)error);
}

uint32_t
nlproof_saw_event(struct ifnet *ifp, uint32_t what, uint32_t change)
{
	uint32_t index = if_getindex(ifp);
	/* A name takes two words, padded with zeros. */
	uint64_t name[2] = { 0, 0 };
	_Static_assert(sizeof(name) == IFNAMSIZ, "a name is two words");

	if (nlproof_probes_heard()) {
		strlcpy((char *)name, if_name(ifp), sizeof(name));
		nlproof_probe(NLPROOF_EVENT_BEGIN, (const uint64_t[NLPROOF_PROBE_WORDS]){
		    what, index, change, name[0], name[1] });
	}
	return (index);
}

void
nlproof_saw_event_end(uint32_t what, uint32_t index)
{
	NLPROOF_PROBE(NLPROOF_EVENT_END, what, index);
}
