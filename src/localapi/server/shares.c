#include "localapi/server/shares.h"

#include <unistd.h>

bool share_is_trusted(const struct lconn *c)
{
	const struct lapi *a = c->lapi;
	const char *name;
	uid_t uid;

	if (!c->has_uid)
		return false;
	if (c->uid == 0 || c->uid == getuid())
		return true;
	name = a->cfg.operator_user(a->cfg.owner);
	if (!name || !*name)
		return false;
	return users_uid(a->users, name, &uid) == USERS_FOUND && uid == c->uid;
}

static bool is_same(const struct lconn *a, const struct lconn *b)
{
	return a->has_uid == b->has_uid && a->uid == b->uid;
}

bool share_has_room(const struct lconn *c)
{
	size_t same = 0, all = c->lapi->n.n_connections;

	if (all >= LAPI_CONNS_MAX)
		return false;
	if (share_is_trusted(c))
		return true;
	list_for_each(l, &c->lapi->conns)
		same += is_same(container_of(l, struct lconn, link), c);
	return same < SHARE_CONNS_MAX && c->lapi->n_common < LAPI_CONNS_MAX - SHARE_CONNS_KEPT;
}

bool share_may_watch(const struct lconn *c)
{
	size_t same = 0, all = c->lapi->n.n_watchers;

	if (all >= LAPI_WATCHERS_MAX)
		return false;
	if (share_is_trusted(c))
		return true;
	list_for_each(l, &c->lapi->conns) {
		const struct lconn *o = container_of(l, struct lconn, link);

		same += o->streams && is_same(o, c);
	}
	return same < SHARE_WATCHERS_MAX && all < LAPI_WATCHERS_MAX - SHARE_WATCHERS_KEPT;
}

static size_t held_by(const struct lconn *c)
{
	return buf_len(&c->in) + buf_len(&c->body) + buf_len(&c->out) + c->waits;
}

bool share_may_hold(const struct lconn *c, size_t more)
{
	size_t sum = more;

	if (share_is_trusted(c))
		return true;
	list_for_each(l, &c->lapi->conns) {
		const struct lconn *o = container_of(l, struct lconn, link);

		sum += is_same(o, c) ? held_by(o) : 0;
	}
	return sum <= SHARE_BYTES_MAX;
}

/* Of the users that are remembered, this one, or the place of whoever came longest ago. */
static struct luser *user_of(struct lapi *a, uid_t uid)
{
	struct luser *oldest = &a->user[0];

	for (size_t i = 0; i < SHARE_USERS_MAX; i++) {
		if (a->user[i].used && a->user[i].uid == uid)
			return &a->user[i];
		if (a->user[i].requests.full_at < oldest->requests.full_at)
			oldest = &a->user[i];
	}
	*oldest = (struct luser){ .used = true, .uid = uid };
	bucket_init(&oldest->requests, SHARE_REQUESTS_RATE, SHARE_REQUESTS_BURST);
	bucket_init(&oldest->work, SHARE_WORK_RATE, SHARE_WORK_BURST);
	return oldest;
}

bool share_may_ask(struct lconn *c)
{
	mono_ns now = loop_now(c->lapi->loop).mono;

	return share_is_trusted(c) || bucket_take(&user_of(c->lapi, c->uid)->requests, 1, now);
}

bool share_may_work(struct lconn *c, unsigned cost)
{
	mono_ns now = loop_now(c->lapi->loop).mono;

	if (share_is_trusted(c) || bucket_take(&user_of(c->lapi, c->uid)->work, cost, now))
		return true;
	c->lapi->n.work_refused++;
	return false;
}
