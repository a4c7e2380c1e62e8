/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing messages (netlink/netlink_message_writer.h). A writer without memory remembers that itself and says
 * so when the message is ended. */
#include "kernel.h"

#include "counters.h"
#include "early.h"

struct nl_writer *
nlproof_writer_to_group(struct nlproof_call *call, uint32_t group)
{
	if (nlproof_early || call->group_used || !version_group_writer(&call->group, group))
		return (NULL);
	call->group_used = true;
	return (&call->group);
}

void
nlproof_writer_flush(struct nlproof_call *call, struct nl_writer *nw)
{
	nlmsg_flush(nw);
	call->group_used = false;
}

bool
nlproof_writer_begin(struct nl_writer *nw, const struct nlproof_header *header, uint32_t len,
    struct nlproof_window *window)
{
	if (!nlmsg_add(nw, header->pid, header->seq, header->kind, header->flags, len))
		return (false);
	version_window(nw, window);
	return (true);
}

/* The stock code's way to more room; what it reserves is given back, for Rust to take. */
void
nlproof_writer_find_room(struct nl_writer *nw, uint32_t used, uint32_t len, struct nlproof_window *window)
{
	version_advance(nw, used);
	if (nlmsg_reserve_data_raw(nw, len) != NULL)
		version_advance(nw, -NETLINK_ALIGN(len));
	version_window(nw, window);
}

bool
nlproof_writer_end(struct nl_writer *nw, uint32_t used)
{
	if (!nw->enomem) {
		version_advance(nw, used);
		atomic_add_long(&nlproof_bytes, version_offset(nw));
	}
	return (nlmsg_end(nw));
}

void
nlproof_writer_abort(struct nl_writer *nw)
{
	nlmsg_abort(nw);
}

bool
nlproof_writer_end_dump(struct nl_writer *nw, int error, const struct nlproof_header *header)
{
	struct nlmsghdr hdr = {
		.nlmsg_type = header->kind,
		.nlmsg_flags = header->flags,
		.nlmsg_seq = header->seq,
		.nlmsg_pid = header->pid,
	};

	return (nlmsg_end_dump(nw, error, &hdr));
}
