/*
 * core/reason: why a hub or a relay is not reached, as a person is to read it: what was found, and what to do next. The one
 * place where a cause becomes a sentence, so that command, health and log say the same.
 *
 * A cause is a result as everywhere (base/err): -errno of the socket, -ERR_x, or an HTTP status.
 */
#ifndef WARREN_CORE_REASON_REASON_H
#define WARREN_CORE_REASON_REASON_H

#include "base/err/err.h"
#include "base/time/time.h"

enum { REASON_MAX = 640, REASON_DETAIL_MAX = 160 };

enum reason_step {
	REASON_HUB_KEY,     /* GET /key, the first thing asked of a hub */
	REASON_HUB_SESSION, /* the upgrade of /ts2021, and Noise */
	REASON_HUB_REGISTER,
	REASON_HUB_MAP, /* the long poll */
	REASON_RELAY,
};

struct reason {
	enum reason_step step;
	int rc; /* negative */
	const char *host;
	unsigned port;
	bool tls; /* TLS was asked for */
	const char *
		location; /* of a redirect; NULL or "": not known. From outside: shown only if it is harmless */
	unix_ms wall; /* our clock, for certificates that do not fit it */
};

/* "<what is wrong>. <what to do>." without a subject in front: it goes on from "The hub U is not reached: ". */
char *reason_format(const struct reason *r, char out[static REASON_MAX]);

#endif
