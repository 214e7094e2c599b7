/* core/policy/answer: may A reach B on port P, and by which rule? Asked by people, and by the tests of a
 * document. */
#include "core/policy/answer/internal.h"

#include <errno.h>

static bool postures_hold(const struct policy_plan *p, const struct addr_set *s,
	const struct node_rec *n, const struct attr_view *given)
{
	const struct policy_attr *attrs = given ? given->v : n ? n->attrs : NULL;
	size_t n_attrs = given ? given->n : n ? n->n_attrs : 0;

	if (s->postures.n == 0)
		return true;
	for (uint32_t i = 0; n && i < s->postures.n; i++)
		if (posture_holds(p->atoms[s->postures.v[i]]->posture, attrs, n_attrs))
			return true;
	return false;
}

static bool in_routes(const struct policy_plan *p, struct iprange r)
{
	map_for_each(m, &p->route_by_prefix) {
		struct iprange x = iprange_of(container_of(m, struct route, node)->prefix);

		if (x.first.family == r.first.family && ipaddr_cmp(x.first, r.last) <= 0 &&
			ipaddr_cmp(r.first, x.last) <= 0)
			return true;
	}
	return false;
}

/* What the set holds without regard to nodes. */
static bool meets_fixed(
	const struct policy_plan *p, const struct addr_set *s, enum mode mode, struct iprange r)
{
	if (s->danger || (s->star && mode == MODE_DST))
		return true;
	if (ranges_overlap(&s->literals, r))
		return true;
	if (s->star && (ranges_overlap(&p->star, r) || (mode == MODE_SRC && in_routes(p, r))))
		return true;
	return s->internet && ranges_overlap(&p->internet, r);
}

bool addr_set_meets(const struct policy_plan *p, const struct addr_set *s, enum mode mode,
	struct ipprefix x, const struct attr_view *given)
{
	struct node_rec *n =
		x.bits == ipaddr_bits(x.ip) ? directory_node_at(p->directory, x.ip) : NULL;
	struct node_class *c = n ? plan_class(p, n) : NULL;

	if (!postures_hold(p, s, n, given))
		return false;
	if (meets_fixed(p, s, mode, iprange_of(x)) || (c && addr_set_means(p, s, c)))
		return true;
	if (x.bits == ipaddr_bits(x.ip))
		return false;
	/* A wide prefix: any device of the set in it? */
	for (uint32_t i = 0; i < s->classes.n; i++) {
		c = p->classes[s->classes.v[i]];
		for (uint32_t k = 0; c && k < c->nodes.n; k++) {
			n = p->directory->node_at[c->nodes.v[k]];
			if ((ipprefix_contains(x, n->ip4) || ipprefix_contains(x, n->ip6)) &&
				addr_set_means(p, s, c))
				return true;
		}
	}
	return false;
}

bool rule_has_proto(const struct rule *r, int proto)
{
	if (r->proto != PROTO_ANY)
		return proto == r->proto;
	return proto == 6 || proto == 17 || proto == 1 ||
	       proto == 58; /* what clients take an absent list for */
}

bool rule_has_port(const struct rule *r, uint16_t port)
{
	for (size_t i = 0; i < r->ports.n; i++)
		if (port >= r->ports.v[i].first && port <= r->ports.v[i].last)
			return true;
	return false;
}

/* autogroup:self: both are devices of one person, and the source is one of the rule's. */
static bool self_lets(const struct policy_plan *p, const struct rule *r, struct ipprefix src,
	struct ipprefix dst, const struct attr_view *given)
{
	struct node_rec *a = directory_node_at(p->directory, src.ip),
			*b = directory_node_at(p->directory, dst.ip);

	if (src.bits != ipaddr_bits(src.ip) || dst.bits != ipaddr_bits(dst.ip) || !a || !b ||
		!a->user || a->user != b->user)
		return false;
	return addr_set_meets(p, p->sets[r->src], MODE_SRC, src, given);
}

/* A rule with via lets through what one of its routers carries. */
static bool via_lets(
	const struct policy_plan *p, const struct rule *r, uint32_t id, struct ipprefix dst)
{
	const struct addr_set *s = p->sets[r->dst];

	for (uint32_t i = 0; i < p->router_classes.n; i++) {
		const struct node_class *c = p->classes[p->router_classes.v[i]];

		if (r->silent || !u32s_has(&c->vias, id))
			continue;
		if (s->internet && c->exit && ranges_overlap(&p->internet, iprange_of(dst)))
			return true;
		for (uint32_t k = 0; k < s->atoms.n; k++) {
			const struct atom *x = p->atoms[s->atoms.v[k]];

			if (x->kind == ATOM_PREFIX && ipprefix_overlaps(x->prefix, dst) &&
				node_class_routes_meet(c, x->prefix))
				return true;
		}
	}
	return false;
}

bool rule_lets(const struct policy_plan *p, uint32_t id, struct ipprefix src, struct ipprefix dst,
	const struct attr_view *given)
{
	const struct rule *r = &p->rules[id];

	switch (r->kind) {
	case RULE_PORT:
		return addr_set_meets(p, p->sets[r->dst], MODE_DST, dst, NULL) &&
		       addr_set_meets(p, p->sets[r->src], MODE_SRC, src, given);
	case RULE_SELF_PORT:
		return self_lets(p, r, src, dst, given);
	case RULE_VIA:
		return via_lets(p, r, id, dst) &&
		       addr_set_meets(p, p->sets[r->src], MODE_SRC, src, given);
	case RULE_CAP:
	case RULE_SELF_CAP:
		break;
	}
	return false;
}

void policy_can_reach(struct policy_plan *p, struct ipaddr src, struct ipaddr dst, int proto,
	uint16_t port, struct policy_reach *ret)
{
	*ret = (struct policy_reach){ 0 };
	for (uint32_t i = 0; i < p->n_rules; i++) {
		const struct rule *r = &p->rules[i];

		if (!rule_has_proto(r, proto) || !rule_has_port(r, port) ||
			!rule_lets(p, i, ipprefix_single(src), ipprefix_single(dst), NULL))
			continue;
		*ret = (struct policy_reach){
			.allowed = true, .grant = r->grant, .index = r->index, .line = r->line
		};
		return;
	}
}

static bool leads_to(const struct policy_plan *p, uint32_t id, struct ipaddr dst, uint16_t port)
{
	const struct rule *r = &p->rules[id];
	struct ipprefix x = ipprefix_single(dst);
	const struct node_rec *n = directory_node_at(p->directory, dst);

	if (!rule_has_port(r, port))
		return false;
	switch (r->kind) {
	case RULE_PORT:
		return addr_set_meets(p, p->sets[r->dst], MODE_DST, x, NULL);
	case RULE_SELF_PORT: /* from the other devices of its owner */
		return n && n->user && addr_set_meets(p, p->sets[r->src], MODE_SRC, x, NULL);
	case RULE_VIA:
		return via_lets(p, r, id, x);
	case RULE_CAP:
	case RULE_SELF_CAP:
		break;
	}
	return false;
}

static bool comes_from(const struct policy_plan *p, const struct rule *r, const struct user_rec *u)
{
	for (uint32_t i = 0; i < u->nodes.n; i++) {
		const struct node_rec *n = p->directory->node_at[u->nodes.v[i]];

		if (addr_set_meets(p, p->sets[r->src], MODE_SRC,
			    ipprefix_single(n->ip4.family ? n->ip4 : n->ip6), NULL))
			return true;
	}
	return false;
}

void policy_rules_about(struct policy_plan *p, int64_t user, struct ipaddr dst, uint16_t port,
	policy_rule_fn fn, void *ctx)
{
	const struct user_rec *u = user ? directory_user(p->directory, user) : NULL;
	const struct rule *told = NULL;

	for (uint32_t i = 0; i < p->n_rules && (!user || u); i++) {
		const struct rule *r = &p->rules[i];

		if (r->kind == RULE_CAP || r->kind == RULE_SELF_CAP || r->silent)
			continue;
		if (told && told->grant == r->grant && told->index == r->index)
			continue; /* one entry can be several rules */
		if ((u && !comes_from(p, r, u)) ||
			(ipaddr_is_set(dst) && !leads_to(p, i, dst, port)))
			continue;
		fn(ctx, r->grant, r->index, r->line);
		told = r;
	}
}
