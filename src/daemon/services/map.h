/* daemon/services/map: what the network map says of relays, names and rules. Over struct facts. */
#ifndef WARREN_DAEMON_SERVICES_MAP_H
#define WARREN_DAEMON_SERVICES_MAP_H

#include "daemon/services/facts.h"
#include "daemon/services/service.h"

extern const struct service map_service; /* self: struct facts */

#endif
