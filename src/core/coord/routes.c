/* Routes that devices offer to carry: which are approved, who carries them now, who is watched
 * because others depend on it. */
#include "core/coord/internal.h"

#include <errno.h>

enum { MEM_MAX = 4 << 20 };

static const struct json_list *advertised(const struct coord_node *n)
{
	static const struct json_list none;

	return n->doc.hostinfo ? &n->doc.hostinfo->routable_ips : &none;
}

static size_t n_advertised(const struct coord_node *n)
{
	return MIN_OF(advertised(n)->n, (size_t)COORD_ROUTES_MAX);
}

static struct ipprefix advertised_at(const struct coord_node *n, size_t i)
{
	return ipprefix_masked(*JSON_AT(*advertised(n), struct ipprefix, i));
}

static bool advertises(const struct coord_node *n, struct ipprefix prefix)
{
	for (size_t i = 0; i < n_advertised(n); i++)
		if (ipprefix_eq(advertised_at(n, i), prefix))
			return true;
	return false;
}

static const struct coord_route_approval *approval_of(
	const struct coord_node *n, struct ipprefix prefix)
{
	for (size_t i = 0; i < n->doc.routes.n; i++) {
		const struct coord_route_approval *a =
			JSON_AT(n->doc.routes, struct coord_route_approval, i);

		if (ipprefix_eq(a->prefix, prefix))
			return a;
	}
	return NULL;
}

static bool uses(const struct coord_node *n, struct ipprefix prefix)
{
	for (size_t i = 0; i < n->n_use; i++)
		if (ipprefix_eq(n->use[i], prefix))
			return true;
	return false;
}

void router_leaves(struct coord_node *n)
{
	list_remove(&n->in_routers);
	free(n->use);
	n->use = NULL;
	n->n_use = 0;
}

static void set_watched(struct coord_node *n, bool watched)
{
	struct tailnet *c = n->tailnet;
	struct coord_poll *p = poll_of(n);

	if (n->watched == watched)
		return;
	n->watched = watched;
	if (!p)
		return;
	if (watched)
		poll_watch(p);
	else if (c->cfg.on_poll_watch)
		c->cfg.on_poll_watch(p->owner, false);
}

int routes_refresh(struct tailnet *c, struct coord_node *n)
{
	size_t max = n->doc.routes.n && !n->doc.unapproved && !n->expired ? n_advertised(n) : 0;
	bool had = n->n_use > 0;

	router_leaves(n);
	if (max) {
		n->use = malloc(max * sizeof(*n->use));
		if (!n->use)
			return -ENOMEM;
	}
	for (size_t i = 0; i < max; i++) {
		struct ipprefix x = advertised_at(n, i);

		if (approval_of(n, x) && !uses(n, x))
			n->use[n->n_use++] = x;
	}
	c->routers_changed |= had || n->n_use;
	if (n->n_use)
		list_push_tail(&c->routers, &n->in_routers);
	else
		set_watched(n, false);
	return 0;
}

/* the organisation's own */

static const struct ipprefix *own_prefix(const struct tailnet *c, struct ipprefix x)
{
	for (size_t i = 0; x.bits && i < c->settings.own_prefixes.n; i++)
		if (ipprefix_overlaps(*JSON_AT(c->settings.own_prefixes, struct ipprefix, i), x))
			return JSON_AT(c->settings.own_prefixes, struct ipprefix, i);
	return NULL;
}

bool route_is_own(const struct tailnet *c, struct ipprefix prefix)
{
	return own_prefix(c, prefix) != NULL;
}

bool route_is_approved(const struct coord_node *n, struct ipprefix prefix)
{
	return approval_of(n, prefix) != NULL;
}

bool routes_conflict(const struct tailnet *c, const struct coord_node *n)
{
	if (c->settings.own_switch == COORD_OWN_SHOW)
		return false;
	for (size_t i = 0; i < n_advertised(n); i++)
		if (own_prefix(c, advertised_at(n, i)) && !approval_of(n, advertised_at(n, i)))
			return true;
	return false;
}

const struct coord_settings *coord_settings(const struct tailnet *c)
{
	return &c->settings;
}

int coord_own_prefixes_set(struct tailnet *c, const struct ipprefix *v, size_t n,
	enum coord_own_switch what, struct now now)
{
	struct coord_settings doc = { .own_prefixes = json_list_of((void *)(uintptr_t)v, n),
		.own_switch = what },
			      copy;
	struct arena mem;
	int rc;

	if (n > COORD_OWN_PREFIXES_MAX)
		return -ERR_TOO_MANY;
	if ((unsigned)what > COORD_OWN_REFUSE)
		return -ERR_BAD_VALUE;
	for (size_t i = 0; i < n; i++)
		if (v[i].bits == 0 || !ipprefix_eq(ipprefix_masked(v[i]), v[i]))
			return -ERR_BAD_VALUE;
	rc = doc_copy(&coord_settings_type, &doc, &copy, &mem);
	if (rc < 0)
		return rc;
	arena_fini(&c->settings_mem);
	c->settings = copy;
	c->settings_mem = mem;
	rc = store_doc(c, COORD_SETTINGS, 1, &coord_settings_type, &c->settings);
	return rc < 0 ? rc : follow_routes(c, now);
}

bool coord_node_quarantined(const struct tailnet *c, int64_t id)
{
	const struct coord_node *n = coord_node_by_id(c, id);

	return n && n->quarantined;
}

/* approval */

/* The device's approvals, with room for `more`. */
static struct coord_route_approval *copy_approvals(
	const struct coord_node *n, size_t more, struct arena *a)
{
	struct coord_route_approval *v = arena_array(a, n->doc.routes.n + more, sizeof(*v));

	if (v && n->doc.routes.n)
		memcpy(v, n->doc.routes.v, n->doc.routes.n * sizeof(*v));
	return v;
}

static int set_approvals(struct tailnet *c, struct coord_node *n, struct coord_route_approval *v,
	size_t n_v, struct now now)
{
	struct coord_node_doc doc = n->doc;

	doc.routes = json_list_of(v, n_v);
	return coord_node_update(c, n, &doc, true, true, now);
}

int routes_auto_approve(struct tailnet *c, struct coord_node *n, struct now now)
{
	struct policy_plan *plan = policy_installed(c->policy);
	size_t max = n_advertised(n), n_v = n->doc.routes.n;
	struct coord_route_approval *v = NULL;
	struct arena a;
	int rc = 0;

	arena_init(&a, MEM_MAX);
	for (size_t i = 0; i < max && rc == 0 && n_v < COORD_ROUTES_MAX; i++) {
		struct ipprefix x = advertised_at(n, i);

		if (approval_of(n, x) || !policy_route_auto_approved(plan, n->doc.id, x))
			continue;
		if (!v)
			v = copy_approvals(n, max, &a);
		if (v)
			v[n_v++] = (struct coord_route_approval){
				.prefix = x, .by = "", .at = now.wall
			};
		else
			rc = -ENOMEM;
	}
	if (rc == 0 && v)
		rc = set_approvals(c, n, v, n_v, now) < 0 ? -ENOMEM : 1;
	arena_fini(&a);
	return rc;
}

int coord_route_approve(
	struct tailnet *c, int64_t node, struct ipprefix prefix, const char *by, struct now now)
{
	struct coord_node *n = coord_node_by_id(c, node);
	struct coord_route_approval *v;
	struct arena a;
	int rc;

	prefix = ipprefix_masked(prefix);
	if (!n)
		return -ENOENT;
	if (approval_of(n, prefix))
		return 0;
	if (n->doc.routes.n >= COORD_ROUTES_MAX)
		return -ERR_TOO_MANY;
	arena_init(&a, MEM_MAX);
	v = copy_approvals(n, 1, &a);
	if (v)
		v[n->doc.routes.n] = (struct coord_route_approval){
			.prefix = prefix, .by = by ? by : "", .at = now.wall
		};
	rc = v ? set_approvals(c, n, v, n->doc.routes.n + 1, now) : -ENOMEM;
	arena_fini(&a);
	return rc;
}

int coord_route_unapprove(struct tailnet *c, int64_t node, struct ipprefix prefix, struct now now)
{
	struct coord_node *n = coord_node_by_id(c, node);
	const struct coord_route_approval *gone =
		n ? approval_of(n, ipprefix_masked(prefix)) : NULL;
	struct coord_route_approval *v;
	struct arena a;
	size_t at;
	int rc;

	if (!gone)
		return -ENOENT;
	at = (size_t)(gone - JSON_AT(n->doc.routes, struct coord_route_approval, 0));
	arena_init(&a, MEM_MAX);
	v = copy_approvals(n, 0, &a);
	if (v)
		memmove(v + at, v + at + 1, (n->doc.routes.n - at - 1) * sizeof(*v));
	rc = v ? set_approvals(c, n, v, n->doc.routes.n - 1, now) : -ENOMEM;
	arena_fini(&a);
	return rc;
}

/* listing */

static int tell_route(const struct tailnet *c, const struct coord_node *n, struct ipprefix x,
	int (*fn)(void *ctx, const struct coord_route *r), void *ctx)
{
	const struct coord_route_approval *ok = approval_of(n, x);
	struct coord_route r = { .node = n->doc.id,
		.prefix = x,
		.advertised = advertises(n, x),
		.approved = ok,
		.in_use = uses(n, x),
		.online = n->doc.online == JSON_YES,
		.by = ok && ok->by ? ok->by : "",
		.approved_at = ok ? ok->at : 0,
		.own = own_prefix(c, x) };

	r.in_use = r.in_use && !coord_node_is_hidden(n);
	r.primary = r.in_use && x.bits &&
		    policy_route_primary(policy_installed(c->policy), x) == n->doc.id;
	return fn(ctx, &r);
}

static int routes_of(const struct tailnet *c, const struct coord_node *n,
	int (*fn)(void *ctx, const struct coord_route *r), void *ctx)
{
	int rc = 0;

	for (size_t i = 0; i < n_advertised(n) && rc >= 0; i++)
		rc = tell_route(c, n, advertised_at(n, i), fn, ctx);
	for (size_t i = 0; i < n->doc.routes.n && rc >= 0; i++) {
		struct ipprefix x = JSON_AT(n->doc.routes, struct coord_route_approval, i)->prefix;

		if (!advertises(n, x))
			rc = tell_route(c, n, x, fn, ctx);
	}
	return rc < 0 ? rc : 0;
}

int coord_routes(const struct tailnet *c, int64_t node,
	int (*fn)(void *ctx, const struct coord_route *r), void *ctx)
{
	const struct coord_node *one = node ? coord_node_by_id(c, node) : NULL;
	int rc = 0;

	if (node)
		return one ? routes_of(c, one, fn, ctx) : -ENOENT;
	list_for_each(l, &c->nodes)
		if (rc >= 0)
			rc = routes_of(c, container_of(l, struct coord_node, link), fn, ctx);
	return rc;
}

/* who is watched: exit nodes, and routers of a subnet that another router has too */

struct carried {
	struct ipprefix prefix;
	struct coord_node *n;
};

static int by_prefix(const void *a, const void *b)
{
	const struct carried *x = a, *y = b;
	int d = ipaddr_cmp(x->prefix.ip, y->prefix.ip);

	return d ? d : (int)x->prefix.bits - (int)y->prefix.bits;
}

void routes_watch(struct tailnet *c)
{
	struct carried *v;
	size_t n = 0, room = 0;

	c->routers_changed = false;
	list_for_each(l, &c->routers)
		room += container_of(l, struct coord_node, in_routers)->n_use;
	v = malloc((room + 1) * sizeof(*v));
	if (!v)
		return; /* as before */
	list_for_each(l, &c->routers) {
		struct coord_node *r = container_of(l, struct coord_node, in_routers);

		r->needed = false;
		for (size_t i = 0; i < r->n_use && !coord_node_is_hidden(r); i++) {
			if (r->use[i].bits)
				v[n++] = (struct carried){ r->use[i], r };
			else
				r->needed = true;
		}
	}
	qsort(v, n, sizeof(*v), by_prefix);
	for (size_t i = 1; i < n; i++)
		if (ipprefix_eq(v[i - 1].prefix, v[i].prefix))
			v[i - 1].n->needed = v[i].n->needed = true;
	list_for_each(l, &c->routers) {
		struct coord_node *r = container_of(l, struct coord_node, in_routers);

		set_watched(r, r->needed);
	}
	free(v);
}
