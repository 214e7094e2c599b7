/* daemon/services/scrape: counters as text (Prometheus), over the LocalAPI. */
#ifndef WARREN_DAEMON_SERVICES_SCRAPE_H
#define WARREN_DAEMON_SERVICES_SCRAPE_H

#include "base/buf/buf.h"
#include "daemon/services/service.h"

struct scrape_service {
	int (*user)(void *owner, struct buf *out); /* what users watch */
	int (*all)(void *owner, struct buf *out);  /* every counter there is */
	void *owner;
};

extern const struct service scrape_service; /* self: struct scrape_service */

#endif
