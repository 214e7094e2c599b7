/*
 * Keys that a device had before its present one. They are remembered, a few of each device, so that none of them opens anything
 * again: not by an auth key, and not by the approval of a login.
 */
#include "core/coord/tailnet/internal.h"

#include <errno.h>

struct former {
	struct map_node node;
	struct list link;
	struct coord_node *owner;
	struct node_pub key;
};

struct coord_node *coord_node_of_former(const struct tailnet *c, const struct node_pub *key)
{
	struct map_node *m = map_find(&c->former_keys, key->b, KEY_LEN);

	return m ? container_of(m, struct former, node)->owner : NULL;
}

void former_add(const struct coord_node *n, struct coord_node_doc *doc,
	struct node_pub mem[static COORD_FORMER_KEYS_MAX])
{
	const struct json_list *old = &n->doc.former_keys;
	size_t skip = old->n < COORD_FORMER_KEYS_MAX ? 0 : old->n - COORD_FORMER_KEYS_MAX + 1,
	       k = 0;

	for (size_t i = skip; i < old->n; i++)
		mem[k++] = *JSON_AT(*old, struct node_pub, i);
	mem[k++] = n->doc.key;
	doc->former_keys = json_list_of(mem, k);
}

void former_free(struct tailnet *c, struct coord_node *n)
{
	list_for_each_safe(l, &n->former) {
		struct former *f = container_of(l, struct former, link);

		map_remove(&c->former_keys, &f->node);
		list_remove(&f->link);
		free(f);
	}
}

int former_refresh(struct tailnet *c, struct coord_node *n)
{
	former_free(c, n);
	for (size_t i = 0; i < n->doc.former_keys.n; i++) {
		struct former *f = calloc(1, sizeof(*f));
		int rc;

		if (!f)
			return -ENOMEM;
		f->owner = n;
		f->key = *JSON_AT(n->doc.former_keys, struct node_pub, i);
		rc = map_insert(&c->former_keys, &f->node, f->key.b, KEY_LEN);
		if (rc != 0)
			free(f); /* another one's, too: it is remembered there */
		else
			list_push_tail(&n->former, &f->link);
		if (rc < 0)
			return rc;
	}
	return 0;
}
