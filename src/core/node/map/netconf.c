/* What the machine's network has to look like, from the map and the preferences. */
#include "core/node/map/map.h"

#include "proto/tsaddr/tsaddr.h"

/* A peer's own addresses always, unless they are ours; what is behind it, when we want it. */
static bool wants(const struct node *a, const struct tc_node *n, struct ipprefix p)
{
	if (node_has_address(self_of(a), p))
		return false;
	if (node_has_address(n, p))
		return p.bits == ipaddr_bits(p.ip);
	return node_takes_route(a, n, p) == NODE_ROUTE_TAKEN;
}

int node_peer_routes(const struct node *a, const struct tc_node *n, struct arena *mem,
	struct ipprefix **ret, size_t *ret_n)
{
	const struct json_list *from = n->allowed_ips.present ? &n->allowed_ips : &n->addresses;
	struct ipprefix *v = arena_array(mem, from->n, sizeof(*v));
	size_t k = 0;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < from->n; i++) {
		struct ipprefix p = ipprefix_masked(*JSON_AT(*from, struct ipprefix, i));

		if (wants(a, n, p))
			v[k++] = p;
	}
	*ret = v;
	*ret_n = k;
	return 0;
}

static int prefix_cmp(const void *x, const void *y)
{
	const struct ipprefix *a = x, *b = y;
	int c = ipaddr_cmp(a->ip, b->ip);

	return c ? c : (a->bits > b->bits) - (a->bits < b->bits);
}

static size_t sort_unique(struct ipprefix *v, size_t n)
{
	size_t k = 0;

	if (n)
		qsort(v, n, sizeof(*v), prefix_cmp);
	for (size_t i = 0; i < n; i++)
		if (!k || !ipprefix_eq(v[k - 1], v[i]))
			v[k++] = v[i];
	return k;
}

/* All of the tailnet's IPv6 in one route, and its IPv4 when there would be too many. */
static struct ipprefix widened(struct ipprefix p, bool all_v4)
{
	if (p.bits == 128 && ipprefix_contains(tsaddr_ula, p.ip))
		return tsaddr_ula;
	if (all_v4 && p.bits == 32 && ipprefix_contains(tsaddr_cgnat, p.ip))
		return tsaddr_cgnat;
	return p;
}

static bool exit_wanted(const struct ipn_prefs *p)
{
	return (p->exit_node_id && *p->exit_node_id) || ipaddr_is_set(p->exit_node_ip);
}

static bool has_family(const struct tc_node *self, uint8_t family)
{
	for (size_t i = 0; i < self->addresses.n; i++)
		if (JSON_AT(self->addresses, struct ipprefix, i)->ip.family == family)
			return true;
	return false;
}

/* Routes of all peers and of the service addresses, into mem. -ENOMEM. */
static int collect_routes(struct node *a, struct arena *mem, struct ipprefix **ret, size_t *ret_n)
{
	size_t n_peers = netmap_n_peers(a->nm), n = 0, max = 4;
	const struct tc_node **peers = arena_array(mem, n_peers, sizeof(*peers));
	bool all_v4 = n_peers > NODE_V4_ROUTES_MAX;
	const struct ipaddr service[] = { tsaddr_service, tsaddr_service6 };
	struct ipprefix *v;

	if (!peers)
		return -ENOMEM;
	netmap_peers(a->nm, peers);
	for (size_t i = 0; i < n_peers; i++)
		max += peers[i]->allowed_ips.present ? peers[i]->allowed_ips.n
						     : peers[i]->addresses.n;
	v = arena_array(mem, max, sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < n_peers; i++) {
		struct ipprefix *r;
		size_t n_r;
		int rc = node_peer_routes(a, peers[i], mem, &r, &n_r);

		if (rc < 0)
			return rc;
		for (size_t k = 0; k < n_r; k++)
			v[n++] = widened(r[k], all_v4);
	}
	/* Our own service addresses, of the families that we have. */
	for (size_t i = 0; i < ARRAY_LEN(service); i++)
		if (has_family(self_of(a), service[i].family))
			v[n++] = widened(ipprefix_single(service[i]), all_v4);
	/* Also while the exit node is away: traffic meant for it must not leave in the clear. */
	if (exit_wanted(prefs_of(a))) {
		v[n++] = (struct ipprefix){ .ip = { .family = 4 } };
		v[n++] = (struct ipprefix){ .ip = { .family = 6 } };
	}
	*ret = v;
	*ret_n = sort_unique(v, n);
	return 0;
}

static bool lists_same(const struct ipprefix *a, size_t n_a, const struct ipprefix *b, size_t n_b)
{
	return n_a == n_b && (n_a == 0 || !memcmp(a, b, n_a * sizeof(*a)));
}

static bool net_same(const struct node_net_config *x, const struct node_net_config *y)
{
	return x->up == y->up && x->mtu == y->mtu && x->exit_lan == y->exit_lan &&
	       x->keep_lan == y->keep_lan && x->netfilter == y->netfilter &&
	       x->masquerade == y->masquerade && x->stateful == y->stateful &&
	       x->spoofing_allowed == y->spoofing_allowed && x->killswitch == y->killswitch &&
	       lists_same(x->addrs, x->n_addrs, y->addrs, y->n_addrs) &&
	       lists_same(x->routes, x->n_routes, y->routes, y->n_routes) &&
	       lists_same(x->advertised, x->n_advertised, y->advertised, y->n_advertised);
}

/* Takes lists that live elsewhere into memory of the node's. */
static int net_take(struct node *a, const struct node_net_config *c)
{
	struct ipprefix *mem = calloc(c->n_addrs + c->n_routes + c->n_advertised + 1, sizeof(*mem));

	if (!mem)
		return -ENOMEM;
	if (c->n_addrs)
		memcpy(mem, c->addrs, c->n_addrs * sizeof(*mem));
	if (c->n_routes)
		memcpy(mem + c->n_addrs, c->routes, c->n_routes * sizeof(*mem));
	if (c->n_advertised)
		memcpy(mem + c->n_addrs + c->n_routes, c->advertised,
			c->n_advertised * sizeof(*mem));
	free(a->net_mem);
	a->net_mem = mem;
	a->net = *c;
	a->net.addrs = mem;
	a->net.routes = mem + c->n_addrs;
	a->net.advertised = mem + c->n_addrs + c->n_routes;
	return 0;
}

void node_net_build(struct node *a)
{
	const struct ipn_prefs *p = prefs_of(a);
	const struct tc_node *self = self_of(a);
	struct node_net_config c = { .up = a->magicsock_up && self,
		.mtu = a->mtu,
		.exit_lan = exit_wanted(p) && p->exit_node_lan,
		.killswitch = p->exit_node_required && p->want_running };
	struct ipprefix *routes;

	arena_reset(&a->scratch);
	if (c.up) {
		if (collect_routes(a, &a->scratch, &routes, &c.n_routes) < 0) {
			node_map_retry_later(a);
			return;
		}
		c.routes = routes;
		c.addrs = self->addresses.v;
		c.n_addrs = self->addresses.n;
		c.advertised = p->advertise_routes.v;
		c.n_advertised = p->advertise_routes.n;
		c.keep_lan = !p->routes_over_lan;
		c.netfilter = p->netfilter_mode;
		c.masquerade = p->advertise_routes.n > 0 && !p->no_snat;
		c.stateful = p->no_stateful == JSON_NO;
		c.spoofing_allowed =
			json_map_find(&self->cap_map, "disable-linux-cgnat-drop-rule") != NULL;
	}
	if (net_same(&a->net, &c))
		return;
	if (net_take(a, &c) == 0)
		event(a, NODE_NET_CONFIG);
	else
		node_map_retry_later(a);
}
