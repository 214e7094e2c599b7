/*
 * core/relays: this node's connections to DERP relays, one core/derpclient for each region in use. Home's is always there, because
 * that is where peers find us. Others are opened by the first packet to a peer at home there, and closed when nothing went through
 * them for a while. A connection that went silent is found out with a ping, and opened anew.
 *
 * No I/O, no clock: calls bring what happened and the time (nanoseconds of the monotonic clock). What they lead to is not called
 * back: the owner asks relays_next_event and relays_next_packet after each call, until both have nothing more.
 *
 * Source: Tailscale wgengine/magicsock/derp.go.
 */
#ifndef WARREN_CORE_RELAYS_RELAYS_H
#define WARREN_CORE_RELAYS_RELAYS_H

#include "core/derpclient/derpclient.h"
#include "proto/tailcfg/tailcfg.h"

struct relays;

MUST_USE int relays_new(struct relays **ret, struct rng *rng); /* rng: borrowed. -ENOMEM */
struct relays *relays_free(struct relays *r); /* streams are the owner's to close */

/* ---- What the owner knows ---- */

/* Who we are, copied. NULL: nobody; then there are no connections. All connections end; home's is opened anew. */
void relays_set_key(struct relays *r, const struct secret_node *key, mono_ns now);
/*
 * Borrowed until the next call, and still whole during it; NULL: none. Connections to regions that the new map has otherwise end.
 */
void relays_set_map(struct relays *r, const struct tc_derp_map *map, mono_ns now);
/* The region where peers find us, 0: none. Its connection is opened if it is not there. */
void relays_set_home(struct relays *r, int region, mono_ns now);
/* All connections end; home's is opened anew. */
void relays_restart(struct relays *r, mono_ns now);
/* Our link is another one: are the relays still there? cut: streams lost their local address, so they cannot be. */
void relays_link_changed(struct relays *r, bool cut, mono_ns now);

/* ---- Packets ---- */

/* Copied. False: there is no such region, or no memory. What waits for a connection that comes up late is dropped by age. */
bool relays_send(struct relays *r, int region, const struct node_pub *to, const void *pkt,
	size_t len, mono_ns now);
/* The region through which a peer is reached best. home: the peer's; heard: where it was heard last; 0: not known. 0: none. */
int relays_choose(const struct relays *r, int home, int heard);
/* A packet from there was worth having: the connection is in use. */
void relays_note_used(struct relays *r, int region, mono_ns now);

/* ---- Streams, by region ---- */

/*
 * The stream is up (TLS done, if the node asks for it). fast_key: the relay's key from its certificate, or NULL.
 * Negative: close the stream and call relays_closed.
 */
MUST_USE int relays_connected(
	struct relays *r, int region, const struct node_pub *fast_key, mono_ns now);
MUST_USE int relays_feed(
	struct relays *r, int region, const uint8_t *p, size_t len, mono_ns now); /* likewise */
/* It ended by itself, or could not be opened: rc says why, 0 if nobody knows. Not called after RELAYS_HANG_UP. */
void relays_closed(struct relays *r, int region, int rc, mono_ns now);
struct view relays_output(struct relays *r, int region); /* empty: nothing, or no such region */
void relays_written(struct relays *r, int region, size_t n);

/* ---- What came of it ---- */

enum relays_event_type {
	RELAYS_HANG_UP, /* close the region's stream, or stop opening it; relays_closed is not called for it */
	RELAYS_DIAL,   /* open a stream to node, then relays_connected or relays_closed */
	RELAYS_BACK,   /* ready again after it was dead for a while: what was sent lately is lost */
	RELAYS_HEARD,  /* a sign of life */
	RELAYS_OUTPUT, /* relays_output has something */
	RELAYS_HOME_DOWN, /* home cannot be reached for a while: another one may be better */
};

struct relays_event {
	enum relays_event_type type;
	int region;
	const struct tc_derp_node *node; /* of the map */
};

/* False: there is none. A region's events come in the order above. */
bool relays_next_event(struct relays *r, struct relays_event *ret);

enum relays_packet_type {
	RELAYS_PACKET,
	RELAYS_PEER_GONE, /* the relay does not have this peer any more; no bytes */
};

struct relays_packet {
	enum relays_packet_type type;
	int region;
	struct node_pub from; /* that the relay vouches for */
	uint8_t *p;           /* may be changed; valid until the next relays_feed */
	size_t len;
};

/* In the order of their arrival. False: there is none. */
bool relays_next_packet(struct relays *r, struct relays_packet *ret);

/* ---- Time ---- */

void relays_tick(struct relays *r, mono_ns now);
mono_ns relays_deadline(const struct relays *r);

/* ---- What is ---- */

bool relays_is_ready(const struct relays *r, int region);
/* Why the region could not be connected the last time, and which node that was. 0: it could, or was not tried. */
int relays_failure(const struct relays *r, int region, const struct tc_derp_node **ret);
/* Of all connections, those of before included. */
struct derpclient_counters relays_client_counters(const struct relays *r);

struct relays_counters {
	uint64_t idle_closed;
	uint64_t dropped; /* packets that arrived, and there was no memory to hold them */
};
const struct relays_counters *relays_counters(const struct relays *r);

#endif
