/*
 * daemon/bus: what programs hear on the bus of the LocalAPI, and the service manager in its status line. Single events are told
 * at once; peers that changed are gathered and told at the end of the turn.
 */
#ifndef WARREN_DAEMON_BUS_BUS_H
#define WARREN_DAEMON_BUS_BUS_H

#include "daemon/engine/engine.h"

struct bus;
struct watch;

MUST_USE int bus_new(struct bus **ret, struct engine *e);
struct bus *bus_free(struct bus *b);                /* before the loop */
void bus_set_watch(struct bus *b, struct watch *w); /* who is told; NULL: nobody */

void bus_event(struct bus *b, const struct node_event *e);
void bus_all_removed(struct bus *b); /* another profile comes: none of these peers is its */
void bus_turn_end(struct bus *b);

#endif
