/*
 * core/filter/carry: what of the routes that this node carries for others is reached through it.
 *
 * A default route gives the internet, nothing else: the machine itself, the networks that it is on
 * and all special ranges are taken out of it, as if the peers were guests in the house. A network
 * is reached when it is carried by its own name. Not for others.
 *
 * Source: Tailscale ipn/ipnlocal (shrinkDefaultRoute). Beyond it: the machine's own public
 * addresses are left out, too; a route as wide as half the internet (0.0.0.0/1) is no name of a
 * network; the IPv6 forms of IPv4 addresses count as those; of IPv6 only what the registry gives to
 * the internet is served.
 */
#ifndef WARREN_CORE_FILTER_CARRY_H
#define WARREN_CORE_FILTER_CARRY_H

#include "core/filter/filter.h"
#include "core/filter/sweep.h"

/* Does it stand for the internet? No network with a name of its own is as wide. */
bool carry_is_internet(struct ipprefix route);
/* Adds what is reached of the carried routes to ret[0] (IPv4) and ret[1], unmerged. -ENOMEM. */
MUST_USE int carry_spans(const struct filter_carry *c, struct spans ret[static 2]);

#endif
