/* The network map: what of it goes where. */
#include "core/node/map/map.h"

static void on_change(void *ctx, enum netmap_change what, int64_t id)
{
	struct node *a = ctx;

	a->map_changed = a->exit_dirty = true;
	switch (what) {
	case NETMAP_PEER_ADDED:
		node_peer_update(a, id);
		node_event_add(a, (struct node_event){ .kind = NODE_PEER_ADDED, .id = id });
		break;
	case NETMAP_PEER_CHANGED:
		node_peer_update(a, id);
		node_event_add(a, (struct node_event){ .kind = NODE_PEER_CHANGED, .id = id });
		break;
	case NETMAP_PEER_REMOVED:
		node_peer_remove(a, id);
		node_event_add(a, (struct node_event){ .kind = NODE_PEER_REMOVED, .id = id });
		break;
	case NETMAP_SELF:
		/* Peers, too: nobody's route leads to an address of ours. */
		a->self_dirty = a->filter_dirty = a->net_dirty = a->peers_dirty = true;
		a->dns.dirty = true;
		break;
	case NETMAP_FILTER:
		a->filter_dirty = true;
		break;
	case NETMAP_DERP:
		a->derp_dirty = true;
		break;
	case NETMAP_USER: /* told with the peers of that user */
		break;
	case NETMAP_DNS:
		a->other_dirty = a->dns.dirty = true;
		break;
	case NETMAP_SSH:
	case NETMAP_DOMAIN:
	case NETMAP_HEALTH:
		a->other_dirty = true;
		break;
	}
}

static const struct netmap_ops map_ops = { .on_change = on_change };

int node_map_new(struct node *a)
{
	uint8_t seed[16];
	int rc;

	rng_fill(a->rng, seed, sizeof(seed));
	map_init(&a->peers, seed);
	arena_init(&a->dns.mem, NODE_DNS_MEM_MAX);
	rc = dns_names_new(&a->dns.names, a->rng);
	if (rc < 0)
		return rc;
	a->dns.config.names = a->dns.names;
	a->dns.config.no_base = true;
	return netmap_new(&a->nm, &map_ops, a, a->rng);
}

static void count_refused(struct node *a)
{
	const uint64_t *n = a->check.refused;
	struct node_counters *c = &a->counters;

	c->map_self_refused = n[MAP_SELF];
	c->map_peers_refused = n[MAP_PEERS];
	c->map_routes_refused = n[MAP_ROUTES];
	c->map_relays_refused = n[MAP_RELAYS];
	c->map_dns_refused = n[MAP_DNS];
	c->map_messages_refused = n[MAP_MESSAGES];
}

int node_map_apply(struct node *a, const struct tc_map_response *m)
{
	struct tc_map_response r = *m; /* what its lists and texts hold is ours to change, too */
	struct netmap_check_by by = { .self = netmap_self(a->nm),
		.first = a->ctl && ctlclient_map_is_first(a->ctl) };
	struct node_pub own;
	int rc;

	if (has_node_key(a) && key_public(a->id.node.b, own.b) == 0)
		by.own = &own;
	if (by.first)
		netmap_begin(a->nm);
	if (!r.keep_alive) {
		netmap_check(&a->check, &r, &by);
		count_refused(a);
	}
	a->retry_gap = 0;
	rc = netmap_apply(a->nm, &r, a->now);
	if (r.node)
		a->cached = false;
	return rc;
}

void node_map_load(struct node *a, struct view saved)
{
	struct node_pub key;
	const struct netmap_check_by by = { .own = &key, .first = true };
	const struct tc_node *self;
	int rc = key_public(a->id.node.b, key.b);

	if (rc == 0)
		rc = netmap_load(a->nm, saved.p, saved.len, &a->check, &by, a->now);
	self = netmap_self(a->nm);
	if (rc < 0 || !self) { /* also another key's */
		a->counters.bad_netmaps++;
		node_map_drop(a);
		return;
	}
	a->cached = true;
	magicsock_hint_home(a->magicsock, (int)self->home_derp, a->now);
	a->map_changed = false; /* it is on disk already */
}

void node_map_drop(struct node *a)
{
	map_for_each(n, &a->peers) {
		struct node_peer *p = container_of(n, struct node_peer, node);

		magicsock_remove_peer(a->magicsock, p->id, a->now);
		node_event_add(a, (struct node_event){ .kind = NODE_PEER_REMOVED, .id = p->id });
		node_peer_drop(a, p);
	}
	if (a->nm)
		netmap_clear(a->nm);
	if (a->dns.names)
		dns_names_clear(a->dns.names);
	a->dns.dirty = true;
	netmap_check_reset(&a->check);
	a->retry_at = MONO_NEVER;
	a->cached = a->self_dirty = a->derp_dirty = a->filter_dirty = a->map_changed = false;
	a->net_dirty = true;
	a->expiry_at = MONO_NEVER;
}
