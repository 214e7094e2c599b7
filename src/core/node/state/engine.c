/* Packets flow while magicsock has our node key. */
#include "core/node/state/state.h"

void node_engine_down(struct node *a)
{
	if (a->magicsock_up && magicsock_set_node_key(a->magicsock, NULL, a->now) == 0)
		a->magicsock_up = false;
	a->net_dirty = a->dns.dirty = true;
}

void node_engine_up(struct node *a)
{
	if (magicsock_set_node_key(a->magicsock, &a->id.node, a->now) < 0)
		return; /* tried again at the next call */
	a->magicsock_up = true;
	a->session_seen = false;
	a->relay_lost_at = a->now.mono;
	a->net_dirty = a->dns.dirty = true;
}
