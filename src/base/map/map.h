/*
 * base/map: a hash table whose links live in the items. Keys are bytes inside the item; the hash is base/siphash
 * under a seed from the caller, so that nobody outside can choose keys that collide. The table owns only its
 * buckets, and grows as items come.
 */
#ifndef WARREN_BASE_MAP_MAP_H
#define WARREN_BASE_MAP_MAP_H

#include "base/bytes/bytes.h"

struct map_node {
	struct map_node *next;
	uint64_t hash;
	const void *key; /* into the item; must not change while it is in the table */
	uint32_t key_len;
};

struct map {
	struct map_node **buckets;
	size_t n_buckets, n_items;
	uint8_t seed[16];
};

void map_init(struct map *m, const uint8_t seed[static 16]); /* allocates nothing yet */
void map_fini(struct map *m); /* frees the buckets; items are the caller's */

/* 0; 1 if an item with this key is there (nothing changed); -ENOMEM. */
MUST_USE int map_insert(struct map *m, struct map_node *node, const void *key, size_t key_len);
struct map_node *map_find(const struct map *m, const void *key, size_t key_len);
/* The node must be in the table. */
void map_remove(struct map *m, struct map_node *node);

/* Any order; NULL ends. Removing the item just returned is allowed if its successor was fetched before. */
struct map_node *map_first(const struct map *m);
struct map_node *map_next(const struct map *m, const struct map_node *node);

#define map_for_each(pos, m) \
	for (struct map_node *pos = map_first(m), *pos##_next = pos ? map_next((m), pos) : NULL; \
		pos; pos = pos##_next, pos##_next = pos ? map_next((m), pos) : NULL)

#endif
