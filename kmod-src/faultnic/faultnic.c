/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nlproof_faultnic: network interfaces with faults, for tests only. What no card under QEMU does by itself, a
 * `fault` interface does on demand: a media ioctl that fails, sleeps or answers nonsense, counters that jump, no
 * link-level address, an address of a family that netlink does not know.
 *
 * The faults are those of a network stack, so that vectors in stacks of their own do not meet: sysctls
 * net.link.faultnic.*, each with the words of its table below. `media` and `counters` count at once, `address` for
 * interfaces that are created afterwards.
 */
#include <sys/param.h>
#include <sys/systm.h>
#include <sys/eventhandler.h>
#include <sys/kernel.h>
#include <sys/malloc.h>
#include <sys/mbuf.h>
#include <sys/module.h>
#include <sys/socket.h>
#include <sys/sockio.h>
#include <sys/sysctl.h>

#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_clone.h>
#include <net/if_media.h>
#include <net/if_types.h>
#include <net/if_var.h>
#include <net/if_private.h>
#include <net/route.h>
#include <net/vnet.h>

/* What SIOCGIFMEDIA answers. */
enum media {
	MEDIA_ACTIVE,
	MEDIA_INACTIVE,
	/* EINVAL, as of drivers that have no media. */
	MEDIA_NONE,
	MEDIA_ENXIO,
	/* Active, after a tenth of a second. */
	MEDIA_SLEEP,
	/* Active, of a type that is not Ethernet. */
	MEDIA_FOREIGN,
	/* Every bit of every field. */
	MEDIA_NONSENSE,
	/* Active and inactive by turns: it changes in the middle of a dump. */
	MEDIA_TURNS,
};

enum counters {
	COUNTERS_ZERO,
	/* All bits, and from time to time none. */
	COUNTERS_JUMP,
};

enum address {
	ADDRESS_ETHER,
	/* The link-level address has no bytes. */
	ADDRESS_NONE,
	/* An address of AppleTalk's family beside it. */
	ADDRESS_OTHER,
};

/* In the order of the enums. */
static const char *const media_words[] = {
	"active", "inactive", "none", "enxio", "sleep", "foreign", "nonsense", "turns", NULL
};
static const char *const counter_words[] = { "zero", "jump", NULL };
static const char *const address_words[] = { "ether", "none", "other", NULL };

VNET_DEFINE_STATIC(int, media);
#define	V_media		VNET(media)
VNET_DEFINE_STATIC(int, counters);
#define	V_counters	VNET(counters)
VNET_DEFINE_STATIC(int, address);
#define	V_address	VNET(address)
/* How often the media were asked for: every second answer of `turns` is another one. */
VNET_DEFINE_STATIC(u_int, asked);
#define	V_asked		VNET(asked)
VNET_DEFINE_STATIC(u_int, counted);
#define	V_counted	VNET(counted)
VNET_DEFINE_STATIC(struct if_clone *, cloner);
#define	V_cloner	VNET(cloner)

static const char name[] = "fault";

/* Tells or takes one of the words; any other is EINVAL. */
static int
choice(struct sysctl_oid *oidp, int *chosen, const char *const *words, struct sysctl_req *req)
{
	char word[16];
	int error;

	strlcpy(word, words[*chosen], sizeof(word));
	error = sysctl_handle_string(oidp, word, sizeof(word), req);
	if (error != 0 || req->newptr == NULL)
		return (error);
	for (int i = 0; words[i] != NULL; i++) {
		if (strcmp(word, words[i]) == 0) {
			*chosen = i;
			return (0);
		}
	}
	return (EINVAL);
}

static int
media_sysctl(SYSCTL_HANDLER_ARGS)
{
	/* Turns begin with the same answer in every run. */
	V_asked = 0;
	return (choice(oidp, &V_media, media_words, req));
}

static int
counters_sysctl(SYSCTL_HANDLER_ARGS)
{
	V_counted = 0;
	return (choice(oidp, &V_counters, counter_words, req));
}

static int
address_sysctl(SYSCTL_HANDLER_ARGS)
{
	return (choice(oidp, &V_address, address_words, req));
}

SYSCTL_DECL(_net_link);
static SYSCTL_NODE(_net_link, OID_AUTO, faultnic, CTLFLAG_RW | CTLFLAG_MPSAFE, 0,
    "Interfaces with faults, for tests");
#define	FAULT(_name, _about)							\
	SYSCTL_PROC(_net_link_faultnic, OID_AUTO, _name,			\
	    CTLTYPE_STRING | CTLFLAG_RW | CTLFLAG_VNET | CTLFLAG_MPSAFE, NULL, 0,	\
	    _name##_sysctl, "A", _about)
FAULT(media, "What SIOCGIFMEDIA answers: active, inactive, none, enxio, sleep, foreign, nonsense, turns");
FAULT(counters, "What counters say: zero, jump");
FAULT(address, "Addresses of interfaces to come: ether, none, other");

static int
tell_media(struct ifmediareq *ifmr)
{
	bool active = true;

	ifmr->ifm_current = ifmr->ifm_active = IFM_ETHER | IFM_1000_T | IFM_FDX;
	ifmr->ifm_mask = 0;
	ifmr->ifm_count = 0;
	switch ((enum media)V_media) {
	case MEDIA_ACTIVE:
		break;
	case MEDIA_INACTIVE:
		active = false;
		break;
	case MEDIA_NONE:
		return (EINVAL);
	case MEDIA_ENXIO:
		return (ENXIO);
	case MEDIA_SLEEP:
		pause("faultnic", hz / 10);
		break;
	case MEDIA_FOREIGN:
		ifmr->ifm_current = ifmr->ifm_active = IFM_IEEE80211 | IFM_IEEE80211_OFDM54;
		break;
	case MEDIA_NONSENSE:
		ifmr->ifm_current = ifmr->ifm_active = ifmr->ifm_mask = ifmr->ifm_status = -1;
		return (0);
	case MEDIA_TURNS:
		active = atomic_fetchadd_int(&V_asked, 1) % 2 == 0;
		break;
	}
	ifmr->ifm_status = IFM_AVALID | (active ? IFM_ACTIVE : 0);
	return (0);
}

static int
fault_ioctl(if_t ifp, u_long command, caddr_t data)
{
	switch (command) {
	case SIOCGIFMEDIA:
		return (tell_media((struct ifmediareq *)data));
	case SIOCSIFMEDIA:
	case SIOCSIFFLAGS:
	case SIOCADDMULTI:
	case SIOCDELMULTI:
		return (0);
	default:
		return (ether_ioctl(ifp, command, data));
	}
}

static uint64_t
fault_counter(if_t ifp, ift_counter which)
{
	if (V_counters == COUNTERS_JUMP)
		return (atomic_fetchadd_int(&V_counted, 1) / IFCOUNTERS % 2 == 0 ? UINT64_MAX : 0);
	return (if_get_counter_default(ifp, which));
}

static void
fault_init(void *softc __unused)
{
}

/* Nothing is sent anywhere. */
static int
fault_transmit(if_t ifp __unused, struct mbuf *m)
{
	m_freem(m);
	return (0);
}

static void
fault_qflush(if_t ifp __unused)
{
}

/* An address whose family netlink does not know, which goes with its interface. */
static void
add_other_address(if_t ifp)
{
	struct ifaddr *ifa;
	struct sockaddr *sa;

	ifa = ifa_alloc(sizeof(*ifa) + 2 * sizeof(*sa), M_WAITOK);
	sa = (struct sockaddr *)(ifa + 1);
	sa[0].sa_len = sa[1].sa_len = sizeof(*sa);
	sa[0].sa_family = sa[1].sa_family = AF_APPLETALK;
	ifa->ifa_addr = &sa[0];
	/* Without a mask netlink would read address 0. */
	ifa->ifa_netmask = &sa[1];
	ifa->ifa_ifp = ifp;
	if_ref(ifp);
	IF_ADDR_WLOCK(ifp);
	CK_STAILQ_INSERT_TAIL(&ifp->if_addrhead, ifa, ifa_link);
	IF_ADDR_WUNLOCK(ifp);
}

static int
fault_create(struct if_clone *ifc, char *wanted __unused, size_t len __unused, struct ifc_data *ifd, if_t *ifpp)
{
	uint8_t lladdr[ETHER_ADDR_LEN] = { 0x02, 0x66, 0x61, 0x75, 0x00, ifd->unit };
	if_t ifp;

	ifp = if_alloc(IFT_ETHER);
	if_initname(ifp, name, ifd->unit);
	if_setflagbits(ifp, IFF_BROADCAST | IFF_SIMPLEX | IFF_MULTICAST, 0);
	if_setioctlfn(ifp, fault_ioctl);
	if_setinitfn(ifp, fault_init);
	if_settransmitfn(ifp, fault_transmit);
	if_setqflushfn(ifp, fault_qflush);
	if_setgetcounterfn(ifp, fault_counter);
	if_setmtu(ifp, ETHERMTU);
	if (V_address == ADDRESS_NONE)
		if_attach(ifp);
	else
		ether_ifattach(ifp, lladdr);
	if (V_address == ADDRESS_OTHER)
		add_other_address(ifp);
	*ifpp = ifp;
	return (0);
}

static int
fault_destroy(struct if_clone *ifc __unused, if_t ifp, uint32_t flags __unused)
{
	/* Whatever the setting was when it was created. */
	if (if_getaddrlen(ifp) == 0)
		if_detach(ifp);
	else
		ether_ifdetach(ifp);
	if_free(ifp);
	return (0);
}

static void
stack_init(const void *arg __unused)
{
	struct if_clone_addreq req = {
		.create_f = fault_create,
		.destroy_f = fault_destroy,
		.flags = IFC_F_AUTOUNIT,
	};

	V_cloner = ifc_attach_cloner(name, &req);
}
VNET_SYSINIT(faultnic_init, SI_SUB_PSEUDO, SI_ORDER_ANY, stack_init, NULL);

static void
stack_uninit(const void *arg __unused)
{
	ifc_detach_cloner(V_cloner);
}
VNET_SYSUNINIT(faultnic_uninit, SI_SUB_INIT_IF, SI_ORDER_ANY, stack_uninit, NULL);

static int
event(module_t module __unused, int what, void *arg __unused)
{
	return (what == MOD_LOAD || what == MOD_UNLOAD || what == MOD_SHUTDOWN ? 0 : EOPNOTSUPP);
}

static moduledata_t nlproof_faultnic = {
	.name = "nlproof_faultnic",
	.evhand = event,
};
DECLARE_MODULE(nlproof_faultnic, nlproof_faultnic, SI_SUB_PSEUDO, SI_ORDER_ANY);
MODULE_VERSION(nlproof_faultnic, 1);
