/*
 * os/users: whose number is this name of a user? The answer may be in a directory on the network: it is looked up in a thread, and
 * kept for a while. The loop never waits for it.
 */
#ifndef WARREN_OS_USERS_USERS_H
#define WARREN_OS_USERS_USERS_H

#include "os/loop/loop.h"

#include <sys/types.h>

enum {
	USERS_NAME_MAX = 256,
	USERS_FRESH_S = 30
}; /* older answers serve, and are asked for again */

struct users;

enum users_answer { USERS_PENDING, USERS_NONE, USERS_FOUND };

/* on_answer: a lookup has ended. It may ask again. */
MUST_USE int users_new(struct users **ret, struct loop *l, void (*on_answer)(void *ctx), void *ctx);
/* One that runs ends by itself, unheard. */
struct users *users_free(struct users *u);
/* One name is kept at a time. USERS_PENDING: on_answer comes. */
enum users_answer users_uid(struct users *u, const char *name, uid_t *ret);

#endif
