/* Auth keys in memory; the store is their durable form. A key is found by the hash of its secret. */
#include "core/coord/tailnet/internal.h"
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

struct authkey *authkey_by_text(struct tailnet *c, const char *text)
{
	char hex[65];
	struct map_node *n;

	authkey_hash(c, text, hex);
	n = map_find(&c->keys_by_hash, hex, 64);
	return n ? container_of(n, struct authkey, node) : NULL;
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
