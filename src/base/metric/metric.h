/* base/text/metric: counters and gauges in Prometheus' text format. */
#ifndef WARREN_BASE_METRIC_METRIC_H
#define WARREN_BASE_METRIC_METRIC_H

#include "base/buf/buf.h"

struct metric {
	const char *name; /* "warren_" stands before it */
	const char *type; /* "counter" or "gauge" */
	const char *help;
	uint64_t value;
};

MUST_USE int metrics_put(struct buf *out, const struct metric *v, size_t n);

#endif
