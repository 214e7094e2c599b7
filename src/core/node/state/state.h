/*
 * The state of a node, and what can be said of it without deciding anything: the lowest of the folders of core/node. Nothing here
 * leads to anything else; what follows from a change is marked (the *_dirty flags, events), and calls/deferred.c sees to it.
 */
#ifndef WARREN_CORE_NODE_STATE_STATE_H
#define WARREN_CORE_NODE_STATE_STATE_H

#include "base/list/list.h"
#include "base/map/map.h"
#include "core/node/node.h"
#include "core/ctlclient/ctlclient.h"
#include "core/dns/names/names.h"
#include "core/netmap/check.h"
#include "core/netmap/owned_doc.h"
#include "core/reason/reason.h"

#include <errno.h>
#include <stdlib.h>

enum {
	NODE_REJECTS_MAX = 8,    /* answers to refused connections of one batch; more are counted */
	NODE_REJECTED_MAX = 256, /* connections turned down that are remembered, each way */
	NODE_PING_TYPES = IPN_PING_PEERAPI + 1,
	NODE_PROBES_MAX = 4,        /* the hub's questions that wait */
	NODE_PROBE_MAX = 64 * 1024, /* bytes of one, and of its answer */
	NODE_C2N_MAX =
		256 *
		1024, /* bytes of an answer that is made: all that was turned down, each way */
	NODE_DESCRIBE_MAX = 4 << 20,
	NODE_SCRATCH_MAX = 64 << 20,
	NODE_DNS_MEM_MAX = 32 << 20,
};

#define NODE_LOGOUT_WAIT SEC(5) /* for the hub's word; then keys are forgotten without */
#define NODE_WARM_UP SEC(5)

/* What the packet path and the timers have to know of a peer. */
struct node_peer {
	struct map_node node;
	int64_t id;
	uint64_t
		shape; /* hash of its addresses and routes: when it changes, so does the network configuration */
	bool jailed;
};

enum node_reject_direction { NODE_REJECT_OUT, NODE_REJECT_IN, NODE_REJECT_DIRECTIONS };

struct node_rejection {
	unix_ms first, last;
	uint32_t count;
	uint8_t proto;
	bool maybe_broken;
	struct ipport src, dst; /* of the flow */
	const char *reason;
};

struct node_rejected {
	struct node_rejection *v; /* NULL: none yet */
	size_t n;
};

/* A ping of a person, or one that the hub asks for. */
struct node_ping_call {
	struct list link;
	struct node *a;
	node_ping_fn fn; /* NULL: cancelled */
	void *ctx;
	struct ipaddr ip;
};

/* One by PeerAPI, on a stream of its own. */
struct node_peerapi_ping {
	node_ping_fn fn; /* NULL: free */
	void *ctx;
	struct ipaddr ip; /* that was asked for */
	int64_t peer;
	struct ipport at;
	mono_ns began;
	bool up; /* the stream */
	struct buf in, out;
};

struct node_probe;

/* One ping that a question asks for. */
struct node_probe_ping {
	struct node_probe *of; /* NULL: not asked for, or answered */
	enum ipn_ping_type type;
};

/* One question of the hub. */
struct node_probe {
	struct node *a;
	bool used, busy;
	bool noise;
	char *url, *types;
	struct ipaddr ip;
	uint8_t *payload;
	size_t payload_len;
	struct node_probe_ping pings[NODE_PING_TYPES]; /* one of each type */
	unsigned n_pings;                              /* under way */
};

/* Packets of the last node_port_in that are for ports. */
struct node_ports {
	bool open[NODE_PORTS];
	struct pkt pkt[PKT_BATCH_MAX];
	enum node_port to[PKT_BATCH_MAX];
	size_t n, next; /* of them; the first that was not taken */
};

struct node_queued {
	struct node_event e; /* its text is not set */
	char *text;          /* NULL: empty */
};

/* What the owner has not taken yet: v[head] and the n - 1 behind it. */
struct node_events {
	struct node_queued *v;
	size_t head, n, max;
	unsigned waiting; /* bits of the kinds that are in it once */
	unsigned lost;    /* likewise: of those that there was no room for; told at the end */
	bool peers_lost;
	char *text; /* of the event that was taken last */
};

struct node_dns {
	struct dns_names *names;   /* of the own device and all peers */
	struct dnsmsg_name domain; /* MagicDNS suffix; len 0: none */
	size_t n_outside;          /* names that are not below it */
	bool dirty;
	struct arena mem; /* of what follows, beside what is in the map */
	struct dns_config config;
	struct node_os_dns os;
	uint64_t said; /* hash of both, as they were told the last time */
	int64_t self;  /* the own device in names; 0: it is not there */
};

enum { NODE_STABLE_ID_MAX = 64 };

struct node {
	const struct node_ops *ops;
	char suggested_exit[NODE_STABLE_ID_MAX]; /* the last one; "": none yet */
	void *owner;
	struct rng *rng;
	struct now now; /* of the call that we are in */
	const char *default_control_url;
	bool ephemeral;
	size_t mtu;

	struct node_identity id;
	struct secret_node trial; /* made, and not yet accepted by the hub */
	struct owned_doc *prefs;  /* struct ipn_prefs without secrets */
	struct owned_doc *host;   /* struct tc_hostinfo */

	/* Login. */
	struct ctlclient *ctl; /* NULL: no goal */
	enum ctlclient_state ctl_state;
	char *auth_key;
	char login_url[NODE_TEXT_MAX], login_error[NODE_TEXT_MAX], control_error[REASON_MAX];
	char moving_from
		[CTLCLIENT_URL_MAX]; /* where our hub was, until it shows its key at ctl_url; "": it is there */
	bool other_key;              /* the hub shows another key than before, which is not taken */
	bool other_hub; /* there is another one at ctl_url: to be dealt with at the end of the call */
	bool left;      /* the node key was another hub's: this one has to take a fresh one */
	bool started_expired;  /* at the last start the key of the device had expired */
	mono_ns joined_by_key; /* when the auth key of the last start was a login; 0: it was none */
	char ctl_url
		[CTLCLIENT_URL_MAX]; /* whom ctl speaks with, and whose map nm is; empty: nobody's */
	char refused
		[CTLCLIENT_REASON_MAX]; /* what the hub says of a setting that it does not take; "" */
	mono_ns refused_since;
	bool blocked;     /* a login is needed before the engine runs again */
	bool ctl_restart; /* the map could not be taken: begin anew */
	bool ctl_dirty;   /* tell the hub about us */
	bool forget;      /* logged out: forget who we were */
	mono_ns forget_at;
	mono_ns wanted_since;  /* when want_running came true; MONO_NEVER: it is not */
	mono_ns poll_lost_at;  /* since when no map comes, while not polling */
	bool relay_ready;      /* the home relay is connected */
	mono_ns relay_lost_at; /* when it was no more, or the engine came up */
	bool has_link;         /* an interface besides loopback has an address */
	struct ipprefix *nets; /* of this machine: no default route has them */
	size_t n_nets;
	bool nets_known;
	struct ipport peerapi[2]; /* IPv4 first; port 0: none */
	unsigned os_faults;       /* NODE_FAULT_ */
	mono_ns os_faults_since;
	mono_ns link_since; /* of the last change of has_link */

	/* The map, and what follows from it. */
	struct netmap *nm;
	struct netmap_check check; /* of what the hub says */
	bool cached;
	struct map peers; /* struct node_peer */
	size_t n_jailed;
	bool exit_dirty; /* peers changed, and one may be chosen as exit node */
	bool self_dirty, filter_dirty, derp_dirty, peers_dirty, net_dirty, other_dirty, map_changed,
		uses_caps;
	bool session_seen;           /* with anybody, since the engine came up */
	mono_ns expiry_at;           /* the next key to expire, own or a peer's */
	mono_ns retry_at, retry_gap; /* something of the map came to nothing for want of memory */
	int64_t expiry_base_ms; /* the hub's clock less our monotonic one, when that was worked out; 0: not yet */
	struct node_net_config net;
	struct ipprefix *net_mem; /* behind the lists of net */
	struct node_dns dns;

	struct magicsock *magicsock;
	struct magicsock_ops magicsock_ops;
	bool magicsock_up; /* has our node key */
	struct filter *filter;
	bool started; /* node_start was called: before, nothing happens by itself */
	enum ipn_state state;

	struct node_ports ports;
	bool rejects_on;
	struct node_rejected rejected[NODE_REJECT_DIRECTIONS];
	struct list pings;                                          /* struct node_ping_call */
	struct node_peerapi_ping peerapi_pings[NODE_PEERAPI_PINGS]; /* by stream */
	bool netcheck_asked;

	struct node_probe probes[NODE_PROBES_MAX];
	struct node_probe *head; /* the probe whose request is on NODE_STREAM_PROBE */
	struct buf head_out;
	bool head_up;
	char *last_probe_url;

	struct arena describe_mem; /* of the description being sent */
	struct arena scratch;      /* inside one function */
	struct node_events events;
	struct node_counters counters;
};

static inline const struct ipn_prefs *prefs_of(const struct node *a)
{
	return a->prefs->doc;
}

static inline bool has_node_key(const struct node *a)
{
	return !key_is_zero(a->id.node.b);
}

static inline const struct tc_node *self_of(const struct node *a)
{
	return a->nm ? netmap_self(a->nm) : NULL;
}

/* events.c */
MUST_USE int node_events_new(struct node *a);
void node_event_add(struct node *a, struct node_event e); /* the text is copied */
void node_events_free(struct node *a);

static inline void event(struct node *a, enum node_event_kind kind)
{
	node_event_add(a, (struct node_event){ .kind = kind });
}

/* dial.c */
struct ipaddr node_address_hint(const char *text); /* unset: not an address */
struct node_dial node_dial_of(const struct tc_derp_node *n);

/* engine.c */
void node_engine_up(struct node *a); /* when it fails, it is tried again at the next call */
void node_engine_down(struct node *a);

/* clock.c */
bool node_key_expired(const struct node *a, const struct tc_node *self); /* our own */
/* When a wall time of the control server's clock comes; now if it is over. */
mono_ns node_mono_of(const struct node *a, unix_ms wall);

/* lookup.c */
struct ipaddr node_address_of(
	const struct tc_node *n, unsigned family);                     /* its first; unset: none */
int64_t node_service_port(const struct tc_node *n, const char *proto); /* 0: it has none */
/* Where its PeerAPI is, for us. Unset: nowhere. */
struct ipport node_peerapi_of(const struct node *a, const struct tc_node *n);
struct node_peer *node_peer_find(const struct node *a, int64_t id); /* NULL: not in the map */
bool node_peer_is_jailed(const struct node *a, int64_t id);
/* Who has an address, also of peers whose key has expired: nothing is routed to those. NULL: nobody. */
const struct tc_node *node_peer_at(const struct node *a, struct ipaddr ip);
bool node_has_address(const struct tc_node *n, struct ipprefix p);
bool node_is_exit_node(const struct node *a, const struct tc_node *n);
bool node_offers_exit(const struct tc_node *n);
bool node_has_cap(const struct tc_node *n, const char *name);
/* The chosen one; NULL: not to be seen. */
const struct tc_node *node_exit_node(const struct node *a, struct arena *mem);
const char *node_region_code(const struct node *a, int64_t region); /* "": unknown */

/* prefs.c */
/* Is this route of a peer's, masked and none of its own addresses, to be used? */
enum node_route_answer { NODE_ROUTE_TAKEN, NODE_ROUTE_NONE, NODE_ROUTE_NOT_CHOSEN };
enum node_route_answer node_takes_route(
	const struct node *a, const struct tc_node *n, struct ipprefix p);
/* 1: they differ from what was there. */
MUST_USE int node_prefs_store(struct node *a, const struct ipn_prefs *p);
/* Completed, checked and stored: as node_prefs_store, or -ERR_BAD_VALUE with at->text for a person. */
MUST_USE int node_prefs_take(struct node *a, struct ipn_prefs *p, struct err_at *at);
/* With what an edit of one means for others. */
void node_prefs_merge(struct ipn_prefs *p, const struct ipn_masked_prefs *e);
/* An exit node that was named by its address gets its ID when the map has it. */
void node_prefs_resolve_exit(struct node *a);

/* suggest.c */
enum { NODE_SUGGEST_MEM_MAX = 16 << 20 };
/* With --exit-node=auto:any: one is chosen if none is, or the chosen one cannot be used any more. */
void node_prefs_auto_exit(struct node *a);

/* unbuilt.c */
/* A sentence in the arena; NULL: all have an effect. */
const char *node_without_effect(const struct ipn_prefs *p, struct arena *mem);

#endif
