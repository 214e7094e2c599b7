/*
 * testlib/pair: what a codec promises, for fuzz targets: what was decoded is encoded, that decodes to the same, and is encoded to the
 * same bytes again.
 */
#ifndef WARREN_TESTLIB_PAIR_H
#define WARREN_TESTLIB_PAIR_H

#include "proto/json/json.h"

#include <errno.h>

enum { PAIR_MEMORY = 1 << 23, PAIR_TEXT = 1 << 24 };

/* A document of the type. False: the bytes are none. */
static inline bool pair_json(const struct json_type *t, const uint8_t *p, size_t len)
{
	struct arena a;
	struct buf once, twice;
	bool is_one;
	void *x, *y;
	int rc;

	arena_init(&a, PAIR_MEMORY);
	buf_init(&once, PAIR_TEXT);
	buf_init(&twice, PAIR_TEXT);
	x = arena_alloc(&a, t->size);
	y = arena_alloc(&a, t->size);
	is_one = x && y && json_decode(t, p, len, x, &a, NULL) == 0;
	if (is_one) {
		CHECK(json_same(t, x, x));
		CHECK(json_encode(t, x, &once) == 0);
		rc = json_decode(t, buf_data(&once), buf_len(&once), y, &a, NULL);
		CHECK(rc == 0 || rc == -ENOMEM);
		if (rc == 0) {
			CHECK(json_same(t, x, y));
			CHECK(json_encode(t, y, &twice) == 0);
			CHECK(view_eq(buf_view(&once), buf_view(&twice)));
		}
	}
	buf_fini(&once);
	buf_fini(&twice);
	arena_fini(&a);
	return is_one;
}

#endif
