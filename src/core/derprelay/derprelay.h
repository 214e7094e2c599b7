/*
 * core/derprelay: the DERP server: forwards packets between clients by their node keys, and cannot read them. No sockets:
 * the owner feeds bytes of a connection that has been upgraded, and writes out what derprelay_output shows.
 *
 * Every client has two queues of 32 packets, one for disco and one for the rest, so that bulk traffic does not push out
 * path messages; when one is full its oldest packet is dropped. How fast a client sends can be limited: it is told, so that it
 * keeps to it by itself, and what it sends beyond is dropped. Other frames share a bounded buffer: a client that does
 * not read it is closed. Source: Tailscale derp/derpserver; tests/vectors/derp.json.
 */
#ifndef WARREN_CORE_DERPRELAY_DERPRELAY_H
#define WARREN_CORE_DERPRELAY_DERPRELAY_H

#include "base/time/time.h"
#include "proto/derpframe/derpframe.h"

enum {
	DERPRELAY_QUEUE_MAX = 32, /* packets a queue; derpprobe's tests assume this size */
	DERPRELAY_BURST_MIN = 64 * 1024, /* a limit lets the largest packet through */
	DERPRELAY_CONTROL_MAX = 64 * 1024, /* bytes of other frames that wait */
	DERPRELAY_WRITE_MAX = 16 * 1024, /* bytes shown at once: what the owner has not written stays in the queues */
};

struct derprelay;
struct derpconn;

struct derprelay_cfg {
	struct secret_node private;
	const uint8_t *mesh_key; /* 32 bytes, or NULL: nobody is a mesh peer. Borrowed */
	size_t max_conns; /* 0: no limit */
	int64_t client_rate; /* bytes a second that a client may send, with one second's worth at once; 0: no limit */
	struct rng *rng; /* borrowed */
	/* A connection has output, or is to be closed by the owner (derprelay_close). */
	void (*on_output)(void *owner);
	void (*on_close)(void *owner);
};

struct derprelay_counters {
	uint64_t accepted, logins, bad_logins, packets_in, packets_out, bytes_in, bytes_out, drop_unknown_dest,
		drop_queue_head, drop_rate, drop_gone, drop_dup, peer_gone_sent, bad_frames, unknown_frames, closed_slow;
};

MUST_USE int derprelay_new(struct derprelay **ret, const struct derprelay_cfg *cfg);
struct derprelay *derprelay_free(struct derprelay *r); /* all connections must be closed */
const struct node_pub *derprelay_public(const struct derprelay *r);
const struct derprelay_counters *derprelay_counters(const struct derprelay *r);
size_t derprelay_clients(const struct derprelay *r); /* logged in now */

/*
 * not_ideal: the client said that this is not its first choice. -ENOMEM, -ERR_TOO_MANY.
 */
MUST_USE int derprelay_accept(struct derprelay *r, struct ipport remote, bool not_ideal, void *owner, mono_ns now,
	struct derpconn **ret);
void derprelay_close(struct derpconn *c); /* the owner's socket is gone, or on_close asked for it */
/* Negative: close the connection. */
MUST_USE int derprelay_feed(struct derpconn *c, const uint8_t *p, size_t len, mono_ns now);
struct view derprelay_output(struct derpconn *c);
void derprelay_written(struct derpconn *c, size_t n);

void derprelay_tick(struct derprelay *r, mono_ns now);
mono_ns derprelay_deadline(const struct derprelay *r);

#endif
