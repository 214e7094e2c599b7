/* Which device is it that logs in? It comes back as the same one, perhaps as somebody else's or with tags. */
#include "core/coord/register/internal.h"

/* From tags to a person and back it stays the same device; from one person to another a new one begins. */
static bool may_become(const struct coord_node *n, int64_t user, bool tagged)
{
	return tagged || n->doc.tags.n || !n->doc.user || n->doc.user == user;
}

static struct coord_node *by_key(struct tailnet *c, const struct machine_pub *m,
	const struct node_pub *key, int64_t user, bool tagged)
{
	struct coord_node *n = key_is_zero(key->b) ? NULL : coord_node_by_key(c, key);

	return n && memcmp(n->doc.machine.b, m->b, KEY_LEN) == 0 && may_become(n, user, tagged)
		       ? n
		       : NULL;
}

/*
 * One machine may hold several devices, one for each of its profiles, so a device that is in use is converted only when its own
 * key is named. One that has logged out named none.
 */
struct coord_node *relogin_node(struct tailnet *c, const struct machine_pub *m,
	const struct tc_register_request *req, int64_t user, bool tagged, unix_ms wall)
{
	struct coord_node *n = by_key(c, m, &req->node_key, user, tagged);
	struct map_node *found;

	if (!n)
		n = by_key(c, m, &req->old_node_key, user, tagged);
	if (!n)
		n = coord_node_of_machine(c, m, user, tagged);
	found = n ? NULL : map_find(&c->machines, m->b, KEY_LEN);
	if (!found)
		return n;
	list_for_each(l, &container_of(found, struct machine, node)->nodes) {
		n = container_of(l, struct coord_node, in_machine);
		if (coord_node_is_expired(n, wall) && may_become(n, user, tagged))
			return n;
	}
	return NULL;
}
