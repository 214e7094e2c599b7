/*
 * core/magicsock/internal: what the files of this folder share. They call each other downwards only:
 *
 *	magicsock.c                              life, time, ways in and out
 *	peers.c  self.c                          what the owner knows
 *	receive.c  settle.c                      a batch's way in; what every call ends with
 *	engine.c                                 what comes out of the WireGuard engine
 *	send.c  disco.c                          which way it leaves; path messages
 *	handshake.c  plain.c  pings.c            when to begin handshakes; peers without disco; people's pings
 *	output.c  discokeys.c                    by UDP or through a relay; whose disco key is whose
 *	peer.c  source.c                         look-ups; where a datagram came from
 */
#ifndef WARREN_CORE_MAGICSOCK_INTERNAL_H
#define WARREN_CORE_MAGICSOCK_INTERNAL_H

#include "base/heap/heap.h"
#include "base/list/list.h"
#include "base/map/map.h"
#include "base/bucket/bucket.h"
#include "base/ratelimit/ratelimit.h"
#include "core/magicsock/magicsock.h"
#include "core/path/path.h"
#include "core/relays/relays.h"
#include "proto/disco/disco.h"
#include "proto/ip/ip.h"
#include "proto/stun/stun.h"

#include <errno.h>

enum { UNKNOWN_PEERS_MAX = 16 }; /* who asked for us lately and is no peer */

/* One disco key; several nodes may have it (a shared machine, two accounts of one device). */
struct disco_key {
	struct map_node node;
	struct disco_pub pub;
	struct box_shared shared;
	enum { SHARED_UNKNOWN, SHARED_GOOD, SHARED_BAD } state; /* computed at first use, once */
	struct list peers;                                      /* struct disco_slot.link */
};

enum { DISCO_BY_HUB, DISCO_BY_PEER, DISCO_SLOTS };

/* One of the two places for a disco key of a peer (discokeys.c). */
struct disco_slot {
	struct magicsock_peer *peer;
	struct list link;
	struct disco_key *key; /* NULL: none */
};

/* Of a peer without disco: where its handshakes are asked for, and where it has answered one (plain.c). */
struct plain {
	struct ipport asked, proven; /* unset: none */
	uint32_t asked_index;        /* of the initiation that went there, and nowhere else */
	unsigned unanswered;         /* since the last answer */
	mono_ns proven_until;
};

struct magicsock_peer {
	struct magicsock *m;
	struct map_node by_id;
	int64_t id;
	struct node_pub key;
	struct disco_slot slot[DISCO_SLOTS];
	bool tsmp_active;   /* we send with what the peer told by itself */
	bool renew_session; /* with its next packet: it may have been restarted */
	struct wg_peer *wg; /* NULL while expired */
	struct path path;
	struct heap_node wake;
	struct ipprefix *routes;
	size_t n_routes;
	struct ipaddr addr4, addr6;
	struct ipaddr masq4, masq6; /* by which it knows us; unset: by our own */
	int home,
		last_region; /* of relays, 0: none. last_region: it was heard through there last */
	bool expired, wireguard_only;
	struct plain plain;
	struct ipport seen_as;   /* us, by its pongs over the direct path */
	mono_ns initiated_at;    /* 0: no handshake of ours is open */
	mono_ns retry_at;        /* of an initiation that may have been lost */
	unsigned retries, urged; /* handshakes begun again: by time; because the peer is there */
	unix_ms last_write;
	struct list defer_link; /* in m->deferred */
	unsigned deferred;      /* DEFER_* */
	uint64_t limited_told;
};

/* What is done when the engine has returned (settle.c). */
enum {
	DEFER_HANDSHAKE = 1,
	DEFER_ADVERTISE = 2, /* our disco key, through the tunnel */
	DEFER_RENEW = 4,
	DEFER_TELL_SESSION = 8, /* the owner */
	DEFER_TELL_PATH = 16,
	DEFER_TELL_UNREACHABLE = 32,
	DEFER_PATH = 64, /* it wants something */
};

/* Of magicsock_ping. */
struct person_ping {
	bool used;
	enum magicsock_ping_kind kind;
	int64_t peer;
	uint32_t cookie; /* disco; also ICMP's sequence number */
	uint8_t data[8]; /* TSMP */
	int region;      /* of the relay that it goes through, if it does */
	size_t size;     /* disco */
	mono_ns at, again_at,
		gap; /* begun; to be sent once more, and how long after the last time */
	void (*fn)(void *ctx, const struct magicsock_pong *r);
	void *ctx;
};

struct unknown_peer {
	struct node_pub key;
	int region; /* 0: by UDP */
	mono_ns at; /* 0: an empty place */
};

struct magicsock {
	struct magicsock_cfg cfg;
	const struct magicsock_ops *ops;
	void *owner;
	struct rng *rng;
	struct now now; /* of the call that runs */
	bool on;        /* there is a node key */
	struct wg_device *wg;
	struct node_pub self;
	struct disco_pub disco_pub;
	struct ipaddr self4, self6;
	size_t n_masqueraded; /* peers that know us by another address */
	uint16_t peerapi4, peerapi6;

	struct map peers, disco; /* by id; by disco key */
	struct heap wakes;
	struct list deferred; /* struct magicsock_peer.defer_link */
	struct bucket
		searches; /* among all peers, for the sender of an unknown session's datagram */

	/* Inner packets of the last batch, of this peer each, until the owner takes them. */
	struct pkt inner[MAGICSOCK_BATCH_MAX];
	struct magicsock_peer *inner_peer[MAGICSOCK_BATCH_MAX];
	size_t n_inner, next_inner;

	struct arena derp_mem; /* the DERP map */
	struct tc_derp_map *derp;
	struct relays *relays;
	struct endpoints *endpoints;
	bool no_udp;
	struct path_probes probes;

	struct unknown_peer unknown_peers[UNKNOWN_PEERS_MAX];
	size_t next_unknown_peer;
	struct person_ping pings[MAGICSOCK_PINGS_MAX];
	uint32_t next_cookie;
	uint16_t icmp_id;
	struct magicsock_counters n;
};

/* The key that we send with. NULL: none. */
static inline struct disco_key *peer_disco(const struct magicsock_peer *p)
{
	return p->slot[p->tsmp_active ? DISCO_BY_PEER : DISCO_BY_HUB].key;
}

static inline bool peer_has_disco(const struct magicsock_peer *p, const struct disco_key *k)
{
	return p->slot[DISCO_BY_HUB].key == k || p->slot[DISCO_BY_PEER].key == k;
}

static inline struct magicsock_route route_direct(struct ipport addr)
{
	return (struct magicsock_route){
		.kind = ipaddr_is_set(addr.ip) ? MAGICSOCK_DIRECT : MAGICSOCK_NO_ROUTE, .addr = addr
	};
}

static inline struct magicsock_route route_relay(int region)
{
	return (struct magicsock_route){ .kind = region ? MAGICSOCK_RELAY : MAGICSOCK_NO_ROUTE,
		.region = region };
}

/* ---- source.c: where a datagram came from, as the engine keeps it ---- */
struct wg_source source_udp(struct ipport a);
struct wg_source source_relay(int region, const struct node_pub *key);
/* The way that it came. Through a relay: ret_key is whom the relay vouches for. */
struct magicsock_route source_route(const struct wg_source *s, struct node_pub *ret_key);

/* ---- peer.c: look-ups and marks ---- */
struct magicsock_peer *peer_find(const struct magicsock *m, int64_t id);
struct magicsock_peer *peer_next(
	const struct magicsock *m, const struct magicsock_peer *p); /* NULL starts and ends */
struct magicsock_peer *peer_by_key(const struct magicsock *m, const struct node_pub *key);
bool peer_has_session(const struct magicsock_peer *p);
void peer_wake_set(struct magicsock_peer
		*p); /* after calls of its path, and what else may have moved its deadline */
void peer_defer(struct magicsock_peer *p, unsigned what);
void peer_heard(struct magicsock_peer *p); /* something authentic came from wg_peer_source */

/* ---- output.c: by UDP or through a relay ---- */
/* key: of who is to get it. False: it cannot leave that way. */
bool output_on(struct magicsock *m, const struct magicsock_route *to, const struct node_pub *key,
	const struct pkt *d, size_t n);
bool output_udp(struct magicsock *m, struct ipport to, const struct pkt *d, size_t n);
/* To an address that may not have answered: as many as it has earned. */
bool output_unproven(struct magicsock_peer *p, struct ipport to, const struct pkt *d, size_t n);
/* The best relay for it. */
struct magicsock_route output_relay_of(const struct magicsock_peer *p);

/* ---- discokeys.c ---- */
void discokeys_init(struct magicsock_peer *p);
void discokeys_fini(struct magicsock_peer *p);
/* Zero: it has none. -ENOMEM. */
MUST_USE int discokeys_by_hub(struct magicsock_peer *p, const struct disco_pub *pub);
MUST_USE int discokeys_by_peer(struct magicsock_peer *p, const struct disco_pub *pub);
void discokeys_used(struct magicsock_peer *p,
	const struct disco_key *k); /* an authentic message came with it */
struct disco_key *discokeys_find(const struct magicsock *m, const struct disco_pub *pub);
const struct box_shared *discokeys_shared(
	struct magicsock *m, struct disco_key *k); /* NULL: a bad key */

/* ---- plain.c: peers without disco ---- */
bool plain_send(struct magicsock_peer *p, enum wgmsg_type type, const struct pkt *d, size_t n);
void plain_answered(struct magicsock_peer *p, struct ipport from);

/* ---- handshake.c ---- */
/* One of ours is on its way: if it is lost, the next one follows soon. */
void handshake_begun(struct magicsock_peer *p);
void handshake_over(struct magicsock_peer *p); /* it was answered, or given up */
/* The peer is there: if a handshake of ours is open, now is the time for the next one. */
void handshake_retry(struct magicsock_peer *p);
void handshake_tick(struct magicsock_peer *p);
/* Somebody wants to talk to us whom we do not know: the hub may be about to tell. region: 0: by UDP. */
void handshake_unknown_peer(struct magicsock *m, const struct node_pub *key, int region);
void handshake_with_new_peer(struct magicsock_peer *p); /* who may have asked for us already */
void handshake_unknown_session(struct magicsock *m, const struct wg_source *from);

/* ---- pings.c ---- */
MUST_USE int pings_start(struct magicsock *m, int64_t id, enum magicsock_ping_kind kind,
	size_t size, void (*fn)(void *ctx, const struct magicsock_pong *r), void *ctx);
/* An authentic packet of the peer. True: it was for us, not for the owner. The engine is not running. */
bool pings_take(struct magicsock_peer *p, const struct pkt *pkt);
void pings_disco_answered(struct magicsock_peer *p, const struct path_answer *a);
void pings_peer_gone(struct magicsock *m, int64_t id);
void pings_tick(struct magicsock *m);
mono_ns pings_deadline(const struct magicsock *m);
/* Our disco key, through the tunnel: for peers that have an old map. */
void pings_advertise(struct magicsock_peer *p);

/* ---- disco.c ---- */
/* What the peer's path wants. */
void disco_run_path(struct magicsock_peer *p);
/* key: that the relay vouches for, NULL if it came directly. */
void disco_in(struct magicsock *m, const uint8_t *p, size_t len, const struct magicsock_route *from,
	const struct node_pub *key);

/* ---- send.c ---- */
void send_to_peer(struct magicsock_peer *p, const struct pkt *d, size_t n);
void send_reply(struct magicsock *m, const struct wg_source *to, const struct pkt *d);

/* ---- engine.c ---- */
/* After calls of the engine, while the memory that they were given is good. False: nothing came out. */
bool engine_drain(struct magicsock *m);

/* ---- receive.c ---- */
void receive_udp(struct magicsock *m, struct magicsock_datagram *dg, size_t n);
/* Of what came through relays, the next batch. False: there is none. */
bool receive_relayed(struct magicsock *m);

/* ---- settle.c ---- */
/* The end of every call: what could not be done while others ran, and what the owner is told. */
void settle_all(struct magicsock *m);

/* ---- peers.c ---- */
void peers_free(struct magicsock *m);
/* The identity changed: a peer with our own key goes. */
void peers_drop_own_key(struct magicsock *m, const struct node_pub *self);

/* masquerade.c */
void masquerade_set(struct magicsock_peer *p, const struct tc_node *n);
void masquerade_forget(struct magicsock_peer *p);
struct ipaddr masquerade_address(
	const struct magicsock_peer *p, unsigned family); /* ours, for it */
void masquerade_out(const struct magicsock_peer *p, struct pkt *pkt, size_t n);
void masquerade_in(const struct magicsock_peer *p, struct pkt *pkt);

#endif
