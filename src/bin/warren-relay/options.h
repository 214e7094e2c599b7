/* warren-relay/options: what the relay is told. */
#ifndef WARREN_BIN_WARREN_RELAY_OPTIONS_H
#define WARREN_BIN_WARREN_RELAY_OPTIONS_H

#include "proto/forwarded/forwarded.h"

struct relay_options {
	/* Borrowed from argv; NULL where nothing was said. */
	const char *listen, *stun, *state_dir, *cert, *key, *hostname, *http, *user, *verify_url,
		*memory;
	const char *trusted_proxy; /* only while it is read: then proxies */
	struct forwarded_trust proxies;
	int64_t rate;        /* bytes a second; 0: as much as it can */
	uint64_t memory_max; /* 0: as the machine allows */
	bool limits, plain, proxy_protocol, verify_fail_open;
};

enum { RELAY_OPTIONS_DONE = 1 }; /* the help was asked for and printed */

/* 0, RELAY_OPTIONS_DONE, -ERR_BAD_VALUE: what is wrong was said on stderr. */
MUST_USE int relay_options_parse(struct relay_options *o, int argc, char *const argv[]);

#endif
