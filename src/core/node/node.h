/*
 * core/node: one device's membership of a tailnet, without I/O: the control client, the network map, the packet filter, the
 * magicsock with the peers, the preferences, and the state machine over them. The daemon binds it to sockets, a TUN device and files;
 * the simulator binds the same code to a virtual network.
 *
 *	sockets, streams     --> node_udp_in, node_stream_* --> [ filter, magicsock, control client ] --> node_ops --> sockets, ...
 *	packet ports         --> node_port_in               --> [ filter, magicsock ]                 --> node_next_packets --> packet ports
 *	a person (LocalAPI)   --> node_edit_prefs, node_login ... --> state --> node_next_event --> bus, state file, routes
 *
 * node_ops is what the node asks for: its functions run inside the calls, and must not call back except for functions that take
 * a const struct node. What has happened waits in a queue. After a call, take the events and ask node_deadline again. One node
 * is one profile: switching to another means a new node.
 *
 * Source: Tailscale ipn/ipnlocal, wgengine.
 */
#ifndef WARREN_CORE_NODE_NODE_H
#define WARREN_CORE_NODE_NODE_H

#include "core/filter/filter.h"
#include "core/magicsock/magicsock.h"
#include "core/netmap/netmap.h"
#include "core/dns/dns.h"
#include "proto/ipn/ipn.h"
#include "proto/resolvconf/osdns.h"

enum {
	NODE_MTU = 1280,      /* inner; survives a tunnel inside the tunnel */
	NODE_TEXT_MAX = 1024, /* a login URL, the hub's reason to refuse */
	NODE_SUBNET_BITS_MIN =
		7, /* what is wider is no subnet: it takes the consent to an exit node */
	NODE_V4_ROUTES_MAX = 10000, /* more peers than these become one route, 100.64.0.0/10 */

	/* Numbers of streams. */
	NODE_STREAM_CONTROL = 0, /* and two more: key, plain, TLS (enum ctlclient_conn) */
	NODE_STREAM_PROBE = 3,   /* answers the hub's question whether we live */
	NODE_STREAM_PEERAPI = 4, /* and three more: pings by PeerAPI */
	NODE_PEERAPI_PINGS = 4,
	NODE_STREAM_RELAY = 16, /* and the number of the region */
};

/* In the health, beside why the hub is not reached. */
#define NODE_OTHER_KEY_TEXT \
	"The hub shows another key than before, over plain HTTP, where nothing says that it is still the same one: it is not spoken to. " \
	"A hub that was moved or restored from its backup has its old key; then somebody stands between. If it was set up anew, " \
	"\"warren up --force-reauth\" logs in there."

struct node;

enum node_tls {
	NODE_TLS_NONE,
	NODE_TLS_VERIFIED, /* by the system's roots, for `name` */
	NODE_TLS_ANY_CERT, /* what is inside authenticates the other side */
	NODE_TLS_PINNED,   /* this certificate and no other */
};

struct node_dial {
	const char *host; /* a name, or an address as text */
	struct ipaddr hint
		[2]; /* known addresses of the host, to be tried without a lookup; unset: none */
	uint16_t port;
	enum node_tls tls;
	const char *name; /* for SNI and the certificate */
	uint8_t pin[32];  /* SHA-256 of its DER */
	bool by_routes; /* through the tunnel, to a device: the host is its address, and the only hint */
};

enum node_event_kind {
	NODE_STATE,     /* `state` was entered */
	NODE_PREFS,     /* node_prefs changed, also: save them */
	NODE_KEYS,      /* node_identity changed: save it */
	NODE_LOGIN_URL, /* text: a page that a person has to open */
	NODE_LOGIN_FINISHED,
	NODE_LOGIN_FAILED, /* text: why */
	NODE_MOVED,   /* the hub proved that it is at another URL now, node_control_url: save it */
	NODE_HUB_KEY, /* the hub has another key than before, and its certificate vouches for it, or a login was asked for */
	NODE_REFUSED, /* text: why the hub does not take one of the settings; "": it takes all */
	NODE_CONTROL, /* `polling`, or text: why not, "" when nothing has failed yet */
	NODE_NET_CONFIG, /* node_net_config changed */
	NODE_DNS,        /* node_dns_config, node_os_dns: one of them changed */
	NODE_SELF,       /* own node in the map */
	NODE_PEER_ADDED, /* `id`; these three also name what changed in the map */
	NODE_PEER_CHANGED,
	NODE_PEER_REMOVED,
	NODE_PEERS_LOST, /* more peers changed than there was room to tell: look at the whole map */
	NODE_NETMAP, /* another part of the map changed (filter, DERP map, DNS, domain, health) */
	NODE_SAVE_NETMAP,   /* what netmap_save would write is different: save it some time */
	NODE_NETCHECK_DONE, /* of node_netcheck */
	NODE_RELAY, /* `region`: its relay's connection ended; text: why, "" when it was meant to */
	NODE_EVENT_KINDS
};

/* What has happened. What a kind does not name is zero, its text "". */
struct node_event {
	enum node_event_kind kind;
	enum ipn_state state;
	bool polling;
	int region;
	int64_t id;       /* of a node in the map */
	const char *text; /* for people; until the next node_next_event */
};

struct node_ops {
	/* Datagrams to one address, in order. Memory: during the call. */
	void (*udp_send)(void *owner, struct ipport to, const struct pkt *d, size_t n);

	/* Open a stream; answer with node_stream_connected or node_stream_closed, not from inside. d: during the call. */
	void (*dial)(void *owner, unsigned stream, const struct node_dial *d);
	/* Close it, or stop opening it; nothing more is to come of it, no node_stream_closed either. */
	void (*hangup)(void *owner, unsigned stream);
	/* node_stream_output has something. */
	void (*stream_wake)(void *owner, unsigned stream);

	/* Look up a name, then node_resolved. NULL: names of STUN servers are not looked up. */
	void (*resolve)(void *owner, const char *host);
	/*
	 * UDP is blocked: time one request (GET /derp/latency-check) on a fresh stream, then node_measured, not from inside.
	 * NULL: not done. d: during the call.
	 */
	void (*measure)(void *owner, int region, const struct node_dial *d);
};

/* What is to be kept between two lives of a device. */
struct node_identity {
	struct secret_machine machine;
	struct secret_node node, old_node; /* zero: none yet */
	struct secret_disco disco; /* kept, so that peers understand a restarted device at once */
	struct machine_pub hub;    /* of prefs->control_url; zero: is asked for */
};

struct node_cfg {
	struct node_identity identity; /* machine and disco are set */
	const struct ipn_prefs *prefs; /* copied; of persist, the user and node ID are */
	struct view
		netmap; /* as netmap_save wrote it in an earlier life; empty: none. A damaged one is ignored */
	const char *default_control_url; /* used while prefs name none; borrowed */
	const struct tc_hostinfo *
		host; /* of the machine and the program: copied, completed with what the node knows */
	bool ephemeral;             /* registers as such */
	size_t mtu;                 /* 0: NODE_MTU */
	struct rng *rng;            /* borrowed */
	const struct node_ops *ops; /* borrowed */
	void *owner;
};

/* With a cached map, peers are in magicsock when this returns. -ENOMEM, -ERR_CRYPTO. */
MUST_USE int node_new(struct node **ret, const struct node_cfg *cfg, struct now now);
struct node *node_free(struct node *a); /* hangs up its streams */

/* ---- What a person or a program asks for ---- */

/*
 * Begins or begins anew: with the preferences as they are, and a key for the next registration (or NULL). A device that was
 * logged in goes on; one that was not waits for node_login, unless there is a key. At boot, too.
 */
void node_start(struct node *a, const char *auth_key, struct now now);
/* Ends in NODE_LOGIN_FINISHED, NODE_LOGIN_URL or NODE_LOGIN_FAILED. With a login already, a new node key is made. */
void node_login(struct node *a, struct now now);
/* The hub is told, then keys and map are forgotten: NODE_KEYS, NODE_PREFS. Without a login, nothing happens. */
void node_logout(struct node *a, struct now now);
/* Nothing has changed when it fails: -ERR_BAD_VALUE with at->text for a person; -ENOMEM. */
MUST_USE int node_edit_prefs(
	struct node *a, const struct ipn_masked_prefs *edit, struct now now, struct err_at *at);
/* The whole set, for "start"; the login stays. The control URL counts with the next node_start. */
MUST_USE int node_set_prefs(
	struct node *a, const struct ipn_prefs *prefs, struct now now, struct err_at *at);
/* What would be wrong with them? */
MUST_USE int node_check_prefs(
	const struct node *a, const struct ipn_prefs *prefs, struct err_at *at);

/* Does a set ask for something new that this build does not do? -ERR_BAD_VALUE with at->text. Such a set may be kept. */
MUST_USE int node_check_built(const struct node *a, const struct ipn_prefs *p, struct err_at *at);
/* All flags of settings without effect, for commands: struct ipn_unbuilt, in the arena. -ENOMEM. */
MUST_USE int node_unbuilt(struct arena *mem, struct json_list *ret);

/* ---- What the machine tells ---- */

/* It calls itself otherwise, or the like: copied; the hub is told at once. 1: it differs from what was there; -ENOMEM. */
MUST_USE int node_set_host(struct node *a, const struct tc_hostinfo *host, struct now now);

/* The addresses of its interfaces that are up; see magicsock_set_local. Our own tailnet addresses are left out here. */
void node_set_local(struct node *a, const struct ipprefix *addrs, size_t n, uint16_t port4,
	uint16_t port6, bool link_changed, struct now now);
/*
 * All networks that this machine is on, its addresses among them: of every interface but our own, whatever its state, and what
 * is routed through it without a gateway. Copied. A default route that we offer leaves them out; before the first call it is not
 * served, nor with NULL: there are more than anybody can list.
 */
void node_set_networks(struct node *a, const struct ipprefix *nets, size_t n, struct now now);
/* Then node_next_packets until there is nothing more. */
void node_udp_in(struct node *a, struct magicsock_datagram *dg, size_t n, struct now now);
void node_udp_failed(struct node *a, struct ipport to, struct now now);

/* fast_key: a relay's key from its certificate, or NULL. */
void node_stream_connected(
	struct node *a, unsigned stream, const struct node_pub *fast_key, struct now now);
/* Then node_next_packets until there is nothing more. Negative: close the stream and call node_stream_closed. */
MUST_USE int node_stream_feed(
	struct node *a, unsigned stream, uint8_t *p, size_t len, struct now now);
void node_stream_closed(struct node *a, unsigned stream, int rc, struct now now);
struct view node_stream_output(struct node *a, unsigned stream);
void node_stream_written(struct node *a, unsigned stream, size_t n);

/* ---- Packets ---- */

/*
 * A packet port: somebody has packets behind it. What comes from one goes to peers or to another port, by its destination; what comes
 * from peers goes to the system.
 */
enum node_port {
	NODE_PORT_TUN,     /* the system; always open */
	NODE_PORT_QUAD100, /* 100.100.100.100 and fd7a:115c:a1e0::53 */
	NODE_PORTS
};

/* Is somebody behind the port? While it is closed, packets to its addresses are like others. At first only the system's is open. */
void node_port_open(struct node *a, enum node_port port, bool open);
/*
 * What came from a port: whole IP packets, n <= PKT_BATCH_MAX, with the room of base/pkt around each. From the system: to an address of
 * an open port they go there, as they are; all else goes through the filter to peers, sealed where it lies. From another port they
 * go to the system, if it has the address; all else is dropped. Then node_next_packets until there is nothing more.
 */
void node_port_in(struct node *a, enum node_port from, struct pkt *pkt, size_t n, struct now now);

struct node_packets {
	enum node_port port; /* that they are for */
	struct pkt *pkt; /* in the memory that they came in: to be changed in place, not around */
	size_t n;
};
/*
 * The next batch for a port: good until the next call of the node but this one. What nobody took by then is dropped and counted. False:
 * nothing more; then what follows from the packets is done.
 */
bool node_next_packets(struct node *a, struct node_packets *ret);

/* ---- Names and measurements that the node asked for ---- */

void node_resolved(
	struct node *a, const char *host, const struct ipaddr *addrs, size_t n, struct now now);
/* latency negative: the result that it failed with. */
void node_measured(struct node *a, int region, mono_ns latency, struct now now);

/*
 * Where this device's PeerAPI listens, IPv4 first; port 0: it does not. Peers are let through to it whatever the rules, and the hub is
 * told, so that they find it. At first nowhere.
 */
void node_set_peerapi(struct node *a, const struct ipport at[static 2], struct now now);

/* What the system around does not do as it should; bits. Told in the health of this device. */
enum {
	NODE_FAULT_FORWARDING = 1, /* routes are advertised, and packets are not forwarded */
	NODE_FAULT_ROUTES = 2,     /* addresses or routes could not be set */
	NODE_FAULT_STATE = 4,      /* the state file could not be written */
	NODE_FAULT_NETWORKS = 8,   /* more networks than node_set_networks can be told of */
	NODE_FAULT_FIREWALL = 16,  /* the rules of the firewall could not be set */
	NODE_FAULT_RESOLVER = 64,  /* the system's resolver could not be told */
	NODE_FAULT_RESOLVER_YIELDED = 128, /* another program keeps writing /etc/resolv.conf */
	NODE_FAULT_OLD_TABLES =
		32, /* the host also filters with ip_tables, and our rules are not there */
};
void node_set_os_faults(struct node *a, unsigned bits, struct now now);

void node_tick(struct node *a, struct now now);
mono_ns node_deadline(const struct node *a);
/*
 * The next thing that happened, in order; false: nothing more. Kinds that say "look again" are in the queue once. It is bounded:
 * what does not fit is counted, and for peers NODE_PEERS_LOST comes.
 */
bool node_next_event(struct node *a, struct node_event *ret);
/* Does one of these wait? Bits (1 << kind) of kinds that say "look again". */
bool node_event_waits(const struct node *a, unsigned kinds);

/* ---- What is ---- */

enum ipn_state node_state(const struct node *a);
const struct ipn_prefs *node_prefs(
	const struct node *a); /* until they change; persist: user and node ID, no keys */
const struct node_identity *node_identity(const struct node *a);
const char *node_login_url(const struct node *a);   /* "": none is pending */
const char *node_login_error(const struct node *a); /* "": the last login did not fail */
const char *node_control_url(const struct node *a);
bool node_is_polling(const struct node *a); /* maps come */
/* Why a region's relay is not connected, as a sentence in the arena; NULL: it is, or was not tried, or no memory. */
const char *node_relay_error(const struct node *a, int region, struct arena *mem);
const struct netmap *node_netmap(
	const struct node *a); /* NULL before the first map and after a logout */
bool node_netmap_is_cached(
	const struct node *a); /* of an earlier life; the hub has not been heard since */
const struct magicsock *node_magicsock(const struct node *a);
const struct filter *node_filter(const struct node *a);

struct node_counters {
	uint64_t tun_in, tun_out, bytes_in, bytes_out; /* packets and bytes that passed */
	uint64_t ports_in,
		ports_out; /* packets that other ports than the system's said, and were given */
	uint64_t
		ports_dropped; /* of ports: to who is not here; or not taken before the next call */
	uint64_t ports_forged; /* dropped: of peers, from the address of a port */
	uint64_t tsmp_from_host; /* dropped: the system must not send these */
	uint64_t filter_out_dropped, filter_in_dropped;
	uint64_t
		filter_in_not_here; /* of the latter: for addresses that are not ours, nor of a route that is served */
	uint64_t
		rejects_dropped; /* refused connections whose sender was not told: too many in one batch */
	uint64_t bad_netmaps, bad_peers, probes, probes_refused;
	uint64_t events_dropped; /* the queue was full, or no memory */
	uint64_t map_self_refused, map_peers_refused, map_routes_refused, map_relays_refused,
		map_dns_refused, map_messages_refused;
};
const struct node_counters *node_counters(const struct node *a);

/* What the machine's network has to look like. Lists are the node's, good until the next NODE_NET_CONFIG. */
struct node_net_config {
	bool up; /* false: no addresses, no routes */
	size_t mtu;
	const struct ipprefix *addrs, *routes; /* of the TUN device; into it */
	size_t n_addrs, n_routes;
	const struct ipprefix *advertised; /* to be forwarded for others */
	size_t n_advertised;
	bool exit_lan; /* an exit node is chosen, and the local network stays reachable; also while not up */
	bool keep_lan; /* networks that this machine is on win over subnet routes */
	/* The host's firewall: IPN_NETFILTER_*, off while not up. */
	int64_t netfilter;
	bool masquerade; /* what comes out of the tunnel for other networks has this device's address there */
	bool stateful;         /* into the tunnel is forwarded only what answers */
	bool spoofing_allowed; /* the hub says that addresses of the tailnet may come from elsewhere */
	bool killswitch;       /* nothing leaves but through the tunnel; also while not up */
};
const struct node_net_config *node_net_config(const struct node *a);

/*
 * For our own resolver (core/dns). Good until the next call of this node that changes something: take it at NODE_DNS, with dns_configure. Its
 * names are the node's, and change in place as devices come and go; before node_free the resolver has to be told of another configuration.
 */
const struct dns_config *node_dns_config(const struct node *a);

/* What the system's resolver has to say. Texts as with node_dns_config. */
struct node_os_dns {
	bool wanted; /* false: the system's resolver is to be as it was without us */
	struct os_dns_config
		split; /* for a manager that knows which server to ask for which suffix */
	struct os_dns_config whole; /* for one that does not: everything goes to our resolver */
	bool wants_base; /* our resolver has no servers for what is not ours: give it those that the system had before */
};
const struct node_os_dns *node_os_dns(const struct node *a);

/* Documents of the LocalAPI; what they point to is in the arena or the node's until its next call. -ENOMEM. */
MUST_USE int node_status(const struct node *a, bool peers, struct now now, struct arena *mem,
	struct ipn_status *ret);
MUST_USE int node_health(
	const struct node *a, struct now now, struct arena *mem, struct ipn_health *ret);
MUST_USE int node_rejects(const struct node *a, struct arena *mem, struct ipn_rejects *ret);
MUST_USE int node_engine(
	const struct node *a, struct now now, struct arena *mem, struct ipn_engine_status *ret);
MUST_USE int node_netcheck_report(
	const struct node *a, struct arena *mem, struct ipn_netcheck *ret);

/* Routes that are offered, by us and by others, sorted: struct ipn_route in the arena. -ENOMEM. */
MUST_USE int node_routes(const struct node *a, struct arena *mem, struct json_list *ret);

/* The exit node that would do best; *ret NULL: there is none. -ERR_BAD_STATE: not connected, or relays not measured yet; -ENOMEM. Borrowed, until the next call. */
MUST_USE int node_suggest_exit(struct node *a, struct arena *mem, const struct tc_node **ret);

/* The node that an address belongs to, the own one included; NULL: nobody's. */
const struct tc_node *node_whois(const struct node *a, struct ipaddr ip);

/* fn is called once, maybe from inside; the result is good during that call. */
typedef void (*node_ping_fn)(void *ctx, const struct ipn_ping_result *r);
void node_ping(struct node *a, struct ipaddr ip, enum ipn_ping_type type, size_t size,
	node_ping_fn fn, void *ctx, struct now now);
void node_ping_cancel(struct node *a, void *ctx); /* fn is not called for this ctx any more */
/* Closes the connections to relays, as if they had broken. */
void node_break_relays(struct node *a, struct now now);
/* A fresh round: NODE_NETCHECK_DONE when it has ended. */
void node_netcheck(struct node *a, struct now now);

#endif
