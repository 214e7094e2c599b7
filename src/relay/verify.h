/*
 * relay/verify: somebody else says who may log in, as derper's --verify-client-url has it: a POST of key and address, answered with
 * {"Allow": true} or not. Asked only of keys that the client has proven to be its own; what was said is kept for a moment.
 */
#ifndef WARREN_RELAY_VERIFY_H
#define WARREN_RELAY_VERIFY_H

#include "http/client/client.h"
#include "relay/relay.h"

enum {
	VERIFY_ACTIVE_MAX = 32,  /* questions under way; further ones wait for their turn */
	VERIFY_KEPT_MAX = 16384, /* keys that are known or asked about; more are turned away */
	VERIFY_RATE = 50,        /* new keys a second of one source */
	VERIFY_BURST = 1000,     /* so many devices behind one address come at once */
};
#define VERIFY_PATIENCE SEC(5)
#define VERIFY_KEEP_YES SEC(60)
#define VERIFY_KEEP_NO SEC(5)

struct verify_cfg {
	struct loop *loop;
	const char *url;
	bool fail_open; /* nobody answers there: let all in */
};

struct verify;
/* -ERR_BAD_VALUE: the URL. -ERR_TLS: no root certificates. */
MUST_USE int verify_new(struct verify **ret, const struct verify_cfg *cfg);
struct verify *verify_free(struct verify *v); /* after the relay */
struct relay_admission verify_admission(struct verify *v);

#endif
