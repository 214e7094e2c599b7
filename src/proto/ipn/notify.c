/* What the bus tells: notifications and the documents inside them. */
#include "proto/ipn/ipn.h"

static const struct json_field empty_fields[] = { JSON_END };
static JSON_OBJECT_TYPE(empty_type, struct ipn_empty, empty_fields);
static JSON_POINTER_TYPE(empty_ptr, empty_type);

static const struct json_field action_fields[] = {
	JSON_F(struct ipn_health_action, url, "URL", json_str, 0),
	JSON_F(struct ipn_health_action, label, "Label", json_str, 0),
	JSON_END,
};
static JSON_OBJECT_TYPE(action_type, struct ipn_health_action, action_fields);
static JSON_POINTER_TYPE(action_ptr, action_type);

#define F(member, key, type, flags) JSON_F(struct ipn_health_warning, member, key, type, flags)
static const struct json_field warning_fields[] = {
	F(code, "WarnableCode", json_str, 0),
	F(severity, "Severity", json_str, 0),
	F(title, "Title", json_str, 0),
	F(text, "Text", json_str, 0),
	F(broken_since, "BrokenSince", json_time, JSON_OMIT),
	F(args, "Args", json_str_map, JSON_OMIT),
	F(depends_on, "DependsOn", json_str_list, JSON_OMIT),
	F(impacts_connectivity, "ImpactsConnectivity", json_bool, JSON_OMIT),
	F(primary_action, "PrimaryAction", action_ptr, JSON_OMIT),
	F(etag, "ETag", json_str, JSON_OMIT),
	JSON_END,
};
#undef F
static JSON_OBJECT_TYPE(warning_type, struct ipn_health_warning, warning_fields);
static JSON_MAP_TYPE(warning_map, warning_type);

static const struct json_field health_fields[] = {
	JSON_F(struct ipn_health, warnings, "Warnings", warning_map, 0),
	JSON_END,
};
JSON_OBJECT_TYPE(ipn_health_type, struct ipn_health, health_fields);
static JSON_POINTER_TYPE(health_ptr, ipn_health_type);

static const struct json_field live_peer_fields[] = {
	JSON_F(struct ipn_live_peer, tx_bytes, "TxBytes", json_int, 0),
	JSON_F(struct ipn_live_peer, rx_bytes, "RxBytes", json_int, 0),
	JSON_F(struct ipn_live_peer, last_handshake, "LastHandshake", json_time, 0),
	JSON_F(struct ipn_live_peer, node_key, "NodeKey", json_key_node, 0),
	JSON_END,
};
static JSON_OBJECT_TYPE(live_peer_type, struct ipn_live_peer, live_peer_fields);
static JSON_MAP_TYPE(live_peer_map, live_peer_type);

static const struct json_field engine_fields[] = {
	JSON_F(struct ipn_engine_status, rx_bytes, "RBytes", json_int, 0),
	JSON_F(struct ipn_engine_status, tx_bytes, "WBytes", json_int, 0),
	JSON_F(struct ipn_engine_status, num_live, "NumLive", json_int, 0),
	JSON_F(struct ipn_engine_status, live_derps, "LiveDERPs", json_int, 0),
	JSON_F_MAX(
		struct ipn_engine_status, live_peers, "LivePeers", live_peer_map, 0, TC_PEERS_MAX),
	JSON_END,
};
JSON_OBJECT_TYPE(ipn_engine_status_type, struct ipn_engine_status, engine_fields);
static JSON_POINTER_TYPE(engine_ptr, ipn_engine_status_type);

static JSON_POINTER_TYPE(node_ptr, tc_node_type);
static JSON_LIST_TYPE(node_list, tc_node_type);
static JSON_LIST_TYPE(rule_list, tc_filter_rule_type);
static JSON_POINTER_TYPE(derp_map_ptr, tc_derp_map_type);
static JSON_MAP_TYPE(user_map, tc_user_profile_type);

#define F(member, key, type) JSON_F(struct ipn_netmap, member, key, type, 0)
#define L(member, key, type, n) JSON_F_MAX(struct ipn_netmap, member, key, type, 0, n)
static const struct json_field netmap_fields[] = {
	F(cached, "Cached", json_bool),
	F(self_node, "SelfNode", node_ptr),
	F(all_caps, "AllCaps", json_str_list),
	F(node_key, "NodeKey", json_key_node),
	F(machine_key, "MachineKey", json_key_machine),
	L(peers, "Peers", node_list, TC_PEERS_MAX),
	F(dns, "DNS", tc_dns_config_type),
	F(packet_filter, "PacketFilter", json_raw),
	L(packet_filter_rules, "PacketFilterRules", rule_list, TC_RULES_MAX),
	F(ssh_policy, "SSHPolicy", json_raw),
	F(collect_services, "CollectServices", json_bool),
	F(derp_map, "DERPMap", derp_map_ptr),
	F(display_messages, "DisplayMessages", json_raw),
	F(tka_enabled, "TKAEnabled", json_bool),
	F(tka_head, "TKAHead", json_str),
	F(domain, "Domain", json_str),
	F(domain_audit_log_id, "DomainAuditLogID", json_str),
	L(user_profiles, "UserProfiles", user_map, TC_PEERS_MAX),
	JSON_END,
};
#undef F
#undef L
JSON_OBJECT_TYPE(ipn_netmap_type, struct ipn_netmap, netmap_fields);
static JSON_POINTER_TYPE(netmap_ptr, ipn_netmap_type);

static const struct json_field wg_state_fields[] = {
	JSON_F(struct ipn_peer_wg_state, state, "PeerWireGuardState", json_str, 0),
	JSON_F(struct ipn_peer_wg_state, at, "PeerWireGuardStateAt", json_time, 0),
	JSON_END,
};
static JSON_OBJECT_TYPE(wg_state_type, struct ipn_peer_wg_state, wg_state_fields);
static JSON_MAP_TYPE(wg_state_map, wg_state_type);

static JSON_POINTER_TYPE(prefs_ptr, ipn_prefs_type);
static JSON_POINTER_TYPE(status_ptr, ipn_status_type);
static JSON_LIST_TYPE(peer_change_list, tc_peer_change_type);

#define F(member, key, type, flags) JSON_F(struct ipn_notify, member, key, type, flags)
#define L(member, key, type) \
	JSON_F_MAX(struct ipn_notify, member, key, type, JSON_OMIT, TC_PEERS_MAX)
static const struct json_field notify_fields[] = {
	F(version, "Version", json_str, 0),
	F(session_id, "SessionID", json_str, JSON_OMIT),
	F(err_message, "ErrMessage", json_str, JSON_NULLABLE),
	F(login_finished, "LoginFinished", empty_ptr, 0),
	F(state, "State", ipn_int_ptr, 0),
	F(prefs, "Prefs", prefs_ptr, 0),
	F(self_change, "SelfChange", node_ptr, JSON_OMIT),
	F(initial_status, "InitialStatus", status_ptr, JSON_OMIT),
	F(netmap, "NetMap", netmap_ptr, 0),
	L(peer_changed_patch, "PeerChangedPatch", peer_change_list),
	L(peers_changed, "PeersChanged", node_list),
	L(peers_removed, "PeersRemoved", json_int_list),
	L(user_profiles, "UserProfiles", user_map),
	L(peer_state, "PeerState", wg_state_map),
	F(engine, "Engine", engine_ptr, 0),
	F(browse_to_url, "BrowseToURL", json_str, JSON_NULLABLE),
	F(files_waiting, "FilesWaiting", empty_ptr, JSON_OMIT),
	F(client_version, "ClientVersion", json_raw, JSON_OMIT),
	F(drive_shares, "DriveShares", json_raw_list, 0),
	F(health, "Health", health_ptr, JSON_OMIT),
	F(suggested_exit_node, "SuggestedExitNode", json_str, JSON_OMIT),
	JSON_END,
};
#undef F
#undef L
JSON_OBJECT_TYPE(ipn_notify_type, struct ipn_notify, notify_fields);
