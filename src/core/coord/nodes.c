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

/* What it says itself, here, is newer than what another process knew of it. */
static void keep_said(struct coord_node_doc *doc, const struct coord_node_doc *own)
{
	doc->cap = own->cap;
	doc->home_derp = own->home_derp;
	doc->disco = own->disco;
	doc->hostname = own->hostname;
	doc->endpoints = own->endpoints;
	doc->hostinfo = own->hostinfo;
	doc->last_seen = own->last_seen;
}

static bool same_former(const struct coord_node_doc *a, const struct coord_node_doc *b)
{
	return a->former_keys.n == b->former_keys.n &&
	       (!a->former_keys.n || !memcmp(a->former_keys.v, b->former_keys.v,
					     a->former_keys.n * sizeof(struct node_pub)));
}

static bool is_plain_name(const char *name)
{
	char clean[NODE_NAME_MAX + 1];

	name_clean(name, clean);
	return !strcmp(clean, name);
}

/* What is entered in tables is as it was, or can be. */
static bool is_simple(
	struct tailnet *c, const struct coord_node *n, const struct coord_node_doc *doc)
{
	const struct coord_node_doc *d = &n->doc;
	bool same_key = !memcmp(doc->key.b, d->key.b, KEY_LEN);

	return !memcmp(doc->machine.b, d->machine.b, KEY_LEN) && ipaddr_eq(doc->ip4, d->ip4) &&
	       ipaddr_eq(doc->ip6, d->ip6) && doc->ephemeral == d->ephemeral &&
	       doc->unapproved == d->unapproved &&
	       (same_key ? same_former(doc, d) : !coord_node_by_key(c, &doc->key)) &&
	       (!strcmp(doc->name, d->name) ||
		       (is_plain_name(doc->name) && !name_taken(c, doc->name)));
}

int nodes_apply(
	struct tailnet *c, struct coord_node *n, const struct coord_node_doc *doc, struct now now)
{
	struct coord_node_doc d = *doc;
	bool moves = d.user != n->doc.user;
	int rc;

	if (!is_simple(c, n, doc))
		return -ERR_CONFLICT;
	name_judge_old(&d);
	d.online = n->doc.online;
	if (n->here)
		keep_said(&d, &n->doc);
	if (strcmp(d.name, n->doc.name) != 0) {
		rc = name_claim(c, n, d.name);
		if (rc < 0)
			return rc;
	}
	rc = policy_sync_update(c, n, &d, true, false, now);
	if (rc == 0 && moves)
		tailnet_note(c, n, NEWS_RESYNC, now);
	return rc < 0 || !n->here ? rc : store_said(c, n);
}

int nodes_check_new(const struct tailnet *c, const struct coord_node_doc *doc)
{
	return c->stats.nodes >= COORD_NODES_MAX || !is_plain_name(doc->name) ||
			       name_taken(c, doc->name) || addresses_are_taken(c, doc) ||
			       map_find(&c->nodes_by_key, doc->key.b, KEY_LEN)
		       ? -ERR_CONFLICT
		       : 0;
}
