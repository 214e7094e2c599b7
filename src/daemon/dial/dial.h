/*
 * daemon/dial/dial: one stream to somewhere: each address is tried until one answers; of a name the addresses are looked up.
 */
#ifndef WARREN_DAEMON_DIAL_DIAL_H
#define WARREN_DAEMON_DIAL_DIAL_H

#include "daemon/dial/dialer.h"

struct dial;

struct dial_ops {
	void (*up)(void *owner);
	int (*data)(
		void *owner, uint8_t *p, size_t len); /* negative: close; then closed is called */
	struct view (*output)(void *owner);
	void (*written)(void *owner, size_t n);
	void (*closed)(void *owner, int rc); /* from the loop, once; the dial is gone */
};

enum { DIAL_ADDRS_MAX = 8 };

/* Beyond where to. */
struct dial_how {
	const struct ipaddr *addrs; /* to be tried, and no other: no name is looked up */
	size_t n_addrs;             /* more than DIAL_ADDRS_MAX are left out */
	/* Through the tunnel where the engine's routes say so; else around it always, as everything that makes the tunnel has to. */
	bool by_routes;
	const char *alpn; /* protocols for stream_offer; borrowed for good; NULL: none */
};

/* how: NULL: nothing of it. NULL: no memory. */
struct dial *dial_open(struct dialer *d, const struct node_dial *to, const struct dial_how *how,
	const struct dial_ops *ops, void *owner);
struct dial *dial_close(struct dial *k); /* nothing is called any more */
void dial_wake(struct dial *k);
/* In the up callback and later. A relay's public key, by its TLS certificates; the protocol that was agreed on. */
bool dial_relay_key(const struct dial *k, struct node_pub *ret);
const char *dial_agreed(const struct dial *k, char out[static 16]);

#endif
