/*
 * core/ts2021/h2mem: the memory of one connection's HTTP/2: what the library takes, and the streams. It has a bound, beyond which
 * nothing more is given: the connection is over then.
 */
#ifndef WARREN_CORE_TS2021_H2MEM_H
#define WARREN_CORE_TS2021_H2MEM_H

#include "base/attr/attr.h"

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>

struct ledger_holder;

struct h2mem {
	size_t used, max;
	size_t charged;               /* to the holder, in steps */
	struct ledger_holder *holder; /* NULL: nobody is charged */
	bool refused;                 /* once it was not enough */
};

/* own: bytes that are taken already. -ERR_NO_ROOM. */
MUST_USE int h2mem_init(struct h2mem *m, size_t max, size_t own, struct ledger_holder *holder);
/* All is freed. */
void h2mem_fini(struct h2mem *m);

/* Of zeroes. NULL: no more. Freed with h2mem_free. */
void *h2mem_new(struct h2mem *m, size_t n);
void h2mem_free(struct h2mem *m, void *p);
/* m has to stay where it is as long as the session. */
nghttp2_mem h2mem_hooks(struct h2mem *m);

#endif
