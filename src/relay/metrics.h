/* relay/metrics: the counters of a relay, of the hub's and of one that stands alone, with those of its admission. */
#ifndef WARREN_RELAY_METRICS_H
#define WARREN_RELAY_METRICS_H

#include "relay/relay.h"

MUST_USE int relay_metrics(const struct relay *r, struct buf *out);

#endif
