/*
 * daemon/net/lan: which routes go into the tunnel when this machine is on networks that they lead to, too. Pure.
 *
 * A device at home keeps its LAN although the tailnet carries the same prefix for the others; an exit node leaves the LAN alone only
 * if that is wanted.
 */
#ifndef WARREN_DAEMON_NET_LAN_H
#define WARREN_DAEMON_NET_LAN_H

#include "core/node/node.h"

struct lan {
	struct ipprefix *routes; /* into the tunnel; owned */
	size_t n_routes;
	struct ipprefix *local; /* looked up as if the tunnel were not there; owned */
	size_t n_local;
};

/* addrs: of the interfaces that are up, with the lengths of their networks. -ENOMEM: *ret is empty. */
MUST_USE int lan_keep(struct lan *ret, const struct node_net_config *c,
	const struct ipprefix *addrs, size_t n_addrs);
void lan_fini(struct lan *l);

/* Does it depend on the machine's networks, which routes these are, or where a kill switch lets through to? */
bool lan_matters(const struct node_net_config *c);

/* Is this route, into the tunnel by the map, one that a network of this machine stands before? Whole or in part. */
bool lan_shadows(const struct ipprefix *route, const struct ipprefix *addrs, size_t n_addrs);

#endif
