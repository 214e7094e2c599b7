/* daemon/dial/internal: between the files of dial: contexts of TLS (tls.c) < one stream (dial.c) < the engine's (dialer.c). */
#ifndef WARREN_DAEMON_DIAL_INTERNAL_H
#define WARREN_DAEMON_DIAL_INTERNAL_H

#include "base/list/list.h"
#include "daemon/dial/dial.h"
#include "os/stream/stream.h"
#include "os/stream/tls.h"

enum {
	DIAL_PINS_MAX =
		64, /* certificates that relays are pinned to, whose TLS contexts are kept */
	DIAL_LOOKUPS_MAX = 16, /* names being looked up at a time */
	DIAL_HOST_MAX = 256,
};

struct dial_pin {
	uint8_t pin[32];
	struct tls_ctx *tls;
};

struct dialer {
	struct engine *e;
	struct list dials;             /* struct dial */
	struct list streams, measures; /* struct dialer_stream, struct dialer_measure */
	size_t n_lookups;
	struct dialer_counters n;
	struct tls_ctx *tls_verified, *tls_any;
	struct dial_pin pins[DIAL_PINS_MAX];
	size_t n_pins;
};

/* ---- dial.c: one stream, and the lookup of names ---- */

struct dial_lookup;

struct dial {
	struct list link;
	struct dialer *d;
	const struct dial_ops *ops; /* NULL: orphan */
	void *owner;
	struct stream *s;         /* NULL: none now */
	struct loop_timer *timer; /* the time for an address, and the word of a failure */
	struct dial_lookup *lookup;
	bool up, looked_up, by_routes;
	const char *alpn; /* NULL: none */
	int rc;           /* of the last attempt */
	char host[DIAL_HOST_MAX], name[DIAL_HOST_MAX];
	uint16_t port;
	struct tls_ctx *tls; /* NULL: plain */
	struct ipaddr addr[DIAL_ADDRS_MAX];
	size_t n_addrs, at;
};

/* The engine is told of the addresses; without a free place there is no answer. */
void dial_resolve(struct dialer *d, const char *host);

/* ---- tls.c ---- */

/* The context for a stream; *ret is NULL for a plain one. False: there is none. */
bool dialer_tls_for(struct dialer *d, const struct node_dial *to, struct tls_ctx **ret);
void dialer_tls_free(struct dialer *d);

#endif
