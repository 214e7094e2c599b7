/*
 * hub: the coordination server as a program: the control engine, the store, the embedded relay and STUN, the public pages
 * and the administration over a unix socket, bound to one event loop. `warren-hub serve` runs it; the other commands of
 * warren-hub talk to its socket.
 */
#ifndef WARREN_HUB_HUB_H
#define WARREN_HUB_HUB_H

#include "hub/state/options.h"

struct hub;

/* Opens the state, binds everything, gives up rights. at->text says what failed, on what, and what to do. */
MUST_USE int hub_new(struct hub **ret, const struct hub_options *o, struct err_at *at);
/* Until SIGTERM or SIGINT: 0. Negative: the store failed, and going on would promise what is not on disk. */
MUST_USE int hub_run(struct hub *h);
struct hub *hub_free(struct hub *h);
/* Where it listens, for people: one line each. */
void hub_print_ready(const struct hub *h);

#endif
