/*
 * daemon/services: what programs on this machine ask of the daemon: over the LocalAPI, and of its counters.
 */
#ifndef WARREN_DAEMON_SERVICES_SERVICES_H
#define WARREN_DAEMON_SERVICES_SERVICES_H

#include "base/list/list.h"
#include "daemon/device/device.h"
#include "localapi/server/server.h"

struct httpd;

enum { SERVICES_WAITERS_MAX = 32 }; /* programs that wait for a netcheck */

struct services {
	struct device *d;
	struct lapi *lapi;
	struct httpd *debug;
	struct lapi_call *waiters[SERVICES_WAITERS_MAX]; /* for a netcheck */
	size_t n_waiters;
	struct list pings; /* struct service_ping */
};

extern const struct lapi_backend_ops services_backend; /* over a struct services */
void services_netcheck_done(struct services *s);
MUST_USE int metrics_user(void *backend, struct buf *out);
MUST_USE int metrics_all(void *backend, struct buf *out);
/* The listener of --debug. Failure was logged. */
MUST_USE int metrics_listen(struct services *s, const char *addr);

#endif
