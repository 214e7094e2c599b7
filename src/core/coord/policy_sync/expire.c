/* Keys whose time has come: the policy engine has to hear of it, whoever notices first. */
#include "core/coord/policy_sync/internal.h"

/* Its time has come, or the clock was set. */
static void expires(struct tailnet *c, struct coord_node *n, struct now now)
{
	if (!n->doc.key_expired && coord_node_is_expired(n, now.wall))
		tailnet_tell(c, COORD_KEY_EXPIRED, n);
	policy_sync_follow(c, n, now);
}

struct coord_node *policy_sync_node_that_asks(
	struct tailnet *c, const struct node_pub *key, struct now now)
{
	struct coord_node *n = coord_node_by_key(c, key);

	if (n && !n->doc.key_expired && coord_node_is_expired(n, now.wall))
		expires(c, n, now);
	return n;
}

void expire_tick(struct tailnet *c, struct now now)
{
	struct heap_node *h;

	if (c->expire_at > now.mono)
		return;
	while ((h = heap_pop_due(&c->expiries, now.wall)))
		expires(c, container_of(h, struct coord_node, expiry), now);
	expiry_arm(c, now);
}
