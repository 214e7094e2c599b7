/* core/coord/internal: what the files of this folder share: all that is below. */
#ifndef WARREN_CORE_COORD_INTERNAL_H
#define WARREN_CORE_COORD_INTERNAL_H

#include "core/coord/coord.h"
#include "core/coord/intake/intake.h"
#include "core/coord/policy_sync/policy_sync.h"
#include "core/coord/tailnet/tailnet.h"

/* load.c: what is stored. at says which document was bad. */
MUST_USE int coord_load(struct tailnet *c, struct err_at *at);

#endif
