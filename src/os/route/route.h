/*
 * os/route: makes the system send the tailnet's traffic to our interface, and nothing else: addresses, MTU and state of the
 * interface; routes in a table of their own; rules that lead there, except for packets that carry our mark (our own
 * WireGuard, relay and control traffic, which would loop otherwise).
 *
 *	priority 5210  mark 0x80000/0xff0000  -> main
 *	         5230  mark 0x80000/0xff0000  -> default
 *	         5250  mark 0x80000/0xff0000  -> unreachable
 *	         5270  everything             -> table 52
 *	         5275  to 100.64.0.0/10       -> main, without its default route
 *	         5277  to 100.64.0.0/10       -> unreachable
 *
 * The last two, if they are wanted: a packet to a device that is not there (yet) is refused instead of leaving in clear, and who else has
 * a route into the range keeps it. The other numbers are those of the original: scripts that know about it work here. Desired state in, differences out. The whole
 * of it is compared again when the kernel tells of any change to the interface, its addresses, our table or our rules, whatever
 * it was, and once a minute without that: what somebody else changed is as it was within two seconds, and what failed is tried
 * again. Addresses of the interface are all ours; other routes in the table are not. A host without IPv6 gets IPv4 only, until it
 * has it. Netlink through libmnl; no program is run. Firewalls are not touched: see docs/threat-model.md.
 *
 * Source: what tailscaled 1.102.5 leaves on a machine (route_test.c has it as text);
 * rtnetlink(7).
 */
#ifndef WARREN_OS_ROUTE_ROUTE_H
#define WARREN_OS_ROUTE_ROUTE_H

#include "base/netip/netip.h"
#include "os/loop/loop.h"

enum {
	ROUTE_MARK = 0x80000, /* SO_MARK of all our sockets */
	ROUTE_MARK_MASK = 0xff0000,
	ROUTE_TABLE = 52,
	ROUTE_ADDRS_MAX = 16,
	ROUTE_ROUTES_MAX = 65536,
};

struct route;

/* Copied by route_apply. */
struct route_config {
	bool up;                      /* false: interface down, no addresses, routes or rules */
	int mtu;                      /* 0: stays */
	const struct ipprefix *addrs; /* of the interface: 100.64.0.7/32 */
	size_t n_addrs;
	const struct ipprefix
		*routes; /* into it; host bits are cut; IPv4 and IPv6 default routes are allowed */
	size_t n_routes;
	const struct ipprefix *
		local; /* exceptions, more specific than a route: looked up as if we were not there */
	size_t n_local;
	bool refuse; /* what goes to 100.64.0.0/10, and to nobody there is a route to */
};

/*
 * After each comparison that route_apply did not ask for. rc: as route_apply would return, -ENODEV: the interface is gone for good.
 * repaired: somebody had changed something. May close the route only after it has returned.
 */
typedef void (*route_on_look)(void *ctx, int rc, bool repaired);

/* Nothing changes yet. -ENODEV: no such interface; -errno. */
MUST_USE int route_open(
	struct route **ret, struct loop *l, const char *ifname, route_on_look fn, void *ctx);
/*
 * The first failure; what could be done was done, and the rest is tried again, by itself too. -ENODEV: the interface is gone.
 * -ERR_TOO_MANY, -ENOMEM, -errno.
 */
MUST_USE int route_apply(struct route *r, const struct route_config *want);
struct route *route_close(struct route *r); /* everything that route_apply made is removed */
/*
 * Removes what a killed process left: rules and table, and the interface's addresses if it still exists. Nothing there is no
 * error. -errno.
 */
MUST_USE int route_cleanup(const char *ifname);
bool route_forwards(unsigned family);       /* does the system pass on packets of others? 4 or 6 */
bool route_has_ipv6(const struct route *r); /* of this interface, at the last comparison */

struct route_counters {
	uint64_t applied, added, removed,
		links;     /* calls; changes to the system; those of the interface itself */
	uint64_t looks;    /* comparisons that route_apply did not ask for */
	uint64_t repaired; /* times that somebody else changed something of ours */
};
const struct route_counters *route_counters(const struct route *r);

#endif
