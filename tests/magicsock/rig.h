/*
 * tests/magicsock/rig: what magicsock's test needs around it: hosts on testlib/vnet with a magicsock each, a relay with STUN in
 * between, and a hub that tells everybody of everybody, 30 ms late.
 *
 *	   home 1              internet 203.0.113.0/24             home 2
 *	192.168.1.0/24                                         192.168.2.0/24
 *	  node ---- [ router .11 ] ----- relay .1 ----- [ router .12 ] ---- node
 */
#ifndef WARREN_TESTS_MAGICSOCK_RIG_H
#define WARREN_TESTS_MAGICSOCK_RIG_H

#include "core/derprelay/derprelay.h"
#include "core/magicsock/magicsock.h"
#include "core/path/path.h"
#include "testlib/check.h"
#include "testlib/vnet/vnet.h"

enum { NODES_MAX = 4, RELAYS_MAX = 2, SERIES_MAX = 2000, REPLIES_QUEUED = 64, CONNS_MAX = 64 };

struct rig;
struct relay_conn;

struct relay_host {
	struct rig *w;
	struct vnet_dev *dev;
	struct vnet_udp *udp;
	struct vnet_listener *listener;
	struct derprelay *relay;
	struct vnet_event tick;
	struct relay_conn *conns[CONNS_MAX];
	size_t n_conns;
	int region;
};

struct stream_ctx {
	struct node *n;
	int region;
};

struct node {
	struct rig *w;
	unsigned n;                    /* 1.. ; its tailnet address is 100.64.0.n */
	struct vnet_dev *dev, *router; /* router: NULL if it is on the internet */
	struct vnet_if *ifc, *wan;
	struct vnet_udp *udp;
	struct magicsock *magicsock;
	struct secret_node key;
	struct secret_disco disco;
	struct rng_seeded rng;
	struct vnet_event tick;
	struct vnet_seg *lan;
	struct vnet_stream *streams[RELAYS_MAX + 1]; /* by region */
	struct stream_ctx ctx[RELAYS_MAX + 1];
	bool stopped; /* between two lives */

	/* What the hub has of it. */
	struct endpoint eps[ENDPOINTS_MAX];
	size_t n_eps;
	int home;
	bool expired, wireguard_only;
	struct vnet_event tell;

	/* Answers to pings, and our series of them. */
	struct {
		uint8_t to;
		uint16_t seq;
	} replies[REPLIES_QUEUED];
	size_t n_replies;
	mono_ns sent_at[SERIES_MAX], answered_at[SERIES_MAX];
	uint16_t next_seq;
	size_t n_in;
	unsigned sessions, paths;
	struct magicsock_pong pong;
	unsigned n_pongs;
	size_t udp_sent, wg_udp_sent, stun_sent;
	struct ipport watched;         /* bytes sent there, with headers */
	size_t watched_bytes, strange; /* strange: datagrams to 198.18.0.0/16, where nobody is */
	struct ipport forges;          /* set: the source of all that it sends from now on */
	size_t forged_bytes;
	uint8_t last_disco[1500]; /* sent by UDP */
	size_t last_disco_len;
};

struct rig {
	struct vnet *v;
	struct vnet_seg *inet;
	struct relay_host relays[RELAYS_MAX];
	size_t n_relays;
	struct node nodes[NODES_MAX];
	size_t n_nodes;
	bool hub_down;
	bool short_of_memory; /* what nodes are told may fail for that, and their streams end by it */
	struct tc_derp_map derp;
	struct json_pair derp_pairs[RELAYS_MAX];
	struct tc_derp_region derp_regions[RELAYS_MAX];
	struct tc_derp_node derp_nodes[RELAYS_MAX];
};

void rig_open(struct rig *w, uint64_t seed, size_t n_relays);
void rig_close(struct rig *w);
struct now rig_now(const struct rig *w);
void rig_run(struct rig *w, mono_ns d);
void relay_crash(struct relay_host *r); /* for good: nobody answers there any more */

/* kind NULL: a host on the internet; behind: another node, whose LAN this one is in. It is not started. */
struct node *node_add(struct rig *w, const struct vnat_kind *kind, struct node *behind);
/* Knows the others as the hub has them; tells of itself. Short of memory it may stay without a magicsock. */
void node_start(struct node *n);
void node_stop(struct node *n);  /* kill -9 */
void node_after(struct node *n); /* after every call of its magicsock */
void node_set_local(struct node *n, bool link_changed);
void node_tell_now(struct node *n); /* the hub has n's news at once */
struct tc_node node_as_peer(
	const struct node *n, struct ipport eps[static ENDPOINTS_MAX], struct ipprefix *route);

/* One packet to the other; its answer is noted under the sequence number that is returned. */
uint16_t node_ping(struct node *n, const struct node *to);
/* A ping every gap, for d. */
void node_series(struct node *n, const struct node *to, mono_ns gap, mono_ns d);
size_t node_lost(const struct node *n); /* of those sent a second ago or before */
mono_ns node_first_answer(const struct node *n, uint16_t from_seq); /* time of; MONO_NEVER */
/* Its own, as it tells them; returns how many. */
size_t node_endpoints(const struct node *n, struct endpoint ret[static ENDPOINTS_MAX]);
bool node_is_direct(const struct node *n, const struct node *to);
/* Pings until the path is direct; the time of that, or MONO_NEVER. */
mono_ns node_until_direct(struct node *n, const struct node *to, mono_ns gap, mono_ns limit);

/* Opens the rig, with two nodes whose path is direct. */
void rig_direct_pair(struct rig *w, const struct vnat_kind *ka, const struct vnat_kind *kb,
	struct node **a, struct node **b);

#endif
