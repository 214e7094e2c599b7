/*
 * os/spawn: another program, run with an argument vector (no shell), for a bounded time and with
 * bounded output. It has the standard input and the environment that it is given, none of our
 * descriptors, and what it starts ends with it.
 */
#ifndef WARREN_OS_SPAWN_SPAWN_H
#define WARREN_OS_SPAWN_SPAWN_H

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "base/time/time.h"

enum {
	SPAWN_ERR_MAX = 4096, /* bytes of standard error that are kept: the first ones */
	SPAWN_ARGS_MAX = 64,  /* of a program with limits */
};

struct loop;
struct spawn;

struct spawn_cfg {
	struct loop *loop;
	const char *const *argv; /* NULL at the end; argv[0] is looked up in the PATH of env */
	const char *const *env;  /* "NAME=VALUE", NULL at the end */
	const char *dir;         /* to run in; NULL: ours */
	struct view in;          /* its standard input; empty: /dev/null */
	size_t out_max;          /* bytes of standard output; with more it is ended */
	int64_t timeout;         /* ns; then it is ended */
	size_t file_max,
		mem_max; /* bytes of each file that it writes (SIGXFSZ), of address space; 0: as ours. By
	                          * prlimit of util-linux: if the program is missing, that says so, with status 127 */
	/*
	 * Once, unless spawn_free comes first. rc: 0 and the exit status (128 and more: a signal);
	 * -ETIMEDOUT, -ERR_TOO_BIG. The views are good during the call; s is gone behind it.
	 */
	void (*on_end)(void *ctx, int rc, int status, struct view out, struct view err);
	void *ctx;
};

/* Texts are needed during the call only. -ENOENT: no such program; -errno. */
MUST_USE int spawn_new(struct spawn **ret, const struct spawn_cfg *cfg);
/* Ends it, without on_end. */
struct spawn *spawn_free(struct spawn *s);

#endif
