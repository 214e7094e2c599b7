/* Which routes there are, and what of each this device makes. */
#include "core/node/answers/answers.h"

struct routes {
	struct ipn_route *v;
	size_t n;
};

static bool has(const struct json_list *l, struct ipprefix p)
{
	for (size_t i = 0; i < l->n; i++)
		if (ipprefix_eq(ipprefix_masked(*JSON_AT(*l, struct ipprefix, i)), p))
			return true;
	return false;
}

static struct ipn_route *add(struct routes *r, const struct tc_node *n, struct ipprefix p)
{
	struct ipn_route *one = &r->v[r->n++];

	*one = (struct ipn_route){ .prefix = p, .router = n->name ? n->name : "" };
	for (size_t i = 0; i < n->addresses.n; i++)
		if (!ipaddr_is_set(one->ip) ||
			JSON_AT(n->addresses, struct ipprefix, i)->ip.family == p.ip.family)
			one->ip = JSON_AT(n->addresses, struct ipprefix, i)->ip;
	return one;
}

static void add_own(const struct node *a, const struct tc_node *self, struct routes *r)
{
	const struct json_list *offered = &prefs_of(a)->advertise_routes;

	for (size_t i = 0; i < offered->n; i++) {
		struct ipprefix p = ipprefix_masked(*JSON_AT(*offered, struct ipprefix, i));
		struct ipn_route *one = add(r, self, p);

		one->own = true;
		if (!has(&self->allowed_ips, p))
			one->state = IPN_ROUTE_WAITS;
		else if (p.bits && self->primary_routes.n && !has(&self->primary_routes, p))
			one->state = IPN_ROUTE_STANDBY;
		else
			one->state = IPN_ROUTE_ACTIVE;
	}
}

static const char *state_of(const struct node *a, const struct tc_node *n, struct ipprefix p)
{
	enum node_route_answer taken = node_takes_route(a, n, p);

	if (taken != NODE_ROUTE_TAKEN)
		return taken == NODE_ROUTE_NONE ? IPN_ROUTE_NOT_ACCEPTED : IPN_ROUTE_NOT_CHOSEN;
	return n->online == JSON_NO ? IPN_ROUTE_OFFLINE : IPN_ROUTE_ACTIVE;
}

static void add_peer(const struct node *a, const struct tc_node *n, struct routes *r)
{
	for (size_t i = 0; i < n->allowed_ips.n; i++) {
		struct ipprefix p = ipprefix_masked(*JSON_AT(n->allowed_ips, struct ipprefix, i));

		if (!node_has_address(n, p))
			add(r, n, p)->state = state_of(a, n, p);
	}
}

static int route_cmp(const void *x, const void *y)
{
	const struct ipn_route *a = x, *b = y;
	int c = ipaddr_cmp(a->prefix.ip, b->prefix.ip);

	if (!c)
		c = (a->prefix.bits > b->prefix.bits) - (a->prefix.bits < b->prefix.bits);
	return c ? c : strcmp(a->router, b->router);
}

/* Of more it is not told. */
static int add_overlap(struct ipn_route *r, const struct ipn_route *other, struct arena *mem)
{
	if (!r->overlaps.v) {
		r->overlaps.v = arena_array(mem, IPN_OVERLAPS_MAX, sizeof(struct ipprefix));
		if (!r->overlaps.v)
			return -ENOMEM;
		r->overlaps.present = true;
	}
	if (r->overlaps.n < IPN_OVERLAPS_MAX)
		((struct ipprefix *)r->overlaps.v)[r->overlaps.n++] = other->prefix;
	return 0;
}

/*
 * Sorted, so those around a route are before it, and lie inside each other: a stack of them. Default routes overlap everything, which
 * is not worth telling.
 */
static int note_overlaps(struct routes *r, struct arena *mem)
{
	struct ipn_route *around[IPN_OVERLAPS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++) {
		struct ipn_route *one = &r->v[i];

		while (n && !ipprefix_contains(around[n - 1]->prefix, one->prefix.ip))
			n--;
		for (size_t k = 0; k < n; k++)
			if (add_overlap(one, around[k], mem) < 0 ||
				add_overlap(around[k], one, mem) < 0)
				return -ENOMEM;
		if (one->prefix.bits && n < ARRAY_LEN(around))
			around[n++] = one;
	}
	return 0;
}

int node_routes(const struct node *a, struct arena *mem, struct json_list *ret)
{
	const struct tc_node *self = self_of(a);
	size_t n_peers = a->nm ? netmap_n_peers(a->nm) : 0, max = prefs_of(a)->advertise_routes.n;
	const struct tc_node **peers = arena_array(mem, n_peers, sizeof(*peers));
	struct routes r = { 0 };

	*ret = (struct json_list){ .present = true };
	if (!self)
		return 0;
	if (!peers)
		return -ENOMEM;
	netmap_peers(a->nm, peers);
	for (size_t i = 0; i < n_peers; i++)
		max += peers[i]->allowed_ips.n;
	r.v = arena_array(mem, max, sizeof(*r.v));
	if (!r.v)
		return -ENOMEM;
	add_own(a, self, &r);
	for (size_t i = 0; i < n_peers; i++)
		add_peer(a, peers[i], &r);
	if (r.n)
		qsort(r.v, r.n, sizeof(*r.v), route_cmp);
	*ret = json_list_of(r.v, r.n);
	return note_overlaps(&r, mem);
}
