/* hub: between the files on top: hub.c begins and ends it, engine.c makes the engine, turn.c ends a turn, listen.c has the sockets. */
#ifndef WARREN_HUB_INTERNAL_H
#define WARREN_HUB_INTERNAL_H

#include "hub/hub.h"
#include "hub/state/state.h"

/* engine.c: from what is on the disk; of what the options say. */
MUST_USE int hub_open_engine(struct hub *h, struct err_at *at);
/* Anew, after the disk refused what was promised. Negative: it cannot be read, and there is none. */
MUST_USE int hub_begin_anew(struct hub *h, struct err_at *at);

/* turn.c: of the loop */
void hub_turn_end(void *ctx);
/* listen.c: sockets, certificates and the relay map that names them */
MUST_USE int hub_listen(struct hub *h, struct err_at *at);

#endif
