#include "daemon/engine/engine.h"

struct now engine_now(const struct engine *e)
{
	return loop_now(e->loop);
}

void engine_set_os_fault(struct engine *e, unsigned bit, bool on)
{
	e->os_faults = on ? e->os_faults | bit : e->os_faults & ~bit;
	if (e->node)
		node_set_os_faults(e->node, e->os_faults, engine_now(e));
}

bool engine_routes_to(const struct engine *e, struct ipaddr ip)
{
	const struct node_net_config *c = e->node ? node_net_config(e->node) : NULL;

	for (size_t i = 0; c && c->up && i < c->n_routes; i++)
		if (ipprefix_contains(c->routes[i], ip))
			return true;
	return false;
}
