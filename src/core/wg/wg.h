/*
 * core/wg: the WireGuard data plane of one device: all peers, their handshakes, sessions and timers. No sockets, no
 * clock: datagrams and packets go in with the time, what comes out waits for wg_next, and wg_deadline says when to tick.
 *
 * Batch first: wg_send takes many inner packets and seals them where they lie, so that packets that lie side by side
 * leave as datagrams that lie side by side (one sendmsg with segmentation offload). wg_receive takes many datagrams and
 * opens them in place, run by run under one key.
 *
 * What comes out waits, in order, until the owner takes it (wg_next): after each call, before the memory of the packets and datagrams
 * that he gave is used again. He may go on calling meanwhile. What nobody takes is bounded, and what does not fit is counted.
 *
 * Where a peer is, is the owner's business: a datagram comes with an opaque source, and leaves with its peer. The engine
 * keeps the source of the last authentic datagram of each peer (roaming), for owners that want it.
 *
 * Source: the WireGuard paper (Donenfeld, 2017 and later revisions); behaviour at the edges as wireguard-go, see
 * tests/vectors/README.md.
 */
#ifndef WARREN_CORE_WG_WG_H
#define WARREN_CORE_WG_WG_H

#include "base/netip/netip.h"
#include "base/pkt/pkt.h"
#include "base/rng/rng.h"
#include "base/time/time.h"
#include "crypto/keys/keys.h"
#include "proto/wgmsg/wgmsg.h"

/* Handshake messages of one host that may be answered, once the device is under load and the host has shown a cookie. */
enum { WG_RATELIMIT_BURST = 5, WG_RATELIMIT_PER_SECOND = 20 };
enum {
	WG_STAGED_MAX =
		128,       /* packets a peer holds until its session is up; the oldest is dropped */
	WG_COPY_MAX = 117, /* bytes of a packet for wg_send_copy */
	WG_SOURCE_MAX = 36, /* a relay, its region and a client's key */
};

struct wg_device;
struct wg_peer;

/*
 * An opaque source: the owner's encoding of where a datagram came from. Compared and hashed as bytes. The first host_len
 * of them are whom a flood is charged to: an IPv4 address, 8 bytes of an IPv6 address (one site can have all of the
 * rest), a relay and its client. 0: all of them.
 */
struct wg_source {
	uint8_t len, host_len;
	uint8_t b[WG_SOURCE_MAX];
};

struct wg_datagram {
	uint8_t *p; /* is opened in place */
	size_t len;
	struct wg_source source;
};

enum wg_out_kind {
	WG_OUT_DATAGRAMS, /* pkt, n: for `peer`, in order */
	WG_OUT_REPLY, /* pkt: for the source of `datagram`, who has proved nothing: a cookie reply */
	WG_OUT_PACKETS, /* pkt, n: inner packets of `peer`, where they were opened; their source address belongs to it */
	WG_OUT_SESSION,  /* a handshake with `peer` completed: packets can flow */
	WG_OUT_ROAMED,   /* wg_peer_source changed */
	WG_OUT_ANSWERED, /* before WG_OUT_SESSION: `datagram` is the answer to our last initiation */
	WG_OUT_UNREACHABLE,  /* no answer to handshakes for 90 s; staged packets were dropped */
	WG_OUT_UNKNOWN_PEER, /* `datagram` is an initiation of `key`, which is no peer; the owner may add it and hand the datagram in again */
	WG_OUT_UNKNOWN_SESSION, /* `datagram` is data of a session that we do not have: its sender holds one from before our restart */
};

/* What a kind does not name is NULL or 0. */
struct wg_out {
	enum wg_out_kind kind;
	struct wg_peer *peer;
	struct pkt *pkt;
	size_t n;
	struct wg_datagram *datagram; /* as it was given to wg_receive */
	const struct node_pub *key;
};

/* What was dropped, by reason. Packets that fail to parse are normal weather. */
struct wg_counters {
	uint64_t bad_message, bad_mac, no_peer, bad_handshake, flood, rate_limited, cookie_sent,
		cookie_received, no_session, replay, bad_tag, bad_source, bad_inner, staged_dropped,
		sent_datagrams, received_datagrams;
	uint64_t out_dropped; /* datagrams, packets and events that nobody took in time */
};

struct wg_cfg {
	struct secret_node private;
	size_t mtu; /* inner; padding stops here. 0: no limit */
	size_t max_peers;
	struct rng *rng; /* borrowed */
};

/* -ENOMEM, -ERR_CRYPTO. */
MUST_USE int wg_new(struct wg_device **ret, const struct wg_cfg *cfg);
struct wg_device *wg_free(struct wg_device *d);
/*
 * Another identity: all sessions end. -EEXIST: a peer has this key, and nobody is his own peer; whoever added it removes it first, as
 * no peer goes but by wg_peer_remove. -ERR_BAD_KEY, -EEXIST: all is as before.
 */
MUST_USE int wg_set_private(struct wg_device *d, const struct secret_node *private, mono_ns now);
const struct node_pub *wg_public(const struct wg_device *d);
const struct wg_counters *wg_counters(const struct wg_device *d);
/* Handshake messages a second above which cookies are asked for. Default 200; 0: always. */
void wg_set_load_limit(struct wg_device *d, unsigned per_second);

/*
 * -ERR_BAD_KEY (our own), -ERR_TOO_MANY, -EEXIST, -ENOMEM. Cheap: nothing is computed before the first handshake. A key
 * of low order is a peer that never answers.
 */
MUST_USE int wg_peer_add(struct wg_device *d, const struct node_pub *key, struct wg_peer **ret);
void wg_peer_remove(struct wg_device *d, struct wg_peer *p);
struct wg_peer *wg_peer_find(struct wg_device *d, const struct node_pub *key);
struct wg_peer *wg_peer_next(
	struct wg_device *d, const struct wg_peer *p); /* NULL starts and ends */

MUST_USE int wg_peer_allow(struct wg_device *d, struct wg_peer *p, struct ipprefix prefix);
void wg_peer_disallow(struct wg_device *d, struct wg_peer *p, struct ipprefix prefix);
void wg_peer_disallow_all(struct wg_device *d, struct wg_peer *p);
void wg_allowed_each(
	const struct wg_device *d, void (*fn)(void *ctx, struct ipprefix p, void *peer), void *ctx);
void wg_peer_set_psk(struct wg_peer *p, const uint8_t psk[static 32]);
const uint8_t *wg_peer_psk(const struct wg_peer *p);
/* Seconds; 0 is off. Takes effect at once when a session is there. */
void wg_peer_set_keepalive(struct wg_device *d, struct wg_peer *p, unsigned seconds, mono_ns now);
unsigned wg_peer_keepalive(const struct wg_peer *p);

/* The owner's own pointer in each peer. */
void wg_peer_set_owner(struct wg_peer *p, void *owner);
void *wg_peer_owner(const struct wg_peer *p);

const struct node_pub *wg_peer_key(const struct wg_peer *p);
const struct wg_source *wg_peer_source(const struct wg_peer *p);
/* Bytes of authentic datagrams that came from the source since it is that, or since this was asked. */
size_t wg_peer_take_received(struct wg_peer *p);
void wg_peer_set_source(struct wg_peer *p, const struct wg_source *s);

struct wg_peer_stats {
	uint64_t rx_bytes, tx_bytes;
	unix_ms last_handshake;           /* 0: never */
	mono_ns last_received, last_sent; /* data or keepalives; 0: never */
	bool has_session;
};
void wg_peer_stats(const struct wg_peer *p, struct wg_peer_stats *ret);

/*
 * The length of the datagram that a packet of len bytes becomes in a device with this mtu (of struct wg_cfg): where the next
 * packet's headroom may begin.
 */
size_t wg_sealed_len(size_t mtu, size_t len);

/* Whose address is this? NULL: nobody's. */
struct wg_peer *wg_route(const struct wg_device *d, const uint8_t *pkt, size_t len);

/*
 * Inner packets of one batch to one peer, n <= PKT_BATCH_MAX, with the room of base/pkt around each: sealed where they lie. Without a
 * session they are copied and staged.
 */
void wg_send(struct wg_device *d, struct wg_peer *p, struct pkt *pkt, size_t n, struct now now);
/* One packet of the owner's own making, len <= WG_COPY_MAX: copied. */
void wg_send_copy(
	struct wg_device *d, struct wg_peer *p, const uint8_t *pkt, size_t len, struct now now);
/* n <= PKT_BATCH_MAX. */
void wg_receive(struct wg_device *d, struct wg_datagram *dg, size_t n, struct now now);
/* Start a handshake if there is no fresh session: before data, to be ready when it comes. */
void wg_start_handshake(struct wg_device *d, struct wg_peer *p, struct now now);
/*
 * As wg_start_handshake, but without waiting 5 s for the answer to an initiation before: for owners that know it had no path, or that
 * the peer is there now. At most one in 100 ms.
 */
void wg_retry_handshake(struct wg_device *d, struct wg_peer *p, struct now now);
/* Begin a handshake although there may be a session, which goes on until the new one is confirmed. */
void wg_renew(struct wg_device *d, struct wg_peer *p, struct now now);
/* Send a keepalive now (wgtun when a peer gets an endpoint, path changes). */
void wg_keepalive(struct wg_device *d, struct wg_peer *p, struct now now);

/* As many peers as there is room for what they say; wg_deadline is over if some wait. */
void wg_tick(struct wg_device *d, struct now now);
mono_ns wg_deadline(const struct wg_device *d);

/*
 * The next thing that came out; false: nothing more. Good until the next call but this one; the peer, too, unless the owner removes it:
 * then nothing more of it comes.
 */
bool wg_next(struct wg_device *d, struct wg_out *ret);

#endif
