/*
 * store/mem: a store in memory, for tests and the simulator. A commit is durable at once, or when it is told so, and can be made
 * to fail.
 */
#ifndef WARREN_STORE_MEM_MEM_H
#define WARREN_STORE_MEM_MEM_H

#include "core/coord/coord.h"

struct store_mem;

MUST_USE int store_mem_new(struct store_mem **ret);
/* Another handle of the same database, of this tailnet (from 1). What store_mem_new made is of tailnet 1. */
MUST_USE int store_mem_open(struct store_mem *of, int64_t tailnet, struct store_mem **ret);
struct store_mem *store_mem_free(struct store_mem *m);
struct coord_store *store_mem_store(struct store_mem *m);
/* From now on, and for good: the owner sees it at the next commit, or the next store_mem_write. */
void store_mem_fail_commits(struct store_mem *m);
/* true: from now on a batch that was committed is durable only after store_mem_write. */
void store_mem_hold(struct store_mem *m, bool hold);
/* The batch that was committed becomes durable. */
void store_mem_write(struct store_mem *m);
/* What others wrote up to now is found. */
void store_mem_look(struct store_mem *m);
/* As when more waits than a store takes. */
void store_mem_set_full(struct store_mem *m, bool full);
/* What is not durable is forgotten, as by a crash. */
void store_mem_crash(struct store_mem *m);

#endif
