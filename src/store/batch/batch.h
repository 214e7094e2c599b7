/*
 * store/batch: changes that become durable together. Of two changes of one document only the later one is kept, so that a batch
 * is never larger than what is stored, however long it waits. No thread uses it beside another.
 */
#ifndef WARREN_STORE_BATCH_BATCH_H
#define WARREN_STORE_BATCH_BATCH_H

#include "base/list/list.h"
#include "base/map/map.h"
#include "core/coord/coord.h"

/* In the order in which they are to be written. */
struct batch_row {
	struct list link;
	struct map_node node;
	struct {
		int64_t kind, id;
	} key;
	bool deleted;
	size_t len;
	uint8_t doc[];
};

struct batch {
	struct list rows;
	struct map by_key;
	size_t bytes; /* memory, about */
};

void batch_init(struct batch *b, const uint8_t seed[static 16]);
void batch_clear(struct batch *b);
/* Takes all of from, which is empty then; to has to be empty. */
void batch_move(struct batch *to, struct batch *from);
/* doc NULL: deleted. The document is copied. -ENOMEM. */
MUST_USE int batch_add(struct batch *b, enum coord_kind kind, int64_t id, const struct view *doc);
static inline bool batch_is_empty(const struct batch *b)
{
	return list_empty(&b->rows);
}

#endif
