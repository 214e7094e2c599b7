/* core/policy/sets: lists of numbers. */
#include "core/policy/sets/u32s.h"

#include "base/vec/vec.h"

#include <stdlib.h>

int u32s_push(struct u32s *s, uint32_t x)
{
	size_t cap = s->cap; /* there are many lists, and they are kept small */
	int rc = s->n == cap ? vec_grow(&s->v, &cap, sizeof(*s->v), UINT32_MAX) : 0;

	if (rc < 0)
		return rc;
	s->cap = (uint32_t)cap;
	s->v[s->n++] = x;
	return 0;
}

void u32s_fini(struct u32s *s)
{
	free(s->v);
	*s = (struct u32s){ 0 };
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

void u32s_sort(struct u32s *s)
{
	uint32_t out = 0;

	if (s->n == 0)
		return;
	qsort(s->v, s->n, sizeof(*s->v), by_value);
	for (uint32_t i = 1; i < s->n; i++)
		if (s->v[i] != s->v[out])
			s->v[++out] = s->v[i];
	s->n = out + 1;
}

uint32_t u32s_place(const struct u32s *s, uint32_t x)
{
	uint32_t lo = 0, hi = s->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (s->v[mid] < x)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool u32s_has(const struct u32s *s, uint32_t x)
{
	uint32_t at = u32s_place(s, x);

	return at < s->n && s->v[at] == x;
}

bool u32s_meet(const struct u32s *a, const struct u32s *b)
{
	uint32_t i = 0, j = 0;

	/* One much longer than the other: search instead of walking. */
	if (a->n > 16 * b->n || b->n > 16 * a->n) {
		const struct u32s *few = a->n < b->n ? a : b, *many = few == a ? b : a;

		for (i = 0; i < few->n; i++)
			if (u32s_has(many, few->v[i]))
				return true;
		return false;
	}
	while (i < a->n && j < b->n) {
		if (a->v[i] == b->v[j])
			return true;
		if (a->v[i] < b->v[j])
			i++;
		else
			j++;
	}
	return false;
}
