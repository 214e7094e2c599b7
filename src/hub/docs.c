#include "hub/docs.h"

#define F(s, member, key, type) JSON_F(struct s, member, key, type, 0)
#define O(s, member, key, type) JSON_F(struct s, member, key, type, JSON_OMIT)

static const struct json_field status_fields[] = {
	F(admin_status, version, "version", json_str),
	F(admin_status, url, "url", json_str),
	F(admin_status, base_domain, "baseDomain", json_str),
	O(admin_status, relay, "relay", json_str),
	O(admin_status, cert_name, "relayCertName", json_str),
	O(admin_status, stun, "stun", json_str),
	F(admin_status, uptime_s, "uptimeSeconds", json_int),
	F(admin_status, nodes, "nodes", json_int),
	F(admin_status, online, "online", json_int),
	F(admin_status, users, "users", json_int),
	F(admin_status, keys, "keys", json_int),
	F(admin_status, pending, "pending", json_int),
	F(admin_status, sessions, "sessions", json_int),
	F(admin_status, relay_clients, "relayClients", json_int),
	JSON_END,
};
JSON_OBJECT_TYPE(admin_status_type, struct admin_status, status_fields);

static const struct json_field user_fields[] = {
	F(admin_user, id, "id", json_int),
	F(admin_user, name, "name", json_str),
	O(admin_user, display_name, "displayName", json_str),
	F(admin_user, nodes, "nodes", json_int),
	F(admin_user, created, "created", json_time),
	JSON_END,
};
JSON_OBJECT_TYPE(admin_user_type, struct admin_user, user_fields);
JSON_LIST_TYPE(admin_user_list, admin_user_type);

static const struct json_field node_fields[] = {
	F(admin_node, id, "id", json_int),
	F(admin_node, name, "name", json_str),
	F(admin_node, fqdn, "fqdn", json_str),
	F(admin_node, hostname, "hostname", json_str),
	O(admin_node, user, "user", json_str),
	F(admin_node, ip4, "ipv4", json_ip),
	F(admin_node, ip6, "ipv6", json_ip),
	F(admin_node, online, "online", json_bool),
	O(admin_node, last_seen, "lastSeen", json_time),
	F(admin_node, expired, "expired", json_bool),
	O(admin_node, key_expiry, "keyExpiry", json_time),
	F(admin_node, ephemeral, "ephemeral", json_bool),
	F(admin_node, approved, "approved", json_bool),
	F(admin_node, tags, "tags", json_str_list),
	F(admin_node, os, "os", json_str),
	F(admin_node, client, "clientVersion", json_str),
	F(admin_node, home_derp, "homeDERP", json_int),
	F(admin_node, endpoints, "endpoints", json_ipport_list),
	F(admin_node, created, "created", json_time),
	F(admin_node, key, "nodeKey", json_key_node),
	F(admin_node, machine, "machineKey", json_key_machine),
	F(admin_node, disco, "discoKey", json_key_disco),
	JSON_END,
};
JSON_OBJECT_TYPE(admin_node_type, struct admin_node, node_fields);
JSON_LIST_TYPE(admin_node_list, admin_node_type);

static const struct json_field pending_fields[] = {
	F(admin_pending, code, "code", json_str),
	F(admin_pending, hostname, "hostname", json_str),
	F(admin_pending, os, "os", json_str),
	O(admin_pending, from, "from", json_ip),
	F(admin_pending, tags, "tags", json_str_list),
	F(admin_pending, url, "url", json_str),
	F(admin_pending, created, "created", json_time),
	JSON_END,
};
JSON_OBJECT_TYPE(admin_pending_type, struct admin_pending, pending_fields);
JSON_LIST_TYPE(admin_pending_list, admin_pending_type);

static const struct json_field key_fields[] = {
	F(admin_key, id, "id", json_int),
	O(admin_key, key, "key", json_str),
	F(admin_key, hint, "hint", json_str),
	O(admin_key, user, "user", json_str),
	F(admin_key, state, "state", json_str),
	F(admin_key, reusable, "reusable", json_bool),
	F(admin_key, ephemeral, "ephemeral", json_bool),
	F(admin_key, preapproved, "preapproved", json_bool),
	F(admin_key, tags, "tags", json_str_list),
	F(admin_key, used, "used", json_int),
	F(admin_key, created, "created", json_time),
	O(admin_key, expires, "expires", json_time),
	JSON_END,
};
JSON_OBJECT_TYPE(admin_key_type, struct admin_key, key_fields);
JSON_LIST_TYPE(admin_key_list, admin_key_type);

static const struct json_field link_fields[] = {
	F(admin_link, url, "url", json_str),
	JSON_END,
};
JSON_OBJECT_TYPE(admin_link_type, struct admin_link, link_fields);

static const struct json_field error_fields[] = {
	F(admin_error, error, "error", json_str),
	JSON_END,
};
JSON_OBJECT_TYPE(admin_error_type, struct admin_error, error_fields);

static const struct json_field request_fields[] = {
	O(admin_request, name, "name", json_str),
	O(admin_request, code, "code", json_str),
	O(admin_request, user, "user", json_str),
	O(admin_request, next, "next", json_str),
	O(admin_request, tags, "tags", json_str_list),
	O(admin_request, expiry_ms, "expiryMs", json_int),
	O(admin_request, reusable, "reusable", json_bool),
	O(admin_request, ephemeral, "ephemeral", json_bool),
	O(admin_request, preapproved, "preapproved", json_bool),
	JSON_END,
};
JSON_OBJECT_TYPE(admin_request_type, struct admin_request, request_fields);
