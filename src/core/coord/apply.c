/*
 * What another process wrote: a document as it is now takes the place of what is known, and whoever is concerned is told, as of any
 * other change. Nothing of it is stored, since it is. What is not simple (a device with another address, a policy that is changed and
 * not new) is left to a load of everything.
 */
#include "core/coord/internal.h"

#include <errno.h>

static int apply_gone(struct tailnet *c, enum coord_kind kind, int64_t id, struct now now)
{
	struct coord_node *n;

	if (kind == COORD_USER)
		return users_apply_gone(c, id);
	if (kind == COORD_KEY)
		return authkey_apply(c, id, NULL);
	if (kind == COORD_POLICY)
		return version_drop(c, id);
	if (kind != COORD_NODE)
		return -ERR_CONFLICT;
	n = coord_node_by_id(c, id);
	if (n)
		mapper_drop_node(c, n, now);
	return 0;
}

static int apply_new_node(
	struct tailnet *c, struct coord_node_doc *doc, struct arena mem, struct now now)
{
	int64_t id = doc->id;
	int rc = stored_take_node(c, doc, mem, false);
	struct coord_node *n;

	if (rc < 0)
		return rc;
	n = coord_node_by_id(c, id);
	coord_node_touch(c, n, true, now);
	if (n->doc.ephemeral)
		rc = presence_ephemeral_wait(c, n, now);
	return rc < 0 ? rc : policy_sync_follow(c, n, now);
}

/* mem is freed, or another's from here on. */
static int apply_node(
	struct tailnet *c, int64_t id, struct coord_node_doc *doc, struct arena mem, struct now now)
{
	struct coord_node *n = coord_node_by_id(c, id);
	int rc = doc->id == id ? 0 : -ERR_CONFLICT;

	if (rc == 0 && !n)
		rc = nodes_check_new(c, doc);
	if (rc == 0 && !n)
		return apply_new_node(c, doc, mem, now);
	if (rc == 0)
		rc = nodes_apply(c, n, doc, now);
	arena_fini(&mem);
	return rc;
}

static int apply_meta(struct tailnet *c, const struct coord_meta *m)
{
	if (!m->tailnet_id || strcmp(m->tailnet_id, c->tailnet_id) != 0)
		return -ERR_CONFLICT; /* it is another tailnet */
	stored_take_meta(c, m);
	return 0;
}

static int apply_other(
	struct tailnet *c, enum coord_kind kind, int64_t id, const union stored *u, struct now now)
{
	switch (kind) {
	case COORD_USER:
		return u->user.id == id ? users_apply(c, &u->user, now) : -ERR_CONFLICT;
	case COORD_KEY:
		return u->key.id == id ? authkey_apply(c, id, &u->key) : -ERR_CONFLICT;
	case COORD_META:
		return apply_meta(c, &u->meta);
	case COORD_POLICY:
		return u->policy.id == id ? policy_apply(c, &u->policy, now) : -ERR_CONFLICT;
	case COORD_DNS:
		return id == 1 ? dns_apply(c, &u->dns, now) : -ERR_CONFLICT;
	case COORD_NODE:
	case COORD_SETTINGS:
	case COORD_N_KINDS:
	case COORD_API_TOKEN:
	case COORD_AUDIT:
		break;
	}
	return -ERR_CONFLICT;
}

int coord_apply(
	struct tailnet *c, enum coord_kind kind, int64_t id, const struct view *doc, struct now now)
{
	union stored u;
	struct arena mem;
	int rc;

	if (kind >= COORD_N_KINDS)
		return -ERR_CONFLICT;
	if (!doc)
		return apply_gone(c, kind, id, now);
	arena_init(&mem, STORED_MEM_MAX);
	rc = stored_decode(c, kind, *doc, &u, &mem);
	if (rc >= 0 && kind <= COORD_KEY)
		c->meta.next_id = MAX_OF(c->meta.next_id, id);
	if (rc >= 0 && kind == COORD_NODE)
		return apply_node(c, id, &u.node, mem, now);
	if (rc >= 0)
		rc = apply_other(c, kind, id, &u, now);
	arena_fini(&mem);
	return rc;
}
