#include "core/dns/names/names.h"

#include "base/map/map.h"
#include "base/rng/rng.h"

#include <errno.h>

struct entry;

struct address {
	struct map_node node;
	struct entry *owner;
	bool entered;
};

/* A device. Several may claim a name or an address: who came first is in the table, the others wait until it goes. */
struct entry {
	struct map_node by_id, by_name;
	struct address by_addr[DNS_NAMES_ADDRS_MAX];
	bool named;
	int64_t id;
	struct dns_host host;
};

struct dns_names {
	struct map ids, names, addrs;
	bool contested; /* somebody has not all that it claims */
};

int dns_names_new(struct dns_names **ret, struct rng *rng)
{
	struct dns_names *t = calloc(1, sizeof(*t));
	uint8_t seed[16];

	if (!t)
		return -ENOMEM;
	rng_fill(rng, seed, sizeof(seed));
	map_init(&t->ids, seed);
	map_init(&t->names, seed);
	map_init(&t->addrs, seed);
	*ret = t;
	return 0;
}

static void leave(struct dns_names *t, struct entry *e)
{
	if (e->named)
		map_remove(&t->names, &e->by_name);
	e->named = false;
	for (size_t i = 0; i < e->host.n_addrs; i++) {
		if (e->by_addr[i].entered)
			map_remove(&t->addrs, &e->by_addr[i].node);
		e->by_addr[i].entered = false;
	}
}

static void drop(struct dns_names *t, struct entry *e)
{
	leave(t, e);
	map_remove(&t->ids, &e->by_id);
	free(e);
}

void dns_names_clear(struct dns_names *t)
{
	map_for_each(n, &t->ids)
		drop(t, container_of(n, struct entry, by_id));
	t->contested = false;
}

struct dns_names *dns_names_free(struct dns_names *t)
{
	if (!t)
		return NULL;
	dns_names_clear(t);
	map_fini(&t->ids);
	map_fini(&t->names);
	map_fini(&t->addrs);
	free(t);
	return NULL;
}

static struct entry *entry_find(const struct dns_names *t, int64_t id)
{
	struct map_node *n = map_find(&t->ids, &id, sizeof(id));

	return n ? container_of(n, struct entry, by_id) : NULL;
}

static bool host_same(const struct dns_host *a, const struct dns_host *b)
{
	if (a->name.len != b->name.len || memcmp(a->name.b, b->name.b, a->name.len) ||
		a->wildcard != b->wildcard || a->n_addrs != b->n_addrs)
		return false;
	for (size_t i = 0; i < a->n_addrs; i++)
		if (!ipaddr_eq(a->addrs[i], b->addrs[i]))
			return false;
	return true;
}

/* What it claims and does not have yet. */
static int enter(struct dns_names *t, struct entry *e)
{
	int rc = 0;

	if (!e->named) {
		rc = map_insert(&t->names, &e->by_name, e->host.name.b, e->host.name.len);
		e->named = rc == 0;
		t->contested |= rc == 1;
	}
	for (size_t i = 0; rc >= 0 && i < e->host.n_addrs; i++) {
		struct address *a = &e->by_addr[i];
		struct ipaddr *ip = &e->host.addrs[i];

		if (a->entered)
			continue;
		a->owner = e;
		rc = map_insert(&t->addrs, &a->node, ip->b, ip->family == 4 ? 4 : 16);
		a->entered = rc == 0;
		t->contested |= rc == 1;
	}
	return rc < 0 ? rc : 0;
}

/* Something became free: two devices may have changed names with each other. */
static void settle(struct dns_names *t)
{
	if (!t->contested)
		return;
	t->contested = false;
	map_for_each(n, &t->ids)
		if (enter(t, container_of(n, struct entry, by_id)) < 0)
			t->contested = true; /* again next time */
}

int dns_names_set(struct dns_names *t, int64_t id, const struct dns_host *h)
{
	struct entry *e = entry_find(t, id);

	if (e && host_same(&e->host, h))
		return 1;
	if (e) {
		leave(t, e);
	} else {
		e = calloc(1, sizeof(*e));
		if (!e)
			return -ENOMEM;
		e->id = id;
		if (map_insert(&t->ids, &e->by_id, &e->id, sizeof(e->id)) < 0) {
			free(e);
			return -ENOMEM;
		}
	}
	e->host = *h;
	if (enter(t, e) < 0) {
		drop(t, e);
		return -ENOMEM;
	}
	settle(t);
	return 0;
}

void dns_names_remove(struct dns_names *t, int64_t id)
{
	struct entry *e = entry_find(t, id);

	if (!e)
		return;
	drop(t, e);
	settle(t);
}

size_t dns_names_count(const struct dns_names *t)
{
	return t->ids.n_items;
}

const struct dns_host *dns_names_find(const struct dns_names *t, const struct dnsmsg_name *lower)
{
	struct map_node *n = map_find(&t->names, lower->b, lower->len);

	return n ? &container_of(n, struct entry, by_name)->host : NULL;
}

const struct dns_host *dns_names_by_address(const struct dns_names *t, struct ipaddr ip)
{
	struct map_node *n = map_find(&t->addrs, ip.b, ip.family == 4 ? 4 : 16);

	return n ? &container_of(n, struct address, node)->owner->host : NULL;
}

size_t dns_names_outside(const struct dns_names *t, const struct dnsmsg_name *suffix)
{
	size_t n = 0;

	map_for_each(p, &t->ids) {
		const struct entry *e = container_of(p, struct entry, by_id);

		n += !dnsmsg_name_is_below(&e->host.name, suffix);
	}
	return n;
}
