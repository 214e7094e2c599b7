/*
 * Keys that have expired: at their time, by an administrator's word or by a logout. Such a device is told of itself only, its peers
 * see that it has expired, and what it says of itself counts for nothing, until an administrator gives the key more time or a
 * login brings a fresh one.
 */
#include "core/coord/tailnet/internal.h"

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

bool coord_machine_is_member(
	const struct tailnet *c, const struct machine_pub *machine, unix_ms wall)
{
	struct map_node *found = map_find(&c->machines, machine->b, KEY_LEN);

	if (!found)
		return false;
	list_for_each(l, &container_of(found, struct machine, node)->nodes)
		if (!coord_node_is_expired(container_of(l, struct coord_node, in_machine), wall))
			return true;
	return false;
}

void expiry_follow(struct tailnet *c, struct coord_node *n, struct now now)
{
	if (!n->doc.key_expired && coord_node_is_expired(n, now.wall)) {
		n->doc.key_expired = true;
		if (store_said(c, n) < 0)
			tailnet_fail(c, -ENOMEM);
	}
	if (n->expired == n->doc.key_expired)
		return;
	n->expired = n->doc.key_expired;
	coord_node_touch(c, n, true, now);
	/*
	 * Of one that may take part again the streams were those of a key that was no good: it comes with a new one, and says everything
	 * anew of what was not listened to.
	 */
	tailnet_note(c, n, n->expired ? NEWS_RESYNC : NEWS_END, now);
	if (n->expired)
		tailnet_key_is_out(c, &n->doc.key);
}

/* The earliest end of a key, as the monotonic clock will show it if nobody sets the other one. */
void expiry_arm(struct tailnet *c, struct now now)
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
	expiry_arm(c, now);
	return rc;
}
