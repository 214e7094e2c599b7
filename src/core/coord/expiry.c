/*
 * Keys that have expired: at their time, by an administrator's word or by a logout. Such a device is told of itself only, its peers
 * see that it has expired, and what it says of itself counts for nothing, until an administrator gives the key more time or a
 * login brings a fresh one.
 */
#include "core/coord/internal.h"

#include <errno.h>

/* The wall clock can be set while we sleep: it is looked at so often at least. */
#define WALL_CHECK SEC(60)

bool coord_node_expired(const struct coord_node_doc *d, unix_ms wall)
{
	return d->key_expired || (d->key_expiry && d->key_expiry <= wall);
}

bool coord_node_is_expired(const struct coord_node *n, unix_ms wall)
{
	return coord_node_expired(&n->doc, wall);
}

bool coord_is_member(const struct tailnet *c, const struct node_pub *key, unix_ms wall)
{
	struct map_node *m = map_find(&c->nodes_by_key, key->b, KEY_LEN);
	const struct coord_node *n = m ? container_of(m, struct coord_node, by_key) : NULL;

	return n && !coord_node_is_hidden(n) && !coord_node_is_expired(n, wall);
}

void key_is_out(const struct tailnet *c, const struct node_pub *key)
{
	if (c->cfg.on_key_out)
		c->cfg.on_key_out(c->cfg.on_key_out_ctx, key);
}

/*
 * Its streams were those of a key that was no good: whoever may take part now comes with a new one, and says everything anew of
 * what was not listened to.
 */
static void streams_end(struct tailnet *c, struct coord_node *n, struct now now)
{
	if (list_empty(&n->polls))
		return;
	list_for_each_safe(l, &n->polls)
		poll_end(container_of(l, struct coord_poll, in_node));
	presence_pause(c, n, now);
}

void expiry_follow(struct tailnet *c, struct coord_node *n, struct now now)
{
	if (!n->doc.key_expired && coord_node_is_expired(n, now.wall)) {
		n->doc.key_expired = true;
		if (note_node(c, n) < 0)
			c->store_failed = true;
	}
	if (n->expired == n->doc.key_expired)
		return;
	n->expired = n->doc.key_expired;
	coord_node_touch(c, n, true, now);
	if (!n->expired) {
		streams_end(c, n, now);
		return;
	}
	list_for_each(l, &n->polls)
		container_of(l, struct coord_poll, in_node)->again = true;
	key_is_out(c, &n->doc.key);
}

/* Its time has come, or the clock was set. */
static void expires(struct tailnet *c, struct coord_node *n, struct now now)
{
	if (!n->doc.key_expired && coord_node_is_expired(n, now.wall))
		tell(c, "key expired", n);
	if (follow_node(c, n, now) < 0)
		c->store_failed =
			true; /* its peers would not hear of it: better to begin anew from the disk */
}

struct coord_node *coord_node_that_asks(
	struct tailnet *c, const struct node_pub *key, struct now now)
{
	struct coord_node *n = coord_node_by_key(c, key);

	if (n && !n->doc.key_expired && coord_node_is_expired(n, now.wall))
		expires(c, n, now);
	return n;
}

/* The earliest end of a key, as the monotonic clock will show it if nobody sets the other one. */
static void arm(struct tailnet *c, struct now now)
{
	unix_ms first = heap_deadline(&c->expiries), left;

	if (first == MONO_NEVER) {
		c->expire_at = MONO_NEVER;
		return;
	}
	left = first > now.wall ? first - now.wall : 0;
	c->expire_at = now.mono + (left < WALL_CHECK / MSEC(1) ? MSEC(left) : WALL_CHECK);
}

int expiry_watch(struct tailnet *c, struct coord_node *n, struct now now)
{
	unix_ms at = coord_node_is_expired(n, now.wall) ? 0 : n->doc.key_expiry;
	int rc = 0;

	if (at == (n->expiry.pos ? n->expiry.at : 0))
		return 0;
	if (at)
		rc = heap_set(&c->expiries, &n->expiry, at);
	else
		heap_remove(&c->expiries, &n->expiry);
	arm(c, now);
	return rc;
}

void expiry_tick(struct tailnet *c, struct now now)
{
	struct heap_node *h;

	if (c->expire_at > now.mono)
		return;
	while ((h = heap_pop_due(&c->expiries, now.wall)))
		expires(c, container_of(h, struct coord_node, expiry), now);
	arm(c, now);
}

int coord_node_expire(struct tailnet *c, int64_t id, struct now now)
{
	return coord_node_expire_at(c, id, now.wall, now);
}

int coord_node_expire_at(struct tailnet *c, int64_t id, unix_ms at, struct now now)
{
	struct coord_node *n = coord_node_by_id(c, id);
	struct coord_node_doc doc;

	if (!n)
		return -ENOENT;
	doc = n->doc;
	doc.key_expiry = at;
	doc.key_expired = at && at <= now.wall;
	return coord_node_update(c, n, &doc, true, true, now);
}
