/*
 * core/path: which way leads to one peer. It keeps the addresses at which the peer may be (candidates), pings them while we
 * have something to send, trusts for a while what answers, and says for each packet: this address, the relay, or both.
 *
 * No I/O: the owner calls path_on_* for what happens, path_tick at path_deadline, and after each call does what path_next says.
 *
 * Source: Tailscale wgengine/magicsock/endpoint.go. Beyond it, each compatible with peers that do not do it: searches in
 * quick steps instead of one round in five seconds; a ping back at a new address while we search; a path is
 * degraded (packets take the relay, too) as soon as one of its pongs is late.
 */
#ifndef WARREN_CORE_PATH_PATH_H
#define WARREN_CORE_PATH_PATH_H

#include "base/netip/netip.h"
#include "base/ratelimit/ratelimit.h"
#include "base/rng/rng.h"
#include "base/time/time.h"

enum {
	PATH_CANDIDATES_MAX = 100, /* of one peer; the originals prune above this */
	PATH_PINGS_MAX = 256,      /* outstanding; the oldest is forgotten */
	PATH_PING_BURST = 200,     /* probes to one peer's candidates at once, and a second: */
	PATH_PINGS_PER_SECOND = 10,
	PATH_PROBE_BURST = 24, /* to one candidate; then one each PATH_PROBE_GAP */
	PATH_TXID_LEN = 12,
	PATH_PING_LEN = 124, /* the smallest ping of ours */
	PATH_UNPROVEN_FACTOR =
		3, /* so many times the bytes that came from an address that has not answered may go there */
	PATH_CREDIT_MAX = 64 * 1024, /* bytes that may go there at once, whatever came */
	PATH_HEADERS4 =
		28, /* IP and UDP, before each datagram: count for what goes, not for what came */
	PATH_HEADERS6 = 48,
};

#define PATH_ACTIVE SEC(45) /* after the last packet sent */
#define PATH_HEARTBEAT SEC(3)
#define PATH_TRUST MSEC(6500) /* after a pong */
#define PATH_PING_GAP SEC(5)  /* between pings to one candidate, outside of a search */
#define PATH_PING_TIMEOUT SEC(5)
#define PATH_UPGRADE SEC(60) /* look for something better than a path that is not good enough */
#define PATH_GOOD_ENOUGH MSEC(5)
#define PATH_PROBE_GAP SEC(1)
#define PATH_LEARNED SEC(45) /* how long a ping's source is a candidate */
#define PATH_LAST_RX SEC(10) /* how long an authentic packet's source may stand in for a path */

enum path_out_kind {
	PATH_OUT_PING,    /* to, txid, size */
	PATH_OUT_CALL,    /* call the peer, so that it pings us */
	PATH_OUT_CHANGED, /* the best address is another one, or none, or trusted again */
};

struct path_out {
	enum path_out_kind kind;
	struct ipport to; /* unset: through the relay */
	uint8_t txid[PATH_TXID_LEN];
	size_t size; /* of the whole disco packet; 0: as small as it is */
};

/* Probes to addresses of somebody else's choosing, of all paths of a device: how often one address, whichever peers name it. */
struct path_probes {
	struct ratelimit limit;
	uint64_t n_limited;
};

enum { PATH_BY_NETMAP = 1, PATH_BY_CALL = 2 };

struct path_candidate {
	struct ipport addr;
	uint8_t named_by;                                 /* PATH_BY_*; 0: only a ping's source */
	mono_ns last_ping, last_got_ping, last_ping_back; /* 0: never */
	mono_ns latency;                                  /* of its last pong; 0: none */
	mono_ns probes_full_at; /* when PATH_PROBE_BURST probes may go there again */
	int64_t credit;         /* bytes that its pings have earned */
};

struct path_ping {
	uint8_t txid[PATH_TXID_LEN];
	struct ipport to; /* unset: the relay */
	mono_ns at;
	uint32_t cookie; /* 0: none */
	uint16_t size;   /* see struct path_out */
	bool done;
};

struct path {
	struct rng *rng;
	struct path_probes *probes; /* NULL: no limit */
	bool can_ping;              /* the peer has a disco key */
	struct path_candidate *cand;
	size_t n_cand, cap_cand;
	struct path_ping *pings; /* a ring, by time */
	size_t ping_head, n_pings, cap_pings;
	size_t n_unsent; /* the last of them, which the owner has not taken */
	bool wants_call, has_changed;
	struct ipport best, last_rx_addr;
	mono_ns best_latency, trust_until, last_rx_at, best_rx_at, moved_at;
	int64_t best_credit, last_rx_credit; /* bytes that may go there while it is not trusted */
	mono_ns unanswered_since; /* best was pinged then and has not answered; 0: nothing is open */
	bool degraded;
	mono_ns last_send, heartbeat_at, last_round, last_call;
	mono_ns search_started, search_at; /* search_at: of the next step; MONO_NEVER: no search */
	unsigned search_step;
	bool search_calls;
	mono_ns pings_full_at; /* when PATH_PING_BURST may be sent again */
	uint64_t n_limited;
};

/* rng, probes: borrowed. */
void path_init(struct path *p, struct rng *rng, struct path_probes *probes);
void path_fini(struct path *p);

/* ---- What the owner knows ---- */

void path_set_can_ping(struct path *p, bool can_ping, mono_ns now);
/* The addresses that the network map has for the peer. */
void path_set_endpoints(struct path *p, const struct ipport *eps, size_t n, mono_ns now);
/* Our own endpoints are others now, or our NAT mapping is: tell an active peer. */
void path_on_self_changed(struct path *p, mono_ns now);
/* Our link is another one: nothing that was measured holds. */
void path_on_link_changed(struct path *p, mono_ns now);

/* The peer is spoken to with another key: what was measured may be another process's. Probing begins with the next packet. */
void path_on_key_changed(struct path *p);

/* ---- What happens ---- */

struct path_route {
	struct ipport udp;  /* unset: none */
	struct ipport also; /* likewise: where the peer may have moved to */
	bool relay;
};
/* Where a packet goes now. */
struct path_route path_route(const struct path *p, mono_ns now);
/* A packet of ours is on its way (data, handshakes and keepalives; not disco). */
void path_on_send(struct path *p, mono_ns now);
/* Authentic WireGuard packets of so many bytes came from this UDP address. */
void path_on_rx(struct path *p, struct ipport from, size_t bytes, mono_ns now);
/*
 * May a datagram of so many bytes go there? Yes, as long as trust in the address lasts. Another one may be somebody's who has
 * nothing to do with the peer, since sources can be forged: it gets what the packets from there have earned it, and this is taken
 * from that. What is held back goes through the relay.
 */
bool path_spend(struct path *p, struct ipport to, size_t len, mono_ns now);
/* May a handshake begin there, a candidate that has not answered? Within the same bounds as pings. */
bool path_may_probe(struct path *p, struct ipport to, size_t len, mono_ns now);
/* The system refuses to send there. */
void path_on_udp_failed(struct path *p, struct ipport to, mono_ns now);

/* Authentic disco messages of the peer. A ping by UDP of len bytes, and the answer that the owner sent, or 0. */
void path_on_ping(struct path *p, struct ipport from, size_t len, size_t answer, mono_ns now);
struct path_answer {
	struct ipport to; /* where the ping went; unset: through the relay */
	uint32_t cookie;  /* of path_ping; 0: it was none */
	mono_ns latency;
};
/* False: an answer to nothing, or not the way that it was asked. */
bool path_on_pong(struct path *p, const uint8_t txid[static PATH_TXID_LEN], bool by_relay,
	mono_ns now, struct path_answer *ret);
void path_on_call(struct path *p, const struct ipport *eps, size_t n, mono_ns now);

/* A ping that somebody asked for: to the trusted address, or to all and the relay. cookie: not 0. */
void path_ping(struct path *p, uint32_t cookie, size_t size, mono_ns now);

void path_tick(struct path *p, mono_ns now);
mono_ns path_deadline(const struct path *p); /* MONO_NEVER when idle */

/* What is to be done, in order; false: nothing more. Before time goes on, since what is sent is timed from the call that wanted it. */
bool path_next(struct path *p, struct path_out *ret);
static inline bool path_has_next(const struct path *p)
{
	return p->n_unsent || p->wants_call || p->has_changed;
}

/* ---- What is ---- */

bool path_is_active(const struct path *p, mono_ns now);
/* The best address has answered lately. */
bool path_is_trusted(const struct path *p, mono_ns now);
bool path_has_candidate(const struct path *p, struct ipport a);
bool path_usable_address(struct ipport a); /* may be a candidate at all */
/* Is a, with its latency, better than b with its? Points for local networks, IPv6 and speed. */
bool path_better(struct ipport a, mono_ns a_latency, struct ipport b, mono_ns b_latency);

#endif
