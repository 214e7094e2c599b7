/* One document in memory of its own: the text it was copied through, and the struct that was read from it. */
#ifndef WARREN_CORE_NETMAP_HELD_H
#define WARREN_CORE_NETMAP_HELD_H

#include "proto/json/json.h"

struct held {
	void *doc; /* of the type it was set with */
	struct arena arena;
	struct buf text; /* raw values of doc point in here */
};

/*
 * Puts a copy of value into *h. The value may share memory with what is held. 0 when the same is there already (nothing
 * is touched then), 1 when it was set, -ERR_TOO_BIG, -ENOMEM (the old stays).
 */
MUST_USE int held_set(struct held **h, const struct json_type *type, const void *value);
void held_free(struct held *h);

#endif
