/*
 * hub/web/packages: Debian packages of the node for the next device, handed out at /packages/NAME. They are read into memory once, at
 * the start, so that no download waits for a disk; names are those of this release and are never made from a request.
 */
#ifndef WARREN_HUB_WEB_PACKAGES_H
#define WARREN_HUB_WEB_PACKAGES_H

#include "http/server/server.h"
#include "hub/state/options.h"

struct packages;

enum {
	PACKAGE_NAME_MAX = 64,
	PACKAGE_LEN_MAX = 8 << 20, /* bytes of one */
	PACKAGE_RATE = 1 << 20,    /* bytes a second of all downloads together, */
	PACKAGE_BURST = 16 << 20,  /* and at once: an answer waits in memory until it is sent */
};

/* Those of this release that are in the directory. None: *ret stays NULL, and the log says so. -ENOMEM, -errno, -ERR_TOO_BIG. */
MUST_USE int packages_read(struct packages **ret, const char *dir, struct err_at *at);
struct packages *packages_free(struct packages *p);
/* The name of the i-th, NULL: there are no more. p may be NULL. */
const char *packages_name(const struct packages *p, size_t i);
uint64_t packages_bytes(const struct packages *p);     /* that they take in memory */
uint64_t packages_throttled(const struct packages *p); /* downloads that were told to come later */
/* name: what stands behind /packages/ in a request's path. Answers: the package, 404, or 503 when too much is asked for at once. */
MUST_USE int packages_answer(
	struct packages *p, struct http_reply *r, struct view name, mono_ns now);

#endif
