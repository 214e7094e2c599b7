/* daemon/services/machine: what the machine's own settings are: forwarding, resolver. */
#ifndef WARREN_DAEMON_SERVICES_MACHINE_H
#define WARREN_DAEMON_SERVICES_MACHINE_H

#include "daemon/services/service.h"

extern const struct service machine_service; /* self: NULL */

#endif
