/*
 * Who is online: a device that may take part (its key has not expired, it is approved, and not in quarantine) and holds a
 * stream. Routes follow: who is not online carries none.
 */
#include "core/coord/tailnet/internal.h"

static bool may_take_part(const struct coord_node *n, unix_ms wall)
{
	return !coord_node_is_expired(n, wall) && !coord_node_is_hidden(n);
}

bool online_review(struct tailnet *c, struct coord_node *n, struct now now)
{
	bool online = n->here && may_take_part(n, now.wall), was = n->doc.online == JSON_YES;

	if (online == was)
		return false;
	n->doc.online = online ? JSON_YES : JSON_NO;
	c->stats.online += online ? 1 : (size_t)-1;
	/* Who may not take part can still listen. */
	n->doc.last_seen = online || !list_empty(&n->sessions) ? now.wall : n->left;
	coord_node_touch(c, n, false, now);
	return true;
}
