/*
 * base/vec: room in a growing array. The array is the caller's: a pointer to its elements, how many there are, how many fit. It doubles, up
 * to a bound that the caller names, because whoever fills an array may be somebody else's program.
 *
 *	if (s->n == s->cap && vec_grow(&s->v, &s->cap, sizeof(*s->v), ITEMS_MAX) < 0)
 *		return -ENOMEM;
 *	s->v[s->n++] = x;
 */
#ifndef WARREN_BASE_VEC_VEC_H
#define WARREN_BASE_VEC_VEC_H

#include "base/attr/attr.h"

#include <stddef.h>

/*
 * v: the address of the pointer to the elements (NULL at first; free() gives them back). Room for at least one more element of size bytes,
 * for max at the most. -ENOMEM, -ERR_TOO_MANY: nothing has changed.
 */
MUST_USE int vec_grow(void *v, size_t *cap, size_t size, size_t max);

#endif
