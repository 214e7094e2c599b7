/* Devices in memory, and the start and end of it all; the store is the durable form. */
#include "core/coord/internal.h"
#include "base/text/text.h"
#include "proto/tsaddr/tsaddr.h"

#include <errno.h>
#include <zstd.h>

enum {
	DOC_MAX = 1 << 20,
	STORED_MAX = 16 << 20,
	LOAD_MEM_MAX = 4 * STORED_MAX,
	REMOVED_MAX = 4096
};

const char *coord_store_refusal(const struct coord_store *s)
{
	if (s->refuses)
		return s->refuses;
	return s->full ? "the hub's database is behind with its writes; try again in a minute\n"
		       : NULL;
}

int coord_store_put(struct coord_store *s, enum coord_kind kind, int64_t id, struct view doc)
{
	int rc = s->ops->put(s, kind, id, doc);

	if (rc == 0)
		s->promised = s->batch;
	return rc;
}

int coord_store_del(struct coord_store *s, enum coord_kind kind, int64_t id)
{
	int rc = s->ops->del(s, kind, id);

	if (rc == 0)
		s->promised = s->batch;
	return rc;
}

int store_doc(struct tailnet *c, enum coord_kind kind, int64_t id, const struct json_type *t,
	const void *doc)
{
	struct buf b;
	int rc;

	buf_init(&b, STORED_MAX); /* a policy's text, each byte of it escaped */
	rc = json_encode(t, doc, &b);
	if (rc == 0)
		rc = coord_store_put(c->cfg.store, kind, id, buf_view(&b));
	buf_fini(&b);
	return rc;
}

int note_node(struct tailnet *c, struct coord_node *n)
{
	struct buf b;
	int rc;

	buf_init(&b, DOC_MAX);
	rc = json_encode(&coord_node_doc_type, &n->doc, &b);
	if (rc == 0)
		rc = c->cfg.store->ops->put(c->cfg.store, COORD_NODE, n->doc.id, buf_view(&b));
	buf_fini(&b);
	return rc;
}

/* Numbers are not used again, so the highest is kept when what had it goes. A failure shows at the commit. */
void store_delete(struct tailnet *c, enum coord_kind kind, int64_t id)
{
	int rc = coord_store_del(c->cfg.store, kind, id);

	if (rc == 0)
		rc = store_doc(c, COORD_META, 1, &coord_meta_type, &c->meta);
	c->store_failed = c->store_failed || rc < 0;
}

/* A deep copy of a document into its own memory, by way of its text. */
int doc_copy(const struct json_type *t, const void *from, void *to, struct arena *mem)
{
	struct buf b;
	int rc;

	buf_init(&b, DOC_MAX);
	arena_init(mem, 4 * DOC_MAX);
	rc = json_encode(t, from, &b);
	if (rc == 0) {
		const char *text = arena_strndup(
			mem, buf_data(&b), buf_len(&b)); /* raw fields point into it */

		rc = text ? json_decode(t, text, buf_len(&b), to, mem, NULL) : -ENOMEM;
	}
	buf_fini(&b);
	if (rc < 0)
		arena_fini(mem);
	return rc;
}

/* devices */

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

bool coord_machine_is_member(
	const struct tailnet *c, const struct machine_pub *machine, unix_ms wall)
{
	struct map_node *found = map_find(&c->machines, machine->b, KEY_LEN);

	if (!found)
		return false;
	list_for_each(l, &container_of(found, struct machine, node)->nodes)
		if (!coord_node_is_expired(container_of(l, struct coord_node, in_machine), wall))
			return true;
	return false;
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
	n->block->changed = n->changed;
	list_remove(&n->link);
	list_push_tail(&c->nodes, &n->link);
	if (c->flush_at == MONO_NEVER)
		c->flush_at = now.mono + COORD_COALESCE;
}

int coord_node_update(struct tailnet *c, struct coord_node *n, const struct coord_node_doc *doc,
	bool whole, bool durable, struct now now)
{
	return coord_node_tell(c, n, doc, whole ? TELLS_WHOLE : TELLS_PATCH, durable, now);
}

int coord_node_tell(struct tailnet *c, struct coord_node *n, const struct coord_node_doc *doc,
	enum telling what, bool durable, struct now now)
{
	struct coord_node_doc copy;
	struct arena mem;
	bool fresh_key = false, lacked_tags = settings_lacks_tags(&n->doc);
	int rc = doc_copy(&coord_node_doc_type, doc, &copy, &mem);

	if (rc < 0)
		return rc;
	if (memcmp(copy.key.b, n->key_in_map.b, KEY_LEN) != 0) {
		map_remove(&c->nodes_by_key, &n->by_key);
		n->key_in_map = copy.key;
		rc = map_insert(&c->nodes_by_key, &n->by_key, n->key_in_map.b, KEY_LEN);
		CHECK(rc == 0); /* the register logic has looked for the key before */
		key_is_out(c, &n->doc.key);
		fresh_key = true;
	}
	arena_fini(&n->mem);
	n->mem = mem;
	n->doc = copy;
	if (settings_lacks_tags(&n->doc) != lacked_tags)
		health_changes(c, n, now);
	if (what != TELLS_NOBODY)
		coord_node_touch(c, n, what == TELLS_WHOLE, now);
	rc = fresh_key ? former_refresh(c, n) : 0;
	if (rc == 0 && durable)
		rc = store_doc(c, COORD_NODE, n->doc.id, &coord_node_doc_type, &n->doc);
	return rc < 0 ? rc : follow_node(c, n, now);
}

/*
 * The n-th address of each pool. IPv4 leaves out 100.100.0.0/16 (the service address) and 100.115.92.0/23 (ChromeOS). IPv6 has its
 * service address among the first hundred: whose number it is gets one beside them.
 */
static void addresses_of(int64_t host, struct ipaddr *ret4, struct ipaddr *ret6)
{
	uint32_t v4 = 0x64400000 + (uint32_t)host;
	uint8_t b[16] = { 0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0 };

	store_be32(b + 12, (uint32_t)host);
	*ret6 = ipaddr_from16(b);
	if (ipaddr_eq(*ret6, tsaddr_service6))
		ret6->b[11] = 1;
	store_be32(b, v4);
	*ret4 = ipaddr_from4(b);
}

static bool host_is_reserved(int64_t host)
{
	uint32_t v4 = 0x64400000 + (uint32_t)host;

	return (v4 & 0xff) == 0 || (v4 & 0xff) == 255 || v4 >> 16 == 0x6464 ||
	       (v4 & 0xfffffe00) == 0x64735c00;
}

static int64_t host_of(const struct coord_node_doc *d)
{
	return ((int64_t)load_be32(d->ip4.b) - 0x64400000) % HOSTS_MAX;
}

/* Given by an older hub: devices don't take it for a peer's. True: it has another one now. */
static bool address_judge_old(struct coord_node_doc *d)
{
	struct ipaddr ip4;

	if (!ipaddr_eq(d->ip6, tsaddr_service6))
		return false;
	addresses_of(host_of(d), &ip4, &d->ip6);
	return true;
}

static bool host_is_taken(const struct tailnet *c, int64_t host)
{
	return c->hosts[host / 8] & 1 << host % 8;
}

static void host_set(struct tailnet *c, int64_t host, bool taken)
{
	uint8_t bit = (uint8_t)(1 << host % 8);

	c->hosts[host / 8] =
		(uint8_t)(taken ? c->hosts[host / 8] | bit : c->hosts[host / 8] & ~bit);
}

/* Puts a device into all tables. doc's memory becomes the node's. */
static int coord_node_insert(struct tailnet *c, const struct coord_node_doc *doc, struct arena mem,
	struct coord_node **ret)
{
	struct coord_node *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->tailnet = c;
	n->mem = mem;
	n->doc = *doc;
	n->key_in_map = doc->key;
	n->id_in_map = doc->id;
	n->name_in_map = strdup(doc->name);
	list_init(&n->link);
	list_init(&n->in_machine);
	list_init(&n->polls);
	list_init(&n->former);
	list_init(&n->in_block);
	list_init(&n->in_routers);
	n->machine = machine_get(c, &doc->machine);
	if (!n->machine || !n->name_in_map ||
		map_insert(&c->nodes_by_key, &n->by_key, n->key_in_map.b, KEY_LEN) != 0 ||
		map_insert(&c->nodes_by_id, &n->by_id, &n->id_in_map, sizeof(n->id_in_map)) != 0 ||
		map_insert(&c->nodes_by_name, &n->by_name, n->name_in_map,
			strlen(n->name_in_map)) != 0 ||
		block_join(c, n) < 0 || former_refresh(c, n) < 0)
		return -ENOMEM; /* at start only: the owner gives up */
	list_push_tail(&n->machine->nodes, &n->in_machine);
	list_push_tail(&c->nodes, &n->link);
	host_set(c, host_of(doc), true);
	c->stats.nodes++;
	*ret = n;
	return 0;
}

enum { POOLS_MAX = 16 };

/* A free address of the pool, from a random place on. -1: there is none. */
static int64_t host_in_pool(struct tailnet *c, struct ipprefix pool)
{
	int64_t first = (int64_t)load_be32(ipprefix_masked(pool).ip.b) - 0x64400000,
		size = (int64_t)1 << (32 - pool.bits);
	int64_t start = (int64_t)rng_below(c->cfg.rng, (uint32_t)MIN_OF(size, (int64_t)HOSTS_MAX));

	if (pool.ip.family != 4 || first < 0 || first + size > HOSTS_MAX)
		return -1;
	for (int64_t i = 0; i < size; i++) {
		int64_t host = first + (start + i) % size;

		if (host % 8 == 0 && c->hosts[host / 8] == 0xff && (start + i) % size + 8 <= size &&
			i + 8 <= size)
			i += 7; /* eight at once */
		else if (!host_is_reserved(host) && !host_is_taken(c, host))
			return host;
	}
	return -1;
}

/* The policy may want addresses of devices like this one in a pool of their own. -ERR_NO_ADDRESS: all of it are taken. */
static int move_to_pool(struct tailnet *c, struct coord_node *n, struct now now)
{
	const struct ipprefix *pools[POOLS_MAX];
	size_t n_pools = c->open ? 0
				 : policy_node_pools(policy_installed(c->policy), n->doc.id, pools,
					   POOLS_MAX);
	struct coord_node_doc doc = n->doc;
	int64_t host = -1;

	for (size_t i = 0; i < n_pools; i++)
		if (ipprefix_contains(*pools[i], n->doc.ip4))
			return 0;
	for (size_t i = 0; i < n_pools && host < 0; i++)
		host = host_in_pool(c, *pools[i]);
	if (host < 0)
		return n_pools ? -ERR_NO_ADDRESS : 0;
	host_set(c, host_of(&n->doc), false);
	host_set(c, host, true);
	addresses_of(host, &doc.ip4, &doc.ip6);
	return coord_node_update(c, n, &doc, true, true, now);
}

int coord_node_create(struct tailnet *c, const struct coord_node_doc *doc, const char *wanted_name,
	struct now now, struct coord_node **ret)
{
	char name[NODE_NAME_MAX + 1];
	struct coord_node_doc d = *doc, copy;
	struct arena mem;
	struct coord_node *n;
	int rc;

	if (c->stats.nodes >= COORD_NODES_MAX)
		return -ERR_TOO_MANY;
	do
		c->meta.next_host = (c->meta.next_host + 1) % HOSTS_MAX;
	while (host_is_reserved(c->meta.next_host) || host_is_taken(c, c->meta.next_host));
	addresses_of(c->meta.next_host, &d.ip4, &d.ip6);
	name_free(c, wanted_name, name);
	d.name = name;
	d.name_pinned = JSON_NO;
	d.id = ++c->meta.next_id;
	d.created = now.wall;
	rc = doc_copy(&coord_node_doc_type, &d, &copy, &mem);
	if (rc == 0)
		rc = coord_node_insert(c, &copy, mem, &n);
	if (rc < 0)
		return rc;
	coord_node_touch(c, n, true, now);
	*ret = n;
	rc = store_doc(c, COORD_NODE, copy.id, &coord_node_doc_type, &n->doc);
	if (rc == 0)
		rc = follow_node(c, n, now);
	if (rc == 0)
		rc = move_to_pool(c, n, now);
	if (rc ==
		-ERR_NO_ADDRESS) { /* an address of the general range would be outside of rules that name the pool */
		c->stats.pools_full++;
		coord_node_remove(c, n, now);
	}
	return rc;
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
void note_removed(struct tailnet *c, struct coord_node *n)
{
	int64_t id = n->doc.id;

	if (n->was_hidden)
		forget_removed(c, id);
	n->was_hidden = true;
	if (c->n_removed == c->cap_removed) {
		size_t cap = c->cap_removed ? c->cap_removed * 2 : 64;
		struct removed *v =
			cap <= REMOVED_MAX ? realloc(c->removed, cap * sizeof(*v)) : NULL;

		if (v) {
			c->removed = v;
			c->cap_removed = cap;
		} else {
			size_t half = c->n_removed / 2;

			c->removed_floor = half ? c->removed[half - 1].seq : c->seq;
			memmove(c->removed, c->removed + half,
				(c->n_removed - half) * sizeof(*c->removed));
			c->n_removed -= half;
			if (!c->cap_removed)
				return;
		}
	}
	c->removed[c->n_removed++] = (struct removed){ .seq = ++c->seq, .id = id };
}

static void coord_node_free(struct tailnet *c, struct coord_node *n)
{
	list_for_each_safe(l, &n->polls)
		poll_end(container_of(l, struct coord_poll, in_node));
	map_remove(&c->nodes_by_key, &n->by_key);
	map_remove(&c->nodes_by_id, &n->by_id);
	if (n->name_in_map)
		map_remove(&c->nodes_by_name, &n->by_name);
	free(n->name_in_map);
	free(n->refused);
	list_remove(&n->link);
	list_remove(&n->in_machine);
	if (list_empty(&n->machine->nodes)) {
		map_remove(&c->machines, &n->machine->node);
		free(n->machine);
	}
	heap_remove(&c->ephemerals, &n->ephemeral);
	heap_remove(&c->offline, &n->offline);
	heap_remove(&c->expiries, &n->expiry);
	rivals_free(c, n);
	former_free(c, n);
	say_forget(n);
	host_set(c, host_of(&n->doc), false);
	c->stats.online -= n->doc.online == JSON_YES;
	block_leave(c, n);
	router_leaves(n);
	piece_put(n->whole);
	piece_put(n->patch);
	arena_fini(&n->mem);
	free(n);
	c->stats.nodes--;
}

void coord_node_remove(struct tailnet *c, struct coord_node *n, struct now now)
{
	tell(c, "device left", n);
	store_delete(c, COORD_NODE, n->doc.id); /* first: what its readers are told waits for it */
	list_for_each_safe(l, &n->polls)
		poll_farewell(container_of(l, struct coord_poll, in_node), now);
	key_is_out(c, &n->doc.key);
	follow_gone(c, n);
	note_removed(c, n);
	coord_node_free(c, n);
	if (c->flush_at == MONO_NEVER)
		c->flush_at = now.mono + COORD_COALESCE;
}

/* administration of devices */

const struct coord_node_doc *coord_node_next(
	const struct tailnet *c, const struct coord_node_doc *d)
{
	const struct list *l =
		d ? container_of(d, struct coord_node, doc)->link.next : c->nodes.next;

	return l == &c->nodes ? NULL : &container_of(l, struct coord_node, link)->doc;
}

const struct coord_node_doc *coord_node_find(const struct tailnet *c, int64_t id)
{
	struct coord_node *n = coord_node_by_id(c, id);

	return n ? &n->doc : NULL;
}

int coord_node_delete(struct tailnet *c, int64_t id, struct now now)
{
	struct coord_node *n = coord_node_by_id(c, id);

	if (!n)
		return -ENOENT;
	coord_node_remove(c, n, now);
	return 0;
}

/* Without a policy any tag will do; with one only those that it defines. */
bool tags_are_known(const struct tailnet *c, const struct json_list *tags)
{
	for (size_t i = 0; i < tags->n && !c->open; i++)
		if (!policy_tag_exists(
			    policy_installed(c->policy), *JSON_AT(*tags, const char *, i)))
			return false;
	return true;
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
	return coord_node_update(c, n, &doc, true, true, now);
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
	list_for_each(l, &n->polls) /* who it belongs to is told in a whole map */
		container_of(l, struct coord_poll, in_node)->again = true;
	return coord_node_update(c, n, &doc, true, true, now);
}

/* start and end */

struct load {
	struct tailnet *c;
	enum coord_kind kind;
};

/*
 * What a device said of itself, and a hub of before has stored as it came, may be what nobody can read. It will say it again, so the
 * document ends before that. False: that is not there.
 */
static bool without_hostinfo(char *text)
{
	char *at = text ? strstr(text, ",\"hostinfo\":")
			: NULL; /* in a text the quotes would be escaped */

	if (at)
		memcpy(at, "}", 2);
	return at != NULL;
}

static int load_one(void *ctx, int64_t id, struct view doc)
{
	struct load *l = ctx;
	struct tailnet *c = l->c;
	union {
		struct coord_user user;
		struct coord_node_doc node;
		struct coord_key key;
		struct coord_meta meta;
		struct coord_settings settings;
		struct coord_policy_doc policy;
	} u;
	const struct json_type *const types[] = { &coord_user_type, &coord_node_doc_type,
		&coord_key_type, &coord_meta_type, &coord_settings_type, &coord_policy_doc_type };
	struct arena mem;
	struct coord_node *n;
	struct user *user;
	struct authkey *key;
	bool unsaved = false;
	char *text;
	int rc;

	arena_init(&mem, LOAD_MEM_MAX);
	text = arena_strndup(&mem, doc.p, doc.len);
	rc = text ? json_decode(types[l->kind], text, doc.len, &u, &mem, NULL) : -ENOMEM;
	if (rc < 0 && l->kind == COORD_NODE && without_hostinfo(text)) {
		rc = json_decode(types[l->kind], text, strlen(text), &u, &mem, NULL);
		unsaved = true;
	}
	if (rc == 0 && l->kind == COORD_NODE) {
		rc = told_stored(c, &u.node, &mem);
		unsaved |= rc == 1;
	}
	if (rc < 0) {
		arena_fini(&mem);
		return rc;
	}
	if (l->kind == COORD_META) {
		c->meta.next_id = MAX_OF(c->meta.next_id, u.meta.next_id);
		c->meta.next_host = u.meta.next_host;
		if (u.meta.tailnet_id)
			snprintf(c->tailnet_id, sizeof(c->tailnet_id), "%s", u.meta.tailnet_id);
		arena_fini(&mem);
		return 0;
	}
	if (l->kind == COORD_SETTINGS) {
		c->settings = u.settings;
		c->settings_mem = mem;
		return 0;
	}
	if (l->kind == COORD_POLICY) {
		rc = version_load(c, &u.policy);
		arena_fini(&mem);
		return rc;
	}
	c->meta.next_id = MAX_OF(c->meta.next_id, id);
	if (l->kind == COORD_NODE) {
		c->meta.next_host = MAX_OF(c->meta.next_host, host_of(&u.node));
		u.node.online = JSON_NO;
		name_judge_old(&u.node);
		unsaved |= address_judge_old(&u.node);
		rc = coord_node_insert(c, &u.node, mem, &n);
		if (rc == 0)
			n->unsaved = unsaved;
		if (rc == 0)
			n->changed = n->changed_whole = n->block->changed = ++c->seq;
		return rc;
	}
	rc = l->kind == COORD_USER ? user_insert(c, &u.user, &user)
				   : authkey_insert(c, &u.key, &key);
	arena_fini(&mem);
	return rc;
}

/*
 * Made once: it outlives every name. In the shape that the hosted service documents, because there are tools that look at it.
 * Durable with the first turn, and nobody is told of it before.
 */
static int tailnet_id_make(struct tailnet *c)
{
	static const char digits[] =
		"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	char random[11] = "";

	for (size_t i = 0; i < sizeof(random) - 1; i++)
		random[i] = digits[rng_below(c->cfg.rng, sizeof(digits) - 1)];
	snprintf(c->tailnet_id, sizeof(c->tailnet_id), "T%sCNTRL", random);
	return store_doc(c, COORD_META, 1, &coord_meta_type, &c->meta);
}

const char *coord_tailnet_id(const struct tailnet *c)
{
	return c->tailnet_id;
}

int coord_new(struct tailnet **ret, const struct coord_cfg *cfg, struct now now, struct err_at *at)
{
	struct tailnet *c;
	int rc;

	rc = coord_base_domain_check(cfg->base_domain, at);
	if (rc < 0)
		return rc;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->cfg = *cfg;
	c->meta.tailnet_id = c->tailnet_id;
	c->flush_at = c->expire_at = MONO_NEVER;
	list_init(&c->users);
	list_init(&c->keys);
	list_init(&c->nodes);
	list_init(&c->blocks);
	list_init(&c->polls);
	list_init(&c->unstarted);
	list_init(&c->answers);
	list_init(&c->held);
	list_init(&c->versions);
	list_init(&c->routers);
	rng_fill(cfg->rng, c->seed, sizeof(c->seed));
	shed_init(&c->shed_register, c->seed);
	shed_init(&c->shed_map, c->seed);
	map_init(&c->users_by_id, c->seed);
	map_init(&c->keys_by_hash, c->seed);
	map_init(&c->nodes_by_key, c->seed);
	map_init(&c->nodes_by_id, c->seed);
	map_init(&c->nodes_by_name, c->seed);
	map_init(&c->machines, c->seed);
	map_init(&c->former_keys, c->seed);
	map_init(&c->filter_parts, c->seed);
	rc = pendings_start(c);
	c->zstd = ZSTD_createCCtx();
	c->comma = c->zstd ? piece_of(c, ",", 1) : NULL;
	c->hosts = calloc(1, HOSTS_MAX / 8);
	if (!c->comma || !c->hosts)
		rc = -ENOMEM;
	for (int kind = COORD_USER; kind < COORD_N_KINDS && rc == 0; kind++) {
		struct load l = { .c = c, .kind = (enum coord_kind)kind };

		rc = cfg->store->ops->load(cfg->store, l.kind, load_one, &l);
		if (rc < 0)
			err_at_set(
				at, 0, 0, "a stored document of kind %d: %s", kind, err_text(rc));
	}
	if (rc == 0 && !*c->tailnet_id)
		rc = tailnet_id_make(c);
	if (rc == 0)
		rc = follow_start(c, now, at);
	/* Ephemeral devices had no chance to say that they are still there. */
	list_for_each(l, &c->nodes) {
		struct coord_node *n = container_of(l, struct coord_node, link);

		if (rc == 0 && n->unsaved)
			rc = note_node(c, n);
		if (rc == 0 && n->doc.ephemeral)
			rc = heap_set(
				&c->ephemerals, &n->ephemeral, now.mono + COORD_EPHEMERAL_GRACE);
	}
	if (rc < 0) {
		coord_free(c);
		return rc;
	}
	*ret = c;
	return 0;
}

struct tailnet *coord_free(struct tailnet *c)
{
	if (!c)
		return NULL;
	pendings_end(c);
	list_for_each_safe(l, &c->polls)
		poll_free(container_of(l, struct coord_poll, all));
	list_for_each_safe(l, &c->nodes)
		coord_node_free(c, container_of(l, struct coord_node, link));
	list_for_each_safe(l, &c->users)
		user_free(c, container_of(l, struct user, link));
	list_for_each_safe(l, &c->keys)
		authkey_free(c, container_of(l, struct authkey, link));
	list_for_each_safe(l, &c->answers) {
		struct answer *a = container_of(l, struct answer, link);

		buf_fini(&a->body);
		free(a);
	}
	map_fini(&c->users_by_id);
	map_fini(&c->keys_by_hash);
	map_fini(&c->former_keys);
	map_fini(&c->nodes_by_key);
	map_fini(&c->nodes_by_id);
	map_fini(&c->nodes_by_name);
	map_fini(&c->machines);
	heap_fini(&c->ephemerals);
	heap_fini(&c->offline);
	heap_fini(&c->expiries);
	heap_fini(&c->turns);
	heap_fini(&c->waiting);
	heap_fini(&c->rivals);
	heap_fini(&c->keep_alives);
	versions_free(c);
	follow_end(c);
	filter_parts_clear(c);
	map_fini(&c->filter_parts);
	piece_put(c->all_ids);
	arena_fini(&c->settings_mem);
	free(c->removed);
	free(c->hosts);
	piece_put(c->comma);
	piece_put(c->keep_alive[0]);
	piece_put(c->keep_alive[1]);
	for (size_t i = 0; i < DELTAS_KEPT; i++)
		piece_put(c->delta[i].message);
	ZSTD_freeCCtx(c->zstd);
	free(c);
	return NULL;
}

void coord_stats(const struct tailnet *c, struct coord_stats *ret)
{
	*ret = c->stats;
	ret->commits = c->cfg.store->durable;
}
