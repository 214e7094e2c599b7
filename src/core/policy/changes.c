/*
 * core/policy: what a change of the world does to the answers. The node moves to its class; the
 * classes that its move concerns are noted; nothing is computed anew before somebody asks.
 */
#include "core/policy/plan.h"

#include <errno.h>

static int log_touch(struct policy_plan *p, struct touch t)
{
	if (p->all_touched)
		return 0; /* everybody will be told everything */
	if (p->n_touches == p->cap_touches) {
		size_t cap = p->cap_touches ? p->cap_touches * 2 : 64;
		struct touch *v = realloc(p->touches, cap * sizeof(*v));

		if (!v)
			return -ENOMEM;
		p->touches = v;
		p->cap_touches = cap;
	}
	p->touches[p->n_touches++] = t;
	return 0;
}

int plan_touch_self(struct policy_plan *p, const struct node_rec *n, unsigned what)
{
	return log_touch(p, (struct touch){ .node = n->id, .what = what, .class_id = NONE });
}

static int touch_class(struct policy_plan *p, struct class *c, unsigned what)
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

static int touch_ep(struct policy_plan *p, uint32_t ep, unsigned what)
{
	const struct endpoint *e = p->eps[ep];
	int rc;

	if (e->all)
		return log_touch(p, (struct touch){ .class_id = NONE, .what = what });
	rc = touch_list(p, &p->sels[e->sel]->own, what);
	if (rc == 0)
		rc = touch_list(p, &e->extra, what);
	for (uint32_t i = 0; p->sels[e->sel]->meets_internet && i < p->router_classes.n && rc == 0;
		i++)
		if (p->classes[p->router_classes.v[i]]->exit)
			rc = touch_class(p, p->classes[p->router_classes.v[i]], what);
	return rc;
}

/* Routers that carry out a rule with via of this source. */
static int touch_vias(struct policy_plan *p, uint32_t sel)
{
	int rc = 0;

	for (uint32_t i = 0; i < p->via_rules.n && rc == 0; i++) {
		if (p->rules[p->via_rules.v[i]].src != sel)
			continue;
		for (uint32_t k = 0; k < p->router_classes.n && rc == 0; k++) {
			struct class *c = p->classes[p->router_classes.v[k]];

			if (u32s_has(&c->vias, p->via_rules.v[i]))
				rc = touch_class(p, c, POLICY_TOUCHED_FILTER);
		}
	}
	return rc;
}

int plan_touch_sources(struct policy_plan *p, struct sel *s)
{
	int rc = 0;

	s->text_id = 0;
	if (s->ep[MODE_SRC] == NONE)
		return 0;
	for (uint32_t i = 0; i < p->eps[s->ep[MODE_SRC]]->counter.n && rc == 0; i++)
		rc = touch_ep(p, p->eps[s->ep[MODE_SRC]]->counter.v[i], POLICY_TOUCHED_FILTER);
	return rc < 0 ? rc : touch_vias(p, s->id);
}

static int touch_user_nodes(
	struct policy_plan *p, const struct user_rec *u, unsigned what, int64_t peer)
{
	int rc = 0;

	for (uint32_t i = 0; u && i < u->nodes.n && rc == 0; i++)
		rc = log_touch(p, (struct touch){ .node = p->world->node_at[u->nodes.v[i]]->id,
					  .what = what,
					  .peer = peer,
					  .class_id = NONE });
	return rc;
}

static int touch_ssh(struct policy_plan *p, const struct node_rec *n, const struct sel *s)
{
	int rc = 0;

	for (uint32_t i = 0; i < s->ssh_rules.n && rc == 0; i++) {
		struct ssh_compiled *r = &p->ssh[s->ssh_rules.v[i]];

		free(r->principals);
		r->principals = NULL;
		if (r->dst != NONE)
			rc = touch_list(p, &p->sels[r->dst]->own, POLICY_TOUCHED_SSH);
		if (rc == 0 && (r->self || r->has_localpart))
			rc = touch_user_nodes(p, n->user, POLICY_TOUCHED_SSH, 0);
	}
	return rc;
}

/* Is the text of the set the same with and without this node? */
static bool is_covered(const struct policy_plan *p, const struct sel *s, const struct node_rec *n)
{
	if (s->danger && !s->postures.n)
		return true;
	if (!s->star || s->postures.n)
		return false;
	return (!n->ip4.family || ranges_contain(&p->star, n->ip4)) &&
	       (!n->ip6.family || ranges_contain(&p->star, n->ip6));
}

static int touch_as_source(struct policy_plan *p, const struct node_rec *n, const struct class *c)
{
	int rc = 0;

	for (uint32_t i = 0; i < c->own.n && rc == 0; i++) {
		struct sel *s = p->sels[c->own.v[i]];

		if (!is_covered(p, s, n))
			rc = plan_touch_sources(p, s);
		if (rc == 0)
			rc = touch_ssh(p, n, s);
	}
	return rc;
}

int plan_touch_peers(struct policy_plan *p, const struct node_rec *n, struct class *c)
{
	struct u32s classes = { 0 };
	int rc = class_peers(p, c, &classes);

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

static int touch_all_of(struct policy_plan *p, const struct node_rec *n, struct class *c)
{
	int rc = c ? touch_as_source(p, n, c) : 0;

	return rc == 0 && c ? plan_touch_peers(p, n, c) : rc;
}

/* A failure in the middle leaves marks behind; then everybody asks for everything. */
static int settle(struct policy_plan *p, int rc)
{
	if (rc < 0)
		p->all_touched = true;
	return rc;
}

int plan_node_changes(struct policy_plan *p, struct node_rec *n)
{
	int rc = touch_all_of(p, n, plan_class(p, n));

	routes_drop(p, n);
	return settle(p, rc);
}

/* The routes that n gave up want another primary; those that it has now, perhaps n. */
static int elect_all(struct policy_plan *p, struct node_rec *n)
{
	int rc = routes_elect(p, n);

	return rc < 0 ? rc : routes_elect_orphans(p);
}

int plan_node_changed(struct policy_plan *p, struct node_rec *n)
{
	bool moved;
	int rc = plan_room_for_users(p);

	if (rc == 0)
		rc = routes_add(p, n);
	if (rc == 0)
		rc = plan_place(p, n, &moved);
	if (rc == 0)
		rc = touch_all_of(p, n, plan_class(p, n));
	if (rc == 0)
		rc = plan_touch_self(p, n, POLICY_TOUCHED_ALL);
	return settle(p, rc < 0 ? rc : elect_all(p, n));
}

int plan_node_state(struct policy_plan *p, struct node_rec *n)
{
	struct class *before = plan_class(p, n);
	bool moved = false;
	int rc = plan_place(p, n, &moved);

	if (rc == 0 && moved) {
		rc = touch_all_of(p, n, before);
		if (rc == 0)
			rc = touch_all_of(p, n, plan_class(p, n));
		if (rc == 0)
			rc = plan_touch_self(p, n, POLICY_TOUCHED_ALL);
	}
	return settle(p, rc < 0 ? rc : routes_elect(p, n));
}

int plan_node_goes(struct policy_plan *p, struct node_rec *n)
{
	int rc = touch_all_of(p, n, plan_class(p, n));

	routes_drop(p, n);
	plan_unplace(p, n);
	return settle(p, rc < 0 ? rc : routes_elect_orphans(p));
}

int plan_user_changed(struct policy_plan *p, struct user_rec *u)
{
	int rc = plan_room_for_users(p);

	if (rc < 0)
		return settle(p, rc);
	plan_unbind_user(p, u);
	rc = plan_user_atoms(p, u);
	for (uint32_t i = 0; i < u->nodes.n && rc == 0; i++)
		rc = plan_node_state(p, p->world->node_at[u->nodes.v[i]]);
	/* Local names in ssh rules come from the login name, of which the atoms know nothing. */
	for (size_t i = 0; i < p->doc->n_ssh && rc == 0; i++)
		if (p->ssh[i].has_localpart)
			rc = log_touch(
				p, (struct touch){ .class_id = NONE, .what = POLICY_TOUCHED_SSH });
	return settle(p, rc);
}

typedef void (*drain_fn)(void *ctx, int64_t node, unsigned what, int64_t peer);

static void tell_class(const struct policy_plan *p, const struct class *c, unsigned what,
	int64_t peer, drain_fn fn, void *ctx)
{
	for (uint32_t i = 0; c && i < c->nodes.n; i++) {
		int64_t id = p->world->node_at[c->nodes.v[i]]->id;

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
		if (world_node(p->world, t->node) && t->node != t->peer)
			fn(ctx, t->node, t->what, t->peer);
	} else if (t->class_id == NONE) {
		tell_all(p, t->what, t->peer, fn, ctx);
	} else {
		tell_class(p, p->classes[t->class_id], t->what, t->peer, fn, ctx);
	}
}

int policy_drain(struct policy_world *w, drain_fn fn, void *ctx)
{
	struct policy_plan *p = w->plan;

	if (!p)
		return 0;
	if (p->all_touched)
		tell_all(p, POLICY_TOUCHED_ALL, 0, fn, ctx);
	for (size_t i = 0; i < p->n_touches && !p->all_touched; i++)
		tell(p, &p->touches[i], fn, ctx);
	for (uint32_t i = 0; i < p->touched_classes.n; i++) {
		struct class *c = p->classes[p->touched_classes.v[i]];

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
