/*
 * core/derpclient: the client of one DERP region, without sockets. It asks its owner for a byte stream, upgrades it, logs
 * in and exchanges packets; when the stream ends it asks again after a back-off that grows with each failure in a row.
 *
 * The owner calls derpclient_tick at derpclient_deadline. When `dial` is called it opens a stream (TLS by the node's own
 * rules), then calls derpclient_connected, derpclient_feed for what arrives, and derpclient_closed when it ends, whoever
 * ended it. No callback may free the client.
 *
 * Source: Tailscale derp/derp_client.go, derp/derphttp; tests/vectors/derp.json.
 */
#ifndef WARREN_CORE_DERPCLIENT_DERPCLIENT_H
#define WARREN_CORE_DERPCLIENT_DERPCLIENT_H

#include "base/time/time.h"
#include "proto/derpframe/derpframe.h"

enum {
	DERPCLIENT_QUEUE_MAX =
		192, /* packets that wait; the oldest goes when one more comes. What a session staged, or a TUN batch */
	DERPCLIENT_CONTROL_MAX =
		16 *
		1024, /* bytes of other frames that wait: pongs to a relay that does not read */
	DERPCLIENT_WRITE_MAX = 16 * 1024, /* bytes shown at once, unless one packet is larger */
	DERPCLIENT_KEEP_MAX =
		2 * KEY_LEN +
		DERP_PACKET_MAX, /* of a frame; longer ones have nothing for us, and are skipped */
	DERPCLIENT_INFOS_MAX =
		10, /* server infos at once, then one a second; each costs a key exchange */
};
#define DERPCLIENT_STEADY \
	SEC(5) /* a connection that was ready for so long ends a row of failures */

struct derpclient;

enum derpclient_event_type {
	DERPCLIENT_READY,        /* logged in: info */
	DERPCLIENT_PACKET,       /* peer, data */
	DERPCLIENT_PEER_GONE,    /* peer, reason */
	DERPCLIENT_PEER_PRESENT, /* peer, addr (may be unset), flags */
	DERPCLIENT_PONG,         /* data: the 8 bytes of derpclient_ping */
	DERPCLIENT_PING,         /* data; it has been answered already */
	DERPCLIENT_HEALTH,       /* data: what the relay complains of; empty: nothing any more */
	DERPCLIENT_RESTARTING,   /* reconnect_in_ms, try_for_ms */
	DERPCLIENT_KEEP_ALIVE,
	DERPCLIENT_DOWN, /* rc: the stream that was ready, or was to be, is gone */
};

struct derpclient_event {
	enum derpclient_event_type type;
	struct node_pub peer;
	struct view data; /* valid during the callback */
	struct derp_server_info info;
	struct ipport addr;
	uint8_t reason, flags;
	uint32_t reconnect_in_ms, try_for_ms;
	int rc;
};

struct derpclient_cfg {
	struct secret_node private;
	const uint8_t *mesh_key; /* 32 bytes, or NULL. Copied */
	bool watch;              /* with a mesh key: learn who comes and goes */
	bool prober;
	struct rng *rng; /* borrowed */
	void *owner;
	void (*dial)(void *owner);
	void (*hang_up)(
		void *owner); /* close the stream; derpclient_closed may be called from inside, or later */
	void (*on_output)(
		void *owner); /* derpclient_output has something; must not end the stream */
	void (*on_event)(void *owner, const struct derpclient_event *e);
};

struct derpclient_counters {
	uint64_t infos_refused,
		skipped; /* connections closed for too many server infos; frames that were too long to be for us */
	uint64_t dials, logins, packets_in, packets_out, drop_queue_head, drop_rate, drop_down,
		bad_frames;
};

MUST_USE int derpclient_new(struct derpclient **ret, const struct derpclient_cfg *cfg);
struct derpclient *derpclient_free(struct derpclient *c); /* the stream is the owner's to close */

/*
 * The stream is up. host: of the Host header, with the port if it is not 443. ideal_node: the name of the region's first
 * node when this is another one, else NULL. -ERR_BAD_VALUE: a name that no header may hold. fast_key: the relay's key from its TLS certificate; then no HTTP answer comes.
 * Negative: close the stream and call derpclient_closed.
 */
MUST_USE int derpclient_connected(struct derpclient *c, const char *host, const char *ideal_node,
	const struct node_pub *fast_key, mono_ns now);
MUST_USE int derpclient_feed(
	struct derpclient *c, const uint8_t *p, size_t len, mono_ns now); /* negative: likewise */
void derpclient_closed(struct derpclient *c, int rc, mono_ns now);
struct view derpclient_output(struct derpclient *c);
void derpclient_written(struct derpclient *c, size_t n);

/* Opens now and whenever the connection is lost, until derpclient_stop. Both may be called in any state. */
void derpclient_start(struct derpclient *c, mono_ns now);
void derpclient_stop(struct derpclient *c, mono_ns now);

/*
 * Copies the packet; while the connection is being opened it waits. A full queue is no error. -ERR_TOO_BIG, -ERR_CLOSED when
 * not started, -ENOMEM.
 */
MUST_USE int derpclient_send(
	struct derpclient *c, const struct node_pub *to, const void *pkt, size_t len, mono_ns now);
MUST_USE int derpclient_ping(struct derpclient *c, const uint8_t data[static DERP_PING_MIN]);
/* Is this region our home? Told to the relay now and after each login. */
void derpclient_note_preferred(struct derpclient *c, bool home);

bool derpclient_is_ready(const struct derpclient *c);
const struct node_pub *derpclient_server(const struct derpclient *c); /* all zero: not known now */
mono_ns derpclient_last_heard(const struct derpclient *c);            /* any frame */
const struct derpclient_counters *derpclient_counters(const struct derpclient *c);

void derpclient_tick(struct derpclient *c, mono_ns now);
mono_ns derpclient_deadline(const struct derpclient *c);

#endif
