/*
 * core/netmap/check: what a hub says is looked at whole before anything uses it, whoever the hub is. A peer, relay, route, resolver
 * or address that cannot be is left out and the rest is used; a part that makes no sense without it (this device's own node) is
 * refused whole, so that the last good one stays. So is one that could not even be read (fault of struct tc_node). All texts are plain afterwards (base/text/plain). What was left out is counted,
 * and told in the health of this device as long as the hub says it.
 *
 * Consent is not judged here: which routes of a peer are used follows from the preferences (core/node/netconf).
 */
#ifndef WARREN_CORE_NETMAP_CHECK_H
#define WARREN_CORE_NETMAP_CHECK_H

#include "proto/tailcfg/tailcfg.h"

enum {
	MAP_REGION_MAX = UINT16_MAX, /* numbers of relay regions */
	MAP_ID_MAX = 128,            /* bytes of a stable ID */
	MAP_MESSAGES_MAX = 64,       /* messages of a hub for the owner */
	MAP_MESSAGE_MAX = 1024,      /* bytes of one */
	MAP_BAD_PEERS_MAX =
		32, /* peers left out that are remembered by number; more are only counted */
	MAP_FAULT_MAX = 160, /* bytes of what is said of a fault */
};

enum map_part { MAP_SELF, MAP_PEERS, MAP_ROUTES, MAP_RELAYS, MAP_DNS, MAP_MESSAGES, MAP_PARTS };

struct map_bad_peer {
	int64_t id;
	char text[MAP_FAULT_MAX];
};

/* Zero it at first; netmap_check_reset when the map is forgotten. */
struct netmap_check {
	uint64_t refused[MAP_PARTS];          /* times, since the beginning */
	char fault[MAP_PARTS][MAP_FAULT_MAX]; /* of what the hub says now, the first; "": none */
	struct map_bad_peer bad[MAP_BAD_PEERS_MAX];
	size_t n_bad,
		n_more; /* peers that are left out now; n_more: beyond those in bad, since the last whole list */
};

struct netmap_check_by {
	const struct node_pub *own; /* this device's node key; NULL: not known */
	const struct tc_node
		*self; /* as it is known; NULL: not yet. Counts while the response has none */
	bool first;    /* the response begins a session: what was said before does not count */
};

/* Changes the response (lists and texts of it, in place). */
void netmap_check(
	struct netmap_check *c, struct tc_map_response *r, const struct netmap_check_by *by);
void netmap_check_reset(struct netmap_check *c);
/* One sentence for each part that has a fault, in the arena; NULL: there is none, or no memory. */
const char *netmap_check_text(const struct netmap_check *c, struct arena *mem);

#endif
