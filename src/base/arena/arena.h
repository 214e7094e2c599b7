/*
 * base/arena: memory that lives as long as one request, map response or packet batch. Nothing inside is freed
 * alone; nothing outside points into it after arena_reset. The maximum bounds what hostile input can make us hold.
 */
#ifndef WARREN_BASE_ARENA_ARENA_H
#define WARREN_BASE_ARENA_ARENA_H

#include "base/bytes/bytes.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* newest first */
	size_t used, max;           /* bytes handed out; the limit on them */
};

void arena_init(struct arena *a, size_t max);
void arena_fini(struct arena *a);
/* Gives everything back but the first chunk, which is kept for the next round. */
void arena_reset(struct arena *a);

/* Zeroed, aligned for any type. NULL when the maximum or the memory is exhausted. n = 0 gives a valid pointer. */
void *arena_alloc(struct arena *a, size_t n);
/* n items of size each, overflow checked. */
void *arena_array(struct arena *a, size_t n, size_t size);
char *arena_strndup(struct arena *a, const void *s, size_t n);
char *arena_strdup(struct arena *a, const char *s);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))

#endif
