/* A device that was never here gets a number, a name and its addresses. */
#include "core/coord/register/internal.h"

int create_node(struct tailnet *c, const struct coord_node_doc *doc, const char *wanted_name,
	struct now now, struct coord_node **ret)
{
	char name[NODE_NAME_MAX + 1];
	struct coord_node_doc d = *doc, copy;
	struct arena mem;
	struct coord_node *n;
	int rc;

	if (c->stats.nodes >= COORD_NODES_MAX)
		return -ERR_TOO_MANY;
	addresses_next(c, &d.ip4, &d.ip6);
	name_free(c, wanted_name, name);
	d.name = name;
	d.name_pinned = JSON_NO;
	d.id = ++c->meta.next_id;
	d.created = now.wall;
	rc = store_copy_doc(&coord_node_doc_type, &d, &copy, &mem);
	if (rc == 0)
		rc = coord_node_insert(c, &copy, mem, &n);
	if (rc < 0)
		return rc;
	coord_node_touch(c, n, true, now);
	*ret = n;
	rc = store_doc(c, COORD_NODE, copy.id, &coord_node_doc_type, &n->doc);
	if (rc == 0)
		rc = policy_sync_node(c, n, now);
	if (rc == 0)
		rc = pool_move(c, n, now);
	if (rc ==
		-ERR_NO_ADDRESS) /* one of the general range would be outside of rules that name the pool */
		c->stats.pools_full++;
	if (rc < 0) /* it asks again, and is to be a new one then */
		mapper_remove_node(c, n, now);
	return rc;
}
