/* daemon/services/peers: who is who in the network map, what the map says of relays and names, and where to dial by a name. */
#ifndef WARREN_DAEMON_SERVICES_PEERS_H
#define WARREN_DAEMON_SERVICES_PEERS_H

#include "daemon/services/facts.h"
#include "daemon/services/service.h"

struct peers_service {
	const struct facts *facts;
	/*
	 * What the packet filter grants a peer towards this node: name -> list of raw JSON. -ENOMEM. May be NULL: nothing is
	 * granted.
	 */
	int (*caps)(void *owner, struct ipaddr peer, struct arena *a, struct json_map *ret);
	void *owner;
};

extern const struct service peers_service; /* self: struct peers_service */

#endif
