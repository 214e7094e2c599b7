/* core/magicsock/internal: what the files of this directory share. */
#ifndef WARREN_CORE_MAGICSOCK_INTERNAL_H
#define WARREN_CORE_MAGICSOCK_INTERNAL_H

#include "base/heap/heap.h"
#include "base/list/list.h"
#include "base/map/map.h"
#include "base/ratelimit/ratelimit.h"
#include "core/magicsock/magicsock.h"
#include "core/endpoints/endpoints.h"
#include "core/path/path.h"
#include "core/relays/relays.h"
#include "proto/disco/disco.h"
#include "proto/ip/ip.h"
#include "proto/stun/stun.h"

#include <errno.h>

enum {
	SPRAY_MAX = 8,      /* candidates that get an initiation while no path is proven */
	LATER_MAX = 32,     /* peers with something to do after the engine returned */
	REPLIES_MAX = 16,   /* TSMP answers that wait for it */
	STRANGERS_MAX = 16, /* who asked for us lately and is no peer */
};

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
	int home,
		last_region; /* of relays, 0: none. last_region: it was heard through there last */
	bool expired, wireguard_only;
	struct plain plain;
	struct ipport seen_as; /* us, by its pongs over the direct path */
	mono_ns initiated_at;  /* 0: no handshake of ours is open */
	mono_ns retry_at;      /* of an initiation that may have been lost */
	unsigned retries, nudges;
	unix_ms last_write;
	unsigned later; /* LATER_*; in m->later */
	uint64_t limited_told;
};

enum { LATER_POKE = 1, LATER_ADVERTISE = 2, LATER_RENEW = 4 };

struct reply {
	int64_t peer;
	size_t len;
	uint8_t mem[WG_HEADROOM + TSMP_PACKET_MAX + WG_TAILROOM];
};

/* Of magicsock_ping. */
struct person_ping {
	bool used;
	enum magicsock_ping_kind kind;
	int64_t peer;
	uint32_t cookie; /* disco; also ICMP's sequence number */
	uint8_t data[8]; /* TSMP */
	int region;
	size_t size; /* disco */
	mono_ns at, again_at,
		gap; /* begun; to be sent once more, and how long after the last time */
	void (*fn)(void *ctx, const struct magicsock_pong *r);
	void *ctx;
};

struct stranger {
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
	struct wg_sink sink;
	struct wg_device *wg;
	struct node_pub self;
	struct disco_pub disco_pub;
	struct ipaddr self4, self6;
	uint16_t peerapi4, peerapi6;

	struct map peers, disco; /* by id; by disco key */
	struct heap wakes;
	size_t n_later, n_replies;
	int64_t later[LATER_MAX];
	struct reply replies[REPLIES_MAX];
	mono_ns pokes_at; /* searches for the peer behind a stray datagram: limited */
	int64_t poke_tokens;

	struct arena derp_mem; /* the DERP map */
	struct tc_derp_map *derp;
	struct relays *relays;

	struct endpoints *endpoints;
	bool no_udp;
	struct ratelimit probes;

	struct stranger strangers[STRANGERS_MAX];
	size_t next_stranger;
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

/* ---- magicsock.c ---- */
void peer_wake_set(struct magicsock_peer *p); /* after anything that may have moved its deadline */
void magicsock_settle(struct magicsock *m);   /* what could not be done while the engine ran */
void do_later(struct magicsock_peer *p, unsigned what);
struct wg_source source_relay(int region, const struct node_pub *key);
void wg_in(struct magicsock *m, struct wg_datagram *dg, size_t n);
bool to_udp(struct magicsock *m, struct ipport to, const struct wg_packet *d, size_t n);
/* To an address that may not have answered: as many as it has earned. */
bool to_unproven(struct magicsock_peer *p, struct ipport to, const struct wg_packet *d, size_t n);
void peer_heard(struct magicsock_peer *p); /* something authentic came from wg_peer_source */

/* ---- plain.c: peers without disco ---- */
bool plain_send(
	struct magicsock_peer *p, enum wgmsg_type type, const struct wg_packet *d, size_t n);
void plain_answered(struct magicsock_peer *p, struct ipport from);

/* ---- peers.c ---- */
/* Somebody wants to talk to us whom we do not know: the hub may be about to tell. */
void unknown_peer_note(struct magicsock *m, const struct node_pub *key, int region);
struct magicsock_peer *peer_find(const struct magicsock *m, int64_t id);
struct magicsock_peer *peer_next(
	const struct magicsock *m, const struct magicsock_peer *p); /* NULL starts and ends */
struct magicsock_peer *peer_by_key(const struct magicsock *m, const struct node_pub *key);
void peers_free(struct magicsock *m);
/* The identity changed: a peer with our own key goes. */
void peers_drop_own_key(struct magicsock *m, const struct node_pub *self);

/* ---- discokeys.c ---- */
void disco_slots_init(struct magicsock_peer *p);
void disco_slots_fini(struct magicsock_peer *p);
/* Zero: it has none. -ENOMEM. */
MUST_USE int peer_disco_by_hub(struct magicsock_peer *p, const struct disco_pub *pub);
MUST_USE int peer_disco_by_peer(struct magicsock_peer *p, const struct disco_pub *pub);
void peer_disco_used(struct magicsock_peer *p,
	const struct disco_key *k); /* an authentic message came with it */

/* ---- disco.c ---- */
extern const struct path_ops magicsock_path_ops;
struct disco_key *disco_key_get(
	struct magicsock *m, const struct disco_pub *pub);    /* NULL: no memory */
void disco_key_put(struct magicsock *m, struct disco_key *k); /* freed when nobody has it */
/* from: unset if it came by relay; then region and key say whose it is. */
void disco_in(struct magicsock *m, const uint8_t *p, size_t len, struct ipport from, int region,
	const struct node_pub *key);
void disco_nudge(
	struct magicsock_peer *p); /* it is there: if a handshake is pending, now is the time */

/* ---- derp.c ---- */
bool derp_settle(struct magicsock *m); /* what the relays ask for. True: there was something */
/* To a peer through the best region for it. False: there is none. */
bool relay_send(struct magicsock_peer *p, const void *pkt, size_t len);
bool relay_send_to(
	struct magicsock *m, int region, const struct node_pub *key, const void *pkt, size_t len);
int relay_region_for(const struct magicsock_peer *p);

/* ---- self.c ---- */
bool self_settle(struct magicsock *m); /* what endpoints ask for. True: there was something */
bool can_send_to(const struct magicsock *m, struct ipaddr a);

/* ---- pings.c ---- */
/* An authentic packet of the peer. True: it was for us, not for the owner. */
bool pings_take(struct magicsock_peer *p, const struct wg_packet *pkt);
void pings_disco_answered(
	struct magicsock_peer *p, uint32_t cookie, struct ipport to, mono_ns latency);
void pings_peer_gone(struct magicsock *m, int64_t id);
void pings_tick(struct magicsock *m);
mono_ns pings_deadline(const struct magicsock *m);
/* Our disco key, through the tunnel: for peers that have an old map. */
void pings_advertise(struct magicsock_peer *p);

#endif
