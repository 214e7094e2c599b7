/*
 * core/policy/answer: which routes a device may use through a peer. The primary of a route carries it, except where a rule with via
 * steers its sources to another router.
 */
#include "core/policy/answer/internal.h"

#include <errno.h>

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
	ret->n_addresses = ret->n;
	return 0;
}

static bool has_tag_of(const struct policy_plan *p, const struct node_rec *n, const struct rule *r)
{
	const struct node_class *c = plan_class(p, n);

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
	if (r->primary != NONE && has_tag_of(p, p->directory->node_at[r->primary], rule))
		return false;
	for (uint32_t i = 0; i < r->nodes.n; i++) {
		const struct node_rec *m = p->directory->node_at[r->nodes.v[i]];

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
	const struct addr_set *dst = p->sets[rule->dst];

	if (prefix.bits == 0)
		return dst->internet;
	return ranges_overlap(&dst->literals, iprange_of(prefix));
}

/* What rules with via say about a route of n, for a viewer: r is NULL for default routes. */
static enum steering steer(const struct policy_plan *p, const struct node_class *viewer,
	const struct node_rec *n, struct ipprefix prefix, const struct route *r)
{
	enum steering s = STEER_NONE;

	for (uint32_t i = 0; i < p->via_rules.n; i++) {
		const struct rule *rule = &p->rules[p->via_rules.v[i]];

		if (rule->silent || !u32s_has(&viewer->sets, rule->src) ||
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
	const struct policy_plan *p, const struct node_class *viewer, struct ipprefix prefix)
{
	for (uint32_t i = 0; i < viewer->vias.n; i++) {
		const struct rule *rule = &p->rules[viewer->vias.v[i]];
		const struct addr_set *dst = p->sets[rule->dst];

		if (rule->silent || !u32s_has(&viewer->sides, rule->src_side))
			continue;
		for (uint32_t k = 0; k < dst->atoms.n; k++) {
			const struct atom *x = p->atoms[dst->atoms.v[k]];

			if (x->kind == ATOM_PREFIX && node_class_routes_meet(viewer, x->prefix) &&
				ipprefix_overlaps(x->prefix, prefix))
				return true;
		}
	}
	return false;
}

static bool carries(const struct node_class *c, struct ipprefix prefix)
{
	for (size_t i = 0; i < c->n_routes; i++)
		if (ipprefix_eq(c->routes[i], prefix))
			return true;
	return false;
}

static bool route_is_for(struct policy_plan *p, struct node_class *viewer, const struct node_rec *n,
	const struct route *r)
{
	bool primary = r->primary == n->slot;
	bool ordinary = u32s_meet(&viewer->sees, &r->sides) || via_uses(p, viewer, r->prefix);

	if (carries(viewer, r->prefix) || ordinary)
		return primary;
	return steer(p, viewer, n, r->prefix, r) == STEER_HERE;
}

static bool exit_is_for(struct policy_plan *p, struct node_class *viewer, const struct node_rec *n,
	struct ipprefix prefix)
{
	if (u32s_meet(&viewer->sees, &p->exit_sides))
		return true;
	return steer(p, viewer, n, prefix, NULL) == STEER_HERE;
}

int policy_allowed(struct policy_plan *p, int64_t viewer, int64_t peer, struct arena *a,
	struct policy_allowed *ret)
{
	struct node_rec *v = directory_node(p->directory, viewer),
			*n = directory_node(p->directory, peer);
	struct node_class *c = v ? plan_class(p, v) : NULL;
	int rc;

	if (!c || !n)
		return -ENOENT;
	rc = node_class_sees(p, c);
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
	struct node_rec *n = directory_node(p->directory, node);
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
	qsort(ret->v + ret->n_addresses, ret->n_primary - ret->n_addresses, sizeof(*ret->v),
		by_prefix);
	for (size_t i = n->n_subnets; i < n->n_routes; i++)
		push_prefix(ret, n->routes[i]);
	return 0;
}
