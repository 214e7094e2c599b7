/*
 * Restricted readers: the policy shows them some devices, or other routes of them than it
 * shows to all. Their messages are put together from frames that are shared as far as they are the
 * same. Whoever changes is noted with those who see him, so a reader whom nothing concerns costs
 * nothing.
 */
#include "core/coord/mapper/internal.h"

#include <errno.h>

enum { MEM_MAX = 1 << 22 };

void restricted_review(struct map_session *p)
{
	struct tailnet *c = p->tailnet;
	struct policy_plan *plan = policy_installed(c->policy);
	bool sees_all = c->open || coord_node_is_alone(p->node);

	if (!sees_all)
		sees_all = policy_sees_all(plan, p->node->doc.id) &&
			   (!p->node->hides_ip4 || policy_disable_ipv4(plan));
	p->hides_ip4 = p->node->hides_ip4;
	map_session_set_sees_all(p, sees_all);
}

struct spreading {
	struct tailnet *c;
	int64_t id;
};

static int note(void *ctx, int64_t peer)
{
	struct spreading *s = ctx;
	struct coord_node *n = coord_node_by_id(s->c, peer);
	struct map_session *p = n ? map_session_of(n) : NULL;

	if (p)
		map_session_dirty_peer(p, s->id, false);
	return 0;
}

void restricted_mark_viewers(struct tailnet *c)
{
	struct policy_plan *plan = policy_installed(c->policy);

	for (struct list *l = c->nodes.prev; c->mapper->n_restricted && l != &c->nodes;
		l = l->prev) {
		struct coord_node *n = container_of(l, struct coord_node, link);
		struct spreading s = { c, n->doc.id };
		int rc;

		if (n->changed <= c->mapper->viewers_marked)
			break;
		rc = policy_peers(plan, n->doc.id, note, &s);
		if (rc < 0 && rc != -ENOENT)
			list_for_each(q, &c->mapper->sessions)
				container_of(q, struct map_session, all)->resync =
					true; /* no memory: better too much than too little */
	}
	c->mapper->viewers_marked = c->seq;
}

/* How it is told */

static bool same_allowed(const struct policy_allowed *a, const struct policy_allowed *all)
{
	size_t k = 0;

	if (a->n_addresses != all->n_addresses || a->n_primary != all->n_primary)
		return false;
	for (size_t i = 0; i < all->n; i++) {
		if (i >= all->n_primary && all->v[i].bits)
			continue; /* a standby's */
		if (k == a->n || !ipprefix_eq(a->v[k++], all->v[i]))
			return false;
	}
	return k == a->n;
}

/* Is the device to this reader what it is to all? */
static bool is_as_for_all(struct map_writer *d, const struct coord_node *n, struct arena *a)
{
	struct policy_plan *plan = policy_installed(d->p->tailnet->policy);
	struct policy_allowed mine, all;

	if (d->p->hides_ip4 && !n->hides_ip4)
		return false;
	if (!n->n_use)
		return true;
	return policy_allowed(plan, d->p->node->doc.id, n->doc.id, a, &mine) == 0 &&
	       policy_self_allowed(plan, n->doc.id, a, &all) == 0 && same_allowed(&mine, &all);
}

static void put_peer(struct map_writer *d, struct coord_node *n)
{
	struct arena a;

	arena_init(&a, MEM_MAX);
	if (is_as_for_all(d, n, &a))
		map_writer_put_frame(d, map_node_whole(d->p->tailnet, n));
	else if (d->rc == 0)
		d->rc = map_node_put(d->p->tailnet, n, d->p->node, &a, &d->text);
	arena_fini(&a);
}

/* Whose profiles a message needs: user ids, sorted and each once when they are put. */
struct users {
	int64_t *v;
	size_t n, cap;
};

static int users_add(struct users *u, const struct coord_node *n)
{
	int64_t id = n->doc.tags.n ? 0 : n->doc.user;

	if (u->n && u->v[u->n - 1] == id)
		return 0;
	if (u->n == u->cap && vec_grow(&u->v, &u->cap, sizeof(*u->v), COORD_NODES_MAX) < 0)
		return -ENOMEM;
	u->v[u->n++] = id;
	return 0;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void put_users(struct map_writer *d, struct users *u)
{
	bool first = true;

	if (u->n)
		qsort(u->v, u->n, sizeof(*u->v), by_value);
	map_writer_put(d, ",\"UserProfiles\":[");
	for (size_t i = 0; i < u->n; i++) {
		struct tc_user profile;

		if (i && u->v[i] == u->v[i - 1])
			continue;
		profile = map_node_profile(d->p->tailnet, u->v[i]);
		map_writer_put(d, "%s", first ? "" : ",");
		if (d->rc == 0)
			d->rc = json_encode(&tc_user_profile_type, &profile, &d->text);
		first = false;
	}
	map_writer_put(d, "]");
}

/* All that it sees */

struct view_list {
	struct tailnet *c;
	struct coord_node **v;
	size_t n, cap;
};

static int collect(void *ctx, int64_t peer)
{
	struct view_list *s = ctx;
	struct coord_node *n = coord_node_by_id(s->c, peer);

	if (!n)
		return 0;
	if (s->n == s->cap &&
		vec_grow(&s->v, &s->cap, sizeof(struct coord_node *), COORD_NODES_MAX) < 0)
		return -ENOMEM;
	s->v[s->n++] = n;
	return 0;
}

/* Side by side in their groups. */
static int by_group(const void *a, const void *b)
{
	const struct coord_node *x = *(struct coord_node *const *)a,
				*y = *(struct coord_node *const *)b;

	if (x->group !=
		y->group) /* not by their places in memory: a run is to repeat another one */
		return x->group->number < y->group->number ? -1 : 1;
	return (x->doc.id > y->doc.id) - (x->doc.id < y->doc.id);
}

/* Does the reader see the whole group, each device in it as all do? */
static bool takes_group(
	struct map_writer *d, const struct peer_group *b, struct coord_node *const *v, size_t n)
{
	size_t shown = 0;
	bool same = true;
	struct arena a;

	if (n < PEER_GROUP_NODES / 4 || d->p->node->group == b)
		return false;
	list_for_each(l, &b->nodes)
		shown += !coord_node_is_hidden(container_of(l, struct coord_node, in_group));
	arena_init(&a, MEM_MAX);
	for (size_t i = 0; i < n && same && shown == n; i++) {
		same = is_as_for_all(d, v[i], &a);
		arena_reset(&a);
	}
	arena_fini(&a);
	return same && shown == n;
}

/* All that it sees, with commas between: how many. */
static size_t put_peers(struct map_writer *d, struct users *users)
{
	struct tailnet *c = d->p->tailnet;
	struct view_list s = { .c = c };
	int rc = policy_peers(policy_installed(c->policy), d->p->node->doc.id, collect, &s);

	if (rc < 0 && rc != -ENOENT && d->rc == 0)
		d->rc = rc;
	if (s.n)
		qsort(s.v, s.n, sizeof(*s.v), by_group);
	for (size_t i = 0; i < s.n;) {
		size_t end = i;

		while (end < s.n && s.v[end]->group == s.v[i]->group)
			end++;
		if (i)
			map_writer_put(d, ",");
		if (takes_group(d, s.v[i]->group, s.v + i, end - i)) {
			for (size_t k = i; k < end && d->rc == 0; k++)
				d->rc = users_add(users, s.v[k]);
			map_writer_put_frame(d, map_node_group(c, s.v[i]->group));
			i = end;
		} else {
			if (d->rc == 0)
				d->rc = users_add(users, s.v[i]);
			put_peer(d, s.v[i++]);
		}
	}
	free(s.v);
	return s.n;
}

size_t restricted_peers(struct map_writer *d)
{
	struct users users = { 0 };
	size_t n;

	map_writer_put(d, "\"Peers\":[");
	n = put_peers(d, &users);
	map_writer_put(d, "]");
	if (d->rc == 0)
		d->rc = users_add(&users, d->p->node);
	put_users(d, &users);
	free(users.v);
	return n;
}

/* A change */

static int by_id(const void *a, const void *b)
{
	const struct dirty_peer *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* Sorted, each device once; whole if any of its entries was. */
static void merge(struct map_session *p)
{
	size_t out = 0;

	if (p->n_dirty)
		qsort(p->dirty, p->n_dirty, sizeof(*p->dirty), by_id);
	for (size_t i = 0; i < p->n_dirty; i++) {
		if (out && p->dirty[out - 1].id == p->dirty[i].id)
			p->dirty[out - 1].whole |= p->dirty[i].whole;
		else
			p->dirty[out++] = p->dirty[i];
	}
	p->n_dirty = out;
}

enum how { TELL_WHOLE, TELL_PATCH, TELL_GONE, N_HOW };

static enum how how_to_tell(
	const struct map_session *p, const struct dirty_peer *r, struct coord_node *n)
{
	struct tailnet *c = p->tailnet;

	if (!n || coord_node_is_hidden(n) ||
		!policy_visible(policy_installed(c->policy), p->node->doc.id, r->id))
		return TELL_GONE;
	return r->whole || n->changed_whole > p->cursor ? TELL_WHOLE : TELL_PATCH;
}

static void put_list(struct map_writer *d, enum how how, struct users *users)
{
	static const char *const names[] = { "PeersChanged", "PeersChangedPatch", "PeersRemoved" };
	struct map_session *p = d->p;
	size_t n_put = 0;

	for (size_t i = 0; i < p->n_dirty; i++) {
		struct coord_node *n = coord_node_by_id(p->tailnet, p->dirty[i].id);

		if (how_to_tell(p, &p->dirty[i], n) != how)
			continue;
		if (n_put++)
			map_writer_put(d, ",");
		else
			map_writer_put(d, ",\"%s\":[", names[how]);
		if (how == TELL_GONE)
			map_writer_put(d, "%lld", (long long)p->dirty[i].id);
		else if (how == TELL_PATCH)
			map_writer_put_frame(d, map_node_patch(p->tailnet, n));
		else
			put_peer(d, n);
		if (how == TELL_WHOLE && d->rc == 0)
			d->rc = users_add(users, n);
	}
	if (n_put)
		map_writer_put(d, "]");
}

int restricted_delta(struct map_session *p, struct now now)
{
	struct users users = { 0 };
	char time[TIME_RFC3339_MAX];
	struct map_writer d;
	size_t empty;

	merge(p);
	time_format_rfc3339(now.wall, time);
	map_writer_begin(&d, p);
	map_writer_put(&d, "{\"ControlTime\":\"%s\"", time);
	empty = buf_len(&d.text);
	for (int how = 0; how < N_HOW; how++)
		put_list(&d, (enum how)how, &users);
	if (users.n)
		put_users(&d, &users);
	map_policies_self(&d, ",", false);
	map_policies_put(&d, false);
	free(users.v);
	map_session_clear_dirty(p);
	if (d.rc == 0 && p->n == 0 && buf_len(&d.text) == empty) {
		map_writer_drop(&d);
		return 0;
	}
	map_writer_put(&d, "}");
	return map_writer_end(&d);
}
