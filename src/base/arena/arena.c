#include "base/arena/arena.h"

#include <stdarg.h>
#include <stdalign.h>

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, cap;
	alignas(max_align_t) uint8_t mem[];
};

enum { CHUNK_MIN = 4096 - sizeof(struct arena_chunk) };

void arena_init(struct arena *a, size_t max)
{
	*a = (struct arena){ .max = max };
}

static void free_until(struct arena *a, struct arena_chunk *keep)
{
	while (a->chunks && a->chunks != keep) {
		struct arena_chunk *next = a->chunks->next;

		free(a->chunks);
		a->chunks = next;
	}
}

void arena_fini(struct arena *a)
{
	free_until(a, NULL);
	a->used = 0;
}

void arena_reset(struct arena *a)
{
	struct arena_chunk *first = a->chunks;

	while (first && first->next)
		first = first->next;
	free_until(a, first);
	if (first)
		first->used = 0;
	a->used = 0;
}

static struct arena_chunk *add_chunk(struct arena *a, size_t n)
{
	/* Chunks double, so that a 60 MB map takes few of them. */
	size_t cap = a->chunks ? MIN_OF(a->chunks->cap * 2, (size_t)1 << 20) : CHUNK_MIN;
	struct arena_chunk *c;

	cap = MAX_OF(cap, n);
	c = malloc(sizeof(*c) + cap);
	if (!c)
		return NULL;
	c->next = a->chunks;
	c->used = 0;
	c->cap = cap;
	a->chunks = c;
	return c;
}

void *arena_alloc(struct arena *a, size_t n)
{
	const size_t align = alignof(max_align_t);
	struct arena_chunk *c = a->chunks;
	void *p;

	if (n > SIZE_MAX / 2)
		return NULL;
	n = (n + align - 1) & ~(align - 1);
	if (n > a->max || a->used > a->max - n)
		return NULL;
	if (!c || c->cap - c->used < n)
		c = add_chunk(a, n);
	if (!c)
		return NULL;
	p = c->mem + c->used;
	memset(p, 0, n);
	c->used += n;
	a->used += n;
	return p;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
	if (size && n > SIZE_MAX / size)
		return NULL;
	return arena_alloc(a, n * size);
}

char *arena_strndup(struct arena *a, const void *s, size_t n)
{
	char *p = n < SIZE_MAX ? arena_alloc(a, n + 1) : NULL;

	if (p && n)
		memcpy(p, s, n);
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return NULL;
	p = arena_alloc(a, (size_t)n + 1);
	if (!p)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}
