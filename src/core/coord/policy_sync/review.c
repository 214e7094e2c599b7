/* What all may know of a device by the policy: its routes, and how it is named and reached. */
#include "core/coord/policy_sync/internal.h"

#include "base/siphash/siphash.h"

enum { MEM_MAX = 1 << 20 };

/* What everybody may know of its routes; 0: nothing. */
static uint64_t shown_hash(struct tailnet *c, struct coord_node *n)
{
	struct policy_allowed al;
	struct arena a;
	uint64_t h = 1;

	if (!n->n_use && !n->hides_ip4)
		return 0;
	arena_init(&a, MEM_MAX);
	if (policy_self_allowed(policy_installed(c->policy), n->doc.id, &a, &al) < 0)
		h = 0;
	for (size_t i = 0; h && i < al.n; i++) {
		uint8_t kind = i < al.n_primary; /* a standby's subnets are known to itself */

		h = siphash_next(c->seed, h, &al.v[i], sizeof(al.v[i]));
		h = siphash_next(c->seed, h, &kind, 1);
	}
	arena_fini(&a);
	return h;
}

void policy_sync_review(struct tailnet *c, struct coord_node *n, struct now now)
{
	bool hides = !c->open && policy_node_hides_ip4(policy_installed(c->policy), n->doc.id);
	bool subdomains =
		c->dns.wildcard || (!c->open && policy_node_resolves_subdomains(
							policy_installed(c->policy), n->doc.id));
	uint64_t shown;

	if (n->n_use)
		c->routers_changed = true;
	if (hides != n->hides_ip4) {
		n->hides_ip4 = hides;
		coord_node_touch(c, n, true, now);
	}
	if (subdomains != n->subdomains) {
		n->subdomains = subdomains;
		coord_node_touch(c, n, true, now);
	}
	shown = shown_hash(c, n);
	if (shown != n->shown) {
		n->shown = shown;
		coord_node_touch(c, n, true, now);
	}
}
