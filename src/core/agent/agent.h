/*
 * core/agent: one device's membership of a tailnet, without I/O: the control client, the network map, the packet filter, the
 * mesh of peers, the preferences, and the state machine over them. The daemon binds it to sockets, a TUN device and files;
 * the simulator binds the same code to a virtual network.
 *
 *	TUN, sockets, streams --> agent_*_in, agent_stream_* --> [ filter, mesh, control client ] --> agent_ops --> TUN, ...
 *	a person (LocalAPI)   --> agent_edit_prefs, agent_login ... --> state --> on_event --> bus, state file, routes
 *
 * Callbacks run inside the calls, and must not call back except for functions that take a const struct agent. After every
 * call ask agent_deadline again. One agent is one profile: switching to another means a new agent.
 *
 * Source: Tailscale ipn/ipnlocal, wgengine.
 */
#ifndef WARREN_CORE_AGENT_AGENT_H
#define WARREN_CORE_AGENT_AGENT_H

#include "core/filter/filter.h"
#include "core/mesh/mesh.h"
#include "core/netmap/netmap.h"
#include "proto/ipn/ipn.h"

enum {
	AGENT_MTU = 1280, /* inner; survives a tunnel inside the tunnel */
	AGENT_TEXT_MAX = 1024, /* a login URL, the hub's reason to refuse */
	AGENT_SUBNET_BITS_MIN = 7, /* what is wider is no subnet: it takes the consent to an exit node */
	AGENT_V4_ROUTES_MAX = 10000, /* more peers than these become one route, 100.64.0.0/10 */

	/* Numbers of streams. */
	AGENT_STREAM_CONTROL = 0, /* and two more: key, plain, TLS (enum ctlclient_conn) */
	AGENT_STREAM_PROBE = 3, /* answers the hub's question whether we live */
	AGENT_STREAM_RELAY = 16, /* and the number of the region */
};

/* In the health, beside why the hub is not reached. */
#define AGENT_OTHER_KEY_TEXT \
	"The hub shows another key than before, over plain HTTP, where nothing says that it is still the same one: it is not spoken to. " \
	"A hub that was moved or restored from its backup has its old key; then somebody stands between. If it was set up anew, " \
	"\"warren up --force-reauth\" logs in there."

struct agent;

enum agent_tls {
	AGENT_TLS_NONE,
	AGENT_TLS_VERIFIED, /* by the system's roots, for `name` */
	AGENT_TLS_ANY_CERT, /* what is inside authenticates the other side */
	AGENT_TLS_PINNED, /* this certificate and no other */
};

struct agent_dial {
	const char *host; /* a name, or an address as text */
	struct ipaddr hint[2]; /* known addresses of the host, to be tried without a lookup; unset: none */
	uint16_t port;
	enum agent_tls tls;
	const char *name; /* for SNI and the certificate */
	uint8_t pin[32]; /* SHA-256 of its DER */
};

enum agent_event {
	AGENT_STATE, /* agent_state */
	AGENT_PREFS, /* agent_prefs changed, also: save them */
	AGENT_KEYS, /* agent_identity changed: save it */
	AGENT_LOGIN_URL, /* agent_login_url: to be shown to a person */
	AGENT_LOGIN_FINISHED,
	AGENT_LOGIN_FAILED, /* agent_login_error */
	AGENT_MOVED, /* the hub proved that it is at another URL now, agent_control_url: save it */
	AGENT_HUB_KEY, /* the hub has another key than before, and its certificate vouches for it, or a login was asked for */
	AGENT_REFUSED, /* agent_refused changed */
	AGENT_CONTROL, /* agent_is_polling or agent_control_error changed */
	AGENT_NET_CONFIG, /* agent_net_config changed */
	AGENT_SELF, /* own node in the map */
	AGENT_PEER_ADDED, /* id: the node; these three also name what changed in the map */
	AGENT_PEER_CHANGED,
	AGENT_PEER_REMOVED,
	AGENT_USER, /* id: the user */
	AGENT_NETMAP, /* another part of the map changed (filter, DERP map, DNS, domain, health) */
	AGENT_SAVE_NETMAP, /* what netmap_save would write is different: save it some time */
	AGENT_ENGINE, /* a peer's session or path changed; id: the node */
	AGENT_SELF_ENDPOINTS, /* own endpoints, home or net info changed */
	AGENT_NETCHECK_DONE, /* of agent_netcheck */
	AGENT_RELAY, /* id: the region whose relay was connected, or could not be */
};

struct agent_ops {
	/* Datagrams to one address, in order. Memory: during the call. */
	void (*udp_send)(void *owner, struct ipport to, const struct wg_packet *d, size_t n);
	/* Packets for the operating system. Memory: during the call; may be changed (offload headers). */
	void (*tun_write)(void *owner, struct wg_packet *p, size_t n);

	/* Open a stream; answer with agent_stream_connected or agent_stream_closed, not from inside. d: during the call. */
	void (*dial)(void *owner, unsigned stream, const struct agent_dial *d);
	/* Close it, or stop opening it; nothing more is to come of it, no agent_stream_closed either. */
	void (*hangup)(void *owner, unsigned stream);
	/* agent_stream_output has something. */
	void (*stream_wake)(void *owner, unsigned stream);

	/* Look up a name, then agent_resolved. NULL: names of STUN servers are not looked up. */
	void (*resolve)(void *owner, const char *host);
	/*
	 * UDP is blocked: time one request (GET /derp/latency-check) on a fresh stream, then agent_measured, not from inside.
	 * NULL: not done. d: during the call.
	 */
	void (*measure)(void *owner, int region, const struct agent_dial *d);

	void (*on_event)(void *owner, enum agent_event ev, int64_t id);
};

/* What is to be kept between two lives of a device. */
struct agent_identity {
	struct secret_machine machine;
	struct secret_node node, old_node; /* zero: none yet */
	struct secret_disco disco; /* kept, so that peers understand a restarted device at once */
	struct machine_pub hub; /* of prefs->control_url; zero: is asked for */
};

struct agent_cfg {
	struct agent_identity identity; /* machine and disco are set */
	const struct ipn_prefs *prefs; /* copied; of persist, the user and node ID are */
	struct view netmap; /* as netmap_save wrote it in an earlier life; empty: none. A damaged one is ignored */
	const char *default_control_url; /* used while prefs name none; borrowed */
	const struct tc_hostinfo *host; /* of the machine and the program: copied, completed with what the agent knows */
	bool ephemeral; /* registers as such */
	size_t mtu; /* 0: AGENT_MTU */
	struct rng *rng; /* borrowed */
	const struct agent_ops *ops; /* borrowed */
	void *owner;
};

/* With a cached map, peers are in the mesh when this returns. -ENOMEM, -ERR_CRYPTO. */
MUST_USE int agent_new(struct agent **ret, const struct agent_cfg *cfg, struct now now);
struct agent *agent_free(struct agent *a); /* hangs up its streams */

/* ---- What a person or a program asks for ---- */

/*
 * Begins or begins anew: with the preferences as they are, and a key for the next registration (or NULL). A device that was
 * logged in goes on; one that was not waits for agent_login, unless there is a key. At boot, too.
 */
void agent_start(struct agent *a, const char *auth_key, struct now now);
/* Ends in AGENT_LOGIN_FINISHED, AGENT_LOGIN_URL or AGENT_LOGIN_FAILED. With a login already, a new node key is made. */
void agent_login(struct agent *a, struct now now);
/* The hub is told, then keys and map are forgotten: AGENT_KEYS, AGENT_PREFS. Without a login, nothing happens. */
void agent_logout(struct agent *a, struct now now);
/* Nothing has changed when it fails: -ERR_BAD_VALUE with at->text for a person; -ENOMEM. */
MUST_USE int agent_edit_prefs(struct agent *a, const struct ipn_masked_prefs *edit, struct now now, struct err_at *at);
/* The whole set, for "start"; the login stays. The control URL counts with the next agent_start. */
MUST_USE int agent_set_prefs(struct agent *a, const struct ipn_prefs *prefs, struct now now, struct err_at *at);
/* What would be wrong with them? */
MUST_USE int agent_check_prefs(const struct agent *a, const struct ipn_prefs *prefs, struct err_at *at);

/* Does a set ask for something new that this build does not do? -ERR_BAD_VALUE with at->text. Such a set may be kept. */
MUST_USE int agent_check_built(const struct agent *a, const struct ipn_prefs *p, struct err_at *at);
/* All flags of settings without effect, for commands: struct ipn_unbuilt, in the arena. -ENOMEM. */
MUST_USE int agent_unbuilt(struct arena *mem, struct json_list *ret);

/* ---- What the machine tells ---- */

/* It calls itself otherwise, or the like: copied; the hub is told at once. 1: it differs from what was there; -ENOMEM. */
MUST_USE int agent_set_host(struct agent *a, const struct tc_hostinfo *host, struct now now);

/* The addresses of its interfaces that are up; see mesh_set_local. Our own tailnet addresses are left out here. */
void agent_set_local(struct agent *a, const struct ipprefix *addrs, size_t n, uint16_t port4, uint16_t port6,
	bool link_changed, struct now now);
/*
 * All networks that this machine is on, its addresses among them: of every interface but our own, whatever its state, and what
 * is routed through it without a gateway. Copied. A default route that we offer leaves them out; before the first call it is not
 * served, nor with NULL: there are more than anybody can list.
 */
void agent_set_networks(struct agent *a, const struct ipprefix *nets, size_t n, struct now now);
void agent_udp_in(struct agent *a, struct mesh_datagram *dg, size_t n, struct now now);
void agent_udp_failed(struct agent *a, struct ipport to, struct now now);
/* Packets from the TUN device, n <= WG_BATCH_MAX, each with MESH_HEADROOM and MESH_TAILROOM around it. */
void agent_tun_in(struct agent *a, struct wg_packet *pkt, size_t n, struct now now);

/* fast_key: a relay's key from its certificate, or NULL. */
void agent_stream_connected(struct agent *a, unsigned stream, const struct node_pub *fast_key, struct now now);
/* Negative: close the stream and call agent_stream_closed. Relays' bytes are opened in place. */
MUST_USE int agent_stream_feed(struct agent *a, unsigned stream, uint8_t *p, size_t len, struct now now);
void agent_stream_closed(struct agent *a, unsigned stream, int rc, struct now now);
struct view agent_stream_output(struct agent *a, unsigned stream);
void agent_stream_written(struct agent *a, unsigned stream, size_t n);

void agent_resolved(struct agent *a, const char *host, const struct ipaddr *addrs, size_t n, struct now now);
/* latency negative: the result that it failed with. */
void agent_measured(struct agent *a, int region, mono_ns latency, struct now now);

/* What the system around does not do as it should; bits. Told in the health of this device. */
enum {
	AGENT_TROUBLE_FORWARDING = 1, /* routes are advertised, and packets are not forwarded */
	AGENT_TROUBLE_ROUTES = 2, /* addresses or routes could not be set */
	AGENT_TROUBLE_STATE = 4, /* the state file could not be written */
	AGENT_TROUBLE_NETWORKS = 8, /* more networks than agent_set_networks can be told of */
};
void agent_set_trouble(struct agent *a, unsigned bits, struct now now);

void agent_tick(struct agent *a, struct now now);
mono_ns agent_deadline(const struct agent *a);

/* ---- What is ---- */

enum ipn_state agent_state(const struct agent *a);
const struct ipn_prefs *agent_prefs(const struct agent *a); /* until they change; persist: user and node ID, no keys */
const struct agent_identity *agent_identity(const struct agent *a);
const char *agent_login_url(const struct agent *a); /* "": none is pending */
const char *agent_login_error(const struct agent *a); /* "": the last login did not fail */
const char *agent_control_url(const struct agent *a);
bool agent_is_polling(const struct agent *a); /* maps come */
const char *agent_refused(const struct agent *a); /* why the hub does not take one of the settings; "": it takes all */
const char *agent_control_error(const struct agent *a); /* why the hub was lost or is not reached; "" */
/* Why a region's relay is not connected, as a sentence in the arena; NULL: it is, or was not tried, or no memory. */
const char *agent_relay_error(const struct agent *a, int region, struct arena *mem);
const struct netmap *agent_netmap(const struct agent *a); /* NULL before the first map and after a logout */
bool agent_netmap_is_cached(const struct agent *a); /* of an earlier life; the hub has not been heard since */
const struct mesh *agent_mesh(const struct agent *a);
const struct filter *agent_filter(const struct agent *a);

struct agent_counters {
	uint64_t tun_in, tun_out, bytes_in, bytes_out; /* packets and bytes that passed */
	uint64_t tsmp_from_host; /* dropped: the system must not send these */
	uint64_t filter_out_dropped, filter_in_dropped;
	uint64_t filter_in_not_here; /* of the latter: for addresses that are not ours, nor of a route that is served */
	uint64_t bad_netmaps, bad_peers, probes, probes_refused;
	uint64_t map_self_refused, map_peers_refused, map_routes_refused, map_relays_refused, map_dns_refused, map_messages_refused;
};
const struct agent_counters *agent_counters(const struct agent *a);

/* What the machine's network has to look like. Lists are the agent's, good until the next AGENT_NET_CONFIG. */
struct agent_net_config {
	bool up; /* false: no addresses, no routes */
	size_t mtu;
	const struct ipprefix *addrs, *routes; /* of the TUN device; into it */
	size_t n_addrs, n_routes;
	const struct ipprefix *advertised; /* to be forwarded for others */
	size_t n_advertised;
	bool exit_lan; /* an exit node is in use, and the local network stays reachable */
};
const struct agent_net_config *agent_net_config(const struct agent *a);

/* Documents of the LocalAPI; what they point to is in the arena or the agent's until its next call. -ENOMEM. */
MUST_USE int agent_status(const struct agent *a, bool peers, struct now now, struct arena *mem, struct ipn_status *ret);
MUST_USE int agent_health(const struct agent *a, struct now now, struct arena *mem, struct ipn_health *ret);
MUST_USE int agent_rejects(const struct agent *a, struct arena *mem, struct ipn_rejects *ret);
MUST_USE int agent_engine(const struct agent *a, struct now now, struct arena *mem, struct ipn_engine_status *ret);
MUST_USE int agent_netcheck_report(const struct agent *a, struct arena *mem, struct ipn_netcheck *ret);

/* The node that an address belongs to, the own one included; NULL: nobody's. */
const struct tc_node *agent_whois(const struct agent *a, struct ipaddr ip);

/* fn is called once, maybe from inside; the result is good during that call. */
typedef void (*agent_ping_fn)(void *ctx, const struct ipn_ping_result *r);
void agent_ping(struct agent *a, struct ipaddr ip, enum ipn_ping_type type, size_t size, agent_ping_fn fn, void *ctx,
	struct now now);
void agent_ping_cancel(struct agent *a, void *ctx); /* fn is not called for this ctx any more */
/* Closes the connections to relays, as if they had broken. */
void agent_break_relays(struct agent *a, struct now now);
/* A fresh round: AGENT_NETCHECK_DONE when it has ended. */
void agent_netcheck(struct agent *a, struct now now);

#endif
