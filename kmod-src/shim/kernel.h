/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's headers that every file of the shim needs, and what differs between its majors. */
#ifndef NLPROOF_KERNEL_H
#define NLPROOF_KERNEL_H

#include "opt_inet.h"
#include "opt_inet6.h"

#include <sys/param.h>
#include <sys/systm.h>
#include <sys/epoch.h>
#include <sys/eventhandler.h>
#include <sys/kernel.h>
#include <sys/lock.h>
#include <sys/malloc.h>
#include <sys/proc.h>
#include <sys/socket.h>
#include <sys/sockio.h>
#include <sys/sx.h>

#include <net/if.h>
#include <net/if_var.h>
#include <net/vnet.h>
#include <netinet/in.h>
#include <netlink/netlink.h>
#include <netlink/netlink_ctl.h>
#include <netlink/netlink_route.h>
#include <netlink/netlink_var.h>
#include <netlink/route/route_var.h>

#include "abi.h"
#include "call.h"

#if __FreeBSD_version >= 1400000 && __FreeBSD_version < 1500000
#include "version_14.h"
#elif __FreeBSD_version >= 1500000 && __FreeBSD_version < 1600000
#include "version_15.h"
#elif __FreeBSD_version >= 1600000 && __FreeBSD_version < 1700000
#include "version_16.h"
#else
#error "this release was never tried: the shim knows FreeBSD 14 and 15, and 16 from its sources"
#endif

#endif
