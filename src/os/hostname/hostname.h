/* os/hostname: the name of the machine, and the news that it has another one. */
#ifndef WARREN_OS_HOSTNAME_HOSTNAME_H
#define WARREN_OS_HOSTNAME_HOSTNAME_H

#include "os/loop/loop.h"

enum { HOSTNAME_LEN_MAX = 255 };

void hostname_get(char out[static HOSTNAME_LEN_MAX + 1]); /* "" if there is none */

struct hostname_watch;
/* fn: after the name was set, perhaps to what it was. -errno: this system does not tell. */
MUST_USE int hostname_watch_new(
	struct loop *l, void (*fn)(void *ctx), void *ctx, struct hostname_watch **ret);
struct hostname_watch *hostname_watch_free(struct hostname_watch *w);

#endif
