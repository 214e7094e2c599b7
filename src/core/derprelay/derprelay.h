/*
 * core/derprelay: the DERP server: forwards packets between clients by their node keys, and cannot read them. No sockets:
 * the owner feeds bytes of a connection that has been upgraded, and writes out what derprelay_output shows.
 *
 * Every client has two queues of 32 packets, one for disco and one for the rest, so that bulk traffic does not push out
 * path messages; when one is full the oldest packet of who has most in it is dropped. How fast a client sends can be limited: it is
 * told, so that it keeps to it by itself, and what it sends beyond is dropped. Other frames share a bounded buffer: a client that does
 * not read it is closed. A packet costs the same work whoever hears whom, and whoever else is here.
 *
 * Source: Tailscale derp/derpserver; tests/vectors/derp.json.
 */
#ifndef WARREN_CORE_DERPRELAY_DERPRELAY_H
#define WARREN_CORE_DERPRELAY_DERPRELAY_H

#include "base/ledger/ledger.h"
#include "base/time/time.h"
#include "proto/derpframe/derpframe.h"

enum {
	DERPRELAY_QUEUE_MAX = 32, /* packets a queue; derpprobe's tests assume this size */
	DERPRELAY_QUEUE_BYTES =
		144 *
		1024, /* bytes of a queue: two packets of the largest size, 32 of any ordinary one */
	DERPRELAY_SENT_MAX = 1 << 20, /* bytes of one connection that wait for others */
	DERPRELAY_QUEUED_MAX =
		32
		<< 20, /* bytes of all packets that wait; one sender's are at most as many as are free */
	DERPRELAY_LEFT_MAX = 1 << 20,     /* of these, whose sender has left */
	DERPRELAY_HEARD_MAX = 4096,       /* notes "it heard from that client" of one connection */
	DERPRELAY_NOTES_MAX = 128 * 1024, /* of all; about one client at most as many as are free */
	DERPRELAY_TELL_MAX =
		1024, /* connections that are told in one turn that a client has gone */
	DERPRELAY_SAME_KEY_MAX = 16,       /* connections with one key; the oldest goes */
	DERPRELAY_BURST_MIN = 64 * 1024,   /* a limit lets the largest packet through */
	DERPRELAY_CONTROL_MAX = 64 * 1024, /* bytes of other frames that wait */
	DERPRELAY_WRITE_MAX =
		16 *
		1024, /* bytes shown at once: what the owner has not written stays in the queues */
	DERPRELAY_KEEP_MAX = 4 * 1024, /* of its buffer that an idle connection keeps */
};
#define DERPRELAY_GRACE \
	SEC(10) /* from derprelay_recheck: a device whose key is another one now comes by itself */

/* May this key log in? ASK: somebody else knows; derprelay_decide says it later. */
enum derprelay_verdict { DERPRELAY_NO, DERPRELAY_YES, DERPRELAY_ASK };

struct derprelay;
struct derpconn;

struct derprelay_cfg {
	struct secret_node private;
	const uint8_t *mesh_key; /* 32 bytes, or NULL: nobody is a mesh peer. Borrowed */
	size_t max_conns;        /* 0: no limit */
	int64_t client_rate; /* bytes a second that a client may send, with one second's worth at once; 0: no limit */
	struct rng *rng; /* borrowed */
	/*
	 * NULL: every key may log in. Asked twice: when the key was named, and once it was proven to be the client's own; only then may
	 * ASK lead anywhere. What is refused at first costs no more than this call.
	 */
	enum derprelay_verdict (*admit)(
		void *ctx, void *owner, const struct node_pub *key, bool proven);
	void *admit_ctx;
	/* A connection has output, or is to be closed by the owner (derprelay_close). */
	void (*on_output)(void *owner);
	void (*on_close)(void *owner);
};

struct derprelay_counters {
	uint64_t notes; /* now */
	uint64_t refused, asked, closed_same_key, drop_memory, notes_full;
	uint64_t accepted, logins, bad_logins, packets_in, packets_out, bytes_in, bytes_out,
		drop_unknown_dest, drop_queue_head, drop_rate, drop_gone, drop_dup, peer_gone_sent,
		bad_frames, unknown_frames, closed_slow;
};

MUST_USE int derprelay_new(struct derprelay **ret, const struct derprelay_cfg *cfg);
struct derprelay *derprelay_free(struct derprelay *r); /* all connections must be closed */
const struct node_pub *derprelay_public(const struct derprelay *r);
const struct derprelay_counters *derprelay_counters(const struct derprelay *r);
size_t derprelay_clients(const struct derprelay *r); /* logged in now */

/*
 * not_ideal: the client said that this is not its first choice. holder: is charged for what is kept of this connection, and for packets of
 * its that wait for others; may be NULL. Who logs in is a member there: by its key if admit let it in, else by where it comes from.
 * -ENOMEM, -ERR_TOO_MANY.
 */
MUST_USE int derprelay_accept(struct derprelay *r, struct ipport remote, bool not_ideal,
	void *owner, mono_ns now, struct ledger_holder *holder, struct derpconn **ret);
void derprelay_close(struct derpconn *c); /* the owner's socket is gone, or on_close asked for it */
/* Negative: close the connection. */
MUST_USE int derprelay_feed(struct derpconn *c, const uint8_t *p, size_t len, mono_ns now);
struct view derprelay_output(struct derpconn *c);
void derprelay_written(struct derpconn *c, size_t n);

/* The word on a connection that derprelay_waits. Negative: close it. */
MUST_USE int derprelay_decide(struct derpconn *c, bool yes, mono_ns now);
/* It waits for derprelay_decide: nothing is to be read from it, or at most what its buffer takes. */
bool derprelay_waits(const struct derpconn *c);
/* This key may be admitted no more: after a grace admit is asked, and connections with it are closed if so. */
void derprelay_recheck(struct derprelay *r, const struct node_pub *key, mono_ns now);
/* Bytes of packets that wait. */
size_t derprelay_queued(const struct derprelay *r);

void derprelay_tick(struct derprelay *r, mono_ns now);
mono_ns derprelay_deadline(const struct derprelay *r);

#endif
