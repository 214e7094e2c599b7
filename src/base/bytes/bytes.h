/*
 * base/bytes: byte order, and the bounds-checked cursors through which all input is read and all output of
 * fixed size is written. A cursor that ran short turns `bad` and stays so: read several fields, check once.
 */
#ifndef WARREN_BASE_BYTES_BYTES_H
#define WARREN_BASE_BYTES_BYTES_H

#include "base/attr/attr.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/*
 * A struct that ends in buffers, of which `first` is the first: what is before it is zero, they are as the allocator gives them. So their
 * pages are there only as far as they were written. NULL: no memory.
 */
#define NEW_WITH_BUFFERS(type, first) bytes_new_head(sizeof(type), offsetof(type, first))

static inline void *bytes_new_head(size_t size, size_t head)
{
	void *p = malloc(size);

	if (p)
		memset(p, 0, head);
	return p;
}

/* Borrowed bytes. The owner must outlive the view. */
struct view {
	const uint8_t *p;
	size_t len;
};

static inline struct view view_of(const void *p, size_t len)
{
	return (struct view){ .p = p, .len = len };
}

#define VIEW_LIT(s) view_of("" s, sizeof(s) - 1)

static inline bool view_eq(struct view a, struct view b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline uint16_t load_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t load_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t load_be64(const uint8_t *p)
{
	return (uint64_t)load_be32(p) << 32 | load_be32(p + 4);
}

static inline uint32_t load_le32(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static inline uint64_t load_le64(const uint8_t *p)
{
	return (uint64_t)load_le32(p + 4) << 32 | load_le32(p);
}

static inline void store_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void store_be32(uint8_t *p, uint32_t v)
{
	store_be16(p, (uint16_t)(v >> 16));
	store_be16(p + 2, (uint16_t)v);
}

static inline void store_be64(uint8_t *p, uint64_t v)
{
	store_be32(p, (uint32_t)(v >> 32));
	store_be32(p + 4, (uint32_t)v);
}

static inline void store_le32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)(v >> 16);
	p[3] = (uint8_t)(v >> 24);
}

static inline void store_le64(uint8_t *p, uint64_t v)
{
	store_le32(p, (uint32_t)v);
	store_le32(p + 4, (uint32_t)(v >> 32));
}

/* A read cursor. The first short read sets `bad`; every later read yields nothing. */
struct cur {
	const uint8_t *p, *end;
	bool bad;
};

static inline struct cur cur_over(const void *p, size_t len)
{
	return (struct cur){ .p = p, .end = (const uint8_t *)p + len };
}

static inline size_t cur_left(const struct cur *c)
{
	return c->bad ? 0 : (size_t)(c->end - c->p);
}

/* The next n bytes, or NULL. */
static inline const uint8_t *cur_take(struct cur *c, size_t n)
{
	if (c->bad || (size_t)(c->end - c->p) < n) { /* compare what is left, never advance first */
		c->bad = true;
		return NULL;
	}
	c->p += n;
	return c->p - n;
}

static inline void cur_copy(struct cur *c, void *out, size_t n)
{
	const uint8_t *p = cur_take(c, n);

	if (p && n)
		memcpy(out, p, n);
}

static inline void cur_skip(struct cur *c, size_t n)
{
	(void)cur_take(c, n);
}

static inline struct view cur_view(struct cur *c, size_t n)
{
	const uint8_t *p = cur_take(c, n);

	return view_of(p, p ? n : 0);
}

static inline struct view cur_rest(struct cur *c)
{
	return cur_view(c, cur_left(c));
}

static inline uint8_t cur_u8(struct cur *c)
{
	const uint8_t *p = cur_take(c, 1);

	return p ? *p : 0;
}

static inline uint16_t cur_be16(struct cur *c)
{
	const uint8_t *p = cur_take(c, 2);

	return p ? load_be16(p) : 0;
}

static inline uint32_t cur_be32(struct cur *c)
{
	const uint8_t *p = cur_take(c, 4);

	return p ? load_be32(p) : 0;
}

static inline uint64_t cur_be64(struct cur *c)
{
	const uint8_t *p = cur_take(c, 8);

	return p ? load_be64(p) : 0;
}

static inline uint32_t cur_le32(struct cur *c)
{
	const uint8_t *p = cur_take(c, 4);

	return p ? load_le32(p) : 0;
}

static inline uint64_t cur_le64(struct cur *c)
{
	const uint8_t *p = cur_take(c, 8);

	return p ? load_le64(p) : 0;
}

/* A write cursor over the caller's memory, with the same sticky flag. */
struct wcur {
	uint8_t *start, *p, *end;
	bool bad;
};

static inline struct wcur wcur_over(void *p, size_t len)
{
	return (struct wcur){ .start = p, .p = p, .end = (uint8_t *)p + len };
}

static inline size_t wcur_len(const struct wcur *w)
{
	return (size_t)(w->p - w->start);
}

static inline uint8_t *wcur_take(struct wcur *w, size_t n)
{
	if (w->bad || (size_t)(w->end - w->p) < n) {
		w->bad = true;
		return NULL;
	}
	w->p += n;
	return w->p - n;
}

static inline void wcur_copy(struct wcur *w, const void *in, size_t n)
{
	uint8_t *p = wcur_take(w, n);

	if (p && n)
		memcpy(p, in, n);
}

static inline void wcur_zero(struct wcur *w, size_t n)
{
	uint8_t *p = wcur_take(w, n);

	if (p && n)
		memset(p, 0, n);
}

static inline void wcur_u8(struct wcur *w, uint8_t v)
{
	wcur_copy(w, &v, 1);
}

static inline void wcur_be16(struct wcur *w, uint16_t v)
{
	uint8_t *p = wcur_take(w, 2);

	if (p)
		store_be16(p, v);
}

static inline void wcur_be32(struct wcur *w, uint32_t v)
{
	uint8_t *p = wcur_take(w, 4);

	if (p)
		store_be32(p, v);
}

static inline void wcur_be64(struct wcur *w, uint64_t v)
{
	uint8_t *p = wcur_take(w, 8);

	if (p)
		store_be64(p, v);
}

static inline void wcur_le32(struct wcur *w, uint32_t v)
{
	uint8_t *p = wcur_take(w, 4);

	if (p)
		store_le32(p, v);
}

static inline void wcur_le64(struct wcur *w, uint64_t v)
{
	uint8_t *p = wcur_take(w, 8);

	if (p)
		store_le64(p, v);
}

#endif
