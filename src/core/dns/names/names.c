#include "core/dns/names/names.h"

#include "base/map/map.h"
#include "base/rng/rng.h"

#include <errno.h>

struct entry;

struct address {
	struct map_node node;
	struct entry *owner; /* NULL: it is not in the table */
};

/*
 * A device: behind it its address nodes, its addresses, its name. Several may claim a name or an address: who came first is in the
 * table, the others wait until it goes.
 */
struct entry {
	struct map_node by_id, by_name;
	int64_t id;
	bool named;
	struct dns_known known;
	struct address by_addr[];
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
	for (size_t i = 0; i < e->known.n_addrs; i++) {
		if (e->by_addr[i].owner)
			map_remove(&t->addrs, &e->by_addr[i].node);
		e->by_addr[i].owner = NULL;
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

static bool says(const struct dns_known *k, const struct dns_host *h)
{
	if (k->name_len != h->name.len || memcmp(k->name, h->name.b, h->name.len) ||
		k->wildcard != h->wildcard || k->n_addrs != h->n_addrs)
		return false;
	for (size_t i = 0; i < h->n_addrs; i++)
		if (!ipaddr_eq(k->addrs[i], h->addrs[i]))
			return false;
	return true;
}

static struct entry *entry_new(int64_t id, const struct dns_host *h)
{
	size_t nodes = h->n_addrs * sizeof(struct address), addrs = h->n_addrs * sizeof(*h->addrs);
	struct entry *e = calloc(1, sizeof(*e) + nodes + addrs + h->name.len);
	struct ipaddr *to;
	uint8_t *name;

	if (!e)
		return NULL;
	to = (struct ipaddr *)(void *)&e->by_addr[h->n_addrs];
	name = (uint8_t *)(to + h->n_addrs);
	memcpy(to, h->addrs, addrs);
	memcpy(name, h->name.b, h->name.len);
	e->id = id;
	e->known = (struct dns_known){ .addrs = to,
		.n_addrs = (uint8_t)h->n_addrs,
		.name_len = h->name.len,
		.wildcard = h->wildcard,
		.name = name };
	return e;
}

/* What it claims and does not have yet. */
static int enter(struct dns_names *t, struct entry *e)
{
	int rc = 0;

	if (!e->named) {
		rc = map_insert(&t->names, &e->by_name, e->known.name, e->known.name_len);
		e->named = rc == 0;
		t->contested |= rc == 1;
	}
	for (size_t i = 0; rc >= 0 && i < e->known.n_addrs; i++) {
		struct address *a = &e->by_addr[i];
		const struct ipaddr *ip = &e->known.addrs[i];

		if (a->owner)
			continue;
		rc = map_insert(&t->addrs, &a->node, ip->b, ip->family == 4 ? 4 : 16);
		a->owner = rc == 0 ? e : NULL;
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

	if (e && says(&e->known, h))
		return 1;
	if (e)
		drop(t, e);
	e = entry_new(id, h);
	if (!e)
		return -ENOMEM;
	if (map_insert(&t->ids, &e->by_id, &e->id, sizeof(e->id)) < 0) {
		free(e);
		return -ENOMEM;
	}
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

const struct dns_known *dns_names_find(const struct dns_names *t, const struct dnsmsg_name *lower)
{
	struct map_node *n = map_find(&t->names, lower->b, lower->len);

	return n ? &container_of(n, struct entry, by_name)->known : NULL;
}

const struct dns_known *dns_names_by_address(const struct dns_names *t, struct ipaddr ip)
{
	struct map_node *n = map_find(&t->addrs, ip.b, ip.family == 4 ? 4 : 16);

	return n ? &container_of(n, struct address, node)->owner->known : NULL;
}

void dns_known_name(const struct dns_known *k, struct dnsmsg_name *ret)
{
	ret->len = k->name_len;
	memcpy(ret->b, k->name, k->name_len);
}

size_t dns_names_outside(const struct dns_names *t, const struct dnsmsg_name *suffix)
{
	size_t n = 0;

	map_for_each(p, &t->ids) {
		struct dnsmsg_name name;

		dns_known_name(&container_of(p, struct entry, by_id)->known, &name);
		n += !dnsmsg_name_is_below(&name, suffix);
	}
	return n;
}
