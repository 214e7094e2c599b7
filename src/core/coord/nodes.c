/* Administration of devices. */
#include "core/coord/internal.h"

#include <errno.h>

int coord_node_delete(struct tailnet *c, int64_t id, struct now now)
{
	struct coord_node *n = coord_node_by_id(c, id);

	if (!n)
		return -ENOENT;
	mapper_remove_node(c, n, now);
	return 0;
}

int coord_node_tag(
	struct tailnet *c, int64_t id, const char *const *tags, size_t n_tags, struct now now)
{
	struct coord_node *n = coord_node_by_id(c, id);
	struct coord_node_doc doc;

	if (!n)
		return -ENOENT;
	doc = n->doc;
	doc.tags = json_list_of((void *)(uintptr_t)tags, n_tags);
	if (!n_tags || tc_check_tags(&doc.tags, NULL) < 0)
		return -ERR_BAD_VALUE; /* without tags it is somebody's: coord_node_move */
	if (!tags_are_known(c, &doc.tags))
		return -ERR_DENIED;
	doc.user = 0;
	doc.key_expiry = 0;
	doc.key_expired = false;
	return policy_sync_update(c, n, &doc, true, true, now);
}

int coord_node_move(struct tailnet *c, int64_t id, int64_t user, struct now now)
{
	struct coord_node *n = coord_node_by_id(c, id);
	struct coord_node_doc doc;

	if (!n)
		return -ENOENT;
	if (!user_by_id(c, user))
		return -ERR_BAD_VALUE;
	doc = n->doc;
	if (doc.tags.n) { /* from now on it is a person's, as after a login */
		doc.tags = (struct json_list){ 0 };
		if (!doc.key_expired)
			doc.key_expiry = c->cfg.key_life_ms ? now.wall + c->cfg.key_life_ms : 0;
	}
	doc.user = user;
	tailnet_note(c, n, NEWS_RESYNC, now); /* who it belongs to is told in a whole map */
	return policy_sync_update(c, n, &doc, true, true, now);
}

int coord_node_rename(struct tailnet *c, int64_t id, const char *name, struct now now)
{
	struct coord_node *n = coord_node_by_id(c, id);
	char clean[NODE_NAME_MAX + 1];
	struct coord_node_doc doc;
	int rc;

	if (!n)
		return -ENOENT;
	name_clean(name ? name : n->doc.hostname, clean);
	if (name && strcmp(clean, name) != 0)
		return -ERR_BAD_VALUE;
	if (name && strcmp(clean, n->doc.name) != 0 && name_taken(c, clean))
		return -EEXIST;
	doc = n->doc;
	rc = name_claim(c, n, clean);
	if (rc < 0)
		return rc;
	doc.name = n->name_in_map;
	doc.name_pinned = name ? JSON_YES : JSON_NO;
	return policy_sync_update(c, n, &doc, true, true, now);
}

int coord_node_expire(struct tailnet *c, int64_t id, struct now now)
{
	return coord_node_expire_at(c, id, now.wall, now);
}

int coord_node_expire_at(struct tailnet *c, int64_t id, unix_ms at, struct now now)
{
	struct coord_node *n = coord_node_by_id(c, id);
	struct coord_node_doc doc;

	if (!n)
		return -ENOENT;
	doc = n->doc;
	doc.key_expiry = at;
	doc.key_expired = at && at <= now.wall;
	return policy_sync_update(c, n, &doc, true, true, now);
}

bool coord_node_quarantined(const struct tailnet *c, int64_t id)
{
	const struct coord_node *n = coord_node_by_id(c, id);

	return n && n->quarantined;
}
