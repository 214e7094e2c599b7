/* core/path/internal: what the files of this directory share. */
#ifndef WARREN_CORE_PATH_INTERNAL_H
#define WARREN_CORE_PATH_INTERNAL_H

#include "base/vec/vec.h"
#include "core/path/path.h"

/* state.c */
bool path_is_direct(const struct path *p, mono_ns now); /* packets go to the best address only */
void path_best_clear(struct path *p);

/* What may go to addresses that have not answered (budget.c) */
void budget_rx(struct path *p, struct ipport from, size_t bytes); /* before p->last_rx_addr moves */
void budget_ping(struct path_candidate *c, size_t len, size_t answer);
bool budget_probe(struct path *p, struct path_candidate *c, size_t len, mono_ns now);

/* The table of candidates (candidates.c) */
struct path_candidate *candidate_find(const struct path *p, struct ipport a);
/* Finds or adds; NULL: no address to send to, no room, no memory. Pointers to candidates are invalid afterwards. */
struct path_candidate *candidate_get(struct path *p, struct ipport a, mono_ns now, bool *ret_new);
bool candidates_replace(
	struct path *p, const struct ipport *eps, size_t n, uint8_t by, mono_ns now);
/* Forgets those that only a ping named, and that long ago. */
void candidates_prune(struct path *p, mono_ns now);

#endif
