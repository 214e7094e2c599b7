/* daemon/metrics: counters as text (Prometheus): what users watch, and all there are; and the listener of --debug. */
#ifndef WARREN_DAEMON_METRICS_H
#define WARREN_DAEMON_METRICS_H

#include "daemon/device/device.h"
#include "daemon/services/service.h"
#include "daemon/services/watch.h"

struct httpd;

struct metrics {
	struct device *d;
	const struct watch *watch;
	const struct lapi *lapi; /* set once it is there */
	struct peerapi *peerapi; /* likewise */
	const char *listen;      /* "": nowhere; borrowed */
	struct httpd *httpd;
};

/* ctx: struct metrics. */
MUST_USE int metrics_user(void *ctx, struct buf *out);
MUST_USE int metrics_all(void *ctx, struct buf *out);

extern const struct service
	metrics_listener; /* self: struct metrics. Failure to start was logged. */

#endif
