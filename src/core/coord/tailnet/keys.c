/* Auth keys in memory; the store is their durable form. A key is found by the hash of its secret. */
#include "core/coord/tailnet/internal.h"
#include "base/bucket/bucket.h"
#include "base/text/text.h"

#include <errno.h>

void authkey_hash(struct tailnet *c, const char *text, char out[static 65])
{
	uint8_t h[32];

	c->cfg.hash(text, strlen(text), h);
	hex_encode(h, sizeof(h), out);
}

int authkey_insert(struct tailnet *c, const struct coord_key *doc, struct authkey **ret)
{
	struct authkey *k = calloc(1, sizeof(*k));
	int rc = k ? store_copy_doc(&coord_key_type, doc, &k->doc, &k->mem) : -ENOMEM;

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

static struct authkey *by_hash(struct tailnet *c, const char *text)
{
	char hex[65];
	struct map_node *n;

	authkey_hash(c, text, hex);
	n = map_find(&c->keys_by_hash, hex, 64);
	return n ? container_of(n, struct authkey, node) : NULL;
}

/* "hskey-auth-" and a prefix that names the key, a dash, and the secret, of which headscale kept a slow hash. */
enum { FOREIGN_NAME_LEN = 11 + 12, FOREIGN_SECRET_LEN = 64 };

/* From here on it is found as our own are, at once. */
static int make_ours(struct tailnet *c, struct authkey *k, const char *text)
{
	char hex[65], *copy;
	int rc;

	authkey_hash(c, text, hex);
	copy = arena_printf(&k->mem, "%s", hex);
	if (!copy)
		return -ENOMEM;
	map_remove(&c->keys_by_hash, &k->node);
	k->doc.hash = copy;
	k->doc.bcrypt = NULL;
	rc = map_insert(&c->keys_by_hash, &k->node, k->doc.hash, 64);
	CHECK(rc == 0); /* one has just left, and nobody else has this text */
	return store_doc(c, COORD_KEY, k->doc.id, &coord_key_type, &k->doc);
}

static int by_bcrypt(struct tailnet *c, const char *text, struct now now, struct authkey **ret)
{
	char name[FOREIGN_NAME_LEN + 1];
	struct authkey *k;
	bool there = strlen(text) == FOREIGN_NAME_LEN + 1 + FOREIGN_SECRET_LEN &&
		     text[FOREIGN_NAME_LEN] == '-';

	if (there)
		memcpy(name, text, FOREIGN_NAME_LEN);
	name[there ? FOREIGN_NAME_LEN : 0] = 0;
	k = there ? by_hash(c, name) : NULL;
	if (!k || !k->doc.bcrypt || !c->cfg.bcrypt_holds)
		return 0;
	if (!bucket_spend(&c->bcrypt_full_at, COORD_BCRYPT_EVERY,
		    COORD_BCRYPT_BURST * COORD_BCRYPT_EVERY, now.mono))
		return -EAGAIN;
	if (!c->cfg.bcrypt_holds(
		    view_of(text + FOREIGN_NAME_LEN + 1, FOREIGN_SECRET_LEN), k->doc.bcrypt))
		return 0;
	*ret = k;
	return make_ours(c, k, text);
}

int authkey_by_text(struct tailnet *c, const char *text, struct now now, struct authkey **ret)
{
	*ret = by_hash(c, text);
	if (*ret && !(*ret)->doc.bcrypt)
		return 0;
	*ret = NULL; /* a name is no secret */
	return by_bcrypt(c, text, now, ret);
}

int authkey_use(struct tailnet *c, struct authkey *k)
{
	k->doc.used++;
	return store_doc(c, COORD_KEY, k->doc.id, &coord_key_type, &k->doc);
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

int authkey_apply(struct tailnet *c, int64_t id, const struct coord_key *doc)
{
	struct authkey *k = authkey_by_id(c, id);

	if (k)
		authkey_free(c, k);
	return doc ? authkey_insert(c, doc, &k) : 0;
}
