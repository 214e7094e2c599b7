/* daemon/services/serve: what this device serves to others. It cannot yet: that is what is told. */
#ifndef WARREN_DAEMON_SERVICES_SERVE_H
#define WARREN_DAEMON_SERVICES_SERVE_H

#include "daemon/services/service.h"

extern const struct service serve_service; /* self: NULL */

#endif
