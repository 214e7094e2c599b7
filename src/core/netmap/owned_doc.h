/* One document in memory of its own: the text it was copied through, and the struct that was read from it. */
#ifndef WARREN_CORE_NETMAP_OWNED_DOC_H
#define WARREN_CORE_NETMAP_OWNED_DOC_H

#include "proto/json/json.h"

struct owned_doc {
	void *doc; /* of the type it was set with */
	struct arena arena;
	struct buf text; /* raw values of doc point in here */
};

/*
 * Puts a copy of value into *h. The value may share memory with the old one. 0 when the same is there already (nothing
 * is touched then), 1 when it was set, -ERR_TOO_BIG, -ENOMEM (the old stays).
 */
MUST_USE int owned_doc_set(struct owned_doc **h, const struct json_type *type, const void *value);
void owned_doc_free(struct owned_doc *h);

#endif
