/* Status, ping, whois, profiles, netcheck. */
#include "proto/ipn/ipn.h"

#include <string.h>

const char ipn_deprecated_caps[] =
	"HTTPS://TAILSCALE.COM/s/DEPRECATED-NODE-CAPS#see-https://github.com/tailscale/tailscale/issues/11508";

static const char *const state_names[] = { "NoState", "InUseOtherUser", "NeedsLogin",
	"NeedsMachineAuth", "Stopped", "Starting", "Running" };
static const char *const ping_names[] = { "disco", "TSMP", "ICMP", "peerapi" };

const char *ipn_state_name(enum ipn_state s)
{
	CHECK((unsigned)s < ARRAY_LEN(state_names));
	return state_names[s];
}

int ipn_state_parse(const char *name, enum ipn_state *ret)
{
	for (unsigned i = 0; i < ARRAY_LEN(state_names); i++) {
		if (strcmp(state_names[i], name) != 0)
			continue;
		*ret = (enum ipn_state)i;
		return 0;
	}
	return -ERR_BAD_VALUE;
}

const char *ipn_ping_type_name(enum ipn_ping_type t)
{
	CHECK((unsigned)t < ARRAY_LEN(ping_names));
	return ping_names[t];
}

int ipn_ping_type_parse(const char *name, enum ipn_ping_type *ret)
{
	for (unsigned i = 0; i < ARRAY_LEN(ping_names); i++) {
		if (strcmp(ping_names[i], name) != 0)
			continue;
		*ret = (enum ipn_ping_type)i;
		return 0;
	}
	return -ERR_BAD_VALUE;
}

#define F(member, key, type) JSON_F(struct ipn_peer_status, member, key, type, 0)
#define O(member, key, type) JSON_F(struct ipn_peer_status, member, key, type, JSON_OMIT)
static const struct json_field peer_status_fields[] = {
	F(id, "ID", json_str),
	F(node_id, "NodeID", json_int),
	F(public_key, "PublicKey", json_key_node),
	F(host_name, "HostName", json_str),
	F(dns_name, "DNSName", json_str),
	F(os, "OS", json_str),
	F(user_id, "UserID", json_int),
	O(alt_sharer_user_id, "AltSharerUserID", json_int),
	F(tailscale_ips, "TailscaleIPs", json_ip_list),
	O(allowed_ips, "AllowedIPs", json_prefix_list),
	O(tags, "Tags", json_str_list),
	O(primary_routes, "PrimaryRoutes", json_prefix_list),
	F(addrs, "Addrs", json_str_list),
	F(cur_addr, "CurAddr", json_str),
	F(relay, "Relay", json_str),
	F(peer_relay, "PeerRelay", json_str),
	F(rx_bytes, "RxBytes", json_int),
	F(tx_bytes, "TxBytes", json_int),
	F(created, "Created", json_time),
	F(last_write, "LastWrite", json_time),
	F(last_seen, "LastSeen", json_time),
	F(last_handshake, "LastHandshake", json_time),
	F(online, "Online", json_bool),
	F(exit_node, "ExitNode", json_bool),
	F(exit_node_option, "ExitNodeOption", json_bool),
	F(active, "Active", json_bool),
	F(peerapi_url, "PeerAPIURL", json_str_list),
	F(taildrop_target, "TaildropTarget", json_int),
	F(no_file_sharing_reason, "NoFileSharingReason", json_str),
	O(capabilities, "Capabilities", json_str_list),
	O(cap_map, "CapMap", json_raw_list_map),
	O(ssh_host_keys, "sshHostKeys", json_str_list),
	O(sharee_node, "ShareeNode", json_bool),
	F(in_network_map, "InNetworkMap", json_bool),
	F(in_magicsock, "InMagicSock", json_bool),
	F(in_engine, "InEngine", json_bool),
	O(expired, "Expired", json_bool),
	O(key_expiry, "KeyExpiry", json_time),
	O(location, "Location", tc_location_ptr_type),
	JSON_END,
};
#undef F
#undef O
JSON_OBJECT_TYPE(ipn_peer_status_type, struct ipn_peer_status, peer_status_fields);
static JSON_POINTER_TYPE(peer_status_ptr, ipn_peer_status_type);
static JSON_MAP_TYPE(peer_status_map, ipn_peer_status_type);

static const struct json_field exit_node_fields[] = {
	JSON_F(struct ipn_exit_node_status, id, "ID", json_str, 0),
	JSON_F(struct ipn_exit_node_status, online, "Online", json_bool, 0),
	JSON_F(struct ipn_exit_node_status, tailscale_ips, "TailscaleIPs", json_prefix_list, 0),
	JSON_END,
};
static JSON_OBJECT_TYPE(exit_node_type, struct ipn_exit_node_status, exit_node_fields);
static JSON_POINTER_TYPE(exit_node_ptr, exit_node_type);

static const struct json_field tailnet_fields[] = {
	JSON_F(struct ipn_tailnet_status, name, "Name", json_str, 0),
	JSON_F(struct ipn_tailnet_status, magic_dns_suffix, "MagicDNSSuffix", json_str, 0),
	JSON_F(struct ipn_tailnet_status, magic_dns_enabled, "MagicDNSEnabled", json_bool, 0),
	JSON_F(struct ipn_tailnet_status, stable_id, "StableID", json_str, JSON_OMIT),
	JSON_END,
};
static JSON_OBJECT_TYPE(tailnet_type, struct ipn_tailnet_status, tailnet_fields);
static JSON_POINTER_TYPE(tailnet_ptr, tailnet_type);
static JSON_LIST_TYPE(dns_record_list, tc_dns_record_type);
static JSON_MAP_TYPE(user_map, tc_user_profile_type);

#define F(member, key, type) JSON_F(struct ipn_status, member, key, type, 0)
#define L(member, key, type, flags) \
	JSON_F_MAX(struct ipn_status, member, key, type, flags, TC_PEERS_MAX)
static const struct json_field status_fields[] = {
	F(version, "Version", json_str),
	F(tun, "TUN", json_bool),
	F(backend_state, "BackendState", json_str),
	JSON_F(struct ipn_status, have_node_key, "HaveNodeKey", json_bool, JSON_OMIT),
	F(auth_url, "AuthURL", json_str),
	F(tailscale_ips, "TailscaleIPs", json_ip_list),
	F(self, "Self", peer_status_ptr),
	JSON_F(struct ipn_status, exit_node_status, "ExitNodeStatus", exit_node_ptr, JSON_OMIT),
	F(health, "Health", json_str_list),
	F(magic_dns_suffix, "MagicDNSSuffix", json_str),
	F(current_tailnet, "CurrentTailnet", tailnet_ptr),
	F(cert_domains, "CertDomains", json_str_list),
	F(extra_records, "ExtraRecords", dns_record_list),
	L(peer, "Peer", peer_status_map, 0),
	L(user, "User", user_map, 0),
	F(client_version, "ClientVersion", json_raw),
	JSON_END,
};
#undef F
#undef L
JSON_OBJECT_TYPE(ipn_status_type, struct ipn_status, status_fields);

#define F(member, key, type, flags) JSON_F(struct ipn_ping_result, member, key, type, flags)
static const struct json_field ping_result_fields[] = {
	F(ip, "IP", json_str, 0),
	F(node_ip, "NodeIP", json_str, 0),
	F(node_name, "NodeName", json_str, 0),
	F(err, "Err", json_str, 0),
	F(latency_seconds, "LatencySeconds", json_f64, 0),
	F(endpoint, "Endpoint", json_str, 0),
	F(peer_relay, "PeerRelay", json_str, 0),
	F(derp_region_id, "DERPRegionID", json_int, 0),
	F(derp_region_code, "DERPRegionCode", json_str, 0),
	F(peerapi_port, "PeerAPIPort", json_int, JSON_OMIT),
	F(peerapi_url, "PeerAPIURL", json_str, JSON_OMIT),
	F(is_local_ip, "IsLocalIP", json_bool, JSON_OMIT),
	JSON_END,
};
#undef F
JSON_OBJECT_TYPE(ipn_ping_result_type, struct ipn_ping_result, ping_result_fields);

static JSON_LIST_TYPE(resolver_list, tc_resolver_type);
static const struct json_field dns_answer_fields[] = {
	JSON_F(struct ipn_dns_answer, bytes, "Bytes", json_bytes, 0),
	JSON_F(struct ipn_dns_answer, resolvers, "Resolvers", resolver_list, 0),
	JSON_END,
};
JSON_OBJECT_TYPE(ipn_dns_answer_type, struct ipn_dns_answer, dns_answer_fields);

static JSON_POINTER_TYPE(node_ptr, tc_node_type);
static JSON_POINTER_TYPE(user_ptr, tc_user_profile_type);

static const struct json_field whois_fields[] = {
	JSON_F(struct ipn_whois, node, "Node", node_ptr, 0),
	JSON_F(struct ipn_whois, user, "UserProfile", user_ptr, 0),
	JSON_F(struct ipn_whois, cap_map, "CapMap", json_raw_list_map, 0),
	JSON_END,
};
JSON_OBJECT_TYPE(ipn_whois_type, struct ipn_whois, whois_fields);

static const struct json_field network_profile_fields[] = {
	JSON_F(struct ipn_network_profile, magic_dns_name, "MagicDNSName", json_str, 0),
	JSON_F(struct ipn_network_profile, domain_name, "DomainName", json_str, 0),
	JSON_F(struct ipn_network_profile, display_name, "DisplayName", json_str, 0),
	JSON_END,
};
static JSON_OBJECT_TYPE(network_profile_type, struct ipn_network_profile, network_profile_fields);

#define F(member, key, type) JSON_F(struct ipn_login_profile, member, key, type, 0)
static const struct json_field login_profile_fields[] = {
	F(id, "ID", json_str),
	F(name, "Name", json_str),
	F(network, "NetworkProfile", network_profile_type),
	F(key, "Key", json_str),
	F(user, "UserProfile", tc_user_profile_type),
	F(node_id, "NodeID", json_str),
	F(local_user_id, "LocalUserID", json_str),
	F(control_url, "ControlURL", json_str),
	JSON_F(struct ipn_login_profile, created, "Created", json_time, JSON_OMIT),
	JSON_END,
};
#undef F
JSON_OBJECT_TYPE(ipn_login_profile_type, struct ipn_login_profile, login_profile_fields);
JSON_LIST_TYPE(ipn_login_profile_list, ipn_login_profile_type);
JSON_MAP_TYPE(ipn_login_profile_map, ipn_login_profile_type);

static JSON_MAP_TYPE(int_map, json_int);

#define F(member, key, type) JSON_F(struct ipn_netcheck, member, key, type, 0)
static const struct json_field netcheck_fields[] = {
	F(now, "Now", json_time),
	F(udp, "UDP", json_bool),
	F(ipv6, "IPv6", json_bool),
	F(ipv4, "IPv4", json_bool),
	F(ipv6_can_send, "IPv6CanSend", json_bool),
	F(ipv4_can_send, "IPv4CanSend", json_bool),
	F(os_has_ipv6, "OSHasIPv6", json_bool),
	F(icmpv4, "ICMPv4", json_bool),
	F(mapping_varies, "MappingVariesByDestIP", json_opt_bool),
	F(upnp, "UPnP", json_opt_bool),
	F(pmp, "PMP", json_opt_bool),
	F(pcp, "PCP", json_opt_bool),
	F(preferred_derp, "PreferredDERP", json_int),
	F(region_latency, "RegionLatency", int_map),
	F(region_v4_latency, "RegionV4Latency", int_map),
	F(region_v6_latency, "RegionV6Latency", int_map),
	JSON_F(struct ipn_netcheck, region_errors, "RegionErrors", json_str_map, JSON_OMIT),
	F(global_v4_counters, "GlobalV4Counters", int_map),
	F(global_v6_counters, "GlobalV6Counters", int_map),
	F(global_v4, "GlobalV4", json_ipport),
	F(global_v6, "GlobalV6", json_ipport),
	F(captive_portal, "CaptivePortal", json_opt_bool),
	JSON_END,
};
#undef F
JSON_OBJECT_TYPE(ipn_netcheck_type, struct ipn_netcheck, netcheck_fields);

#define F(member, key, type) JSON_F(struct ipn_unbuilt, member, key, type, 0)
static const struct json_field unbuilt_fields[] = {
	F(flag, "Flag", json_str),
	F(only, "Only", json_str),
	F(why, "Why", json_str),
	JSON_END,
};
#undef F
static JSON_OBJECT_TYPE(unbuilt_type, struct ipn_unbuilt, unbuilt_fields);
JSON_LIST_TYPE(ipn_unbuilt_list, unbuilt_type);

#define F(member, key, type) JSON_F(struct ipn_route, member, key, type, 0)
static const struct json_field route_fields[] = {
	F(prefix, "Prefix", json_prefix),
	F(own, "Own", json_bool),
	F(router, "Router", json_str),
	F(ip, "RouterIP", json_ip),
	F(state, "State", json_str),
	JSON_F(struct ipn_route, overlaps, "Overlaps", json_prefix_list, JSON_OMIT),
	JSON_END,
};
#undef F
static JSON_OBJECT_TYPE(route_type, struct ipn_route, route_fields);
JSON_LIST_TYPE(ipn_route_list, route_type);

static const struct json_field suggestion_fields[] = {
	JSON_F(struct ipn_suggestion, id, "ID", json_str, 0),
	JSON_F(struct ipn_suggestion, name, "Name", json_str, 0),
	JSON_F(struct ipn_suggestion, location, "Location", tc_location_ptr_type, JSON_OMIT),
	JSON_END,
};
JSON_OBJECT_TYPE(ipn_suggestion_type, struct ipn_suggestion, suggestion_fields);

#define F(member, key, type) JSON_F(struct ipn_dns_manager, member, key, type, 0)
static const struct json_field dns_manager_fields[] = {
	F(manager, "Manager", json_str),
	F(state, "State", json_str),
	F(why, "Why", json_str),
	F(error, "Error", json_str),
	JSON_F(struct ipn_dns_manager, since, "Since", json_time, JSON_OMIT),
	F(overwritten, "Overwritten", json_int),
	F(split, "Split", json_bool),
	JSON_END,
};
#undef F
JSON_OBJECT_TYPE(ipn_dns_manager_type, struct ipn_dns_manager, dns_manager_fields);
