/* Users and auth keys in memory; the store is their durable form. */
#include "core/coord/internal.h"
#include "base/text/text.h"

#include <errno.h>

enum { USER_NAME_MAX = 255 };

void tell_with_key(const struct tailnet *c, const char *what, const struct coord_node *n,
	const struct coord_key *key)
{
	const struct user *u = n->doc.tags.n ? NULL : user_by_id(c, n->doc.user);
	struct coord_event e = {
		.what = what, .node = &n->doc, .owner = u ? &u->doc : NULL, .key = key
	};

	if (c->cfg.on_event)
		c->cfg.on_event(&e);
}

/* users */

/*
 * The one form of a name: in lower case, and without the @ at its end, which stands for "no domain" in policies. Stored names
 * may be older than this rule. -ERR_BAD_VALUE: it is no name.
 */
static int plain_name(const char *name, char out[static USER_NAME_MAX + 1])
{
	size_t len = strlen(name);

	if (len > 1 && name[len - 1] == '@')
		len--;
	if (!len || len > USER_NAME_MAX || !text_is_utf8(name, len) || name[0] == ' ' ||
		name[len - 1] == ' ')
		return -ERR_BAD_VALUE;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
			return -ERR_BAD_VALUE;
		out[i] = ascii_lower(name[i]);
	}
	out[len] = 0;
	return 0;
}

static bool same_plain(const char *stored, const char *plain)
{
	char text[USER_NAME_MAX + 1];

	return plain_name(stored, text) == 0 && !strcmp(text, plain);
}

struct user *user_by_id(const struct tailnet *c, int64_t id)
{
	struct map_node *m = map_find(&c->users_by_id, &id, sizeof(id));

	return m ? container_of(m, struct user, by_id) : NULL;
}

const struct coord_user *coord_user_find(const struct tailnet *c, const char *name)
{
	const struct coord_user *found = NULL;
	char plain[USER_NAME_MAX + 1];
	bool is_name = plain_name(name, plain) == 0;
	size_t n = 0;

	list_for_each(l, &c->users) {
		const struct user *u = container_of(l, struct user, link);

		if (!strcmp(u->doc.name, name))
			return &u->doc;
		if (!is_name || !same_plain(u->doc.name, plain))
			continue;
		found = &u->doc;
		n++;
	}
	return n == 1 ? found
		      : NULL; /* of an older database's "bob" and "Bob" only the exact one */
}

/* Somebody other than `but` who has this name in any spelling. */
static bool name_is_taken(const struct tailnet *c, const char *plain, const struct user *but)
{
	list_for_each(l, &c->users) {
		const struct user *u = container_of(l, struct user, link);

		if (u != but && same_plain(u->doc.name, plain))
			return true;
	}
	return false;
}

const struct coord_user *coord_user_next(const struct tailnet *c, const struct coord_user *u)
{
	const struct list *l = u ? container_of(u, struct user, doc)->link.next : c->users.next;

	return l == &c->users ? NULL : &container_of(l, struct user, link)->doc;
}

int user_insert(struct tailnet *c, const struct coord_user *doc, struct user **ret)
{
	struct user *u = calloc(1, sizeof(*u));
	int rc = u ? doc_copy(&coord_user_type, doc, &u->doc, &u->mem) : -ENOMEM;

	if (rc == 0) {
		u->id_in_map = u->doc.id;
		if (map_insert(&c->users_by_id, &u->by_id, &u->id_in_map, sizeof(u->id_in_map)) !=
			0) {
			arena_fini(&u->mem);
			rc = -EEXIST;
		}
	}
	if (rc < 0) {
		free(u);
		return rc;
	}
	list_push_tail(&c->users, &u->link);
	c->stats.users++;
	*ret = u;
	return 0;
}

int coord_user_create(
	struct tailnet *c, const char *name, struct now now, const struct coord_user **ret)
{
	char plain[USER_NAME_MAX + 1];
	struct coord_user doc = { .name = plain, .created = now.wall };
	struct user *u;
	int rc;

	if (plain_name(name, plain) < 0)
		return -ERR_BAD_VALUE;
	if (name_is_taken(c, plain, NULL))
		return -EEXIST;
	doc.id = ++c->meta.next_id;
	rc = user_insert(c, &doc, &u);
	if (rc < 0)
		return rc;
	*ret = &u->doc;
	rc = store_doc(c, COORD_USER, doc.id, &coord_user_type, &u->doc);
	return rc < 0 ? rc : follow_user(c, u);
}

/* Replaces the document; doc may point into the old one. */
static int user_update(struct tailnet *c, struct user *u, const struct coord_user *doc)
{
	struct coord_user copy;
	struct arena mem;
	int rc = doc_copy(&coord_user_type, doc, &copy, &mem);

	if (rc < 0)
		return rc;
	arena_fini(&u->mem);
	u->mem = mem;
	u->doc = copy;
	rc = store_doc(c, COORD_USER, u->doc.id, &coord_user_type, &u->doc);
	return rc < 0 ? rc : follow_user(c, u);
}

static void flush_soon(struct tailnet *c, struct now now)
{
	if (c->flush_at == MONO_NEVER)
		c->flush_at = now.mono + COORD_COALESCE;
}

int coord_user_set_role(struct tailnet *c, int64_t id, const char *role, struct now now)
{
	struct user *u = user_by_id(c, id);
	struct coord_user doc;
	enum policy_role known;

	if (!u)
		return -ENOENT;
	if (role_of(role, &known) < 0)
		return -ERR_BAD_VALUE;
	doc = u->doc;
	doc.role = role;
	list_for_each(l, &c->polls) { /* they are told whether they are an admin's */
		struct coord_poll *p = container_of(l, struct coord_poll, all);

		p->self_stale |= p->node && p->node->doc.user == id;
	}
	flush_soon(c, now);
	return user_update(c, u, &doc);
}

/* The name goes with a device to whoever sees it; the device itself is told in a whole map. */
static void tell_owner(struct tailnet *c, struct coord_node *n, struct now now)
{
	list_for_each(l, &n->polls)
		container_of(l, struct coord_poll, in_node)->again = true;
	coord_node_touch(c, n, true, now);
}

int coord_user_rename(struct tailnet *c, int64_t id, const char *name, struct now now)
{
	struct user *u = user_by_id(c, id);
	char plain[USER_NAME_MAX + 1];
	struct coord_user doc;
	struct list *last;
	int rc;

	if (!u)
		return -ENOENT;
	if (plain_name(name, plain) < 0)
		return -ERR_BAD_VALUE;
	if (name_is_taken(c, plain, u))
		return -EEXIST;
	doc = u->doc;
	doc.name = plain;
	rc = user_update(c, u, &doc);
	if (rc < 0)
		return rc;
	last = c->nodes.prev; /* who is touched goes to the end, and is not to be met there again */
	list_for_each_safe(l, &c->nodes) {
		struct coord_node *n = container_of(l, struct coord_node, link);

		if (n->doc.user == id)
			tell_owner(c, n, now);
		if (l == last)
			break;
	}
	return 0;
}

void user_free(struct tailnet *c, struct user *u)
{
	map_remove(&c->users_by_id, &u->by_id);
	list_remove(&u->link);
	arena_fini(&u->mem);
	free(u);
	c->stats.users--;
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
			coord_node_remove(c, n, now);
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

/* keys */

enum { KEY_SECRET_LEN = 24 };
static const char key_prefix_text[] = "wkey-auth-";

static void hash_text(struct tailnet *c, const char *text, char out[static 65])
{
	uint8_t h[32];

	c->cfg.hash(text, strlen(text), h);
	hex_encode(h, sizeof(h), out);
}

int authkey_insert(struct tailnet *c, const struct coord_key *doc, struct authkey **ret)
{
	struct authkey *k = calloc(1, sizeof(*k));
	int rc = k ? doc_copy(&coord_key_type, doc, &k->doc, &k->mem) : -ENOMEM;

	if (rc == 0 &&
		map_insert(&c->keys_by_hash, &k->node, k->doc.hash, strlen(k->doc.hash)) != 0) {
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

struct authkey *authkey_by_text(struct tailnet *c, const char *text)
{
	char hex[65];
	struct map_node *n;

	hash_text(c, text, hex);
	n = map_find(&c->keys_by_hash, hex, 64);
	return n ? container_of(n, struct authkey, node) : NULL;
}

int authkey_use(struct tailnet *c, struct authkey *k)
{
	k->doc.used++;
	return store_doc(c, COORD_KEY, k->doc.id, &coord_key_type, &k->doc);
}

int coord_key_create(struct tailnet *c, const struct coord_key_spec *spec, struct now now,
	char text[static COORD_SECRET_TEXT_MAX], const struct coord_key **ret)
{
	uint8_t secret[KEY_SECRET_LEN];
	char hex[2 * KEY_SECRET_LEN + 1], hash[65], hint[24];
	struct coord_key doc = { .user = spec->user,
		.reusable = spec->reusable,
		.ephemeral = spec->ephemeral,
		.preapproved = spec->preapproved,
		.created = now.wall,
		.expires = spec->expires };
	struct authkey *k;
	int rc;

	doc.tags = json_list_of((void *)(uintptr_t)spec->tags, spec->n_tags);
	if (spec->user && !user_by_id(c, spec->user))
		return -ENOENT;
	if (tc_check_tags(&doc.tags, NULL) < 0)
		return -ERR_BAD_VALUE;
	if (!tags_are_known(c, &doc.tags))
		return -ERR_DENIED;
	rng_fill(c->cfg.rng, secret, sizeof(secret));
	hex_encode(secret, sizeof(secret), hex);
	snprintf(text, COORD_SECRET_TEXT_MAX, "%s%s", key_prefix_text, hex);
	snprintf(hint, sizeof(hint), "%.*s...", (int)sizeof(key_prefix_text) + 3, text);
	hash_text(c, text, hash);
	doc.id = ++c->meta.next_id;
	doc.hash = hash;
	doc.hint = hint;
	rc = authkey_insert(c, &doc, &k);
	if (rc < 0)
		return rc;
	*ret = &k->doc;
	return store_doc(c, COORD_KEY, doc.id, &coord_key_type, &k->doc);
}

const struct coord_key *coord_key_next(const struct tailnet *c, const struct coord_key *k)
{
	const struct list *l = k ? container_of(k, struct authkey, doc)->link.next : c->keys.next;

	return l == &c->keys ? NULL : &container_of(l, struct authkey, link)->doc;
}

static struct authkey *authkey_by_id(const struct tailnet *c, int64_t id)
{
	list_for_each(l, &c->keys) {
		struct authkey *k = container_of(l, struct authkey, link);

		if (k->doc.id == id)
			return k;
	}
	return NULL;
}

int coord_key_revoke(struct tailnet *c, int64_t id)
{
	struct authkey *k = authkey_by_id(c, id);

	if (!k)
		return -ENOENT;
	k->doc.revoked = true;
	return store_doc(c, COORD_KEY, id, &coord_key_type, &k->doc);
}

void authkey_free(struct tailnet *c, struct authkey *k)
{
	map_remove(&c->keys_by_hash, &k->node);
	list_remove(&k->link);
	arena_fini(&k->mem);
	free(k);
	c->stats.keys--;
}

int coord_key_delete(struct tailnet *c, int64_t id)
{
	struct authkey *k = authkey_by_id(c, id);

	if (!k)
		return -ENOENT;
	authkey_free(c, k);
	store_delete(c, COORD_KEY, id);
	return 0;
}

int coord_key_move(struct tailnet *c, int64_t id, int64_t user)
{
	struct authkey *k = authkey_by_id(c, id);

	if (!k)
		return -ENOENT;
	if (!user_by_id(c, user))
		return -ERR_BAD_VALUE;
	if (k->doc.tags.n)
		return -ERR_CONFLICT;
	k->doc.user = user;
	return store_doc(c, COORD_KEY, id, &coord_key_type, &k->doc);
}
