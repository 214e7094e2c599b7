#include "base/map/map.h"

#include "base/siphash/siphash.h"

#include <errno.h>

void map_init(struct map *m, const uint8_t seed[static 16])
{
	*m = (struct map){ 0 };
	memcpy(m->seed, seed, sizeof(m->seed));
}

void map_fini(struct map *m)
{
	free(m->buckets);
	m->buckets = NULL;
	m->n_buckets = m->n_items = 0;
}

static struct map_node **bucket(const struct map *m, uint64_t hash)
{
	return &m->buckets[hash & (m->n_buckets - 1)];
}

static int grow(struct map *m)
{
	struct map old = *m;
	size_t n = old.n_buckets ? old.n_buckets * 2 : 16;

	m->buckets = calloc(n, sizeof(struct map_node *));
	if (!m->buckets) {
		m->buckets = old.buckets;
		return -ENOMEM;
	}
	m->n_buckets = n;
	for (size_t i = 0; i < old.n_buckets; i++) {
		struct map_node *node = old.buckets[i];

		while (node) {
			struct map_node *next = node->next, **b = bucket(m, node->hash);

			node->next = *b;
			*b = node;
			node = next;
		}
	}
	free(old.buckets);
	return 0;
}

static struct map_node *find_hashed(const struct map *m, const void *key, size_t len, uint64_t hash)
{
	struct map_node *n = m->n_buckets ? *bucket(m, hash) : NULL;

	for (; n; n = n->next)
		if (n->hash == hash && n->key_len == len && memcmp(n->key, key, len) == 0)
			return n;
	return NULL;
}

int map_insert(struct map *m, struct map_node *node, const void *key, size_t key_len)
{
	uint64_t hash = siphash(m->seed, key, key_len);
	struct map_node **b;

	if (find_hashed(m, key, key_len, hash))
		return 1;
	/* A failed growth only makes chains longer, unless there is no bucket at all. */
	if (m->n_items >= m->n_buckets && grow(m) < 0 && !m->n_buckets)
		return -ENOMEM;
	node->hash = hash;
	node->key = key;
	node->key_len = (uint32_t)key_len;
	b = bucket(m, hash);
	node->next = *b;
	*b = node;
	m->n_items++;
	return 0;
}

struct map_node *map_find(const struct map *m, const void *key, size_t key_len)
{
	return find_hashed(m, key, key_len, siphash(m->seed, key, key_len));
}

void map_remove(struct map *m, struct map_node *node)
{
	struct map_node **p = bucket(m, node->hash);

	while (*p != node) {
		CHECK(*p);
		p = &(*p)->next;
	}
	*p = node->next;
	node->next = NULL;
	m->n_items--;
}

static struct map_node *first_from(const struct map *m, size_t i)
{
	for (; i < m->n_buckets; i++)
		if (m->buckets[i])
			return m->buckets[i];
	return NULL;
}

struct map_node *map_first(const struct map *m)
{
	return first_from(m, 0);
}

struct map_node *map_next(const struct map *m, const struct map_node *node)
{
	if (node->next)
		return node->next;
	return first_from(m, (size_t)(node->hash & (m->n_buckets - 1)) + 1);
}
