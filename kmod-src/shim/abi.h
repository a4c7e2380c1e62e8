/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the shim and the Rust crate iface-kmod (kmod-src/ffi) say to each other. The same layouts stand in
 * ffi/src/abi.rs, and both sides assert them.
 *
 * Every other structure of the kernel is an opaque pointer to Rust.
 */
#ifndef NLPROOF_ABI_H
#define NLPROOF_ABI_H

#include <sys/types.h>
#include <sys/stddef.h>

struct ifnet;
struct ifaddr;
struct nlpcb;
struct nl_writer;
/* Storage of one entry into Rust: epoch tracker, writer to a group, parser state. See call.h. */
struct nlproof_call;

/* A socket address: what netlink sends of it. */
struct nlproof_sockaddr {
	uint8_t	family;		/* AF_* */
	uint8_t	len;		/* bytes used below */
	uint8_t	bytes[32];
};
_Static_assert(sizeof(struct nlproof_sockaddr) == 34, "also in abi.rs");

/* The same, where the kernel has it. */
struct nlproof_sockaddr_view {
	const uint8_t	*bytes;
	uint8_t		 family;	/* AF_* */
	uint8_t		 len;		/* bytes readable there: 4 of AF_INET, 16 of AF_INET6 */
};
_Static_assert(sizeof(struct nlproof_sockaddr_view) == 16, "also in abi.rs");
_Static_assert(offsetof(struct nlproof_sockaddr_view, family) == 8, "also in abi.rs");

/* An address of an interface. */
struct nlproof_address {
	struct nlproof_sockaddr_view	local;
	struct nlproof_sockaddr_view	destination;
	uint8_t				has_destination;
	uint8_t				prefix_len;
	uint8_t				has_vhid;
	uint8_t				has_inet6;
	uint32_t			vhid;
	uint32_t			inet6_flags;	/* IN6_IFF_* */
	uint32_t			preferred;	/* seconds */
	uint32_t			valid;		/* seconds */
	uint32_t			loopback_mask;	/* of the network stack, host order */
	uint64_t			created;	/* seconds since boot */
	uint64_t			updated;	/* seconds since boot */
};
_Static_assert(sizeof(struct nlproof_address) == 72, "also in abi.rs");
_Static_assert(offsetof(struct nlproof_address, has_destination) == 32, "also in abi.rs");
_Static_assert(offsetof(struct nlproof_address, loopback_mask) == 52, "also in abi.rs");
_Static_assert(offsetof(struct nlproof_address, created) == 56, "also in abi.rs");

/* A request, without its header. */
struct nlproof_request {
	const uint8_t	*payload;
	uint32_t	 payload_len;
	uint16_t	 kind;		/* nlmsg_type */
	uint16_t	 flags;		/* nlmsg_flags */
	uint32_t	 seq;
	uint32_t	 pid;
	uint32_t	 strict;	/* the socket has NETLINK_GET_STRICT_CHK */
	int32_t		 osreldate;	/* of the running kernel */
};
_Static_assert(sizeof(struct nlproof_request) == 32, "also in abi.rs");
_Static_assert(offsetof(struct nlproof_request, strict) == 24, "also in abi.rs");

/* What a cloner has to know to create or configure an interface. Strings end with a NUL. */
struct nlproof_create {
	const char	*name;
	const char	*kind;		/* IFLA_INFO_KIND */
	const uint8_t	*data;		/* payload of IFLA_INFO_DATA inside the request, or NULL */
	uint32_t	 index;		/* ifi_index */
	uint32_t	 parent;	/* IFLA_LINK */
};
_Static_assert(sizeof(struct nlproof_create) == 32, "also in abi.rs");

/* IPv4 address to add. */
struct nlproof_inet {
	uint8_t		address[4];
	uint8_t		mask[4];
	uint8_t		destination[4];
	uint32_t	has_destination;
	uint32_t	vhid;
};
_Static_assert(sizeof(struct nlproof_inet) == 20, "also in abi.rs");

/* IPv6 address to add. */
struct nlproof_inet6 {
	uint8_t		address[16];
	uint8_t		destination[16];
	uint32_t	has_destination;
	uint32_t	prefix_len;
	uint32_t	flags;
	uint32_t	preferred;
	uint32_t	valid;
	uint32_t	vhid;
};
_Static_assert(sizeof(struct nlproof_inet6) == 56, "also in abi.rs");

/* What a message says of an interface in numbers, read at once. */
struct nlproof_link {
	uint32_t	index;
	uint32_t	flags;
	uint32_t	driver_flags;
	uint32_t	mtu;
	uint32_t	supported[2];	/* capabilities */
	uint32_t	enabled[2];
	uint8_t		kind;		/* if_type */
	uint8_t		address_len;
	uint8_t		has_broadcast;
};
_Static_assert(sizeof(struct nlproof_link) == 36, "also in abi.rs");
_Static_assert(offsetof(struct nlproof_link, kind) == 32, "also in abi.rs");

/* struct rtnl_link_stats64, aligned as attributes are. */
struct nlproof_statistics {
	uint64_t	counted[9];	/* in the order of iface_core::Counter */
	uint64_t	uncounted[14];
	uint64_t	no_handler;
} __packed __aligned(4);
_Static_assert(sizeof(struct nlproof_statistics) == 192, "also in abi.rs");

/* Header fields of a message. */
struct nlproof_header {
	uint16_t	kind;		/* nlmsg_type */
	uint16_t	flags;		/* nlmsg_flags */
	uint32_t	seq;
	uint32_t	pid;
};
_Static_assert(sizeof(struct nlproof_header) == 12, "also in abi.rs");

/*
 * Where a message that was begun goes on. Rust writes attributes there by itself, as far as there is room, and
 * tells with its next call how many bytes of it are used. The message is in one piece from its header on.
 */
struct nlproof_window {
	uint8_t		*next;
	uint8_t		*end;		/* the first byte that may not be written */
	uint8_t		*message;	/* its header; all are NULL if there was no memory */
};
_Static_assert(sizeof(struct nlproof_window) == 24, "also in abi.rs");
_Static_assert(offsetof(struct nlproof_window, message) == 16, "also in abi.rs");

/* SIOCGIFMEDIA's answer. */
struct nlproof_media {
	uint8_t	ethernet;
	uint8_t	active;
};
_Static_assert(sizeof(struct nlproof_media) == 2, "also in abi.rs");

/* What happened to an interface. */
#define	NLPROOF_LINK_ARRIVED	0
#define	NLPROOF_LINK_DEPARTED	1
#define	NLPROOF_LINK_STATE	2
#define	NLPROOF_LINK_CHANGED	3

typedef bool nlproof_match_f(struct ifnet *, void *);
typedef int nlproof_each_f(struct ifnet *, void *);
/* The name has IFNAMSIZ bytes. */
typedef void nlproof_each_group_f(const char *name, void *);
typedef int nlproof_each_address_f(const struct nlproof_address *, void *);

/* What Rust answers. */
int	nlproof_core_handles(uint16_t kind);
int	nlproof_core_request(struct nlproof_call *, struct nlpcb *, struct nl_writer *,
	    const struct nlproof_request *);
void	nlproof_core_link_event(struct nlproof_call *, struct ifnet *, int osreldate, uint32_t event,
	    uint32_t change);
void	nlproof_core_link_renamed(struct nlproof_call *, struct ifnet *, int osreldate, const char *old);
void	nlproof_core_address_event(struct nlproof_call *, struct ifnet *, int osreldate,
	    const struct nlproof_address *, uint32_t deleted);

/* epoch.c */
void	nlproof_epoch_enter(struct nlproof_call *);
void	nlproof_epoch_exit(struct nlproof_call *);

/* interface.c */
struct ifnet	*nlproof_if_by_index(uint32_t);
struct ifnet	*nlproof_if_by_name(const char *);
void		 nlproof_if_release(struct ifnet *);
int		 nlproof_if_foreach_sleep(nlproof_match_f *, void *, nlproof_each_f *, void *);
int		 nlproof_if_foreach(nlproof_each_f *, void *);
void		 nlproof_if_foreach_group(struct ifnet *, nlproof_each_group_f *, void *);
uint32_t	 nlproof_if_index(struct ifnet *);
const char	*nlproof_if_name(struct ifnet *);
const char	*nlproof_if_description(struct ifnet *);
void		 nlproof_if_read(struct ifnet *, struct nlproof_link *);
uint8_t		 nlproof_if_type(struct ifnet *);
uint32_t	 nlproof_if_flags(struct ifnet *);
uint32_t	 nlproof_if_driver_flags(struct ifnet *);
uint32_t	 nlproof_if_mtu(struct ifnet *);
uint8_t		 nlproof_if_address_len(struct ifnet *);
bool		 nlproof_if_address(struct ifnet *, struct nlproof_sockaddr *);
bool		 nlproof_if_broadcast(struct ifnet *, struct nlproof_sockaddr *);
bool		 nlproof_if_hardware(struct ifnet *, struct nlproof_sockaddr *);
void		 nlproof_if_capabilities(struct ifnet *, uint32_t supported[2], uint32_t enabled[2]);
void		 nlproof_if_statistics(struct ifnet *, struct nlproof_statistics *);
uint64_t	 nlproof_if_counter(struct ifnet *, uint32_t);
int		 nlproof_if_media(struct ifnet *, struct nlproof_media *);

/* modify.c */
void	nlproof_if_set_description(struct ifnet *, const uint8_t *, size_t);
void	nlproof_if_up(struct ifnet *);
void	nlproof_if_down(struct ifnet *);
int	nlproof_if_set_mtu(struct ifnet *, uint32_t);
int	nlproof_if_count_promiscuous(struct ifnet *, bool);
void	nlproof_if_set_promiscuous(struct ifnet *, bool);
int	nlproof_if_set_address(struct ifnet *, const uint8_t *, size_t);

/* clone.c */
void	nlproof_clone_describe(struct ifnet *, struct nl_writer *, uint32_t used, struct nlproof_window *);
int	nlproof_clone_create(struct nlproof_call *, const struct nlproof_create *, struct ifnet **);
int	nlproof_clone_configure(struct nlproof_call *, struct ifnet *, const struct nlproof_create *);
int	nlproof_clone_destroy(struct ifnet *);

/* address.c */
int	nlproof_ifa_foreach(struct ifnet *, nlproof_each_address_f *, void *);
int	nlproof_inet_add(struct nlproof_call *, struct ifnet *, const struct nlproof_inet *);
int	nlproof_inet_delete(struct nlproof_call *, struct ifnet *, const uint8_t address[4]);
int	nlproof_inet6_add(struct nlproof_call *, struct ifnet *, const struct nlproof_inet6 *);
int	nlproof_inet6_delete(struct nlproof_call *, struct ifnet *, const uint8_t address[16]);

/* requester.c */
bool	nlproof_requester_may(struct nlpcb *, uint32_t privilege);
bool	nlproof_requester_owns_stack(struct nlpcb *);
bool	nlproof_requester_may_see(struct nlpcb *, const struct nlproof_sockaddr *);
void	nlproof_report_text(struct nlproof_call *, const uint8_t *, size_t);
void	nlproof_report_offset(struct nlproof_call *, uint32_t);
void	nlproof_report_cookie(struct nlproof_call *, const uint8_t *, size_t);

/* writer.c */
struct nl_writer *nlproof_writer_to_group(struct nlproof_call *, uint32_t group);
void	nlproof_writer_flush(struct nlproof_call *, struct nl_writer *);
/* Room for len bytes is found; Rust writes them. */
bool	nlproof_writer_begin(struct nl_writer *, const struct nlproof_header *, uint32_t len,
	    struct nlproof_window *);
void	nlproof_writer_find_room(struct nl_writer *, uint32_t used, uint32_t len, struct nlproof_window *);
bool	nlproof_writer_end(struct nl_writer *, uint32_t used);
void	nlproof_writer_abort(struct nl_writer *);
bool	nlproof_writer_end_dump(struct nl_writer *, int error, const struct nlproof_header *);

#endif
