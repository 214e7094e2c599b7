/*
 * tests/hub/memory_hub: a whole hub in memory: its engine, its tables, its sessions and its relay, on streams without sockets
 * (tests/http/fake_stream: fake_connect_over) and a store without a disk. Nothing runs by itself: a test ends turns.
 */
#ifndef WARREN_TESTS_HUB_MEMORY_HUB_H
#define WARREN_TESTS_HUB_MEMORY_HUB_H

#include "hub/state/state.h"

/* Aborts without memory. */
struct hub *memory_hub_new(void);
void memory_hub_free(struct hub *h);

/* true: what is committed is durable only after memory_hub_write. */
void memory_hub_hold(struct hub *h, bool hold);
void memory_hub_write(struct hub *h);
void memory_hub_turn(struct hub *h); /* the end of a turn of the loop */

#endif
