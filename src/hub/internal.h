/*
 * hub: between the files on top: hub.c begins and ends it, engine.c makes the engine, turn.c ends a turn, foreign.c hears what other
 * programs changed in the database, listen.c has the sockets.
 */
#ifndef WARREN_HUB_INTERNAL_H
#define WARREN_HUB_INTERNAL_H

#include "hub/hub.h"
#include "hub/state/state.h"

/* engine.c: from what is on the disk; of what the options say. */
MUST_USE int hub_open_engine(struct hub *h, struct err_at *at);
/*
 * Anew, from what is on the disk: after the disk refused what was promised, or another program changed it. Negative: it cannot be
 * read, and the engine that was is still there.
 */
MUST_USE int hub_begin_anew(struct hub *h, struct err_at *at);

/* turn.c: of the loop */
void hub_turn_end(void *ctx);
/*
 * foreign.c: before and after the engine's end of a turn. What another program changed is taken over, by single documents or by a new
 * engine.
 */
void foreign_hear(struct hub *h);
void foreign_begin_anew(struct hub *h);
mono_ns foreign_deadline(const struct hub *h);
/* listen.c: what is asked on the public port, the first table that has a path */
enum { HUB_WEB_TABLES = 7 };
extern const struct router *const hub_web_tables[HUB_WEB_TABLES];
/* sockets, certificates and the relay map that names them */
MUST_USE int hub_listen(struct hub *h, struct err_at *at);

#endif
