/* The network map: what of it goes where. */
#ifndef WARREN_CORE_NODE_MAP_MAP_H
#define WARREN_CORE_NODE_MAP_MAP_H

#include "core/node/state/state.h"

/* map.c */
MUST_USE int node_map_new(struct node *a);
void node_map_load(struct node *a, struct view saved);
void node_map_drop(struct node *a); /* the map, and all that came from it */
MUST_USE int node_map_apply(struct node *a, const struct tc_map_response *m);

/* derive.c */
void node_map_run_deferred(struct node *a);
void node_map_tell_self(struct node *a); /* our addresses and ports, to magicsock */
void node_map_expire(struct node *a);    /* keys whose time has come */
/* Perhaps that of others, too, after a sleep or when a clock was set. */
void node_map_watch_clock(struct node *a);

/* There was no memory for something: all that the map adds up to is worked out anew, a second later, then at longer and longer gaps. */
static inline void node_map_retry_later(struct node *a)
{
	if (a->retry_at != MONO_NEVER)
		return;
	a->retry_gap = mono_min(MAX_OF(2 * a->retry_gap, SEC(1)), SEC(64));
	a->retry_at = mono_add(a->now.mono, a->retry_gap);
}
void node_map_retry(struct node *a);

/* peers.c */
void node_peer_update(struct node *a, int64_t id);
void node_peer_remove(struct node *a, int64_t id);
void node_peer_drop(struct node *a, struct node_peer *p);
/* Has its key expired? If it will, be there then. */
bool node_watch_expiry(struct node *a, const struct tc_node *n);

/* netconf.c */
/* The prefixes that a peer has by our preferences, into the arena. -ENOMEM. */
MUST_USE int node_peer_routes(const struct node *a, const struct tc_node *n, struct arena *mem,
	struct ipprefix **ret, size_t *ret_n);
void node_net_build(struct node *a);

/* dns.c, osdns.c: what they make is in the arena, or the map's. -ENOMEM. */
void node_dns_peer(
	struct node *a, const struct tc_node *n); /* one that is in the map, also the own one */
void node_dns_peer_removed(struct node *a, int64_t id);
void node_dns_self(struct node *a, const struct tc_node *self);
MUST_USE int node_dns_config_make(const struct node *a, struct arena *mem, struct dns_config *c);
MUST_USE int node_os_dns_make(
	const struct node *a, const struct dns_config *c, struct arena *mem, struct node_os_dns *o);
/* dns_build.c: both made anew; tells when they are others. */
void node_dns_build(struct node *a);

#endif
