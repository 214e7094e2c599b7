/*
 * proto/ipn: the documents of the local API, as structs and their field tables (proto/json):
 * status, preferences, what the bus tells, profiles, the results of ping, whois and netcheck. Field
 * names, their order and what is left out follow Tailscale's packages ipn, ipnstate, apitype and
 * netcheck, as recorded in tests/fixtures/localapi. Texts and lists live in the arena that a
 * document was decoded into or built in.
 */
#ifndef WARREN_PROTO_IPN_IPN_H
#define WARREN_PROTO_IPN_IPN_H

#include "proto/tailcfg/tailcfg.h"

enum {
	IPN_CAPABILITY = 145,       /* of the local API, as the header Tailscale-Cap tells it */
	IPN_PING_SIZE_MAX = 65475,  /* 65535 less the headers of IP, UDP and WireGuard */
	IPN_URL_MAX = 255,          /* of a hub */
	IPN_PREF_TEXT_MAX = 255,    /* of other preferences: names, IDs */
	IPN_PREF_ITEMS_MAX = 256,   /* of lists: services, shares, endpoints */
	IPN_SHARES_LEN_MAX = 65536, /* bytes of all shares */
};

enum ipn_state {
	IPN_NO_STATE,
	IPN_IN_USE_OTHER_USER, /* Windows only; keeps the numbers right */
	IPN_NEEDS_LOGIN,
	IPN_NEEDS_MACHINE_AUTH,
	IPN_STOPPED,
	IPN_STARTING,
	IPN_RUNNING,
};

const char *ipn_state_name(enum ipn_state s);
/* -ERR_BAD_VALUE. */
MUST_USE int ipn_state_parse(const char *name, enum ipn_state *ret);

/* ---- Preferences ---- */

struct ipn_auto_update {
	bool check;
	uint8_t apply; /* JSON_ABSENT: not decided */
};

struct ipn_app_connector {
	bool advertise;
};

/*
 * The preferences of a profile, once: X(ID, member, C type, name, JSON type, flags). AutoUpdate and
 * Config stand between and behind, as their masks differ.
 */
#define IPN_PREFS_HEAD(X) \
	X(CONTROL_URL, control_url, const char *, "ControlURL", json_str, 0) \
	X(ROUTE_ALL, route_all, bool, "RouteAll", json_bool, 0) \
	X(EXIT_NODE_ID, exit_node_id, const char *, "ExitNodeID", json_str, 0) \
	X(EXIT_NODE_IP, exit_node_ip, struct ipaddr, "ExitNodeIP", json_ip, 0) \
	X(AUTO_EXIT_NODE, auto_exit_node, const char *, "AutoExitNode", json_str, JSON_OMIT) \
	X(EXIT_NODE_PRIOR, exit_node_prior, const char *, "InternalExitNodePrior", json_str, 0) \
	X(EXIT_NODE_LAN, exit_node_lan, bool, "ExitNodeAllowLANAccess", json_bool, 0) \
	X(CORP_DNS, corp_dns, bool, "CorpDNS", json_bool, 0) \
	X(RUN_SSH, run_ssh, bool, "RunSSH", json_bool, 0) \
	X(RUN_WEB, run_web, bool, "RunWebClient", json_bool, 0) \
	X(WANT_RUNNING, want_running, bool, "WantRunning", json_bool, 0) \
	X(LOGGED_OUT, logged_out, bool, "LoggedOut", json_bool, 0) \
	X(SHIELDS_UP, shields_up, bool, "ShieldsUp", json_bool, 0) \
	X(ADVERTISE_TAGS, advertise_tags, struct json_list, "AdvertiseTags", json_str_list, 0) \
	X(HOSTNAME, hostname, const char *, "Hostname", json_str, 0) \
	X(NOTEPAD_URLS, notepad_urls, bool, "NotepadURLs", json_bool, 0) \
	X(FORCE_DAEMON, force_daemon, bool, "ForceDaemon", json_bool, JSON_OMIT) \
	X(EGG, egg, bool, "Egg", json_bool, JSON_OMIT) \
	X(ADVERTISE_ROUTES, advertise_routes, struct json_list, "AdvertiseRoutes", \
		json_prefix_list, 0) \
	X(ADVERTISE_SERVICES, advertise_services, struct json_list, "AdvertiseServices", \
		json_str_list, 0) \
	X(SYNC, sync, uint8_t, "Sync", json_opt_bool, 0) \
	X(NO_SNAT, no_snat, bool, "NoSNAT", json_bool, 0) \
	X(NO_STATEFUL, no_stateful, uint8_t, "NoStatefulFiltering", json_opt_bool, JSON_OMIT) \
	X(NETFILTER_MODE, netfilter_mode, int64_t, "NetfilterMode", json_int, 0) \
	X(OPERATOR_USER, operator_user, const char *, "OperatorUser", json_str, JSON_OMIT) \
	X(PROFILE_NAME, profile_name, const char *, "ProfileName", json_str, JSON_OMIT)

#define IPN_PREFS_TAIL(X) \
	X(APP_CONNECTOR, app_connector, struct ipn_app_connector, "AppConnector", \
		ipn_app_connector_type, 0) \
	X(POSTURE_CHECKING, posture_checking, bool, "PostureChecking", json_bool, 0) \
	X(NETFILTER_KIND, netfilter_kind, const char *, "NetfilterKind", json_str, 0) \
	X(REMOTE_CONFIG, remote_config, bool, "RemoteConfig", json_bool, 0) \
	X(DRIVE_SHARES, drive_shares, struct json_list, "DriveShares", json_raw_list, 0) \
	X(RELAY_PORT, relay_port, int64_t *, "RelayServerPort", ipn_int_ptr, JSON_OMIT) \
	X(RELAY_ENDPOINTS, relay_endpoints, struct json_list, "RelayServerStaticEndpoints", \
		json_ipport_list, JSON_OMIT) \
	/* Ours alone: routes of the tailnet win over networks that this machine is on. */ \
	X(ROUTES_OVER_LAN, routes_over_lan, bool, "RoutesOverLAN", json_bool, JSON_OMIT) \
	/* Ours alone: nothing leaves but through the exit node. */ \
	X(EXIT_NODE_REQUIRED, exit_node_required, bool, "ExitNodeRequired", json_bool, JSON_OMIT) \
	/* Ours alone: of the subnet routes these only, see ipn_accepts; none: all. */ \
	X(ACCEPTED_ROUTES, accepted_routes, struct json_list, "AcceptedRoutes", json_str_list, \
		JSON_OMIT)

enum ipn_pref {
#define X(id, member, c_type, name, type, flags) IPN_PREF_##id,
	IPN_PREFS_HEAD(X) IPN_PREFS_TAIL(X)
#undef X
		IPN_PREF_AUTO_UPDATE_CHECK,
	IPN_PREF_AUTO_UPDATE_APPLY,
	IPN_PREF_COUNT,
};

enum { IPN_NETFILTER_OFF, IPN_NETFILTER_NODIVERT, IPN_NETFILTER_ON };

/* What belongs to a login rather than to a wish. The secrets are written to the state file and
 * nowhere else. */
struct ipn_persist {
	struct secret_node node_key, old_node_key;
	struct tc_user user;
	uint8_t nl_key[KEY_NL_PRIVATE_LEN];
	const char *node_id;
};

struct ipn_prefs {
#define X(id, member, c_type, name, type, flags) c_type member;
	IPN_PREFS_HEAD(X)
	struct ipn_auto_update auto_update;
	IPN_PREFS_TAIL(X)
#undef X
	struct ipn_persist *persist; /* "Config"; ignored on input of the local API */
};

/* An edit: only what set[] names is meant. */
struct ipn_masked_prefs {
	struct ipn_prefs p;
	bool set[IPN_PREF_COUNT];
};

enum { IPN_ACCEPTED_MAX = 64 };
/*
 * Is a subnet route taken, by a list of networks ("192.168.1.0/24": it and what lies inside), routers ("nas:*", the first part of a name) or both
 * ("nas:192.168.1.0/24")? An empty list takes all. router: full name; NULL: none.
 */
bool ipn_accepts(const struct json_list *accepted, const char *router, struct ipprefix route);
/* -ERR_BAD_VALUE, -ERR_TOO_MANY. */
MUST_USE int ipn_check_accepted(const struct json_list *accepted, struct err_at *at);

/* Those of a profile that nobody has logged in to yet. */
void ipn_prefs_init(struct ipn_prefs *p);
/* A shallow merge: texts and lists stay the edit's. */
void ipn_prefs_merge(struct ipn_prefs *to, const struct ipn_masked_prefs *edit);
/* The same but for the login? */
bool ipn_prefs_same(const struct ipn_prefs *a, const struct ipn_prefs *b);
/*
 * Can they be had? What a hub would refuse, or what would not come back from the state file, is refused here, before anything
 * is sent or kept: -ERR_BAD_VALUE, -ERR_TOO_BIG, -ERR_TOO_MANY, with at->text for a person. now: what there is already, which
 * is not what somebody asks for; or NULL.
 */
MUST_USE int ipn_prefs_check(
	const struct ipn_prefs *p, const struct ipn_prefs *now, struct err_at *at);
/* Is it the URL of a hub? "" is: the default. As above. */
MUST_USE int ipn_check_control_url(const char *url, struct err_at *at);
bool ipn_masked_is_empty(const struct ipn_masked_prefs *m);

struct ipn_options { /* of "start" */
	const char *frontend_log_id, *auth_key;
	struct ipn_prefs *update_prefs; /* NULL: keep */
};

/* ---- Status ---- */

enum ipn_taildrop {
	IPN_TAILDROP_UNKNOWN,
	IPN_TAILDROP_AVAILABLE,
	IPN_TAILDROP_NO_NETMAP,
	IPN_TAILDROP_NOT_RUNNING,
	IPN_TAILDROP_MISSING_CAP,
	IPN_TAILDROP_OFFLINE,
	IPN_TAILDROP_NO_PEER_INFO,
	IPN_TAILDROP_UNSUPPORTED_OS,
	IPN_TAILDROP_NO_PEERAPI,
	IPN_TAILDROP_OTHER_USER,
};

struct ipn_peer_status {
	const char *id, *host_name, *dns_name, *os;
	int64_t node_id;
	struct node_pub public_key;
	int64_t user_id, alt_sharer_user_id;
	struct json_list tailscale_ips;               /* struct ipaddr */
	struct json_list allowed_ips, primary_routes; /* struct ipprefix */
	struct json_list tags, addrs;                 /* const char * */
	const char *cur_addr, *relay, *peer_relay;
	int64_t rx_bytes, tx_bytes;
	unix_ms created, last_write, last_seen, last_handshake;
	bool online, exit_node, exit_node_option, active;
	struct json_list peerapi_url; /* const char * */
	int64_t taildrop_target;      /* enum ipn_taildrop */
	const char *no_file_sharing_reason;
	struct json_list capabilities; /* const char * */
	struct json_map cap_map;       /* name -> list of raw, as in tc_node */
	struct json_list ssh_host_keys;
	bool sharee_node, in_network_map, in_magicsock, in_engine, expired;
	unix_ms key_expiry; /* 0: never; told to the second */
	struct tc_location *location;
};

struct ipn_exit_node_status {
	const char *id;
	bool online;
	struct json_list tailscale_ips; /* struct ipprefix */
};

struct ipn_tailnet_status {
	const char *name, *magic_dns_suffix;
	bool magic_dns_enabled;
	const char *stable_id; /* empty: the hub tells none */
};

struct ipn_status {
	const char *version;
	bool tun;
	const char *backend_state;
	bool have_node_key;
	const char *auth_url;
	struct json_list tailscale_ips; /* struct ipaddr */
	struct ipn_peer_status *self;   /* never NULL in an answer */
	struct ipn_exit_node_status *exit_node_status;
	struct json_list health; /* const char *; present */
	const char *magic_dns_suffix;
	struct ipn_tailnet_status *current_tailnet; /* NULL without a network map */
	struct json_list cert_domains;              /* const char * */
	struct json_list extra_records;             /* struct tc_dns_record */
	struct json_map peer;                       /* node key as text -> struct ipn_peer_status */
	struct json_map user;                       /* user id as text -> struct tc_user */
	struct view client_version;
};

/* The first entry of the own node's Capabilities: a note to old readers. */
extern const char ipn_deprecated_caps[];

/* ---- Ping, whois, profiles ---- */

enum ipn_ping_type { IPN_PING_DISCO, IPN_PING_TSMP, IPN_PING_ICMP, IPN_PING_PEERAPI };
const char *ipn_ping_type_name(enum ipn_ping_type t);
MUST_USE int ipn_ping_type_parse(const char *name, enum ipn_ping_type *ret); /* -ERR_BAD_VALUE */

struct ipn_ping_result {
	const char *ip, *node_ip, *node_name, *err;
	double latency_seconds;
	const char *endpoint, *peer_relay;
	int64_t derp_region_id;
	const char *derp_region_code;
	int64_t peerapi_port;
	const char *peerapi_url;
	bool is_local_ip;
};

struct ipn_whois {
	const struct tc_node *node;
	const struct tc_user *user; /* written as a UserProfile */
	struct json_map cap_map;    /* name -> list of raw; absent: null */
};

/* dns-query */
struct ipn_dns_answer {
	struct view bytes; /* a DNS message */
	struct json_list
		resolvers; /* struct tc_resolver: who would be asked; none: answered on the device */
};

struct ipn_network_profile {
	const char *magic_dns_name, *domain_name, *display_name;
};

struct ipn_login_profile {
	const char *id, *name, *key;
	struct ipn_network_profile network;
	struct tc_user user;
	const char *node_id, *local_user_id, *control_url;
	unix_ms created;
};

/* ---- The bus ---- */

enum {
	IPN_WATCH_ENGINE = 1 << 0,
	IPN_WATCH_INITIAL_STATE = 1 << 1,
	IPN_WATCH_INITIAL_PREFS = 1 << 2,
	IPN_WATCH_INITIAL_NETMAP = 1 << 3,
	IPN_WATCH_NO_PRIVATE_KEYS = 1 << 4,
	IPN_WATCH_INITIAL_DRIVE_SHARES = 1 << 5,
	IPN_WATCH_INITIAL_OUTGOING_FILES = 1 << 6,
	IPN_WATCH_INITIAL_HEALTH = 1 << 7,
	IPN_WATCH_RATE_LIMIT = 1 << 8,
	IPN_WATCH_HEALTH_ACTIONS = 1 << 9,
	IPN_WATCH_INITIAL_SUGGESTED_EXIT_NODE = 1 << 10,
	IPN_WATCH_INITIAL_CLIENT_VERSION = 1 << 11,
	IPN_WATCH_PEER_CHANGES = 1 << 12,
	IPN_WATCH_NO_NETMAP = 1 << 13,
	IPN_WATCH_INITIAL_STATUS = 1 << 14,
	IPN_WATCH_PEER_PATCHES = 1 << 15,
	IPN_WATCH_IN_PROCESS = 1 << 16,
	IPN_WATCH_POLICY = 1 << 17,
	IPN_WATCH_WG_STATE = 1 << 18,
};

struct ipn_health_action {
	const char *url, *label;
};

struct ipn_health_warning {
	const char *code, *severity, *title, *text; /* severity: high, medium, low */
	unix_ms broken_since;
	struct json_map args;        /* text -> text */
	struct json_list depends_on; /* const char * */
	bool impacts_connectivity;
	struct ipn_health_action *primary_action;
	const char *etag; /* filled in by the server */
};

struct ipn_health {
	struct json_map warnings; /* code -> struct ipn_health_warning */
};

/* A connection that was turned down, and how often. Source and destination are the flow's, whoever refused it. */
struct ipn_reject {
	unix_ms first, last;
	int64_t count, proto;
	const char *direction, *reason, *source;
	struct ipport src, dst;
	bool maybe_broken;
};

struct ipn_rejects {
	bool enabled;
	struct json_list outgoing, incoming; /* struct ipn_reject, the oldest first */
};
extern const struct json_type ipn_rejects_type;

struct ipn_live_peer {
	struct node_pub node_key;
	int64_t tx_bytes, rx_bytes;
	unix_ms last_handshake;
};

struct ipn_engine_status {
	int64_t rx_bytes, tx_bytes, num_live, live_derps;
	struct json_map live_peers; /* node key as text -> struct ipn_live_peer */
};

struct ipn_empty {
	char unused;
};

struct ipn_netmap {
	bool cached;
	const struct tc_node *self_node;
	struct json_list all_caps;
	struct node_pub node_key;
	struct machine_pub machine_key;
	struct json_list peers; /* struct tc_node */
	struct tc_dns_config dns;
	struct view packet_filter;            /* compiled matches */
	struct json_list packet_filter_rules; /* struct tc_filter_rule */
	struct view ssh_policy;
	bool collect_services;
	const struct tc_derp_map *derp_map;
	struct view display_messages;
	bool tka_enabled;
	const char *tka_head;
	const char *domain, *domain_audit_log_id;
	struct json_map user_profiles; /* id as text -> struct tc_user */
};

struct ipn_peer_wg_state {
	const char *state; /* none, handshake, established, expired */
	unix_ms at;
};

struct ipn_notify {
	const char *version, *session_id;
	const char *err_message; /* NULL: no error; likewise below */
	struct ipn_empty *login_finished;
	int64_t *state; /* enum ipn_state */
	const struct ipn_prefs *prefs;
	const struct tc_node *self_change;
	const struct ipn_status *initial_status;
	const struct ipn_netmap *netmap;
	struct json_list peer_changed_patch; /* struct tc_peer_change */
	struct json_list peers_changed;      /* struct tc_node */
	struct json_list peers_removed;      /* int64_t */
	struct json_map user_profiles;       /* id as text -> struct tc_user */
	struct json_map peer_state;          /* stable id -> struct ipn_peer_wg_state */
	const struct ipn_engine_status *engine;
	const char *browse_to_url;
	struct ipn_empty *files_waiting;
	struct view client_version;
	struct json_list drive_shares; /* always null here */
	const struct ipn_health *health;
	const char *suggested_exit_node;
};

/* ---- Ours: flags whose settings have no effect in the daemon that is asked (warren/unbuilt) ---- */

struct ipn_unbuilt {
	const char *flag, *why;
	const char *
		only; /* the one value that is true; "auto:" of an exit node: what the value must not begin with */
};

/* ---- Ours: routes that this device offers and those that others offer it (warren/routes) ---- */

#define IPN_ROUTE_ACTIVE "active"   /* used; offered: approved, and this device is the router */
#define IPN_ROUTE_STANDBY "standby" /* offered and approved: another router is before us */
#define IPN_ROUTE_WAITS "waits"     /* offered: nobody has approved it */
#define IPN_ROUTE_NOT_ACCEPTED \
	"not accepted" /* this device takes no subnet routes; no exit node is chosen, or another */
#define IPN_ROUTE_NOT_CHOSEN "not chosen" /* subnets are, but this one is not named */
#define IPN_ROUTE_LAN \
	"local network" /* this machine is on that network, or on one inside it, which stays as it is */
#define IPN_ROUTE_OFFLINE "router offline"

enum { IPN_OVERLAPS_MAX = 8 };

struct ipn_route {
	struct ipprefix prefix;
	bool own;           /* offered by this device */
	const char *router; /* its name */
	struct ipaddr ip;   /* its address */
	const char *state;
	struct json_list
		overlaps; /* struct ipprefix: other routes of the list with addresses of this one */
};

/* ---- The exit node that would do best (suggest-exit-node) ---- */

struct ipn_suggestion {
	const char *id, *name; /* stable ID and full name; "": there is none */
	struct tc_location *location;
};

/* ---- Ours: who manages the system's resolver, and what became of what he was told (warren/dns-manager) ---- */

struct ipn_dns_manager {
	const char *manager,
		*state; /* of os/resolver: "file", ...; "idle", "working", "set", "yielded", "failed" */
	const char *why, *error; /* this manager; "": nothing failed */
	unix_ms since;           /* of the state; 0: from the start */
	int64_t overwritten;     /* by others */
	bool split;              /* only some domains come to us */
};

/* ---- Netcheck ---- */

struct ipn_netcheck {
	unix_ms now;
	bool udp, ipv6, ipv4, ipv6_can_send, ipv4_can_send, os_has_ipv6, icmpv4;
	uint8_t mapping_varies, upnp, pmp, pcp; /* JSON_ABSENT: not known */
	int64_t preferred_derp;
	struct json_map region_latency, region_v4_latency,
		region_v6_latency;     /* region id as text -> int64_t ns */
	struct json_map region_errors; /* ours: region id as text -> why its relay is not reached */
	struct json_map global_v4_counters, global_v6_counters; /* ip:port -> int64_t */
	struct ipport global_v4, global_v6;
	uint8_t captive_portal;
};

extern const struct json_type ipn_int_ptr, ipn_app_connector_type, ipn_prefs_type,
	ipn_masked_prefs_type, ipn_options_type, ipn_peer_status_type, ipn_status_type,
	ipn_ping_result_type, ipn_dns_answer_type, ipn_whois_type, ipn_login_profile_type,
	ipn_login_profile_list, ipn_login_profile_map, ipn_health_type, ipn_engine_status_type,
	ipn_netmap_type, ipn_notify_type, ipn_netcheck_type, ipn_persist_type, ipn_unbuilt_list,
	ipn_route_list, ipn_dns_manager_type, ipn_suggestion_type;

#endif
