/* store/mem: a store in memory, for tests and the simulator. commit can be made to fail. */
#ifndef WARREN_STORE_MEM_H
#define WARREN_STORE_MEM_H

#include "core/ctlserver/ctlserver.h"

struct store_mem;

MUST_USE int store_mem_new(struct store_mem **ret);
struct store_mem *store_mem_free(struct store_mem *m);
struct ctl_store *store_mem_store(struct store_mem *m);
void store_mem_fail_commits(struct store_mem *m, bool fail);
/* What is not committed is forgotten, as by a crash. */
void store_mem_crash(struct store_mem *m);

#endif
