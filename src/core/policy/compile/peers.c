/*
 * core/policy/compile: who sees whom, and which routes of it. Two nodes are peers when some rule lets
 * either reach the other. A class lists the sides of rules that it meets and those
 * at the other side, and two classes are peers when the lists have something in common. A subnet
 * route meets sides too, so whether a node may use it is the same question.
 */
#include "core/policy/compile/internal.h"

#include <errno.h>

int node_class_sees(struct policy_plan *p, struct node_class *c)
{
	uint32_t mark;
	int rc = 0;

	if (c->has_sees)
		return 0;
	mark = ++p->side_mark;
	c->sees.n = 0;
	for (uint32_t i = 0; i < c->sides.n && rc == 0; i++) {
		const struct u32s *counter = &p->sides[c->sides.v[i]]->counter;

		for (uint32_t k = 0; k < counter->n && rc == 0; k++) {
			struct side *e = p->sides[counter->v[k]];

			if (e->mark == mark)
				continue;
			e->mark = mark;
			rc = u32s_push(&c->sees, counter->v[k]);
		}
	}
	for (uint32_t i = 0; i < c->vias.n && rc == 0; i++)
		rc = u32s_push(&c->sees, p->rules[c->vias.v[i]].src_side);
	u32s_sort(&c->sees);
	c->has_sees = rc == 0;
	return rc;
}

/* Does class b, or one of its routes, lie in what class a carries for this rule? */
static bool via_reaches(const struct policy_plan *p, const struct node_class *a,
	const struct rule *r, const struct node_class *b)
{
	const struct addr_set *dst = p->sets[r->dst];

	for (uint32_t i = 0; i < dst->atoms.n; i++) {
		const struct atom *x = p->atoms[dst->atoms.v[i]];

		if (dst->atoms.v[i] == ATOM_INTERNET && a->exit && b->exit)
			return true;
		if (x->kind == ATOM_PREFIX && node_class_routes_meet(a, x->prefix) &&
			(node_class_routes_meet(b, x->prefix) ||
				u32s_has(&b->atoms, dst->atoms.v[i])))
			return true;
	}
	return false;
}

/* A router with the tag of a rule that is one of the rule's sources itself. */
static bool via_pair(
	const struct policy_plan *p, const struct node_class *a, const struct node_class *b)
{
	for (uint32_t i = 0; i < a->vias.n; i++) {
		const struct rule *r = &p->rules[a->vias.v[i]];

		if (u32s_has(&a->sides, r->src_side) && via_reaches(p, a, r, b))
			return true;
	}
	return false;
}

static bool node_class_visible(struct policy_plan *p, struct node_class *a, struct node_class *b)
{
	if (node_class_sees(p, a) < 0 || node_class_sees(p, b) < 0)
		return false;
	if (u32s_meet(&a->sees, &b->sides))
		return true;
	/* Without via the relation is symmetric by itself. */
	return (b->vias.n && u32s_meet(&b->sees, &a->sides)) || via_pair(p, a, b) ||
	       via_pair(p, b, a);
}

static bool self_peers(const struct node_rec *a, const struct node_class *ca,
	const struct node_rec *b, const struct node_class *cb)
{
	return a->user && a->user == b->user && (ca->self_src || cb->self_src);
}

bool policy_visible(struct policy_plan *p, int64_t a, int64_t b)
{
	struct node_rec *na = directory_node(p->directory, a),
			*nb = directory_node(p->directory, b);
	struct node_class *ca = na ? plan_class(p, na) : NULL, *cb = nb ? plan_class(p, nb) : NULL;

	if (!ca || !cb || na == nb)
		return false;
	return self_peers(na, ca, nb, cb) || node_class_visible(p, ca, cb);
}

bool policy_sees_all(struct policy_plan *p, int64_t node)
{
	struct node_rec *n = directory_node(p->directory, node);
	struct node_class *c = n ? plan_class(p, n) : NULL;

	if (!c || p->via_rules.n || node_class_sees(p, c) < 0)
		return false;
	for (uint32_t i = 0; i < c->sees.n; i++) {
		const struct side *e = p->sides[c->sees.v[i]];

		if (e->all && e->mode == MODE_DST)
			return true;
	}
	return false;
}

static int mark_class(struct policy_plan *p, uint32_t id, struct u32s *out)
{
	struct node_class *c = p->classes[id];

	if (!c || c->mark == p->mark)
		return 0;
	c->mark = p->mark;
	return u32s_push(out, id);
}

static int all_classes(struct policy_plan *p, struct u32s *out)
{
	int rc = 0;

	for (uint32_t i = 0; i < p->n_classes && rc == 0; i++)
		rc = mark_class(p, i, out);
	return rc;
}

static int side_classes(struct policy_plan *p, uint32_t side, struct u32s *out)
{
	const struct side *e = p->sides[side];
	const struct u32s *own = &p->sets[e->set]->classes;
	int rc = 0;

	if (e->all)
		return all_classes(p, out);
	for (uint32_t i = 0; i < own->n && rc == 0; i++)
		rc = mark_class(p, own->v[i], out);
	for (uint32_t i = 0; i < e->extra.n && rc == 0; i++)
		rc = mark_class(p, e->extra.v[i], out);
	return rc;
}

/* 1: it sees all of them; out is then empty. */
int node_class_peers(struct policy_plan *p, struct node_class *c, struct u32s *out)
{
	int rc = node_class_sees(p, c);

	out->n = 0;
	p->mark++;
	for (uint32_t i = 0; i < c->sees.n && rc == 0; i++)
		if (p->sides[c->sees.v[i]]->all)
			return 1;
	for (uint32_t i = 0; i < c->sees.n && rc == 0; i++)
		rc = side_classes(p, c->sees.v[i], out);
	for (uint32_t i = 0; i < p->router_classes.n && rc == 0; i++) {
		struct node_class *r = p->classes[p->router_classes.v[i]];

		if ((r->vias.n || c->vias.n) && node_class_visible(p, c, r))
			rc = mark_class(p, r->id, out);
	}
	return rc;
}

static int tell_nodes(struct policy_plan *p, const struct node_class *c, uint32_t self,
	int (*fn)(void *ctx, int64_t peer), void *ctx)
{
	int rc = 0;

	for (uint32_t i = 0; i < c->nodes.n && rc >= 0; i++)
		if (c->nodes.v[i] != self)
			rc = fn(ctx, p->directory->node_at[c->nodes.v[i]]->id);
	return rc < 0 ? rc : 0;
}

/* Devices of the same person that only autogroup:self makes peers. */
static int tell_self_peers(struct policy_plan *p, const struct node_rec *n, struct node_class *c,
	int (*fn)(void *ctx, int64_t peer), void *ctx)
{
	int rc = 0;

	for (uint32_t i = 0; n->user && i < n->user->nodes.n && rc >= 0; i++) {
		const struct node_rec *m = p->directory->node_at[n->user->nodes.v[i]];
		struct node_class *cm = plan_class(p, m);

		if (m != n && cm && self_peers(n, c, m, cm) && cm->mark != p->mark)
			rc = fn(ctx, m->id);
	}
	return rc < 0 ? rc : 0;
}

int policy_peers(struct policy_plan *p, int64_t node, int (*fn)(void *ctx, int64_t peer), void *ctx)
{
	struct node_rec *n = directory_node(p->directory, node);
	struct node_class *c = n ? plan_class(p, n) : NULL;
	struct u32s classes = { 0 };
	int rc;

	if (!c)
		return -ENOENT;
	rc = node_class_peers(p, c, &classes);
	if (rc == 1) {
		p->mark++;
		rc = all_classes(p, &classes);
	}
	for (uint32_t i = 0; i < classes.n && rc == 0; i++)
		rc = tell_nodes(p, p->classes[classes.v[i]], n->slot, fn, ctx);
	if (rc == 0)
		rc = tell_self_peers(p, n, c, fn, ctx);
	u32s_fini(&classes);
	return rc;
}
