/*
 * core/policy: subnet routes. Several routers may carry one route; packets go to its primary. The
 * primary stays as long as it can: a router that comes back does not take over.
 */
#include "core/policy/plan.h"

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

	for (uint32_t i = 0; i < p->star_sels.n && rc == 0; i++)
		rc = plan_touch_sources(p, p->sels[p->star_sels.v[i]]);
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
	rc = plan_route_eps(p, prefix, &r->eps);
	if (rc == 0)
		rc = map_insert(&p->route_by_prefix, &r->node, &r->prefix, sizeof(r->prefix));
	if (rc < 0) {
		u32s_fini(&r->eps);
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
	u32s_fini(&r->eps);
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
		const struct node_rec *n = p->world->node_at[r->nodes.v[i]];

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
	struct node_rec *n = slot == NONE ? NULL : p->world->node_at[slot];
	struct class *c = n ? plan_class(p, n) : NULL;
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
		struct node_rec *n = p->world->node_at[p->orphans.v[i]];

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
			old->primary; /* the world is the same, and the plan before elected well */
	}
}

int64_t policy_route_primary(const struct policy_plan *p, struct ipprefix route)
{
	const struct route *r = route_find(p, route);

	return r && r->primary != NONE ? p->world->node_at[r->primary]->id : 0;
}

void policy_route_prefer(struct policy_plan *p, struct ipprefix route, int64_t node)
{
	struct route *r = route_find(p, route);
	struct node_rec *n = world_node(p->world, node);

	for (uint32_t i = 0; r && n && !n->offline && i < r->nodes.n; i++)
		if (r->nodes.v[i] == n->slot && set_primary(p, r, n->slot) < 0)
			p->failed = true;
}

static int by_prefix(const void *a, const void *b)
{
	const struct ipprefix *x = a, *y = b;
	int c = ipaddr_cmp(x->ip, y->ip);

	return c ? c : (int)x->bits - (int)y->bits;
}

static void push_prefix(struct policy_allowed *out, struct ipprefix x)
{
	out->v[out->n++] = x;
}

static int begin_allowed(
	const struct node_rec *n, bool hide4, struct arena *a, struct policy_allowed *ret)
{
	*ret = (struct policy_allowed){ .v = arena_array(a, n->n_routes + 2, sizeof(*ret->v)) };
	if (!ret->v)
		return -ENOMEM;
	if (n->ip4.family && !hide4)
		push_prefix(ret, ipprefix_single(n->ip4));
	if (n->ip6.family)
		push_prefix(ret, ipprefix_single(n->ip6));
	ret->n_own = ret->n;
	return 0;
}

static bool has_tag_of(const struct policy_plan *p, const struct node_rec *n, const struct rule *r)
{
	const struct class *c = plan_class(p, n);

	for (uint32_t i = 0; c && i < r->via.n; i++)
		if (u32s_has(&c->atoms, r->via.v[i]))
			return true;
	return false;
}

/*
 * Of the routers that a rule names with via one carries the prefix: the primary of all if it is
 * among them, else the lowest id; one that is online if there is one.
 */
static bool is_via_primary(const struct policy_plan *p, const struct node_rec *n,
	const struct rule *rule, const struct route *r)
{
	if (r->primary == n->slot)
		return true;
	if (r->primary != NONE && has_tag_of(p, p->world->node_at[r->primary], rule))
		return false;
	for (uint32_t i = 0; i < r->nodes.n; i++) {
		const struct node_rec *m = p->world->node_at[r->nodes.v[i]];

		if (m == n || !has_tag_of(p, m, rule))
			continue;
		if (m->offline != n->offline ? n->offline : m->id < n->id)
			return false;
	}
	return true;
}

enum steering { STEER_NONE, STEER_HERE, STEER_AWAY };

static bool rule_names_route(
	const struct policy_plan *p, const struct rule *rule, struct ipprefix prefix)
{
	const struct sel *dst = p->sels[rule->dst];

	if (prefix.bits == 0)
		return dst->internet;
	return ranges_overlap(&dst->literals, iprange_of(prefix));
}

/* What rules with via say about a route of n, for a viewer: r is NULL for default routes. */
static enum steering steer(const struct policy_plan *p, const struct class *viewer,
	const struct node_rec *n, struct ipprefix prefix, const struct route *r)
{
	enum steering s = STEER_NONE;

	for (uint32_t i = 0; i < p->via_rules.n; i++) {
		const struct rule *rule = &p->rules[p->via_rules.v[i]];

		if (rule->silent || !u32s_has(&viewer->own, rule->src) ||
			!rule_names_route(p, rule, prefix))
			continue;
		if (has_tag_of(p, n, rule) && (!r || is_via_primary(p, n, rule, r)))
			return STEER_HERE;
		s = STEER_AWAY;
	}
	return s;
}

/* The viewer is a router with the tag itself, and one of the rule's sources: its own list has the
 * rule. */
static bool via_uses(
	const struct policy_plan *p, const struct class *viewer, struct ipprefix prefix)
{
	for (uint32_t i = 0; i < viewer->vias.n; i++) {
		const struct rule *rule = &p->rules[viewer->vias.v[i]];
		const struct sel *dst = p->sels[rule->dst];

		if (rule->silent || !u32s_has(&viewer->eps, rule->src_ep))
			continue;
		for (uint32_t k = 0; k < dst->atoms.n; k++) {
			const struct atom *x = p->atoms[dst->atoms.v[k]];

			if (x->kind == ATOM_PREFIX && class_routes_meet(viewer, x->prefix) &&
				ipprefix_overlaps(x->prefix, prefix))
				return true;
		}
	}
	return false;
}

static bool carries(const struct class *c, struct ipprefix prefix)
{
	for (size_t i = 0; i < c->n_routes; i++)
		if (ipprefix_eq(c->routes[i], prefix))
			return true;
	return false;
}

static bool route_is_for(struct policy_plan *p, struct class *viewer, const struct node_rec *n,
	const struct route *r)
{
	bool primary = r->primary == n->slot;
	bool ordinary = u32s_meet(&viewer->sees, &r->eps) || via_uses(p, viewer, r->prefix);

	if (carries(viewer, r->prefix) || ordinary)
		return primary;
	return steer(p, viewer, n, r->prefix, r) == STEER_HERE;
}

static bool exit_is_for(struct policy_plan *p, struct class *viewer, const struct node_rec *n,
	struct ipprefix prefix)
{
	if (u32s_meet(&viewer->sees, &p->exit_eps))
		return true;
	return steer(p, viewer, n, prefix, NULL) == STEER_HERE;
}

int policy_allowed(struct policy_plan *p, int64_t viewer, int64_t peer, struct arena *a,
	struct policy_allowed *ret)
{
	struct node_rec *v = world_node(p->world, viewer), *n = world_node(p->world, peer);
	struct class *c = v ? plan_class(p, v) : NULL;
	int rc;

	if (!c || !n)
		return -ENOENT;
	rc = class_sees(p, c);
	if (rc == 0)
		rc = begin_allowed(n,
			policy_node_hides_ip4(p, peer) || policy_node_hides_ip4(p, viewer), a, ret);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n->n_subnets; i++) {
		const struct route *r = route_find(p, n->routes[i]);

		if (r && route_is_for(p, c, n, r))
			push_prefix(ret, n->routes[i]);
	}
	ret->n_primary = ret->n;
	for (size_t i = n->n_subnets; i < n->n_routes; i++)
		if (exit_is_for(p, c, n, n->routes[i]))
			push_prefix(ret, n->routes[i]);
	return 0;
}

int policy_self_allowed(
	struct policy_plan *p, int64_t node, struct arena *a, struct policy_allowed *ret)
{
	struct node_rec *n = world_node(p->world, node);
	int rc;

	if (!n)
		return -ENOENT;
	rc = begin_allowed(n, policy_node_hides_ip4(p, node), a, ret);
	if (rc < 0)
		return rc;
	for (int primary = 1; primary >= 0; primary--) {
		for (size_t i = 0; i < n->n_subnets; i++) {
			const struct route *r = route_find(p, n->routes[i]);

			if ((r && r->primary == n->slot) == primary)
				push_prefix(ret, n->routes[i]);
		}
		if (primary)
			ret->n_primary = ret->n;
	}
	qsort(ret->v + ret->n_own, ret->n_primary - ret->n_own, sizeof(*ret->v), by_prefix);
	for (size_t i = n->n_subnets; i < n->n_routes; i++)
		push_prefix(ret, n->routes[i]);
	return 0;
}
