/* Routes that devices offer to carry, and which of them are in use. */
#include "core/coord/routes/internal.h"

#include <errno.h>

static const struct json_list *advertised(const struct coord_node *n)
{
	static const struct json_list none;

	return n->doc.hostinfo ? &n->doc.hostinfo->routable_ips : &none;
}

size_t routes_offered(const struct coord_node *n)
{
	return MIN_OF(advertised(n)->n, (size_t)COORD_ROUTES_MAX);
}

struct ipprefix routes_offered_at(const struct coord_node *n, size_t i)
{
	return ipprefix_masked(*JSON_AT(*advertised(n), struct ipprefix, i));
}

bool routes_advertises(const struct coord_node *n, struct ipprefix prefix)
{
	for (size_t i = 0; i < routes_offered(n); i++)
		if (ipprefix_eq(routes_offered_at(n, i), prefix))
			return true;
	return false;
}

const struct coord_route_approval *routes_approval_of(
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

bool routes_uses(const struct coord_node *n, struct ipprefix prefix)
{
	for (size_t i = 0; i < n->n_use; i++)
		if (ipprefix_eq(n->use[i], prefix))
			return true;
	return false;
}

void routes_leave(struct coord_node *n)
{
	list_remove(&n->in_routers);
	free(n->use);
	n->use = NULL;
	n->n_use = 0;
}

void routes_set_watched(struct coord_node *n, bool watched, struct now now)
{
	if (n->watched == watched)
		return;
	n->watched = watched;
	tailnet_note(n->tailnet, n, NEWS_WATCH, now);
}

int routes_refresh(struct tailnet *c, struct coord_node *n, struct now now)
{
	size_t max = n->doc.routes.n && !n->doc.unapproved && !n->expired ? routes_offered(n) : 0;
	bool had = n->n_use > 0;

	routes_leave(n);
	if (max) {
		n->use = malloc(max * sizeof(*n->use));
		if (!n->use)
			return -ENOMEM;
	}
	for (size_t i = 0; i < max; i++) {
		struct ipprefix x = routes_offered_at(n, i);

		if (routes_approval_of(n, x) && !routes_uses(n, x))
			n->use[n->n_use++] = x;
	}
	c->routers_changed |= had || n->n_use;
	if (n->n_use)
		list_push_tail(&c->routers, &n->in_routers);
	else
		routes_set_watched(n, false, now);
	return 0;
}

/* the organisation's own */

const struct ipprefix *routes_protected_prefix(const struct tailnet *c, struct ipprefix x)
{
	for (size_t i = 0; x.bits && i < c->settings.protected_prefixes.n; i++)
		if (ipprefix_overlaps(
			    *JSON_AT(c->settings.protected_prefixes, struct ipprefix, i), x))
			return JSON_AT(c->settings.protected_prefixes, struct ipprefix, i);
	return NULL;
}

bool routes_is_protected(const struct tailnet *c, struct ipprefix prefix)
{
	return routes_protected_prefix(c, prefix) != NULL;
}

bool routes_is_approved(const struct coord_node *n, struct ipprefix prefix)
{
	return routes_approval_of(n, prefix) != NULL;
}

bool routes_conflict(const struct tailnet *c, const struct coord_node *n)
{
	if (c->settings.protected_switch == COORD_PROTECTED_SHOW)
		return false;
	for (size_t i = 0; i < routes_offered(n); i++)
		if (routes_protected_prefix(c, routes_offered_at(n, i)) &&
			!routes_approval_of(n, routes_offered_at(n, i)))
			return true;
	return false;
}

/* The device's approvals, with room for `more`. */
struct coord_route_approval *routes_copy_approvals(
	const struct coord_node *n, size_t more, struct arena *a)
{
	struct coord_route_approval *v = arena_array(a, n->doc.routes.n + more, sizeof(*v));

	if (v && n->doc.routes.n)
		memcpy(v, n->doc.routes.v, n->doc.routes.n * sizeof(*v));
	return v;
}
