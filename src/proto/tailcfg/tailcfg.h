/*
 * proto/tailcfg: the documents of the control protocol, as structs and their field tables (proto/json). Field names and
 * what is left out follow Tailscale's tailcfg package; docs/protocol/control.md has the meaning of those that are used. Texts and lists
 * live in the arena that they were decoded into.
 */
#ifndef WARREN_PROTO_TAILCFG_TAILCFG_H
#define WARREN_PROTO_TAILCFG_TAILCFG_H

#include "proto/json/json.h"

/* Bounds on what one document may hold: the largest known tailnets, with room. */
enum {
	TC_PEERS_MAX = 200000,
	TC_ENDPOINTS_MAX = 64,
	TC_TOLD_ENDPOINTS_MAX =
		4096, /* read of a device; those above TC_ENDPOINTS_MAX are left out */
	TC_ADDRESSES_MAX = 64,
	TC_ROUTES_MAX = 4096,
	TC_RULES_MAX = 100000,
	TC_REGIONS_MAX = 1024, /* of a DERP map */
	/* Far more than a hub takes of one device: a hub has to read them to say which of them it refuses. */
	TC_HOSTINFO_TEXT_MAX = 4096,
	TC_HOSTINFO_TAGS_MAX = 4096,
	TC_HOSTINFO_ROUTES_MAX = 16384,
};

/* What a device may ask of its hub. Command, daemon and hub have the same limits; see tc_check_tags and those after it. */
enum {
	TC_TAGS_MAX = 64,
	TC_TAG_LEN_MAX = 64, /* with "tag:" */
	TC_HOSTNAME_MAX = 255,
	TC_ADVERTISED_MAX = 1024, /* routes that one device offers */
};

struct tc_service {
	const char *proto, *description;
	int64_t port;
};

struct tc_netinfo {
	uint8_t mapping_varies, hairpin, working_ipv6, os_has_ipv6, working_udp, working_icmpv4,
		upnp, pmp, pcp;
	bool have_portmap;
	int64_t preferred_derp;
	const char *link_type, *firewall_mode;
	struct json_map derp_latency; /* "<region>-v4" -> double seconds */
};

struct tc_location {
	const char *country, *country_code, *city, *city_code;
	double latitude, longitude;
	int64_t priority;
};

struct tc_tpm {
	const char *manufacturer, *vendor, *family;
	int64_t model, spec_revision;
	uint64_t firmware_version;
};

struct tc_hostinfo {
	const char *ipn_version, *frontend_log_id, *backend_log_id, *os, *os_version, *env, *distro,
		*distro_version, *distro_codename, *app, *package, *device_model,
		*push_device_token, *hostname, *machine, *go_arch, *go_arch_var, *go_version,
		*cloud, *services_hash, *exit_node_id;
	uint8_t container, desktop, userspace, userspace_router, app_connector, state_encrypted;
	bool shields_up, sharee_node, no_logs, remote_config, wire_ingress, ingress_enabled,
		allows_update, peer_relay;
	struct json_list routable_ips;                          /* struct ipprefix */
	struct json_list request_tags, wol_macs, ssh_host_keys; /* const char * */
	struct json_list services;                              /* struct tc_service */
	struct tc_netinfo *netinfo;
	struct tc_location *location;
	struct tc_tpm *tpm;
};

/* User, Login and UserProfile differ in little: one struct, three tables. */
struct tc_user {
	int64_t id;
	const char *provider, *login_name, *display_name, *picture;
	unix_ms created; /* User only */
};

struct tc_auth {
	const char *auth_key;
};

struct tc_register_request {
	int64_t version;
	struct node_pub node_key, old_node_key;
	uint8_t nl_key[KEY_LEN];
	struct tc_auth *auth;
	unix_ms expiry;
	const char *followup, *tailnet;
	struct tc_hostinfo *hostinfo;
	bool ephemeral;
	struct view node_key_signature;
};

struct tc_register_response {
	struct tc_user user, login;
	bool node_key_expired, machine_authorized;
	const char *auth_url, *error;
	struct view node_key_signature;
};

struct tc_map_request {
	int64_t version;
	const char *compress, *tka_head;
	const char *connection_handle; /* of the process that asks; means nothing else */
	bool keep_alive, stream, omit_peers, read_only;
	struct node_pub node_key;
	struct disco_pub disco_key;
	struct tc_hostinfo *hostinfo;
	struct json_list endpoints;      /* struct ipport */
	struct json_list endpoint_types; /* int64_t */
	struct json_list debug_flags;
};

struct tc_node {
	int64_t id, user, sharer, home_derp, cap;
	const char *stable_id, *name, *derp;
	const char *computed_name,
		*computed_name_with_host; /* made by the node itself, for its readers */
	struct node_pub key;
	unix_ms key_expiry, created, last_seen;
	struct view key_signature;
	struct machine_pub machine;
	struct disco_pub disco_key;
	struct json_list addresses, allowed_ips, primary_routes; /* struct ipprefix */
	struct json_list endpoints;                              /* struct ipport */
	struct tc_hostinfo *hostinfo;
	struct json_list tags, capabilities;
	uint8_t online;
	bool machine_authorized, expired, unsigned_peerapi_only, wireguard_only, jailed;
	struct json_map cap_map; /* name -> list of raw */
	struct ipaddr masq4, masq6;
	struct json_list
		exit_node_dns; /* struct tc_resolver: of an exit node that is WireGuard only */
	const char *stable_tailnet_id; /* of the own node only */
	const char *
		fault; /* why it could not be read; NULL: it was. Else only what comes before the fault is there */
};

struct tc_peer_change {
	int64_t node_id, derp_region, cap;
	struct json_map *cap_map;
	struct json_list endpoints;
	struct node_pub *key;
	struct disco_pub *disco_key;
	uint8_t online;
	unix_ms last_seen;
	unix_ms *key_expiry; /* 0: the key does not expire any more */
	struct view key_signature;
	const char *fault; /* as in tc_node */
};

struct tc_derp_node {
	const char *name, *hostname, *cert_name, *ipv4, *ipv6, *stun_test_ip;
	int64_t region_id, stun_port, derp_port;
	bool stun_only, insecure_for_tests, can_port80;
};

struct tc_derp_region {
	int64_t id;
	const char *code, *name;
	bool avoid, no_measure_no_home;
	struct json_list nodes; /* struct tc_derp_node */
};

struct tc_derp_home_params {
	struct json_map
		region_score; /* id as text -> double: what its latency is multiplied with */
};

struct tc_derp_map {
	struct tc_derp_home_params *home_params;
	struct json_map regions; /* id as text -> struct tc_derp_region */
	bool omit_default_regions;
};

struct tc_resolver {
	const char *addr;
	struct json_list bootstrap; /* struct ipaddr */
	bool use_with_exit_node;
};

struct tc_dns_record {
	const char *name, *type, *value;
};

struct tc_dns_config {
	struct json_list resolvers, fallback_resolvers; /* struct tc_resolver */
	struct json_map routes;                         /* suffix -> list of resolvers */
	struct json_list domains, cert_domains, exit_node_filtered; /* const char * */
	struct json_list extra_records;                             /* struct tc_dns_record */
	bool proxied;
};

struct tc_port_range {
	int64_t first, last;
};

struct tc_net_port_range {
	const char *ip;
	struct view bits; /* as src_bits */
	struct tc_port_range ports;
};

struct tc_cap_grant {
	struct json_list dsts; /* struct ipprefix */
	struct json_list caps; /* const char * */
	struct json_map cap_map;
};

struct tc_filter_rule {
	struct json_list src_ips; /* const char * */
	struct view src_bits;     /* of an old form; its presence makes the whole filter invalid */
	struct json_list dst_ports; /* struct tc_net_port_range */
	struct json_list ip_proto;  /* int64_t */
	struct json_list cap_grant; /* struct tc_cap_grant */
};

struct tc_debug {
	double sleep_seconds;
	bool disable_log_tail;
};

struct tc_display_action {
	const char *url, *label;
};

/* What the hub wants a person to know. */
struct tc_display_message {
	const char *title, *text, *severity; /* high, medium, low */
	bool impacts_connectivity;
	struct tc_display_action *primary_action;
};

struct tc_map_response {
	bool keep_alive;
	struct tc_node *node;
	struct tc_derp_map *derp_map;
	struct json_list peers, peers_changed;           /* struct tc_node */
	struct json_list peers_removed;                  /* int64_t */
	struct json_list peers_changed_patch;            /* struct tc_peer_change */
	struct json_map peer_seen_change, online_change; /* id -> bool */
	struct tc_dns_config *dns_config;
	const char *domain;
	uint8_t collect_services;
	struct json_list packet_filter; /* struct tc_filter_rule */
	struct json_map packet_filters; /* name -> list of rules; absent list: delete */
	struct json_list user_profiles; /* struct tc_user */
	struct json_list health;
	unix_ms control_time;
	struct tc_debug *debug;
	struct view ping_request, ssh_policy, tka_info, client_version, dial_plan;
	struct json_map
		display_messages; /* name -> struct tc_display_message *; NULL: take it away */
	const char *pop_browser_url;
};

/* A question of the hub in a map response, and the answer that is posted to its URL. */
struct tc_ping_request {
	const char *url, *types; /* types: "", "c2n", or a list of kinds of pings */
	bool url_is_noise, log;
	struct ipaddr ip;
	struct view payload; /* c2n: an HTTP request */
};

struct tc_ping_response {
	const char *type, *ip, *node_ip, *node_name, *err;
	double latency_seconds;
	const char *endpoint;
	int64_t derp_region_id;
	const char *derp_region_code;
	int64_t peerapi_port;
	bool is_local_ip;
};

struct tc_server_keys {
	struct machine_pub legacy_public_key, public_key;
};

/* How a hub begins to tell a device, in its health, that one of its settings is not taken. */
#define TC_REFUSED_SETTING "The hub refused a setting of this device: "

/*
 * Is this setting one that a hub takes? -ERR_BAD_VALUE, -ERR_TOO_BIG, -ERR_TOO_MANY; at->text says what is wrong in words
 * for the person who set it, those of Tailscale's command where it has some.
 */
MUST_USE int tc_check_tag(const char *tag, struct err_at *at); /* the words are to follow the tag */
MUST_USE int tc_check_tags(const struct json_list *tags, struct err_at *at); /* const char * */
MUST_USE int tc_check_hostname(const char *name, struct err_at *at);         /* NULL and "": none */
MUST_USE int tc_check_routes(
	const struct json_list *routes, struct err_at *at); /* struct ipprefix */

extern const struct json_type tc_service_type, tc_netinfo_type, tc_location_ptr_type,
	tc_hostinfo_type, tc_user_type, tc_login_type, tc_user_profile_type,
	tc_register_request_type, tc_register_response_type, tc_map_request_type, tc_node_type,
	tc_peer_change_type, tc_derp_node_type, tc_derp_region_type, tc_derp_map_type,
	tc_resolver_type, tc_dns_record_type, tc_dns_config_type, tc_filter_rule_type,
	tc_map_response_type, tc_display_map_type, tc_ping_request_type, tc_ping_response_type,
	tc_server_keys_type;

#endif
