/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing messages (netlink/netlink_message_writer.h). A writer without memory remembers that itself and says
 * so when the message is ended. */
#include "kernel.h"

#include "counters.h"

struct nl_writer *
nlproof_writer_to_group(struct nlproof_call *call, uint32_t group)
{
	if (call->group_used || !version_group_writer(&call->group, group))
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
nlproof_writer_begin(struct nl_writer *nw, uint16_t kind, uint16_t flags, uint32_t seq, uint32_t pid,
    const uint8_t *payload, size_t len, struct nlproof_window *window)
{
	if (!nlmsg_add(nw, pid, seq, kind, flags, len))
		return (false);
	void *room = nlmsg_reserve_data_raw(nw, len);
	if (room == NULL) {
		nlmsg_abort(nw);
		return (false);
	}
	memcpy(room, payload, len);
	version_window(nw, window);
	return (true);
}

void
nlproof_writer_attribute(struct nl_writer *nw, uint32_t used, uint16_t kind, const uint8_t *data, size_t len,
    struct nlproof_window *window)
{
	version_advance(nw, used);
	nlattr_add(nw, kind, len, data);
	version_window(nw, window);
}

void
nlproof_writer_string(struct nl_writer *nw, uint32_t used, uint16_t kind, const uint8_t *text, size_t len,
    struct nlproof_window *window)
{
	/* Reserved bytes are zero: there is the NUL, and the padding. */
	version_advance(nw, used);
	struct nlattr *nla = nlmsg_reserve_data(nw, sizeof(*nla) + len + 1, struct nlattr);

	if (nla != NULL) {
		nla->nla_len = sizeof(*nla) + len + 1;
		nla->nla_type = kind;
		memcpy(nla + 1, text, len);
	}
	version_window(nw, window);
}

bool
nlproof_writer_end(struct nl_writer *nw, uint32_t used)
{
	if (!nw->enomem) {
		version_advance(nw, used);
		atomic_add_long(&nlproof_bytes, nlattr_save_offset(nw));
	}
	return (nlmsg_end(nw));
}

void
nlproof_writer_abort(struct nl_writer *nw)
{
	nlmsg_abort(nw);
}

bool
nlproof_writer_end_dump(struct nl_writer *nw, int error, uint16_t kind, uint16_t flags, uint32_t seq,
    uint32_t pid)
{
	struct nlmsghdr hdr = {
		.nlmsg_type = kind,
		.nlmsg_flags = flags,
		.nlmsg_seq = seq,
		.nlmsg_pid = pid,
	};

	return (nlmsg_end_dump(nw, error, &hdr));
}
