/* Devices: the tables in which they are found, and the order of their changes. */
#include "core/coord/tailnet/internal.h"

#include <errno.h>

enum { REMOVED_MAX = 4096 };

struct coord_node *coord_node_by_key(struct tailnet *c, const struct node_pub *key)
{
	struct map_node *n = map_find(&c->nodes_by_key, key->b, KEY_LEN);

	return n ? container_of(n, struct coord_node, by_key) : NULL;
}

struct coord_node *coord_node_by_id(const struct tailnet *c, int64_t id)
{
	struct map_node *n = map_find(&c->nodes_by_id, &id, sizeof(id));

	return n ? container_of(n, struct coord_node, by_id) : NULL;
}

struct coord_node *coord_node_of_machine(
	struct tailnet *c, const struct machine_pub *m, int64_t user, bool tagged)
{
	struct map_node *found = map_find(&c->machines, m->b, KEY_LEN);

	if (!found)
		return NULL;
	list_for_each(l, &container_of(found, struct machine, node)->nodes) {
		struct coord_node *n = container_of(l, struct coord_node, in_machine);

		if (tagged ? n->doc.tags.n > 0 : n->doc.tags.n == 0 && n->doc.user == user)
			return n;
	}
	return NULL;
}

static struct machine *machine_get(struct tailnet *c, const struct machine_pub *key)
{
	struct map_node *found = map_find(&c->machines, key->b, KEY_LEN);
	struct machine *m;

	if (found)
		return container_of(found, struct machine, node);
	m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->key = *key;
	list_init(&m->nodes);
	if (map_insert(&c->machines, &m->node, m->key.b, KEY_LEN) != 0) {
		free(m);
		return NULL;
	}
	return m;
}

void coord_node_touch(struct tailnet *c, struct coord_node *n, bool whole, struct now now)
{
	n->changed = ++c->seq;
	if (whole)
		n->changed_whole = n->changed;
	n->group->changed = n->changed;
	list_remove(&n->link);
	list_push_tail(&c->nodes, &n->link);
	if (c->flush_at == MONO_NEVER)
		c->flush_at = now.mono + COORD_COALESCE;
}

/* It asks for tags, and has none at all. Others that an administrator gave instead are his decision. */
bool coord_node_lacks_tags(const struct coord_node_doc *doc)
{
	return doc->hostinfo && doc->hostinfo->request_tags.n && !doc->tags.n;
}

/* Before anything is changed: a device that has heard of an error asks again, and what it asks for must be news then. */
static int copy_and_store(struct tailnet *c, const struct coord_node_doc *doc, bool durable,
	struct coord_node_doc *ret, struct arena *ret_mem)
{
	int rc = store_copy_doc(&coord_node_doc_type, doc, ret, ret_mem);

	if (rc < 0 || !durable)
		return rc;
	rc = store_doc(c, COORD_NODE, ret->id, &coord_node_doc_type, ret);
	if (rc < 0)
		arena_fini(ret_mem);
	return rc;
}

int coord_node_replace(struct tailnet *c, struct coord_node *n, const struct coord_node_doc *doc,
	enum telling what, bool durable, struct now now)
{
	struct coord_node_doc copy;
	struct arena mem;
	bool fresh_key = false, lacked_tags = coord_node_lacks_tags(&n->doc);
	int rc = copy_and_store(c, doc, durable, &copy, &mem);

	if (rc < 0) {
		if (strcmp(n->name_in_map, n->doc.name) != 0)
			tailnet_fail(c,
				rc); /* it was to have another name, and its own may be taken by now */
		return rc;
	}
	if (memcmp(copy.key.b, n->key_in_map.b, KEY_LEN) != 0) {
		map_remove(&c->nodes_by_key, &n->by_key);
		n->key_in_map = copy.key;
		rc = map_insert(&c->nodes_by_key, &n->by_key, n->key_in_map.b, KEY_LEN);
		CHECK(rc == 0); /* the register logic has looked for the key before */
		tailnet_key_is_out(c, &n->doc.key);
		fresh_key = true;
	}
	arena_fini(&n->mem);
	n->mem = mem;
	n->doc = copy;
	if (coord_node_lacks_tags(&n->doc) != lacked_tags)
		tailnet_note(c, n, NEWS_HEALTH, now);
	if (what != TELLS_NOBODY)
		coord_node_touch(c, n, what == TELLS_WHOLE, now);
	rc = fresh_key ? former_refresh(c, n) : 0;
	if (rc < 0)
		tailnet_fail(c, rc); /* a key that was given up would open something */
	return rc;
}

static int put_into_tables(struct tailnet *c, struct coord_node *n)
{
	if (map_insert(&c->nodes_by_key, &n->by_key, n->key_in_map.b, KEY_LEN) != 0)
		return -ENOMEM;
	if (map_insert(&c->nodes_by_id, &n->by_id, &n->id_in_map, sizeof(n->id_in_map)) != 0)
		goto by_key;
	if (map_insert(&c->nodes_by_name, &n->by_name, n->name_in_map, strlen(n->name_in_map)) != 0)
		goto by_id;
	if (peer_group_join(c, n) == 0 && former_refresh(c, n) == 0)
		return 0;
	former_free(c, n);
	peer_group_leave(c, n);
	map_remove(&c->nodes_by_name, &n->by_name);
by_id:
	map_remove(&c->nodes_by_id, &n->by_id);
by_key:
	map_remove(&c->nodes_by_key, &n->by_key);
	return -ENOMEM;
}

static void machine_put(struct tailnet *c, struct machine *m)
{
	if (!m || !list_empty(&m->nodes))
		return;
	map_remove(&c->machines, &m->node);
	free(m);
}

/* Puts a device into all tables. doc's memory becomes the node's; on failure it is freed. */
int coord_node_insert(struct tailnet *c, const struct coord_node_doc *doc, struct arena mem,
	struct coord_node **ret)
{
	struct coord_node *n = calloc(1, sizeof(*n));

	if (!n) {
		arena_fini(&mem);
		return -ENOMEM;
	}
	n->tailnet = c;
	n->mem = mem;
	n->doc = *doc;
	n->key_in_map = doc->key;
	n->id_in_map = doc->id;
	n->name_in_map = strdup(doc->name);
	list_init(&n->link);
	list_init(&n->in_machine);
	list_init(&n->sessions);
	list_init(&n->former);
	list_init(&n->in_noted);
	list_init(&n->in_group);
	list_init(&n->in_routers);
	n->machine = machine_get(c, &doc->machine);
	if (!n->machine || !n->name_in_map || put_into_tables(c, n) < 0) {
		machine_put(c, n->machine);
		free(n->name_in_map);
		arena_fini(&n->mem);
		free(n);
		return -ENOMEM;
	}
	list_push_tail(&n->machine->nodes, &n->in_machine);
	list_push_tail(&c->nodes, &n->link);
	addresses_set(c, addresses_host(doc), true);
	c->stats.nodes++;
	*ret = n;
	return 0;
}

/* A device that was out of sight before is in the list already: no message is to name it twice. */
static void forget_removed(struct tailnet *c, int64_t id)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_removed; i++)
		if (c->removed[i].id != id)
			c->removed[n++] = c->removed[i];
	c->n_removed = n;
}

/* Readers that have not come further than the floor are given a whole map. */
void coord_node_note_removed(struct tailnet *c, struct coord_node *n)
{
	int64_t id = n->doc.id;

	if (n->was_hidden)
		forget_removed(c, id);
	n->was_hidden = true;
	if (c->n_removed == c->cap_removed &&
		vec_grow(&c->removed, &c->cap_removed, sizeof(*c->removed), REMOVED_MAX) < 0) {
		size_t half = c->n_removed / 2;

		c->removed_floor = half ? c->removed[half - 1].seq : c->seq;
		if (!c->cap_removed)
			return;
		memmove(c->removed, c->removed + half, (c->n_removed - half) * sizeof(*c->removed));
		c->n_removed -= half;
	}
	c->removed[c->n_removed++] = (struct removed){ .seq = ++c->seq, .id = id };
}

void coord_node_free(struct tailnet *c, struct coord_node *n)
{
	map_remove(&c->nodes_by_key, &n->by_key);
	map_remove(&c->nodes_by_id, &n->by_id);
	map_remove(&c->nodes_by_name, &n->by_name);
	free(n->name_in_map);
	free(n->refused);
	list_remove(&n->link);
	list_remove(&n->in_noted);
	list_remove(&n->in_machine);
	machine_put(c, n->machine);
	heap_remove(&c->expiries, &n->expiry);
	former_free(c, n);
	addresses_set(c, addresses_host(&n->doc), false);
	c->stats.online -= n->doc.online == JSON_YES;
	peer_group_leave(c, n);
	list_remove(&n->in_routers);
	free(n->use);
	map_frame_put(n->whole);
	map_frame_put(n->patch);
	arena_fini(&n->mem);
	free(n);
	c->stats.nodes--;
}

const struct coord_node_doc *coord_node_next(
	const struct tailnet *c, const struct coord_node_doc *d)
{
	const struct list *l =
		d ? container_of(d, struct coord_node, doc)->link.next : c->nodes.next;

	return l == &c->nodes ? NULL : &container_of(l, struct coord_node, link)->doc;
}

const struct coord_node_doc *coord_node_before(
	const struct tailnet *c, const struct coord_node_doc *d)
{
	const struct list *l =
		d ? container_of(d, struct coord_node, doc)->link.prev : c->nodes.prev;

	return l == &c->nodes ? NULL : &container_of(l, struct coord_node, link)->doc;
}

uint64_t coord_node_changed(const struct coord_node_doc *d)
{
	return container_of(d, struct coord_node, doc)->changed;
}

const struct coord_node_doc *coord_node_find(const struct tailnet *c, int64_t id)
{
	struct coord_node *n = coord_node_by_id(c, id);

	return n ? &n->doc : NULL;
}
