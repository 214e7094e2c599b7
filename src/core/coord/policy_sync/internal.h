/* core/coord/policy_sync/internal: what the files of this folder share. */
#ifndef WARREN_CORE_COORD_POLICY_SYNC_INTERNAL_H
#define WARREN_CORE_COORD_POLICY_SYNC_INTERNAL_H

#include "core/coord/policy_sync/policy_sync.h"
#include "core/coord/routes/routes.h"
#include "core/coord/tailnet/tailnet.h"

#endif
