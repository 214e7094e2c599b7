/*
 * relay: the DERP server and STUN over real sockets. Embedded in the hub, which hands over upgraded connections, or on its
 * own in warren-relay.
 */
#ifndef WARREN_RELAY_RELAY_H
#define WARREN_RELAY_RELAY_H

#include "core/derprelay/derprelay.h"
#include "os/stream/tls.h"
#include "os/stream/stream.h"
#include "proto/http1/http1.h"

struct relay;

enum {
	RELAY_RATE_MAX = 1000000000, /* bytes a second; more is no limit that anybody would feel */
	/*
	 * Read of all clients in one turn of the loop, each the same part, so that a client with little to say waits for a few
	 * milliseconds, however many send as fast as they can.
	 */
	RELAY_TURN_BYTES = 512 * 1024,
	RELAY_TURN_MIN = 4 * 1024, /* of one client, whatever all together are */
};

/* Who may log in. client stands for the connection, as long as it lives. */
struct relay_admission {
	/* As derprelay_cfg.admit. NULL: every key may. */
	enum derprelay_verdict (*admit)(
		void *ctx, void *client, const struct node_pub *key, bool proven);
	void (*forget)(void *ctx,
		void *client); /* it ended while it waited for relay_decide. May be NULL */
	int (*metrics)(void *ctx, struct buf *out); /* its counters. May be NULL */
	void *ctx;
};

struct relay_cfg {
	struct loop *loop;
	struct secret_node private;
	size_t max_conns;
	int64_t client_rate; /* bytes a second that a client may send; 0: no limit */
	struct relay_admission admission;
};

struct relay_counters {
	uint64_t fast_starts; /* clients that knew our key from the certificate */
	uint64_t stun_requests, stun_answers, stun_bad;
};

MUST_USE int relay_new(struct relay **ret, const struct relay_cfg *cfg);
struct relay *relay_free(struct relay *r);
const struct relay_admission *relay_admission(const struct relay *r);
const struct derprelay *relay_derp(const struct relay *r);
const struct relay_counters *relay_counters(const struct relay *r);

/* Lets the TLS listeners of this relay name its key, so that clients start without waiting for an answer. */
MUST_USE int relay_add_key(const struct relay *r, struct tls_ctx *tls);
/* Answers STUN on this UDP address (port 0: any). May be called for several. */
MUST_USE int relay_stun_listen(struct relay *r, struct ipport addr, struct ipport *ret_bound);
/*
 * Takes over a stream whose request head asked for DERP. rest: bytes behind the head. On error the stream is still the
 * caller's. The 101 answer is written here.
 */
MUST_USE int relay_take(
	struct relay *r, struct stream *s, const struct http1_head *head, struct view rest);
/* This key may be admitted no more: connections with it are closed after a grace if so. */
void relay_recheck(struct relay *r, const struct node_pub *key);
/* The word on a client for which admit said DERPRELAY_ASK. */
void relay_decide(void *client, bool yes);
struct ipport relay_client_addr(const void *client);
enum { RELAY_204_EXTRA_MAX = 144 };
/* Header lines of the answer to /generate_204: they prove that the relay itself was reached. */
void relay_204_extra(const struct http1_head *head, char extra[static RELAY_204_EXTRA_MAX]);

#endif
