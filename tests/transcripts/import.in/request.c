/* The message that loses the bridge, as it was reported. */
#include <sys/socket.h>

static unsigned char msg[] = {
	0x3c, 0, 0, 0, 0x10, 0, 0x05, 0x06,	/* nlmsg_len, nlmsg_type, nlmsg_flags */
	0x2a, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0x0c, 0, 3, 0, 'b', 'r', 'i', 'd', 'g', 'e', '0', 0,
	0x10, 0, 0x12, 0x80, 0x0b, 0, 1, 0, 'b', 'r', 'i', 'd', 'g', 'e', 0, 0,
};
