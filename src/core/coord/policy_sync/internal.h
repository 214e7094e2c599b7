/* core/coord/policy_sync/internal: what the files of this folder share. */
#ifndef WARREN_CORE_COORD_POLICY_SYNC_INTERNAL_H
#define WARREN_CORE_COORD_POLICY_SYNC_INTERNAL_H

#include "core/coord/policy_sync/policy_sync.h"
#include "core/coord/routes/routes.h"
#include "core/coord/tailnet/tailnet.h"

/* primaries.c: at the start. Who carried a route is expected to be back; with the plan it is the router again. */
void primaries_expect(struct tailnet *c);
void primaries_restore(struct tailnet *c);

#endif
