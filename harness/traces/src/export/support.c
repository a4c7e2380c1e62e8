#include <sys/types.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/netlink_route.h>

#include <err.h>
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define	LIMIT_MS	15000	/* an answer that has not come by then does not come */
#define	SETTLE_MS	200	/* what else comes, comes this long after the answer */

enum end { END_MESSAGE, END_ACK, END_NOTHING };

#define	ANY		-1	/* the attribute is there */
#define	INDEX		-2	/* the index of the interface of this name */

struct attr {
	const char *name;
	unsigned short path[8];	/* nests and the attribute, up to a 0 */
	int len;
	const char *bytes;
};

struct reply {
	int type;
	int error;		/* -1: none */
	int fixed;		/* bytes before the attributes */
	int nattrs;
	const struct attr *attrs;
};

struct expect {
	int nreplies;		/* -1: not compared */
	const struct reply *replies;
	int nevents;		/* -1: not compared */
	const int *events;	/* in no order */
};

static int requests, events;	/* sockets */
static int ngroups, differs, step;
static unsigned char buffer[1 << 20];

static void
differ(const char *what, const char *name, int seen, int expected)
{
	printf("! step %d: %s%s is %d, not %d\n", step, what, name, seen, expected);
	differs = 1;
}

static void
open_sockets(void)
{
	requests = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	events = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	if (requests < 0 || events < 0)
		err(2, "socket");
}

static __unused void
set_option(int fd, int level, int option, int value)
{
	if (setsockopt(fd, level, option, &value, sizeof(value)) != 0)
		err(2, "setsockopt");
}

static __unused void
join(int group)
{
	set_option(events, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
	ngroups++;
}

static __unused void
put_index(unsigned char *at, const char *name)
{
	unsigned int index = if_nametoindex(name);

	if (index == 0)
		err(2, "%s", name);
	memcpy(at, &index, sizeof(index));
}

/* The bytes of what comes next, printed; 0 if nothing comes. */
static ssize_t
next(int fd, int limit_ms, const char *mark)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	ssize_t len;

	if (poll(&pfd, 1, limit_ms) <= 0)
		return (0);
	len = recv(fd, buffer, sizeof(buffer), 0);
	if (len <= 0)
		return (0);
	printf("%s ", mark);
	for (ssize_t i = 0; i < len; i++)
		printf("%02x", buffer[i]);
	printf("\n");
	return (len);
}

static __unused void
wait_quiet(int quiet_ms, int limit_ms)
{
	for (int waited = 0; waited < limit_ms && next(events, quiet_ms, "*") > 0; waited++)
		;
}

/* An attribute by the nests on the way to it: its payload, or NULL. */
static const unsigned char *
find_attr(const unsigned char *at, const unsigned char *end, const unsigned short *path, int *len)
{
	unsigned short head[2];		/* nla_len, nla_type */

	while (end - at >= (ssize_t)sizeof(head)) {
		memcpy(head, at, sizeof(head));
		if (head[0] < sizeof(head) || head[0] > end - at)
			return (NULL);
		if ((head[1] & 0x3fff) == path[0]) {
			if (path[1] != 0)
				return (find_attr(at + sizeof(head), at + head[0], path + 1, len));
			*len = head[0] - (int)sizeof(head);
			return (at + sizeof(head));
		}
		at += (head[0] + 3) & ~3;
	}
	return (NULL);
}

static void
compare_attr(const unsigned char *at, const unsigned char *end, const struct attr *attr)
{
	unsigned int index;
	const unsigned char *seen;
	int len = 0;

	seen = find_attr(at, end, attr->path, &len);
	if (seen == NULL) {
		printf("! step %d: %s is missing\n", step, attr->name);
		differs = 1;
	} else if (attr->len == INDEX) {
		index = if_nametoindex(attr->bytes);
		if (index != 0 && (len != sizeof(index) || memcmp(seen, &index, sizeof(index)) != 0)) {
			printf("! step %d: %s is not the index of %s\n", step, attr->name, attr->bytes);
			differs = 1;
		}
	} else if (attr->len != ANY && len != attr->len) {
		differ("length of ", attr->name, len, attr->len);
	} else if (attr->len != ANY) {
		for (int i = 0; i < len; i++)
			if (seen[i] != (unsigned char)attr->bytes[i]) {
				printf("! step %d: byte %d of %s is %#x, not %#x\n", step, i, attr->name,
				    seen[i], (unsigned char)attr->bytes[i]);
				differs = 1;
				break;
			}
	}
}

static void
compare(const unsigned char *message, const struct nlmsghdr *hdr, int error, const struct reply *reply)
{
	const unsigned char *end = message + hdr->nlmsg_len;
	const unsigned char *at = message + sizeof(*hdr) + reply->fixed;
	unsigned int echoed;

	if (hdr->nlmsg_type != reply->type) {
		differ("type", "", hdr->nlmsg_type, reply->type);
		return;
	}
	if (reply->error >= 0 && error != reply->error)
		differ("error", "", error, reply->error);
	/* An acknowledgement that is not capped has the whole request before its attributes. */
	if (hdr->nlmsg_type == NLMSG_ERROR && (hdr->nlmsg_flags & NLM_F_CAPPED) == 0 &&
	    end - at >= 0) {
		memcpy(&echoed, message + sizeof(*hdr) + sizeof(int), sizeof(echoed));
		if (echoed >= sizeof(*hdr))
			at += ((echoed + 3) & ~3U) - sizeof(*hdr);
	}
	for (int i = 0; i < reply->nattrs; i++)
		compare_attr(at, end, &reply->attrs[i]);
}

/* Whether a message begins there, and its header. */
static int
is_message(const unsigned char *at, ssize_t len, struct nlmsghdr *hdr)
{
	if (len < (ssize_t)sizeof(*hdr))
		return (0);
	memcpy(hdr, at, sizeof(*hdr));
	return (hdr->nlmsg_len >= sizeof(*hdr) && (ssize_t)hdr->nlmsg_len <= len);
}

static void
skip(unsigned char **at, ssize_t *len, const struct nlmsghdr *hdr)
{
	*at += NLMSG_ALIGN(hdr->nlmsg_len);
	*len -= NLMSG_ALIGN(hdr->nlmsg_len);
}

/* Sends a datagram, and compares what comes. */
static __unused void
ask(int number, const unsigned char *data, size_t size, unsigned int seq, enum end end, const struct expect *expect)
{
	struct nlmsghdr hdr;
	unsigned char *at;
	ssize_t len;
	int nreplies = 0, nevents = 0, ended = (end == END_NOTHING), missing = 0;
	int seen[256] = { 0 };

	step = number;
	printf("step %d\n", step);
	if (send(requests, data, size, 0) < 0)
		warn("step %d: send", step);
	while ((len = next(requests, ended ? SETTLE_MS : LIMIT_MS, "<")) > 0) {
		for (at = buffer; is_message(at, len, &hdr); skip(&at, &len, &hdr)) {
			int acks, error = -1;

			acks = hdr.nlmsg_type == NLMSG_ERROR || hdr.nlmsg_type == NLMSG_DONE;
			if (acks && hdr.nlmsg_len >= sizeof(hdr) + sizeof(error))
				memcpy(&error, at + sizeof(hdr), sizeof(error));
			if (nreplies < expect->nreplies)
				compare(at, &hdr, error, &expect->replies[nreplies]);
			nreplies++;
			if (hdr.nlmsg_seq == seq && (hdr.nlmsg_type == NLMSG_ERROR ||
			    (end == END_ACK && acks) || (end == END_MESSAGE && (hdr.nlmsg_flags & NLM_F_MULTI) == 0)))
				ended = 1;
		}
	}
	if (!ended)
		differ("end of the answer", "", 0, 1);
	if (expect->nreplies >= 0 && nreplies != expect->nreplies)
		differ("number of messages", "", nreplies, expect->nreplies);
	while (ngroups > 0 && (len = next(events, SETTLE_MS, "*")) > 0) {
		for (at = buffer; is_message(at, len, &hdr); skip(&at, &len, &hdr)) {
			if (hdr.nlmsg_type < 256)
				seen[hdr.nlmsg_type]++;
			nevents++;
		}
	}
	for (int i = 0; i < expect->nevents; i++)
		missing += seen[expect->events[i]]-- <= 0;
	if (expect->nevents >= 0 && nevents != expect->nevents)
		differ("number of events", "", nevents, expect->nevents);
	else if (missing > 0)
		differ("number of events of another type", "", missing, 0);
}

static __unused void
run(int number, const char *const argv[], int expected)
{
	int status = -1;
	pid_t pid;

	step = number;
	printf("step %d\n", step);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		execvp(argv[0], __DECONST(char *const *, argv));
		err(127, "%s", argv[0]);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		err(2, "%s", argv[0]);
	status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	if (expected >= 0 && status != expected)
		differ("exit status", "", status, expected);
}
