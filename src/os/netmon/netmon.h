/*
 * os/netmon: what this machine's network looks like, and word when it changes (rtnetlink, debounced: a cable that is plugged
 * in gives one call, not twenty).
 *
 * Source: rtnetlink(7).
 */
#ifndef WARREN_OS_NETMON_NETMON_H
#define WARREN_OS_NETMON_NETMON_H

#include "base/netip/netip.h"
#include "os/loop/loop.h"

enum {
	NETMON_ADDRS_MAX = 64, /* ENDPOINTS_LOCAL_MAX: more are left out */
	NETMON_NAME_MAX = 15,
	NETMON_NETS_MAX = 512, /* networks; with more, none is told */
	/* A route without a gateway that is wider than these leads elsewhere than to a network that we are on. */
	NETMON_NET4_BITS_MIN = 8,
	NETMON_NET6_BITS_MIN = 16,
};

struct netmon;

struct netmon_state {
	/*
	 * Of interfaces that are up, with their prefix lengths, sorted, loopback included: for magicsock_set_local, which leaves out what
	 * is not worth telling. Not of our own interface, nor of other overlay networks' (zt*, wt0). No tentative or deprecated
	 * addresses.
	 */
	struct ipprefix addrs[NETMON_ADDRS_MAX];
	size_t n_addrs;
	/*
	 * Every network that this machine is on, sorted, none inside another: the addresses of all interfaces but our own, whatever
	 * their state, the far ends of lines, what is routed through an interface without a gateway, and what the kernel takes for
	 * this machine.
	 */
	struct ipprefix nets[NETMON_NETS_MAX];
	size_t n_nets;
	bool nets_all;           /* false: there are more */
	bool default4, default6; /* there is a default route, not through our own interface */
	char default_if[NETMON_NAME_MAX +
			1];     /* of the IPv4 default route, else of the IPv6 one; "": none */
	struct ipaddr gateway4; /* unset: none, or a link without one */
	struct ipaddr
		default_addr4; /* the address that packets through default_if would have; unset: none */
};

/*
 * on_change: the new state differs from the one before. link_changed: the default interface or its address is another one, or
 * the machine slept: paths cannot be trusted any more and sockets want a rebind.
 */
MUST_USE int netmon_open(struct netmon **ret, struct loop *l, const char *skip_ifname,
	void (*on_change)(void *ctx, bool link_changed), void *ctx);
struct netmon *netmon_close(struct netmon *m);
const struct netmon_state *netmon_state(const struct netmon *m); /* good until the next on_change */

#endif
