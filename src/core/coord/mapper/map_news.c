/*
 * What there is to tell: the policy engine says what has changed for whom, and the folders below have noted it with devices. Here it
 * comes to the readers.
 */
#include "core/coord/mapper/internal.h"

#include <errno.h>

struct drain {
	struct tailnet *c;
	struct now now;
};

static void dirty_routers(struct map_session *p)
{
	struct tailnet *c = p->tailnet;

	list_for_each(l, &c->routers) {
		struct coord_node *r = container_of(l, struct coord_node, in_routers);

		if (policy_visible(policy_installed(c->policy), p->node->doc.id, r->doc.id))
			map_session_dirty_peer(p, r->doc.id, true);
	}
}

static void review_session(struct map_session *p)
{
	bool sees_all = p->sees_all, hides = p->hides_ip4;

	p->self_stale = p->filter_stale = p->ssh_stale = true;
	if (!p->started)
		return;
	restricted_review(p);
	if (sees_all != p->sees_all || hides != p->hides_ip4 ||
		(!p->sees_all && !p->tailnet->mapper->installing))
		p->resync = true;
	else if (!p->sees_all)
		dirty_routers(p);
}

static void on_touched(void *ctx, int64_t node, unsigned what, int64_t peer)
{
	struct drain *d = ctx;
	struct coord_node *n;
	struct map_session *p;

	if (what == POLICY_TOUCHED_PEER && d->c->mapper->n_restricted == 0)
		return;
	n = coord_node_by_id(d->c, node);
	if (!n)
		return;
	p = map_session_of(n);
	if (what & (POLICY_TOUCHED_SELF | POLICY_TOUCHED_ALL))
		policy_sync_review(d->c, n, d->now);
	if (!p)
		return;
	p->self_stale |= (what & POLICY_TOUCHED_SELF) != 0;
	p->filter_stale |= (what & POLICY_TOUCHED_FILTER) != 0;
	p->ssh_stale |= (what & POLICY_TOUCHED_SSH) != 0;
	if (what & POLICY_TOUCHED_ALL)
		review_session(p);
	if (what & POLICY_TOUCHED_PEER)
		map_session_dirty_peer(p, peer, true);
	map_session_due(p);
	if (d->c->flush_at == MONO_NEVER)
		d->c->flush_at = d->now.mono + COORD_COALESCE;
}

static void settle_one(struct tailnet *c, struct coord_node *n, unsigned news, struct now now)
{
	struct map_session *p;

	if (news & NEWS_END && !list_empty(&n->sessions)) {
		list_for_each_safe(l, &n->sessions)
			map_session_end(container_of(l, struct map_session, in_node));
		presence_start_offline_grace(c, n, now);
	}
	p = map_session_of(n);
	if (!p)
		return;
	p->resync |= (news & NEWS_RESYNC) != 0;
	p->self_stale |= (news & NEWS_SELF) != 0;
	p->health_stale |= (news & NEWS_HEALTH) != 0;
	map_session_due(p);
	if (news & NEWS_WATCH && n->watched)
		map_session_watch(p);
	else if (news & NEWS_WATCH && c->cfg.on_map_watch)
		c->cfg.on_map_watch(p->owner, false);
}

void map_news_settle(struct tailnet *c, struct now now)
{
	while (!list_empty(&c->noted)) {
		struct coord_node *n =
			container_of(list_pop_head(&c->noted), struct coord_node, in_noted);
		unsigned news = n->news;

		n->news = 0;
		settle_one(c, n, news, now);
	}
}

void map_news_take(struct tailnet *c, struct now now)
{
	struct drain d = { c, now };

	if (policy_drain(c->policy, on_touched, &d) < 0)
		tailnet_fail(c, -ENOMEM);
	if (c->routers_changed) {
		routes_watch(c, now);
		primaries_save(c);
	}
	map_news_settle(c, now);
}

/* another policy */

struct ids {
	int64_t *v;
	size_t n, cap;
};

static int note_id(void *ctx, int64_t id)
{
	struct ids *s = ctx;

	if (s->n == s->cap && vec_grow(&s->v, &s->cap, sizeof(*s->v), COORD_NODES_MAX) < 0)
		return -ENOMEM;
	s->v[s->n++] = id;
	return 0;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int ids_of(struct policy_plan *p, int64_t node, struct ids *s)
{
	int rc;

	s->n = 0;
	rc = policy_peers(p, node, note_id, s);
	if (s->n)
		qsort(s->v, s->n, sizeof(*s->v), by_value);
	return rc == -ENOENT ? 0 : rc;
}

static void dirty_differences(struct map_session *p, const struct ids *a, const struct ids *b)
{
	size_t i = 0, k = 0;

	while (i < a->n || k < b->n) {
		if (k == b->n || (i < a->n && a->v[i] < b->v[k])) {
			map_session_dirty_peer(p, a->v[i++], true);
		} else if (i == a->n || b->v[k] < a->v[i]) {
			map_session_dirty_peer(p, b->v[k++], true);
		} else {
			i++;
			k++;
		}
	}
}

/*
 * Of readers that see some and will see some, only the difference is told. Which they see of what
 * they see, its routes, is told anew of each router once the plan is installed: primaries are not
 * settled before.
 */
static int find_differences(struct tailnet *c, struct policy_plan *next)
{
	struct ids before = { 0 }, after = { 0 };
	int rc = 0;

	list_for_each(l, &c->mapper->sessions) {
		struct map_session *p = container_of(l, struct map_session, all);

		if (rc < 0 || p->sees_all || !p->started || !p->node || p->resync)
			continue;
		rc = ids_of(policy_installed(c->policy), p->node->doc.id, &before);
		if (rc == 0)
			rc = ids_of(next, p->node->doc.id, &after);
		if (rc == 0)
			dirty_differences(p, &before, &after);
	}
	free(before.v);
	free(after.v);
	return rc;
}

int map_news_install(struct tailnet *c, struct policy_plan *next, bool open, struct now now)
{
	bool relays = !policy_derp_map_same(policy_installed(c->policy), next);

	map_news_take(c, now); /* what happened under the policy before */
	c->mapper->installing = find_differences(c, next) == 0;
	policy_install(c->policy, next);
	c->open = open;
	map_news_take(c, now);
	c->mapper->installing = false;
	list_for_each(l,
		&c->mapper->sessions) { /* hidden devices too, of which the engine knows nothing */
		struct map_session *p = container_of(l, struct map_session, all);

		p->filter_stale = p->ssh_stale = true;
		p->resync |= relays; /* they are told in a whole map */
	}
	c->mapper->all_due = true;
	c->flush_at = now.mono;
	return policy_sync_routes(c, now);
}
