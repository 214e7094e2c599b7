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
	bool deleted, promised;
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
/* doc NULL: deleted. The document is copied. What was promised once stays so. -ENOMEM. */
MUST_USE int batch_add(
	struct batch *b, int64_t kind, int64_t id, const struct view *doc, bool promised);
/* A copy of another batch's row. */
MUST_USE int batch_add_row(struct batch *b, const struct batch_row *r);
/* The row of the same document, or NULL. */
struct batch_row *batch_find(struct batch *b, const struct batch_row *like);
void batch_drop(struct batch *b, struct batch_row *r);
static inline bool batch_is_empty(const struct batch *b)
{
	return list_empty(&b->rows);
}

#endif
