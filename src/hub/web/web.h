/* hub/web: what is served on the public port: pages, keys and counters, and what devices and other relays ask there. */
#ifndef WARREN_HUB_WEB_WEB_H
#define WARREN_HUB_WEB_WEB_H

#include "http/router/router.h"

/* q->ctx is the hub. */
extern const struct router web_devices,
	web_pages; /* the pages are the last of the port: they answer what nobody knows */

#endif
