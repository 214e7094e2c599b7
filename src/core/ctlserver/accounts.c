/* Users and auth keys in memory; the store is their durable form. */
#include "core/ctlserver/world.h"
#include "base/text/text.h"

#include <errno.h>

/* users */

struct user *user_by_id(const struct ctl *c, int64_t id)
{
	list_for_each(l, &c->users) {
		struct user *u = container_of(l, struct user, link);

		if (u->doc.id == id)
			return u;
	}
	return NULL;
}

const struct ctl_user *ctl_user_find(const struct ctl *c, const char *name)
{
	list_for_each(l, &c->users) {
		const struct user *u = container_of(l, struct user, link);

		if (!strcmp(u->doc.name, name))
			return &u->doc;
	}
	return NULL;
}

const struct ctl_user *ctl_user_next(const struct ctl *c, const struct ctl_user *u)
{
	const struct list *l = u ? container_of(u, struct user, doc)->link.next : c->users.next;

	return l == &c->users ? NULL : &container_of(l, struct user, link)->doc;
}

int user_insert(struct ctl *c, const struct ctl_user *doc, struct user **ret)
{
	struct user *u = calloc(1, sizeof(*u));
	int rc = u ? doc_copy(&ctl_user_type, doc, &u->doc, &u->mem) : -ENOMEM;

	if (rc < 0) {
		free(u);
		return rc;
	}
	list_push_tail(&c->users, &u->link);
	c->stats.users++;
	*ret = u;
	return 0;
}

int ctl_user_create(struct ctl *c, const char *name, struct now now, const struct ctl_user **ret)
{
	struct ctl_user doc = { .name = name, .created = now.wall };
	struct user *u;
	int rc;

	if (!*name || strlen(name) > 255 || !text_is_utf8(name, strlen(name)))
		return -ERR_BAD_VALUE;
	if (ctl_user_find(c, name))
		return -EEXIST;
	doc.id = ++c->meta.next_id;
	rc = user_insert(c, &doc, &u);
	if (rc < 0)
		return rc;
	*ret = &u->doc;
	rc = store_doc(c, CTL_USER, doc.id, &ctl_user_type, &u->doc);
	return rc < 0 ? rc : follow_user(c, u);
}

int ctl_user_set_role(struct ctl *c, int64_t id, const char *role, struct now now)
{
	struct user *u = user_by_id(c, id);
	struct ctl_user doc, copy;
	enum policy_role known;
	struct arena mem;
	int rc;

	if (!u)
		return -ENOENT;
	if (role_of(role, &known) < 0)
		return -ERR_BAD_VALUE;
	doc = u->doc;
	doc.role = role;
	rc = doc_copy(&ctl_user_type, &doc, &copy, &mem);
	if (rc < 0)
		return rc;
	arena_fini(&u->mem);
	u->mem = mem;
	u->doc = copy;
	list_for_each(l, &c->polls) { /* they are told whether they are an admin's */
		struct ctl_poll *p = container_of(l, struct ctl_poll, all);

		p->self_stale |= p->node && p->node->doc.user == id;
	}
	if (c->flush_at == MONO_NEVER)
		c->flush_at = now.mono + CTL_COALESCE;
	rc = store_doc(c, CTL_USER, id, &ctl_user_type, &u->doc);
	return rc < 0 ? rc : follow_user(c, u);
}

void user_free(struct ctl *c, struct user *u)
{
	list_remove(&u->link);
	arena_fini(&u->mem);
	free(u);
	c->stats.users--;
}

int ctl_user_delete(struct ctl *c, int64_t id)
{
	struct user *u = user_by_id(c, id);

	if (!u)
		return -ENOENT;
	list_for_each(l, &c->nodes)
		if (container_of(l, struct node, link)->doc.user == id)
			return -ERR_CONFLICT;
	list_for_each(l, &c->keys)
		if (container_of(l, struct authkey, link)->doc.user == id)
			return -ERR_CONFLICT;
	user_free(c, u);
	store_delete(c, CTL_USER, id);
	return policy_user_remove(c->policy, id);
}

/* keys */

enum { KEY_SECRET_LEN = 24 };
static const char key_prefix_text[] = "wkey-auth-";

static void hash_text(struct ctl *c, const char *text, char out[static 65])
{
	uint8_t h[32];

	c->cfg.hash(text, strlen(text), h);
	hex_encode(h, sizeof(h), out);
}

int authkey_insert(struct ctl *c, const struct ctl_key *doc, struct authkey **ret)
{
	struct authkey *k = calloc(1, sizeof(*k));
	int rc = k ? doc_copy(&ctl_key_type, doc, &k->doc, &k->mem) : -ENOMEM;

	if (rc == 0 && map_insert(&c->keys_by_hash, &k->node, k->doc.hash, strlen(k->doc.hash)) != 0) {
		arena_fini(&k->mem);
		rc = -EEXIST;
	}
	if (rc < 0) {
		free(k);
		return rc;
	}
	list_push_tail(&c->keys, &k->link);
	c->stats.keys++;
	*ret = k;
	return 0;
}

struct authkey *authkey_by_text(struct ctl *c, const char *text)
{
	char hex[65];
	struct map_node *n;

	hash_text(c, text, hex);
	n = map_find(&c->keys_by_hash, hex, 64);
	return n ? container_of(n, struct authkey, node) : NULL;
}

int authkey_use(struct ctl *c, struct authkey *k)
{
	k->doc.used++;
	return store_doc(c, CTL_KEY, k->doc.id, &ctl_key_type, &k->doc);
}

int ctl_key_create(struct ctl *c, const struct ctl_key_spec *spec, struct now now, char text[static CTL_SECRET_TEXT_MAX],
	const struct ctl_key **ret)
{
	uint8_t secret[KEY_SECRET_LEN];
	char hex[2 * KEY_SECRET_LEN + 1], hash[65], hint[24];
	struct ctl_key doc = { .user = spec->user, .reusable = spec->reusable, .ephemeral = spec->ephemeral,
		.preapproved = spec->preapproved, .created = now.wall, .expires = spec->expires };
	struct authkey *k;
	int rc;

	doc.tags = json_list_of((void *)(uintptr_t)spec->tags, spec->n_tags);
	if (spec->user && !user_by_id(c, spec->user))
		return -ENOENT;
	if (!tags_are_sane(&doc.tags))
		return -ERR_BAD_VALUE;
	if (!tags_are_known(c, &doc.tags))
		return -ERR_DENIED;
	rng_fill(c->cfg.rng, secret, sizeof(secret));
	hex_encode(secret, sizeof(secret), hex);
	snprintf(text, CTL_SECRET_TEXT_MAX, "%s%s", key_prefix_text, hex);
	snprintf(hint, sizeof(hint), "%.*s...", (int)sizeof(key_prefix_text) + 3, text);
	hash_text(c, text, hash);
	doc.id = ++c->meta.next_id;
	doc.hash = hash;
	doc.hint = hint;
	rc = authkey_insert(c, &doc, &k);
	if (rc < 0)
		return rc;
	*ret = &k->doc;
	return store_doc(c, CTL_KEY, doc.id, &ctl_key_type, &k->doc);
}

const struct ctl_key *ctl_key_next(const struct ctl *c, const struct ctl_key *k)
{
	const struct list *l = k ? container_of(k, struct authkey, doc)->link.next : c->keys.next;

	return l == &c->keys ? NULL : &container_of(l, struct authkey, link)->doc;
}

int ctl_key_revoke(struct ctl *c, int64_t id)
{
	list_for_each(l, &c->keys) {
		struct authkey *k = container_of(l, struct authkey, link);

		if (k->doc.id != id)
			continue;
		k->doc.revoked = true;
		return store_doc(c, CTL_KEY, id, &ctl_key_type, &k->doc);
	}
	return -ENOENT;
}
