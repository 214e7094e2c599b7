/* Administration of users. */
#include "core/coord/internal.h"

#include <errno.h>

/* Saved, and the policy engine follows. */
static int user_update(struct tailnet *c, struct user *u, const struct coord_user *doc)
{
	int rc = user_replace(c, u, doc, true);

	return rc < 0 ? rc : policy_sync_user(c, u);
}

int coord_user_create(
	struct tailnet *c, const char *name, struct now now, const struct coord_user **ret)
{
	char plain[USER_NAME_MAX + 1];
	struct coord_user doc = { .name = plain, .created = now.wall };
	struct user *u;
	int rc;

	if (user_plain_name(name, plain) < 0)
		return -ERR_BAD_VALUE;
	if (user_name_is_taken(c, plain, NULL))
		return -EEXIST;
	doc.id = ++c->meta.next_id;
	rc = user_insert(c, &doc, &u);
	if (rc < 0)
		return rc;
	*ret = &u->doc;
	rc = store_doc(c, COORD_USER, doc.id, &coord_user_type, &u->doc);
	return rc < 0 ? rc : policy_sync_user(c, u);
}

int coord_user_set_role(struct tailnet *c, int64_t id, const char *role, struct now now)
{
	struct user *u = user_by_id(c, id);
	struct coord_user doc;
	enum policy_role known;

	if (!u)
		return -ENOENT;
	if (policy_sync_role(role, &known) < 0)
		return -ERR_BAD_VALUE;
	doc = u->doc;
	doc.role = role;
	list_for_each(l, &c->nodes) { /* they are told whether they are an admin's */
		struct coord_node *n = container_of(l, struct coord_node, link);

		if (n->doc.user == id)
			tailnet_note(c, n, NEWS_SELF, now);
	}
	return user_update(c, u, &doc);
}

/* The name goes with a device to whoever sees it; the device itself is told in a whole map. */
static void tell_owner(struct tailnet *c, struct coord_node *n, struct now now)
{
	tailnet_note(c, n, NEWS_RESYNC, now);
	coord_node_touch(c, n, true, now);
}

static void tell_of_owner(struct tailnet *c, int64_t id, struct now now)
{
	struct list *last =
		c->nodes.prev; /* who is touched goes to the end, and is not to be met there again */

	list_for_each_safe(l, &c->nodes) {
		struct coord_node *n = container_of(l, struct coord_node, link);

		if (n->doc.user == id)
			tell_owner(c, n, now);
		if (l == last)
			break;
	}
}

int coord_user_rename(struct tailnet *c, int64_t id, const char *name, struct now now)
{
	struct user *u = user_by_id(c, id);
	char plain[USER_NAME_MAX + 1];
	struct coord_user doc;
	int rc;

	if (!u)
		return -ENOENT;
	if (user_plain_name(name, plain) < 0)
		return -ERR_BAD_VALUE;
	if (user_name_is_taken(c, plain, u))
		return -EEXIST;
	doc = u->doc;
	doc.name = plain;
	rc = user_update(c, u, &doc);
	if (rc < 0)
		return rc;
	tell_of_owner(c, id, now);
	return 0;
}

void coord_user_belongings(const struct tailnet *c, int64_t id, struct coord_belongings *ret)
{
	*ret = (struct coord_belongings){ 0 };
	list_for_each(l, &c->nodes)
		ret->nodes += container_of(l, struct coord_node, link)->doc.user == id;
	list_for_each(l, &c->keys)
		ret->keys += container_of(l, struct authkey, link)->doc.user == id;
}

/* Keys of the user go, or are another one's from now on. */
static int keys_leave(struct tailnet *c, int64_t user, int64_t heir)
{
	int rc = 0;

	list_for_each_safe(l, &c->keys) {
		struct authkey *k = container_of(l, struct authkey, link);

		if (k->doc.user != user || rc < 0)
			continue;
		if (heir)
			rc = coord_key_move(c, k->doc.id, heir);
		else
			rc = coord_key_delete(c, k->doc.id);
	}
	return rc;
}

static int nodes_leave(struct tailnet *c, int64_t user, int64_t heir, struct now now)
{
	int rc = 0;

	list_for_each_safe(l, &c->nodes) {
		struct coord_node *n = container_of(l, struct coord_node, link);

		if (n->doc.user != user || rc < 0)
			continue;
		if (heir)
			rc = coord_node_move(c, n->doc.id, heir, now);
		else
			mapper_remove_node(c, n, now);
	}
	return rc;
}

int coord_user_delete(
	struct tailnet *c, int64_t id, const struct coord_user_leaving *how, struct now now)
{
	struct user *u = user_by_id(c, id);
	struct coord_belongings b;
	int rc;

	if (!u)
		return -ENOENT;
	if (how->heir && (how->heir == id || !user_by_id(c, how->heir)))
		return -ERR_BAD_VALUE;
	coord_user_belongings(c, id, &b);
	if (b.nodes && !how->heir && !how->with_nodes)
		return -ERR_CONFLICT;
	rc = nodes_leave(c, id, how->heir, now);
	if (rc == 0)
		rc = keys_leave(c, id, how->heir);
	if (rc < 0)
		return rc;
	user_free(c, u);
	store_delete(c, COORD_USER, id);
	return policy_user_remove(c->policy, id);
}

int users_apply(struct tailnet *c, const struct coord_user *doc, struct now now)
{
	struct user *u = user_by_id(c, doc->id);
	int rc = u ? user_replace(c, u, doc, false) : user_insert(c, doc, &u);

	if (rc == 0)
		rc = policy_sync_user(c, u);
	if (rc == 0)
		tell_of_owner(c, doc->id, now);
	return rc;
}

int users_apply_gone(struct tailnet *c, int64_t id)
{
	struct user *u = user_by_id(c, id);
	struct coord_belongings b;

	if (!u)
		return 0;
	coord_user_belongings(c, id, &b);
	if (b.nodes || b.keys)
		return -ERR_CONFLICT; /* they may be about to go, too */
	user_free(c, u);
	return policy_user_remove(c->policy, id);
}
