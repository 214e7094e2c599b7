/* hub/web: what is served on the public port: pages, keys and counters; and which tables stand on that port. */
#ifndef WARREN_HUB_WEB_WEB_H
#define WARREN_HUB_WEB_WEB_H

#include "http/router/router.h"

/* q->ctx is the hub. */
enum { WEB_TABLES = 4 };
extern const struct router *const web_tables[WEB_TABLES];

#endif
