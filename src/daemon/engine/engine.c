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
