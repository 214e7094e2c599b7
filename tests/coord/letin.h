/* tests/coord/letin: somebody looks at what waits and lets it in, at once. 0, or what the server says. */
#ifndef WARREN_TESTS_COORD_LETIN_H
#define WARREN_TESTS_COORD_LETIN_H

#include "core/coord/coord.h"

enum { LETIN_MEM_MAX = 1 << 20 };

static inline int let_in(
	struct tailnet *c, const char *code, int64_t user, struct now now, int64_t *ret)
{
	struct coord_grant g;
	struct arena mem;
	int rc;

	arena_init(&mem, LETIN_MEM_MAX);
	rc = coord_pending_grant(c, code, user, now, &mem, &g);
	if (rc == 0)
		rc = coord_pending_approve(c, code, user, g.digest, now, ret);
	arena_fini(&mem);
	return rc;
}

static inline int let_node_in(struct tailnet *c, int64_t id, struct now now)
{
	struct coord_grant g;
	struct arena mem;
	int rc;

	arena_init(&mem, LETIN_MEM_MAX);
	rc = coord_node_grant(c, id, &mem, &g);
	if (rc == 0)
		rc = coord_node_approve(c, id, g.digest, now);
	arena_fini(&mem);
	return rc;
}

#endif
