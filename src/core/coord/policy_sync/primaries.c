/*
 * Which of several routers carries a route outlives a restart: it is kept with the approval, and the router counts as online for a while
 * after the start, or the first one to come back would be elected.
 */
#include "core/coord/policy_sync/internal.h"

#include <errno.h>

static struct coord_route_approval *approval(struct coord_node *n, size_t i)
{
	return (struct coord_route_approval *)n->doc.routes.v + i;
}

void primaries_expect(struct tailnet *c)
{
	list_for_each(l, &c->nodes) {
		struct coord_node *n = container_of(l, struct coord_node, link);

		for (size_t i = 0; i < n->doc.routes.n; i++)
			n->expected |= approval(n, i)->primary;
	}
}

void primaries_restore(struct tailnet *c)
{
	list_for_each(l, &c->nodes) {
		struct coord_node *n = container_of(l, struct coord_node, link);

		for (size_t i = 0; i < n->doc.routes.n; i++)
			if (approval(n, i)->primary)
				policy_route_prefer(policy_installed(c->policy),
					approval(n, i)->prefix, n->doc.id);
	}
}

void primaries_save(struct tailnet *c)
{
	const struct policy_plan *plan = policy_installed(c->policy);

	list_for_each(l, &c->nodes) {
		struct coord_node *n = container_of(l, struct coord_node, link);
		bool changed = false;

		for (size_t i = 0; i < n->doc.routes.n; i++) {
			struct coord_route_approval *a = approval(n, i);
			bool primary = a->prefix.bits &&
				       policy_route_primary(plan, a->prefix) == n->doc.id;

			changed |= primary != a->primary;
			a->primary = primary;
		}
		if (changed && store_said(c, n) < 0)
			tailnet_fail(c, -ENOMEM);
	}
}
