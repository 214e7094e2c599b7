/* The network map: what of it goes where. */
#include "core/node/internal.h"

#include "proto/tsaddr/tsaddr.h"

enum { CLOCK_MOVED_MS = 2000 }; /* less is no reason to look at every peer */

static struct node_peer *peer_find(const struct node *a, int64_t id)
{
	struct map_node *n = map_find(&a->peers, &id, sizeof(id));

	return n ? container_of(n, struct node_peer, node) : NULL;
}

static struct node_peer *peer_make(struct node *a, int64_t id)
{
	struct node_peer *p = peer_find(a, id);

	if (p || !(p = calloc(1, sizeof(*p))))
		return p;
	p->id = id;
	if (map_insert(&a->peers, &p->node, &p->id, sizeof(p->id)) != 0) {
		free(p);
		return NULL;
	}
	return p;
}

static void peer_drop(struct node *a, struct node_peer *p)
{
	a->n_jailed -= p->jailed;
	map_remove(&a->peers, &p->node);
	free(p);
}

bool node_peer_is_jailed(const struct node *a, int64_t id)
{
	const struct node_peer *p = a->n_jailed ? peer_find(a, id) : NULL;

	return p && p->jailed;
}

/* Has its key expired? If it will, be there then. */
static bool watch_expiry(struct node *a, const struct tc_node *n)
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

static void peer_update(struct node *a, int64_t id)
{
	const struct tc_node *n = netmap_peer(a->nm, id);
	struct node_peer *p = n ? peer_make(a, id) : NULL;
	struct ipprefix *routes;
	struct tc_node as_is;
	size_t n_routes;
	uint64_t shape;

	arena_reset(&a->scratch);
	if (!p || node_peer_routes(a, n, &a->scratch, &routes, &n_routes) < 0) {
		a->counters.bad_peers++;
		return;
	}
	as_is = *n;
	as_is.expired = watch_expiry(a, n);
	if (magicsock_set_peer(a->magicsock, &as_is, routes, n_routes, a->now) < 0)
		a->counters.bad_peers++; /* others are not to suffer from one that cannot be */
	shape = siphash24(a->peers.seed, routes, n_routes * sizeof(*routes));
	if (shape != p->shape)
		a->net_dirty = true;
	p->shape = shape;
	a->n_jailed += (size_t)n->jailed - (size_t)p->jailed;
	p->jailed = n->jailed;
	if (a->uses_caps || n->unsigned_peerapi_only)
		a->filter_dirty = true;
}

static void peer_remove(struct node *a, int64_t id)
{
	struct node_peer *p = peer_find(a, id);

	magicsock_remove_peer(a->magicsock, id, a->now);
	if (p)
		peer_drop(a, p);
	a->net_dirty = true;
	a->filter_dirty |= a->uses_caps;
}

static void on_change(void *ctx, enum netmap_change what, int64_t id)
{
	struct node *a = ctx;

	a->map_changed = true;
	switch (what) {
	case NETMAP_PEER_ADDED:
		peer_update(a, id);
		node_event_add(a, (struct node_event){ .kind = NODE_PEER_ADDED, .id = id });
		break;
	case NETMAP_PEER_CHANGED:
		peer_update(a, id);
		node_event_add(a, (struct node_event){ .kind = NODE_PEER_CHANGED, .id = id });
		break;
	case NETMAP_PEER_REMOVED:
		peer_remove(a, id);
		node_event_add(a, (struct node_event){ .kind = NODE_PEER_REMOVED, .id = id });
		break;
	case NETMAP_SELF:
		/* Peers, too: nobody's route leads to an address of ours. */
		a->self_dirty = a->filter_dirty = a->net_dirty = a->peers_dirty = true;
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

	rng_fill(a->rng, seed, sizeof(seed));
	map_init(&a->peers, seed);
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
		peer_drop(a, p);
	}
	if (a->nm)
		netmap_clear(a->nm);
	netmap_check_reset(&a->check);
	a->cached = a->self_dirty = a->derp_dirty = a->filter_dirty = a->map_changed = false;
	a->net_dirty = true;
	a->expiry_at = MONO_NEVER;
}

/* ---- After a response: what its parts add up to ---- */

static bool has_cap(const struct tc_node *n, const char *name)
{
	return json_map_find(&n->cap_map, name) != NULL;
}

static void self_settle(struct node *a)
{
	const struct tc_node *self = self_of(a);
	struct ipn_prefs p = *prefs_of(a);
	struct ipn_persist persist = p.persist ? *p.persist : (struct ipn_persist){ 0 };
	const struct tc_user *user;
	struct ipaddr at[2] = { 0 };

	if (!self)
		return;
	for (size_t i = 0; i < self->addresses.n; i++) {
		struct ipaddr ip = JSON_AT(self->addresses, struct ipprefix, i)->ip;

		if (!ipaddr_is_set(at[ip.family == 6]))
			at[ip.family == 6] = ip;
	}
	magicsock_set_self(a->magicsock, at[0], at[1], 0, 0);
	magicsock_set_no_udp(a->magicsock, has_cap(self, "only-tcp-443"), a->now);
	node_rejects_enable(a, has_cap(self, "debug-conn-reject"));
	(void)watch_expiry(a, self);
	user = netmap_user(a->nm, self->user);
	if (user)
		persist.user = *user;
	persist.node_id = self->stable_id;
	p.persist = &persist;
	if (node_prefs_store(a, &p) > 0)
		event(a, NODE_PREFS);
	event(a, NODE_SELF);
}

/* Rules that cannot be compiled let nobody in; the old ones might let in who was shut out. */
static void filter_settle(struct node *a)
{
	const struct ipn_prefs *p = prefs_of(a);
	const struct filter_carry carry = { .offered = p->advertise_routes.v,
		.n_offered = p->advertise_routes.n,
		.nets = a->nets,
		.n_nets = a->n_nets,
		.nets_known = a->nets_known };
	struct filter_rules *rules = NULL;

	if (!self_of(a))
		return;
	if (filter_rules_from_netmap(&rules, a->nm, &carry, p->shields_up) < 0) {
		a->counters.bad_netmaps++;
		if (filter_rules_from_netmap(&rules, a->nm, &carry, true) < 0)
			rules = NULL; /* not even that: nothing passes */
	}
	a->uses_caps = rules && filter_rules_info(rules).uses_caps;
	filter_rules_free(filter_swap(a->filter, rules));
}

static void peers_settle(struct node *a)
{
	a->expiry_at = MONO_NEVER;
	if (self_of(a))
		(void)watch_expiry(a, self_of(a));
	map_for_each(n, &a->peers)
		peer_update(a, container_of(n, struct node_peer, node)->id);
}

void node_map_settle(struct node *a)
{
	if (a->derp_dirty) {
		a->derp_dirty = false;
		if (magicsock_set_derp_map(a->magicsock, netmap_derp_map(a->nm), a->now) < 0)
			a->counters.bad_netmaps++;
		a->other_dirty = true;
	}
	if (a->self_dirty) {
		a->self_dirty = false;
		self_settle(a);
	}
	if (ipaddr_is_set(prefs_of(a)->exit_node_ip))
		node_prefs_resolve_exit(a);
	if (a->peers_dirty) {
		a->peers_dirty = false;
		peers_settle(a);
	}
	if (a->filter_dirty) {
		a->filter_dirty = false;
		filter_settle(a);
		a->other_dirty = true;
	}
	if (a->net_dirty) {
		a->net_dirty = false;
		node_net_build(a);
	}
	if (a->other_dirty) {
		a->other_dirty = false;
		event(a, NODE_NETMAP);
	}
	if (a->map_changed) {
		a->map_changed = false;
		event(a, NODE_SAVE_NETMAP);
	}
}

void node_map_watch_clock(struct node *a)
{
	int64_t base = a->now.wall + netmap_control_skew_ms(a->nm) - a->now.mono / MSEC(1),
		moved = base - a->expiry_base_ms;

	if (a->expiry_base_ms && moved > -CLOCK_MOVED_MS && moved < CLOCK_MOVED_MS)
		return;
	if (a->expiry_base_ms)
		node_map_expire(a);
	a->expiry_base_ms = base;
}

void node_map_expire(struct node *a)
{
	a->expiry_at = MONO_NEVER;
	a->peers_dirty = true;
}
