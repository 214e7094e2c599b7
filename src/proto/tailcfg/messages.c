/* Register, map, node. */
#include "proto/tailcfg/tailcfg.h"

static JSON_POINTER_TYPE(hostinfo_ptr, tc_hostinfo_type);
static const struct json_type ptr_node_key = {
	.kind = JK_POINTER, .size = sizeof(void *), .elem = &json_key_node
};
static const struct json_type ptr_disco_key = {
	.kind = JK_POINTER, .size = sizeof(void *), .elem = &json_key_disco
};
static JSON_POINTER_TYPE(cap_map_ptr, json_raw_list_map);

static const struct json_field auth_fields[] = {
	JSON_F(struct tc_auth, auth_key, "AuthKey", json_str, JSON_OMIT),
	JSON_END,
};
static JSON_OBJECT_TYPE(auth_type, struct tc_auth, auth_fields);
static JSON_POINTER_TYPE(auth_ptr, auth_type);

#define F(member, key, type, flags) JSON_F(struct tc_register_request, member, key, type, flags)
static const struct json_field register_request_fields[] = {
	F(version, "Version", json_u31, 0),
	F(node_key, "NodeKey", json_key_node, 0),
	F(old_node_key, "OldNodeKey", json_key_node, 0),
	F(nl_key, "NLKey", json_key_nl, 0),
	F(auth, "Auth", auth_ptr, JSON_OMIT),
	F(expiry, "Expiry", json_time, 0),
	F(followup, "Followup", json_str, 0),
	F(hostinfo, "Hostinfo", hostinfo_ptr, 0),
	F(ephemeral, "Ephemeral", json_bool, JSON_OMIT),
	F(node_key_signature, "NodeKeySignature", json_bytes, 0),
	F(tailnet, "Tailnet", json_str, JSON_OMIT),
	JSON_END,
};
#undef F
JSON_OBJECT_TYPE(tc_register_request_type, struct tc_register_request, register_request_fields);

#define F(member, key, type) JSON_F(struct tc_register_response, member, key, type, 0)
static const struct json_field register_response_fields[] = {
	F(user, "User", tc_user_type),
	F(login, "Login", tc_login_type),
	F(node_key_expired, "NodeKeyExpired", json_bool),
	F(machine_authorized, "MachineAuthorized", json_bool),
	F(auth_url, "AuthURL", json_str),
	F(node_key_signature, "NodeKeySignature", json_bytes),
	F(error, "Error", json_str),
	JSON_END,
};
#undef F
JSON_OBJECT_TYPE(tc_register_response_type, struct tc_register_response, register_response_fields);

#define F(member, key, type, flags) JSON_F(struct tc_map_request, member, key, type, flags)
static const struct json_field map_request_fields[] = {
	F(version, "Version", json_u31, 0),
	F(compress, "Compress", json_str, 0),
	F(keep_alive, "KeepAlive", json_bool, 0),
	F(node_key, "NodeKey", json_key_node, 0),
	F(disco_key, "DiscoKey", json_key_disco, 0),
	F(stream, "Stream", json_bool, JSON_OMIT),
	F(hostinfo, "Hostinfo", hostinfo_ptr, 0),
	JSON_F_MAX(struct tc_map_request, endpoints, "Endpoints", json_ipport_list, JSON_OMIT,
		TC_TOLD_ENDPOINTS_MAX),
	JSON_F_MAX(struct tc_map_request, endpoint_types, "EndpointTypes", json_int_list, JSON_OMIT,
		TC_TOLD_ENDPOINTS_MAX),
	F(tka_head, "TKAHead", json_str, JSON_OMIT),
	F(read_only, "ReadOnly", json_bool, JSON_OMIT),
	F(omit_peers, "OmitPeers", json_bool, JSON_OMIT),
	F(connection_handle, "ConnectionHandleForTest", json_str, JSON_OMIT),
	JSON_F_MAX(struct tc_map_request, debug_flags, "DebugFlags", json_str_list, JSON_OMIT, 64),
	JSON_END,
};
#undef F
JSON_OBJECT_TYPE(tc_map_request_type, struct tc_map_request, map_request_fields);

static JSON_LIST_TYPE(resolver_list, tc_resolver_type);

#define F(member, key, type) JSON_F(struct tc_node, member, key, type, JSON_OMIT)
#define L(member, key, type, n) JSON_F_MAX(struct tc_node, member, key, type, JSON_OMIT, n)
static const struct json_field node_fields[] = {
	JSON_F(struct tc_node, id, "ID", json_int, 0),
	JSON_F(struct tc_node, stable_id, "StableID", json_str, 0),
	JSON_F(struct tc_node, name, "Name", json_str, 0),
	JSON_F(struct tc_node, user, "User", json_int, 0),
	F(sharer, "Sharer", json_int),
	JSON_F(struct tc_node, key, "Key", json_key_node, 0),
	F(key_expiry, "KeyExpiry", json_time),
	F(key_signature, "KeySignature", json_bytes),
	F(machine, "Machine", json_key_machine),
	F(disco_key, "DiscoKey", json_key_disco),
	L(addresses, "Addresses", json_prefix_list, TC_ADDRESSES_MAX),
	JSON_F_MAX(struct tc_node, allowed_ips, "AllowedIPs", json_prefix_list,
		JSON_OMIT | JSON_EMPTY, TC_ROUTES_MAX),
	JSON_F_MAX(struct tc_node, endpoints, "Endpoints", json_ipport_list, JSON_OMIT | JSON_EMPTY,
		TC_ENDPOINTS_MAX),
	F(derp, "DERP", json_str),
	F(home_derp, "HomeDERP", json_u31),
	F(hostinfo, "Hostinfo", hostinfo_ptr),
	F(created, "Created", json_time),
	F(cap, "Cap", json_u31),
	L(tags, "Tags", json_str_list, 256),
	L(primary_routes, "PrimaryRoutes", json_prefix_list, TC_ROUTES_MAX),
	F(last_seen, "LastSeen", json_time),
	F(online, "Online", json_opt_bool),
	F(machine_authorized, "MachineAuthorized", json_bool),
	F(capabilities, "Capabilities", json_str_list),
	F(cap_map, "CapMap", json_raw_list_map),
	F(unsigned_peerapi_only, "UnsignedPeerAPIOnly", json_bool),
	F(computed_name, "ComputedName", json_str),
	F(computed_name_with_host, "ComputedNameWithHost", json_str),
	F(expired, "Expired", json_bool),
	F(masq4, "SelfNodeV4MasqAddrForThisPeer", json_ip),
	F(masq6, "SelfNodeV6MasqAddrForThisPeer", json_ip),
	F(wireguard_only, "IsWireGuardOnly", json_bool),
	F(jailed, "IsJailed", json_bool),
	F(exit_node_dns, "ExitNodeDNSResolvers", resolver_list),
	F(stable_tailnet_id, "StableTailnetID", json_str),
	JSON_END,
};
#undef F
#undef L
JSON_OBJECT_TYPE_FAULT(tc_node_type, struct tc_node, node_fields, fault);
static JSON_POINTER_TYPE(node_ptr, tc_node_type);
static JSON_LIST_TYPE(node_list, tc_node_type);

static JSON_POINTER_TYPE(time_ptr, json_time);

#define F(member, key, type) JSON_F(struct tc_peer_change, member, key, type, JSON_OMIT)
static const struct json_field peer_change_fields[] = {
	JSON_F(struct tc_peer_change, node_id, "NodeID", json_int, 0),
	F(derp_region, "DERPRegion", json_u31),
	F(cap, "Cap", json_u31),
	F(cap_map, "CapMap", cap_map_ptr),
	JSON_F_MAX(struct tc_peer_change, endpoints, "Endpoints", json_ipport_list,
		JSON_OMIT | JSON_EMPTY, TC_ENDPOINTS_MAX),
	F(key, "Key", ptr_node_key),
	F(disco_key, "DiscoKey", ptr_disco_key),
	F(online, "Online", json_opt_bool),
	F(last_seen, "LastSeen", json_time),
	F(key_expiry, "KeyExpiry", time_ptr),
	F(key_signature, "KeySignature", json_bytes),
	JSON_END,
};
#undef F
JSON_OBJECT_TYPE_FAULT(tc_peer_change_type, struct tc_peer_change, peer_change_fields, fault);
static JSON_LIST_TYPE(peer_change_list, tc_peer_change_type);

static const struct json_field debug_fields[] = {
	JSON_F(struct tc_debug, sleep_seconds, "SleepSeconds", json_f64, JSON_OMIT),
	JSON_F(struct tc_debug, disable_log_tail, "DisableLogTail", json_bool, JSON_OMIT),
	JSON_END,
};
static JSON_OBJECT_TYPE(debug_type, struct tc_debug, debug_fields);
static JSON_POINTER_TYPE(debug_ptr, debug_type);

static const struct json_field display_action_fields[] = {
	JSON_F(struct tc_display_action, url, "URL", json_str, 0),
	JSON_F(struct tc_display_action, label, "Label", json_str, 0),
	JSON_END,
};
static JSON_OBJECT_TYPE(display_action_type, struct tc_display_action, display_action_fields);
static JSON_POINTER_TYPE(display_action_ptr, display_action_type);

#define F(member, key, type, flags) JSON_F(struct tc_display_message, member, key, type, flags)
static const struct json_field display_fields[] = {
	F(title, "Title", json_str, 0),
	F(text, "Text", json_str, 0),
	F(severity, "Severity", json_str, 0),
	F(impacts_connectivity, "ImpactsConnectivity", json_bool, JSON_OMIT),
	F(primary_action, "PrimaryAction", display_action_ptr, JSON_OMIT),
	JSON_END,
};
#undef F
static JSON_OBJECT_TYPE(display_type, struct tc_display_message, display_fields);
static JSON_POINTER_TYPE(display_ptr, display_type);
JSON_MAP_TYPE(tc_display_map_type, display_ptr);

static JSON_POINTER_TYPE(derp_map_ptr, tc_derp_map_type);
static JSON_POINTER_TYPE(dns_config_ptr, tc_dns_config_type);
static JSON_LIST_TYPE(rule_list, tc_filter_rule_type);
static JSON_MAP_TYPE(rule_list_map, rule_list);
static JSON_LIST_TYPE(profile_list, tc_user_profile_type);
static JSON_MAP_TYPE(bool_map, json_bool);

#define F(member, key, type) JSON_F(struct tc_map_response, member, key, type, JSON_OMIT)
#define L(member, key, type, n) JSON_F_MAX(struct tc_map_response, member, key, type, JSON_OMIT, n)
static const struct json_field map_response_fields[] = {
	F(keep_alive, "KeepAlive", json_bool),
	F(ping_request, "PingRequest", json_raw),
	F(pop_browser_url, "PopBrowserURL", json_str),
	F(node, "Node", node_ptr),
	F(derp_map, "DERPMap", derp_map_ptr),
	L(peers, "Peers", node_list, TC_PEERS_MAX),
	L(peers_changed, "PeersChanged", node_list, TC_PEERS_MAX),
	L(peers_removed, "PeersRemoved", json_int_list, TC_PEERS_MAX),
	L(peers_changed_patch, "PeersChangedPatch", peer_change_list, TC_PEERS_MAX),
	L(peer_seen_change, "PeerSeenChange", bool_map, TC_PEERS_MAX),
	L(online_change, "OnlineChange", bool_map, TC_PEERS_MAX),
	F(dns_config, "DNSConfig", dns_config_ptr),
	F(domain, "Domain", json_str),
	F(collect_services, "CollectServices", json_opt_bool),
	L(packet_filter, "PacketFilter", rule_list, TC_RULES_MAX),
	L(packet_filters, "PacketFilters", rule_list_map, 1024),
	L(user_profiles, "UserProfiles", profile_list, TC_PEERS_MAX),
	F(health, "Health", json_str_list),
	L(display_messages, "DisplayMessages", tc_display_map_type, 1024),
	F(ssh_policy, "SSHPolicy", json_raw),
	F(control_time, "ControlTime", json_time),
	F(tka_info, "TKAInfo", json_raw),
	F(debug, "Debug", debug_ptr),
	F(dial_plan, "ControlDialPlan", json_raw),
	F(client_version, "ClientVersion", json_raw),
	JSON_END,
};
#undef F
#undef L
JSON_OBJECT_TYPE(tc_map_response_type, struct tc_map_response, map_response_fields);

#define F(member, key, type) JSON_F(struct tc_ping_request, member, key, type, JSON_OMIT)
static const struct json_field ping_request_fields[] = {
	F(url, "URL", json_str),
	F(url_is_noise, "URLIsNoise", json_bool),
	F(log, "Log", json_bool),
	F(types, "Types", json_str),
	F(ip, "IP", json_ip),
	F(payload, "Payload", json_bytes),
	JSON_END,
};
#undef F
JSON_OBJECT_TYPE(tc_ping_request_type, struct tc_ping_request, ping_request_fields);

#define F(member, key, type) JSON_F(struct tc_ping_response, member, key, type, JSON_OMIT)
static const struct json_field ping_response_fields[] = {
	JSON_F(struct tc_ping_response, type, "Type", json_str, 0),
	F(ip, "IP", json_str),
	F(node_ip, "NodeIP", json_str),
	F(node_name, "NodeName", json_str),
	F(err, "Err", json_str),
	F(latency_seconds, "LatencySeconds", json_f64),
	F(endpoint, "Endpoint", json_str),
	F(derp_region_id, "DERPRegionID", json_int),
	F(derp_region_code, "DERPRegionCode", json_str),
	F(peerapi_port, "PeerAPIPort", json_int),
	F(is_local_ip, "IsLocalIP", json_bool),
	JSON_END,
};
#undef F
JSON_OBJECT_TYPE(tc_ping_response_type, struct tc_ping_response, ping_response_fields);
