/*
 * core/policy/compile: subnet routes. Several routers may carry one route; packets go to its primary. The
 * primary stays as long as it can: a router that comes back does not take over.
 */
#include "core/policy/compile/internal.h"

#include <errno.h>

struct route *route_find(const struct policy_plan *p, struct ipprefix prefix)
{
	struct map_node *n;

	prefix = ipprefix_masked(prefix);
	n = map_find(&p->route_by_prefix, &prefix, sizeof(prefix));
	return n ? container_of(n, struct route, node) : NULL;
}

/* A * in src holds all approved routes: with a new one, or without an old one, its text is another.
 */
static int star_texts_change(struct policy_plan *p)
{
	int rc = 0;

	for (uint32_t i = 0; i < p->star_sets.n && rc == 0; i++)
		rc = plan_touch_sources(p, p->sets[p->star_sets.v[i]]);
	return rc;
}

static int route_create(struct policy_plan *p, struct ipprefix prefix, struct route **ret)
{
	struct route *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return -ENOMEM;
	r->prefix = prefix;
	r->primary = NONE;
	rc = plan_route_sides(p, prefix, &r->sides);
	if (rc == 0)
		rc = map_insert(&p->route_by_prefix, &r->node, &r->prefix, sizeof(r->prefix));
	if (rc < 0) {
		u32s_fini(&r->sides);
		free(r);
		return rc;
	}
	*ret = r;
	return 0;
}

static void route_remove(struct policy_plan *p, struct route *r)
{
	map_remove(&p->route_by_prefix, &r->node);
	u32s_fini(&r->nodes);
	u32s_fini(&r->sides);
	free(r);
}

int routes_add(struct policy_plan *p, struct node_rec *n)
{
	int rc = 0;

	for (size_t i = 0; i < n->n_subnets && rc == 0; i++) {
		struct route *r = route_find(p, n->routes[i]);

		if (!r)
			rc = route_create(p, n->routes[i], &r);
		if (rc < 0)
			return rc;
		rc = u32s_push(&r->nodes, n->slot);
		if (r->nodes.n == 0)
			route_remove(p, r); /* nobody carries it after all */
		else if (r->nodes.n == 1 && rc == 0)
			rc = star_texts_change(p);
	}
	return rc;
}

void routes_drop(struct policy_plan *p, struct node_rec *n)
{
	for (size_t i = 0; i < n->n_subnets; i++) {
		struct route *r = route_find(p, n->routes[i]);

		for (uint32_t k = 0; r && k < r->nodes.n; k++)
			if (r->nodes.v[k] == n->slot)
				r->nodes.v[k--] = r->nodes.v[--r->nodes.n];
		if (r && r->primary == n->slot)
			r->primary = NONE;
		if (r && r->nodes.n && r->primary == NONE &&
			u32s_push(&p->orphans, r->nodes.v[0]) < 0)
			p->failed = true;
		if (!r || r->nodes.n)
			continue;
		route_remove(p, r);
		if (star_texts_change(p) < 0)
			p->failed = true;
	}
}

/*
 * Keep the present primary while it is online and healthy; else the lowest id among the healthy; if
 * there is none keep the present one while it is online; else nobody.
 */
static uint32_t choose(const struct policy_plan *p, const struct route *r)
{
	const struct node_rec *best = NULL, *present = NULL;

	for (uint32_t i = 0; i < r->nodes.n; i++) {
		const struct node_rec *n = p->directory->node_at[r->nodes.v[i]];

		if (n->offline)
			continue;
		if (n->slot == r->primary)
			present = n;
		if (!n->unhealthy && (!best || n->id < best->id))
			best = n;
	}
	if (present && (!present->unhealthy || !best))
		return present->slot;
	return best ? best->slot : NONE;
}

static int tell_router(struct policy_plan *p, uint32_t slot)
{
	struct node_rec *n = slot == NONE ? NULL : p->directory->node_at[slot];
	struct node_class *c = n ? plan_class(p, n) : NULL;
	int rc;

	if (!c)
		return 0;
	rc = plan_touch_self(p, n, POLICY_TOUCHED_SELF);
	return rc < 0 ? rc : plan_touch_peers(p, n, c);
}

static int set_primary(struct policy_plan *p, struct route *r, uint32_t slot)
{
	uint32_t before = r->primary;
	int rc;

	if (before == slot)
		return 0;
	r->primary = slot;
	rc = tell_router(p, before);
	return rc < 0 ? rc : tell_router(p, slot);
}

int routes_elect(struct policy_plan *p, struct node_rec *n)
{
	int rc = 0;

	for (size_t i = 0; i < n->n_subnets && rc == 0; i++) {
		struct route *r = route_find(p, n->routes[i]);

		if (r)
			rc = set_primary(p, r, choose(p, r));
	}
	return rc;
}

int routes_elect_orphans(struct policy_plan *p)
{
	int rc = 0;

	for (uint32_t i = 0; i < p->orphans.n && rc == 0; i++) {
		struct node_rec *n = p->directory->node_at[p->orphans.v[i]];

		if (n)
			rc = routes_elect(p, n);
	}
	p->orphans.n = 0;
	return rc;
}

void routes_inherit(struct policy_plan *p, const struct policy_plan *from)
{
	map_for_each(m, &from->route_by_prefix) {
		const struct route *old = container_of(m, struct route, node);
		struct route *r = route_find(p, old->prefix);

		if (!r || old->primary == NONE)
			continue;
		r->primary =
			old->primary; /* the nodes are the same, and the plan before elected well */
	}
}

int64_t policy_route_primary(const struct policy_plan *p, struct ipprefix route)
{
	const struct route *r = route_find(p, route);

	return r && r->primary != NONE ? p->directory->node_at[r->primary]->id : 0;
}

void policy_route_prefer(struct policy_plan *p, struct ipprefix route, int64_t node)
{
	struct route *r = route_find(p, route);
	struct node_rec *n = directory_node(p->directory, node);

	for (uint32_t i = 0; r && n && !n->offline && i < r->nodes.n; i++)
		if (r->nodes.v[i] == n->slot && set_primary(p, r, n->slot) < 0)
			p->failed = true;
}
