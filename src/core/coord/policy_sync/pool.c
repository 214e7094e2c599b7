/* Addresses from a pool of the policy. */
#include "core/coord/policy_sync/internal.h"

enum { POOLS_MAX = 16 };

/* The policy may want addresses of devices like this one in a pool of their own. -ERR_NO_ADDRESS: all of it are taken. */
int pool_move(struct tailnet *c, struct coord_node *n, struct now now)
{
	const struct ipprefix *pools[POOLS_MAX];
	size_t n_pools = c->open ? 0
				 : policy_node_pools(policy_installed(c->policy), n->doc.id, pools,
					   POOLS_MAX);
	struct coord_node_doc doc = n->doc;
	int64_t host = -1;

	for (size_t i = 0; i < n_pools; i++)
		if (ipprefix_contains(*pools[i], n->doc.ip4))
			return 0;
	for (size_t i = 0; i < n_pools && host < 0; i++)
		host = addresses_in_pool(c, *pools[i]);
	if (host < 0)
		return n_pools ? -ERR_NO_ADDRESS : 0;
	addresses_move(c, n, host, &doc);
	return policy_sync_update(c, n, &doc, true, true, now);
}
