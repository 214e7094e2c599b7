/* The state of this folder, and what comes by time. */
#include "core/coord/intake/internal.h"

#include <errno.h>

int intake_new(struct tailnet *c)
{
	c->intake = calloc(1, sizeof(*c->intake));
	return c->intake ? 0 : -ENOMEM;
}

void intake_free(struct tailnet *c)
{
	if (!c->intake)
		return;
	heap_fini(&c->intake->waiting);
	heap_fini(&c->intake->ephemerals);
	heap_fini(&c->intake->offline);
	free(c->intake);
	c->intake = NULL;
}

void intake_tick(struct tailnet *c, struct now now)
{
	struct coord_node *n;

	presence_tick(c, now);
	while ((n = say_due(c, now)))
		if (say_turn(c, n, now))
			presence_begin(c, n, now);
}

mono_ns intake_deadline(const struct tailnet *c)
{
	mono_ns leaves = coord_store_refusal(c->cfg.store) ? MONO_NEVER
							   : heap_deadline(&c->intake->ephemerals);

	leaves = mono_min(leaves, heap_deadline(&c->intake->offline));
	return mono_min(leaves, heap_deadline(&c->intake->waiting));
}
