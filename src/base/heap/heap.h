/*
 * base/heap: a min-heap of deadlines whose positions live in the items, so that a timer is moved or removed in
 * O(log n). An engine with many timers keeps them here and reports heap_deadline() as its own.
 */
#ifndef WARREN_BASE_HEAP_HEAP_H
#define WARREN_BASE_HEAP_HEAP_H

#include "base/time/time.h"

struct heap_node {
	mono_ns at; /* set by heap_set */
	size_t pos; /* 1-based; 0 is "not in the heap" */
};

struct heap {
	struct heap_node **v;
	size_t n, cap;
};

void heap_fini(struct heap *h);
/* Insert or move. at = MONO_NEVER removes. 0, -ENOMEM (only on insertion). */
MUST_USE int heap_set(struct heap *h, struct heap_node *n, mono_ns at);
void heap_remove(struct heap *h, struct heap_node *n); /* harmless if not in */
/* The earliest, if it is due at `now`: removed and returned. NULL otherwise. */
struct heap_node *heap_pop_due(struct heap *h, mono_ns now);

static inline mono_ns heap_deadline(const struct heap *h)
{
	return h->n ? h->v[0]->at : MONO_NEVER;
}

#endif
