/* daemon/services/status: how the device is. Over struct facts. */
#ifndef WARREN_DAEMON_SERVICES_STATUS_H
#define WARREN_DAEMON_SERVICES_STATUS_H

#include "daemon/services/facts.h"
#include "daemon/services/service.h"

extern const struct service status_service; /* self: struct facts */

#endif
