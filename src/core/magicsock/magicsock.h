/*
 * core/magicsock: how this node reaches the others. It owns the WireGuard device (core/wg), one core/path for each peer, the
 * connections to relays (core/relays) and what is known of our own addresses (core/endpoints), and binds them. No sockets: the
 * owner brings what arrives on the UDP sockets, the TUN device and the relay streams, and does what struct magicsock_ops asks.
 *
 * A packet out: magicsock_send -> wg_route -> seal -> the peer's best path: a UDP address that answered lately, the relay, or
 * both while trust in the address has lapsed. A datagram in: STUN -> endpoints, disco -> path, all else -> WireGuard; inner
 * packets wait for magicsock_next_packets.
 *
 * After every call ask magicsock_deadline again. Callbacks run inside the calls and must not call back into magicsock, except
 * for the read-only functions at the end and magicsock_relay_output. All but udp_send run at the call's end.
 *
 * Source: Tailscale wgengine/magicsock; docs/nat-traversal.md.
 */
#ifndef WARREN_CORE_MAGICSOCK_MAGICSOCK_H
#define WARREN_CORE_MAGICSOCK_MAGICSOCK_H

#include "core/endpoints/endpoints.h"
#include "core/relays/relays.h"
#include "core/wg/wg.h"
#include "proto/tailcfg/tailcfg.h"

enum {
	MAGICSOCK_ROUTES_MAX = TC_ROUTES_MAX, /* prefixes of one peer */
	MAGICSOCK_PINGS_MAX = 64,             /* of magicsock_ping, outstanding */
	/* Probes to one IP address (IPv6: /64), by whichever peers it is named; a thousand devices may live behind one. */
	MAGICSOCK_PROBE_BURST = 1024,
	MAGICSOCK_PROBES_PER_SECOND = 128,
	MAGICSOCK_SEARCHES_PER_SECOND =
		10, /* for the peer whose session we do not know; as many at once */
	MAGICSOCK_BATCH_MAX = 2 * PKT_BATCH_MAX, /* datagrams of one magicsock_udp_in */
};

struct magicsock;

/* A way to a peer, or the way that something of a peer's took. */
enum magicsock_route_kind {
	MAGICSOCK_NO_ROUTE,
	MAGICSOCK_DIRECT, /* to addr */
	MAGICSOCK_RELAY,  /* through the DERP region */
	MAGICSOCK_PEER_RELAY, /* to addr, which passes on what bears the vni. Reserved: nothing is sent so yet */
};

struct magicsock_route {
	enum magicsock_route_kind kind;
	int region;
	uint32_t vni;
	struct ipport addr; /* unset if it is not of the kind */
};

enum magicsock_peer_event {
	MAGICSOCK_SESSION,     /* a WireGuard handshake completed */
	MAGICSOCK_PATH,        /* the best path is another one, or none */
	MAGICSOCK_UNREACHABLE, /* no answer to handshakes for 90 s */
};

struct magicsock_ops {
	/* Datagrams to one address, in order; those that lie side by side may leave in one call. Memory: during the call. */
	void (*udp_send)(void *owner, struct ipport to, const struct pkt *d, size_t n);

	/* Open a stream to a relay, then magicsock_relay_connected; or magicsock_relay_closed. node: during the call. */
	void (*relay_dial)(void *owner, int region, const struct tc_derp_node *node);
	/* Close it, or stop opening it. It is gone when this returns: magicsock_relay_closed is not called for it. */
	void (*relay_hangup)(void *owner, int region);
	/* magicsock_relay_output has something. */
	void (*relay_wake)(void *owner, int region);

	/* Look up a STUN server's name, then magicsock_resolved. NULL: servers without an address are not asked. */
	void (*resolve)(void *owner, const char *host);
	/*
	 * UDP is blocked: time one request to the relay over a fresh connection, then magicsock_measured. NULL: regions then have no
	 * latency, and home is chosen without.
	 */
	void (*measure)(void *owner, int region, const struct tc_derp_node *node);

	/* Our endpoints, home region or netinfo changed: tell the hub. */
	void (*self_changed)(void *owner, unsigned what); /* bits: ENDPOINTS_* */
	void (*peer_event)(void *owner, int64_t peer, enum magicsock_peer_event ev);
};

struct magicsock_cfg {
	struct secret_node node; /* all zero: logged out, until magicsock_set_node_key */
	struct secret_disco
		disco; /* kept on disk by us, so that a restarted node's peers understand it at once */
	size_t mtu;    /* inner; 0: no limit to padding */
	size_t max_peers;                /* 0: TC_PEERS_MAX */
	struct rng *rng;                 /* borrowed */
	const struct magicsock_ops *ops; /* borrowed */
	void *owner;
};

/* -ENOMEM, -ERR_CRYPTO. */
MUST_USE int magicsock_new(struct magicsock **ret, const struct magicsock_cfg *cfg, struct now now);
struct magicsock *magicsock_free(
	struct magicsock *m); /* streams and sockets are the owner's to close */

/*
 * Another identity, or NULL: logged out or stopped; then nothing is sent and all input is dropped. All sessions and relay
 * connections end. Peers and DERP map stay: remove what does not belong to the new identity.
 */
MUST_USE int magicsock_set_node_key(
	struct magicsock *m, const struct secret_node *key, struct now now);
const struct disco_pub *magicsock_disco_key(const struct magicsock *m);
/* Our own tailnet addresses (unset if none) and peerAPI ports (0: none), for pings inside the tunnel. */
void magicsock_set_self(struct magicsock *m, struct ipaddr addr4, struct ipaddr addr6,
	uint16_t peerapi4, uint16_t peerapi6);

/* Copied. NULL: none. Starts a netcheck if it differs from the last. -ENOMEM, -ERR_TOO_MANY. */
MUST_USE int magicsock_set_derp_map(
	struct magicsock *m, const struct tc_derp_map *map, struct now now);

/*
 * Adds a peer or changes it. Copied. routes: what may come from it and goes to it, the owner's choice among its
 * addresses and allowed IPs. A prefix or a key belongs to the peer that got it last. Without a change nothing happens.
 * -ERR_TOO_MANY, -ERR_BAD_KEY (ours), -ENOMEM.
 */
MUST_USE int magicsock_set_peer(struct magicsock *m, const struct tc_node *node,
	const struct ipprefix *routes, size_t n_routes, struct now now);
void magicsock_remove_peer(struct magicsock *m, int64_t id, struct now now);

/*
 * The addresses of our interfaces that are up, with their prefix lengths, loopback included; what is not worth telling is
 * left out here. Ports: of our UDP sockets, 0: no such socket. link_changed: the default interface or its address is
 * another one: trust in all paths ends, NAT mappings are asked for again, peers are called. Report streams whose local
 * address is gone as closed before this; the others have a second to prove that they live.
 */
void magicsock_set_local(struct magicsock *m, const struct ipprefix *addrs, size_t n,
	uint16_t port4, uint16_t port6, bool link_changed, struct now now);
/*
 * Is the hub there? While it is not, home stays where it is: nobody would learn of another one. hint: home before a restart,
 * from the saved map, as the peers still have it; 0: none.
 */
void magicsock_set_hub_up(struct magicsock *m, bool up);
void magicsock_hint_home(struct magicsock *m, int region, struct now now);
/* No UDP at all: relays only (node attribute only-tcp-443). */
void magicsock_set_no_udp(struct magicsock *m, bool no_udp, struct now now);

/* ---- Packets ---- */

/*
 * Inner packets to send, already filtered, n <= PKT_BATCH_MAX, with the room of base/pkt around each.
 * Those that nobody has the address of are dropped and counted. Sealed in place.
 */
void magicsock_send(struct magicsock *m, struct pkt *pkt, size_t n, struct now now);
/* The peer that a packet goes to by its destination, 0: nobody. */
int64_t magicsock_peer_for(const struct magicsock *m, const uint8_t *pkt, size_t len);

struct magicsock_datagram {
	uint8_t *p; /* is opened in place */
	size_t len;
	struct ipport from;
};
/* What arrived on the UDP sockets, n <= MAGICSOCK_BATCH_MAX. Then magicsock_next_packets until it has nothing more. */
void magicsock_udp_in(struct magicsock *m, struct magicsock_datagram *dg, size_t n, struct now now);
struct magicsock_packets {
	int64_t peer;
	struct pkt *pkt; /* in the memory that they came in */
	size_t n;
};
/*
 * Inner packets of one peer, authentic, from a source address that belongs to it: to be filtered, and written to the TUN device.
 * They came with the last magicsock_udp_in or magicsock_relay_feed, and are valid until the next call but those of magicsock_send.
 */
bool magicsock_next_packets(struct magicsock *m, struct magicsock_packets *ret);
/* A send to this address failed for good (no route to host): other paths are tried. */
void magicsock_udp_failed(struct magicsock *m, struct ipport to, struct now now);

/* ---- Relay streams, by region ---- */

/*
 * The stream is up (TLS done, if the node asks for it). fast_key: the relay's key from its certificate, or NULL.
 * Negative: close the stream and call magicsock_relay_closed.
 */
MUST_USE int magicsock_relay_connected(
	struct magicsock *m, int region, const struct node_pub *fast_key, struct now now);
MUST_USE int magicsock_relay_feed(struct magicsock *m, int region, const uint8_t *p, size_t len,
	struct now now); /* likewise */
void magicsock_relay_closed(struct magicsock *m, int region, int rc, struct now now);
struct view magicsock_relay_output(
	struct magicsock *m, int region); /* empty when there is nothing, or no such region */
void magicsock_relay_written(struct magicsock *m, int region, size_t n);

/* ---- Netcheck ---- */

void magicsock_resolved(struct magicsock *m, const char *host, const struct ipaddr *addrs, size_t n,
	struct now now);
void magicsock_measured(struct magicsock *m, int region, mono_ns latency,
	struct now now); /* negative latency: failed */
/* A full round now; self_changed tells of what it changed; poll endpoints_is_checking for its end. */
void magicsock_netcheck_start(struct magicsock *m, struct now now);

/* ---- Time ---- */

void magicsock_tick(struct magicsock *m, struct now now);
mono_ns magicsock_deadline(const struct magicsock *m);

/* ---- Pings that people ask for ---- */

enum magicsock_ping_kind { MAGICSOCK_PING_DISCO, MAGICSOCK_PING_TSMP, MAGICSOCK_PING_ICMP };

struct magicsock_pong {
	int64_t peer;
	int rc; /* 0; -ETIMEDOUT after 5 s; -ERR_NO_PEER when it was removed meanwhile */
	mono_ns latency;
	struct magicsock_route route; /* disco: that the ping took */
	uint16_t peerapi_port;        /* TSMP */
};

/*
 * fn is called once, later, unless this fails: -ERR_NO_PEER, -ERR_EXPIRED, -ERR_TOO_MANY, -ERR_TOO_BIG, -ERR_NO_ROUTE (no
 * address of ours for kinds inside the tunnel), -ERR_BAD_STATE (logged out). size: of the disco packet; 0: the usual.
 */
MUST_USE int magicsock_ping(struct magicsock *m, int64_t id, enum magicsock_ping_kind kind,
	size_t size, void (*fn)(void *ctx, const struct magicsock_pong *r), void *ctx,
	struct now now);

/* ---- What is ---- */

struct magicsock_peer_status {
	struct node_pub key;
	struct disco_pub disco;
	struct magicsock_route
		route;   /* direct if an address is trusted now, else through a relay */
	int home_region; /* the peer's, 0: none */
	mono_ns latency; /* of a direct route, or 0 */
	uint64_t rx_bytes, tx_bytes;
	unix_ms last_handshake, last_write; /* 0: never */
	bool active;                        /* we sent to it within 45 s */
	bool has_session, expired;
	size_t n_candidates;
};
MUST_USE int magicsock_peer_status(
	const struct magicsock *m, int64_t id, struct now now, struct magicsock_peer_status *ret);

const struct endpoints *magicsock_endpoints(const struct magicsock *m); /* to look at */
int magicsock_home(const struct magicsock *m);                    /* region; 0: not chosen yet */
const struct relays *magicsock_relays(const struct magicsock *m); /* to look at */
/* All connections to relays are closed; home's is opened anew. */
void magicsock_relays_restart(struct magicsock *m, struct now now);
struct magicsock_counters {
	uint64_t udp_in, stun_in, disco_in, wg_in; /* datagrams by kind */
	uint64_t relay_in, relay_out,
		relay_no_peer; /* packets through relays; from keys we do not know */
	uint64_t stun_unknown; /* answers to nothing we asked */
	uint64_t disco_unknown, disco_bad,
		disco_ignored;      /* sender; box or message; nothing we asked for or use */
	uint64_t no_route, no_path; /* packets not sent, by reason */
	uint64_t no_session_pokes;  /* handshakes started because an old session was used */
	uint64_t pings_out, pongs_out, calls_out, pings_in, pongs_in, calls_in;
	uint64_t
		ping_limited; /* pings and handshakes not sent, because a peer's or an address's share was used up */
	uint64_t probe_limited; /* of these: the address's, whichever peers name it */
	uint64_t stun_limited;  /* requests to STUN servers not sent, likewise */
	uint64_t unproven_held; /* datagrams that an address that has not answered had not earned */
	uint64_t path_direct, path_lost; /* times a direct path was found, and given up */
	uint64_t relay_idle_closed;
	uint64_t unknown_peers_dropped; /* who asked for us, forgotten for want of room */
	uint64_t
		relay_dropped; /* packets that came through a relay, and there was no memory to hold them */
};
const struct magicsock_counters *magicsock_counters(const struct magicsock *m);
const struct wg_counters *magicsock_wg_counters(const struct magicsock *m);

#endif
