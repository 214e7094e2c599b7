/* core/policy/compile: whom a change concerns is noted, and told at the next drain. */
#include "core/policy/compile/internal.h"

#include <errno.h>

static int log_touch(struct policy_plan *p, struct touch t)
{
	int rc;

	if (p->all_touched)
		return 0; /* everybody will be told everything */
	rc = plan_room(&p->touches, p->n_touches, &p->cap_touches, sizeof(*p->touches));
	if (rc < 0)
		return rc;
	p->touches[p->n_touches++] = t;
	return 0;
}

int plan_touch_self(struct policy_plan *p, const struct node_rec *n, unsigned what)
{
	return log_touch(p, (struct touch){ .node = n->id, .what = what, .class_id = NONE });
}

int plan_touch_everybody(struct policy_plan *p, unsigned what)
{
	return log_touch(p, (struct touch){ .class_id = NONE, .what = what });
}

static int touch_class(struct policy_plan *p, struct node_class *c, unsigned what)
{
	int rc = c->touched ? 0 : u32s_push(&p->touched_classes, c->id);

	c->touched |= what;
	return rc;
}

static int touch_list(struct policy_plan *p, const struct u32s *classes, unsigned what)
{
	int rc = 0;

	for (uint32_t i = 0; i < classes->n && rc == 0; i++)
		if (p->classes[classes->v[i]])
			rc = touch_class(p, p->classes[classes->v[i]], what);
	return rc;
}

static int touch_side(struct policy_plan *p, uint32_t side, unsigned what)
{
	const struct side *e = p->sides[side];
	int rc;

	if (e->all)
		return plan_touch_everybody(p, what);
	rc = touch_list(p, &p->sets[e->set]->classes, what);
	if (rc == 0)
		rc = touch_list(p, &e->extra, what);
	for (uint32_t i = 0; p->sets[e->set]->meets_internet && i < p->router_classes.n && rc == 0;
		i++)
		if (p->classes[p->router_classes.v[i]]->exit)
			rc = touch_class(p, p->classes[p->router_classes.v[i]], what);
	return rc;
}

/* Routers that carry out a rule with via of this source. */
static int touch_vias(struct policy_plan *p, uint32_t set)
{
	int rc = 0;

	for (uint32_t i = 0; i < p->via_rules.n && rc == 0; i++) {
		if (p->rules[p->via_rules.v[i]].src != set)
			continue;
		for (uint32_t k = 0; k < p->router_classes.n && rc == 0; k++) {
			struct node_class *c = p->classes[p->router_classes.v[k]];

			if (u32s_has(&c->vias, p->via_rules.v[i]))
				rc = touch_class(p, c, POLICY_TOUCHED_FILTER);
		}
	}
	return rc;
}

int plan_touch_sources(struct policy_plan *p, struct addr_set *s)
{
	int rc = 0;

	s->text_id = 0;
	if (s->side[MODE_SRC] == NONE)
		return 0;
	for (uint32_t i = 0; i < p->sides[s->side[MODE_SRC]]->counter.n && rc == 0; i++)
		rc = touch_side(
			p, p->sides[s->side[MODE_SRC]]->counter.v[i], POLICY_TOUCHED_FILTER);
	return rc < 0 ? rc : touch_vias(p, s->id);
}

static int touch_user_nodes(
	struct policy_plan *p, const struct user_rec *u, unsigned what, int64_t peer)
{
	int rc = 0;

	for (uint32_t i = 0; u && i < u->nodes.n && rc == 0; i++)
		rc = log_touch(p, (struct touch){ .node = p->directory->node_at[u->nodes.v[i]]->id,
					  .what = what,
					  .peer = peer,
					  .class_id = NONE });
	return rc;
}

static int touch_ssh(struct policy_plan *p, const struct node_rec *n, const struct addr_set *s)
{
	int rc = 0;

	for (uint32_t i = 0; i < s->ssh_rules.n && rc == 0; i++) {
		struct ssh_compiled *r = &p->ssh[s->ssh_rules.v[i]];

		free(r->principals);
		r->principals = NULL;
		if (r->dst != NONE)
			rc = touch_list(p, &p->sets[r->dst]->classes, POLICY_TOUCHED_SSH);
		if (rc == 0 && (r->self || r->has_localpart))
			rc = touch_user_nodes(p, n->user, POLICY_TOUCHED_SSH, 0);
	}
	return rc;
}

/* Is the text of the set the same with and without this node? */
static bool is_covered(
	const struct policy_plan *p, const struct addr_set *s, const struct node_rec *n)
{
	if (s->danger && !s->postures.n)
		return true;
	if (!s->star || s->postures.n)
		return false;
	return (!n->ip4.family || ranges_contain(&p->star, n->ip4)) &&
	       (!n->ip6.family || ranges_contain(&p->star, n->ip6));
}

static int touch_as_source(
	struct policy_plan *p, const struct node_rec *n, const struct node_class *c)
{
	int rc = 0;

	for (uint32_t i = 0; i < c->sets.n && rc == 0; i++) {
		struct addr_set *s = p->sets[c->sets.v[i]];

		if (!is_covered(p, s, n))
			rc = plan_touch_sources(p, s);
		if (rc == 0)
			rc = touch_ssh(p, n, s);
	}
	return rc;
}

int plan_touch_peers(struct policy_plan *p, const struct node_rec *n, struct node_class *c)
{
	struct u32s classes = { 0 };
	int rc = node_class_peers(p, c, &classes);

	if (rc == 1)
		rc = log_touch(
			p, (struct touch){
				   .class_id = NONE, .what = POLICY_TOUCHED_PEER, .peer = n->id });
	for (uint32_t i = 0; i < classes.n && rc == 0; i++)
		rc = log_touch(p, (struct touch){ .class_id = classes.v[i],
					  .what = POLICY_TOUCHED_PEER,
					  .peer = n->id });
	u32s_fini(&classes);
	if (rc == 0 && p->self_rules.n)
		rc = touch_user_nodes(
			p, n->user, POLICY_TOUCHED_PEER | POLICY_TOUCHED_FILTER, n->id);
	return rc;
}

int plan_touch_node(struct policy_plan *p, const struct node_rec *n, struct node_class *c)
{
	int rc = c ? touch_as_source(p, n, c) : 0;

	return rc == 0 && c ? plan_touch_peers(p, n, c) : rc;
}

typedef void (*drain_fn)(void *ctx, int64_t node, unsigned what, int64_t peer);

static void tell_class(const struct policy_plan *p, const struct node_class *c, unsigned what,
	int64_t peer, drain_fn fn, void *ctx)
{
	for (uint32_t i = 0; c && i < c->nodes.n; i++) {
		int64_t id = p->directory->node_at[c->nodes.v[i]]->id;

		if (id != peer)
			fn(ctx, id, what, peer);
	}
}

static void tell_all(
	const struct policy_plan *p, unsigned what, int64_t peer, drain_fn fn, void *ctx)
{
	for (uint32_t i = 0; i < p->n_classes; i++)
		tell_class(p, p->classes[i], what, peer, fn, ctx);
}

static void tell(const struct policy_plan *p, const struct touch *t, drain_fn fn, void *ctx)
{
	if (t->node) {
		if (directory_node(p->directory, t->node) && t->node != t->peer)
			fn(ctx, t->node, t->what, t->peer);
	} else if (t->class_id == NONE) {
		tell_all(p, t->what, t->peer, fn, ctx);
	} else {
		tell_class(p, p->classes[t->class_id], t->what, t->peer, fn, ctx);
	}
}

int policy_drain(struct policy_directory *w, drain_fn fn, void *ctx)
{
	struct policy_plan *p = w->plan;

	if (!p)
		return 0;
	if (p->all_touched)
		tell_all(p, POLICY_TOUCHED_ALL, 0, fn, ctx);
	for (size_t i = 0; i < p->n_touches && !p->all_touched; i++)
		tell(p, &p->touches[i], fn, ctx);
	for (uint32_t i = 0; i < p->touched_classes.n; i++) {
		struct node_class *c = p->classes[p->touched_classes.v[i]];

		if (!c)
			continue;
		if (!p->all_touched)
			tell_class(p, c, c->touched, 0, fn, ctx);
		c->touched = 0;
	}
	p->n_touches = 0;
	p->touched_classes.n = 0;
	p->all_touched = false;
	return plan_reap(p);
}
