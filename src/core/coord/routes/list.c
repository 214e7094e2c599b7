/* Routes as the administration lists them. */
#include "core/coord/routes/internal.h"

#include <errno.h>

static int tell_route(const struct tailnet *c, const struct coord_node *n, struct ipprefix x,
	int (*fn)(void *ctx, const struct coord_route *r), void *ctx)
{
	const struct coord_route_approval *ok = routes_approval_of(n, x);
	struct coord_route r = { .node = n->doc.id,
		.prefix = x,
		.advertised = routes_advertises(n, x),
		.approved = ok,
		.in_use = routes_uses(n, x),
		.online = n->doc.online == JSON_YES,
		.by = ok && ok->by ? ok->by : "",
		.approved_at = ok ? ok->at : 0,
		.protected = routes_protected_prefix(c, x) };

	r.in_use = r.in_use && !coord_node_is_hidden(n);
	r.primary = r.in_use && r.online && x.bits &&
		    policy_route_primary(policy_installed(c->policy), x) == n->doc.id;
	return fn(ctx, &r);
}

static int routes_of(const struct tailnet *c, const struct coord_node *n,
	int (*fn)(void *ctx, const struct coord_route *r), void *ctx)
{
	int rc = 0;

	for (size_t i = 0; i < routes_offered(n) && rc >= 0; i++)
		rc = tell_route(c, n, routes_offered_at(n, i), fn, ctx);
	for (size_t i = 0; i < n->doc.routes.n && rc >= 0; i++) {
		struct ipprefix x = JSON_AT(n->doc.routes, struct coord_route_approval, i)->prefix;

		if (!routes_advertises(n, x))
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
