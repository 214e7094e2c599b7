/*
 * Keys that have expired: at their time, by an administrator's word or by a logout. Such a device is told of itself only, its peers
 * see that it has expired, and what it says of itself counts for nothing, until an administrator gives the key more time or a
 * login brings a fresh one.
 */
#include "core/ctlserver/world.h"

#include <errno.h>

/* The wall clock can be set while we sleep: it is looked at so often at least. */
#define WALL_CHECK SEC(60)

bool ctl_node_expired(const struct ctl_node_doc *d, unix_ms wall)
{
	return d->key_expired || (d->key_expiry && d->key_expiry <= wall);
}

bool node_is_expired(const struct node *n, unix_ms wall)
{
	return ctl_node_expired(&n->doc, wall);
}

bool ctl_is_member(const struct ctl *c, const struct node_pub *key, unix_ms wall)
{
	struct map_node *m = map_find(&c->nodes_by_key, key->b, KEY_LEN);
	const struct node *n = m ? container_of(m, struct node, by_key) : NULL;

	return n && !node_is_hidden(n) && !node_is_expired(n, wall);
}

void key_is_out(const struct ctl *c, const struct node_pub *key)
{
	if (c->cfg.on_key_out)
		c->cfg.on_key_out(c->cfg.on_key_out_ctx, key);
}

/*
 * Its streams were those of a key that was no good: whoever may take part now comes with a new one, and says everything anew of
 * what was not listened to.
 */
static void streams_end(struct ctl *c, struct node *n, struct now now)
{
	if (list_empty(&n->polls))
		return;
	list_for_each_safe(l, &n->polls)
		poll_end(container_of(l, struct ctl_poll, in_node));
	presence_pause(c, n, now);
}

void expiry_follow(struct ctl *c, struct node *n, struct now now)
{
	if (!n->doc.key_expired && node_is_expired(n, now.wall)) {
		n->doc.key_expired = true;
		if (note_node(c, n) < 0)
			c->store_failed = true;
	}
	if (n->expired == n->doc.key_expired)
		return;
	n->expired = n->doc.key_expired;
	node_touch(c, n, true, now);
	if (!n->expired) {
		streams_end(c, n, now);
		return;
	}
	list_for_each(l, &n->polls)
		container_of(l, struct ctl_poll, in_node)->again = true;
	key_is_out(c, &n->doc.key);
}

/* Its time has come, or the clock was set. */
static void expires(struct ctl *c, struct node *n, struct now now)
{
	if (!n->doc.key_expired && node_is_expired(n, now.wall))
		tell(c, "key expired", n);
	if (follow_node(c, n, now) < 0)
		c->store_failed = true; /* its peers would not hear of it: better to begin anew from the disk */
}

struct node *node_that_asks(struct ctl *c, const struct node_pub *key, struct now now)
{
	struct node *n = node_by_key(c, key);

	if (n && !n->doc.key_expired && node_is_expired(n, now.wall))
		expires(c, n, now);
	return n;
}

/* The earliest end of a key, as the monotonic clock will show it if nobody sets the other one. */
static void arm(struct ctl *c, struct now now)
{
	unix_ms first = heap_deadline(&c->expiries), left;

	if (first == MONO_NEVER) {
		c->expire_at = MONO_NEVER;
		return;
	}
	left = first > now.wall ? first - now.wall : 0;
	c->expire_at = now.mono + (left < WALL_CHECK / MSEC(1) ? MSEC(left) : WALL_CHECK);
}

int expiry_watch(struct ctl *c, struct node *n, struct now now)
{
	unix_ms at = node_is_expired(n, now.wall) ? 0 : n->doc.key_expiry;
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

void expiry_tick(struct ctl *c, struct now now)
{
	struct heap_node *h;

	if (c->expire_at > now.mono)
		return;
	while ((h = heap_pop_due(&c->expiries, now.wall)))
		expires(c, container_of(h, struct node, expiry), now);
	arm(c, now);
}

int ctl_node_expire(struct ctl *c, int64_t id, struct now now)
{
	return ctl_node_expire_at(c, id, now.wall, now);
}

int ctl_node_expire_at(struct ctl *c, int64_t id, unix_ms at, struct now now)
{
	struct node *n = node_by_id(c, id);
	struct ctl_node_doc doc;

	if (!n)
		return -ENOENT;
	doc = n->doc;
	doc.key_expiry = at;
	doc.key_expired = at && at <= now.wall;
	return node_update(c, n, &doc, true, true, now);
}
