/* One peer of the map: its entry in magicsock, its routes, when its key expires. */
#include "core/node/map/map.h"
#include "base/siphash/siphash.h"

#include <errno.h>

static struct node_peer *peer_make(struct node *a, int64_t id)
{
	struct node_peer *p = node_peer_find(a, id);

	if (p || !(p = calloc(1, sizeof(*p))))
		return p;
	p->id = id;
	if (map_insert(&a->peers, &p->node, &p->id, sizeof(p->id)) != 0) {
		free(p);
		return NULL;
	}
	return p;
}

void node_peer_drop(struct node *a, struct node_peer *p)
{
	a->n_jailed -= p->jailed;
	map_remove(&a->peers, &p->node);
	free(p);
}

/* Has its key expired? If it will, be there then. */
bool node_watch_expiry(struct node *a, const struct tc_node *n)
{
	mono_ns at;

	if (n->expired || !n->key_expiry)
		return n->expired;
	at = node_mono_of(a, n->key_expiry);
	if (at <= a->now.mono)
		return true;
	a->expiry_at = mono_min(a->expiry_at, at);
	return false;
}

void node_peer_update(struct node *a, int64_t id)
{
	const struct tc_node *n = netmap_peer(a->nm, id);
	struct node_peer *p = n ? peer_make(a, id) : NULL;
	struct ipprefix *routes;
	struct tc_node as_is;
	size_t n_routes;
	uint64_t shape;
	int rc;

	arena_reset(&a->scratch);
	if (!p || node_peer_routes(a, n, &a->scratch, &routes, &n_routes) < 0) {
		a->counters.bad_peers++;
		if (n)
			node_map_retry_later(a);
		return;
	}
	node_dns_peer(a, n);
	as_is = *n;
	as_is.expired = node_watch_expiry(a, n);
	rc = magicsock_set_peer(a->magicsock, &as_is, routes, n_routes, a->now);
	if (rc < 0)
		a->counters.bad_peers++; /* others are not to suffer from one that cannot be */
	if (rc == -ENOMEM)
		node_map_retry_later(a);
	shape = siphash(a->peers.seed, routes, n_routes * sizeof(*routes));
	if (shape != p->shape)
		a->net_dirty = true;
	p->shape = shape;
	a->n_jailed += (size_t)n->jailed - (size_t)p->jailed;
	p->jailed = n->jailed;
	if (a->uses_caps || n->unsigned_peerapi_only)
		a->filter_dirty = true;
}

void node_peer_remove(struct node *a, int64_t id)
{
	struct node_peer *p = node_peer_find(a, id);

	magicsock_remove_peer(a->magicsock, id, a->now);
	node_dns_peer_removed(a, id);
	if (p)
		node_peer_drop(a, p);
	a->net_dirty = true;
	a->filter_dirty |= a->uses_caps;
}
