#include "base/map/map.h"

#include <errno.h>

#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))

static void sip_round(uint64_t v[static 4])
{
	v[0] += v[1];
	v[1] = ROTL(v[1], 13) ^ v[0];
	v[0] = ROTL(v[0], 32);
	v[2] += v[3];
	v[3] = ROTL(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = ROTL(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = ROTL(v[1], 17) ^ v[2];
	v[2] = ROTL(v[2], 32);
}

uint64_t siphash24(const uint8_t key[static 16], const void *data, size_t len)
{
	const uint64_t k0 = load_le64(key), k1 = load_le64(key + 8);
	uint64_t v[4] = { k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
		k1 ^ 0x7465646279746573 };
	struct cur c = cur_over(data, len);
	uint64_t last = (uint64_t)len << 56;

	while (cur_left(&c) >= 8) {
		uint64_t m = cur_le64(&c);

		v[3] ^= m;
		sip_round(v);
		sip_round(v);
		v[0] ^= m;
	}
	for (unsigned shift = 0; cur_left(&c); shift += 8)
		last |= (uint64_t)cur_u8(&c) << shift;
	v[3] ^= last;
	sip_round(v);
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

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
	uint64_t hash = siphash24(m->seed, key, key_len);
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
	return find_hashed(m, key, key_len, siphash24(m->seed, key, key_len));
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
