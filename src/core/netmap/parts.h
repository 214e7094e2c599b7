/*
 * core/netmap/parts: what a response says of a part, put together with what was known of it. Results point into both and into the
 * arena.
 */
#ifndef WARREN_CORE_NETMAP_PARTS_H
#define WARREN_CORE_NETMAP_PARTS_H

#include "proto/tailcfg/tailcfg.h"

enum { NETMAP_DISPLAY_MAX = 256 }; /* messages of the hub at a time */

/* Regions, if there are any in the response, replace all; home parameters and scores that it leaves out stay. held: or NULL. */
MUST_USE int part_derp(const struct tc_derp_map *held, const struct tc_derp_map *in,
	struct arena *a, struct tc_derp_map *ret);
/* Messages by name: a null takes one away, a null of "*" all that were there. held: or NULL. -ERR_TOO_MANY. */
MUST_USE int part_display(const struct json_map *held, const struct json_map *in, struct arena *a,
	struct json_map *ret);
/* Whatever the hub's age, one way to say a thing: home region, AllowedIPs, CapMap. */
MUST_USE int part_node(struct tc_node *n, struct arena *a);

#endif
