/* core/coord/tailnet/internal: what the files of this folder share. */
#ifndef WARREN_CORE_COORD_TAILNET_INTERNAL_H
#define WARREN_CORE_COORD_TAILNET_INTERNAL_H

#include "core/coord/tailnet/tailnet.h"

void addresses_set(struct tailnet *c, int64_t host, bool taken);
MUST_USE int former_refresh(
	struct tailnet *c, struct coord_node *n); /* its document names others now. -ENOMEM */
void former_free(struct tailnet *c, struct coord_node *n);
MUST_USE int peer_group_join(struct tailnet *c, struct coord_node *n);
void peer_group_leave(struct tailnet *c, struct coord_node *n);

#endif
