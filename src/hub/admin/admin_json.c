#include "hub/admin/admin_json.h"
#include "core/coord/coord.h"

enum { POLICY_LEN_MAX = COORD_POLICY_TEXT_MAX };

#define F(s, member, key, type) JSON_F(struct s, member, key, type, 0)
#define O(s, member, key, type) JSON_F(struct s, member, key, type, JSON_OMIT)

static const struct json_field status_fields[] = {
	F(admin_status, version, "version", json_str),
	F(admin_status, url, "url", json_str),
	F(admin_status, base_domain, "baseDomain", json_str),
	F(admin_status, tailnet_id, "tailnetID", json_str),
	O(admin_status, relay, "relay", json_str),
	O(admin_status, cert_name, "relayCertName", json_str),
	O(admin_status, stun, "stun", json_str),
	O(admin_status, cert_expires, "certificateExpires", json_time),
	O(admin_status, cert_fault, "certificateFault", json_str),
	O(admin_status, store_fault, "databaseFault", json_str),
	F(admin_status, uptime_s, "uptimeSeconds", json_int),
	F(admin_status, nodes, "nodes", json_int),
	F(admin_status, online, "online", json_int),
	O(admin_status, duplicates, "duplicates", json_int),
	F(admin_status, users, "users", json_int),
	F(admin_status, keys, "keys", json_int),
	F(admin_status, pending, "pending", json_int),
	F(admin_status, sessions, "sessions", json_int),
	F(admin_status, relay_clients, "relayClients", json_int),
	JSON_END,
};
JSON_OBJECT_TYPE(admin_status_type, struct admin_status, status_fields);

static const struct json_field limit_fields[] = {
	F(admin_limit, of, "of", json_str),
	F(admin_limit, what, "what", json_str),
	O(admin_limit, counter, "counter", json_str),
	F(admin_limit, now, "now", json_int),
	F(admin_limit, max, "max", json_int),
	JSON_END,
};
static JSON_OBJECT_TYPE(limit_type, struct admin_limit, limit_fields);
static JSON_LIST_TYPE(limit_list, limit_type);
static const struct json_field limits_fields[] = {
	F(admin_limits, memory_max, "memoryMax", json_int),
	F(admin_limits, memory_from, "memoryFrom", json_str),
	F(admin_limits, memory_sum, "memorySum", json_int),
	F(admin_limits, descriptors_max, "descriptorsMax", json_int),
	F(admin_limits, descriptors_sum, "descriptorsSum", json_int),
	F(admin_limits, tasks_max, "tasksMax", json_int),
	F(admin_limits, tasks_sum, "tasksSum", json_int),
	F(admin_limits, limits, "limits", limit_list),
	JSON_END,
};
JSON_OBJECT_TYPE(admin_limits_type, struct admin_limits, limits_fields);

static const struct json_field user_fields[] = {
	F(admin_user, id, "id", json_int),
	F(admin_user, name, "name", json_str),
	O(admin_user, display_name, "displayName", json_str),
	F(admin_user, role, "role", json_str),
	F(admin_user, nodes, "nodes", json_int),
	F(admin_user, keys, "keys", json_int),
	F(admin_user, created, "created", json_time),
	JSON_END,
};
JSON_OBJECT_TYPE(admin_user_type, struct admin_user, user_fields);
JSON_LIST_TYPE(admin_user_list, admin_user_type);

static const struct json_field session_fields[] = {
	F(admin_session, id, "id", json_int),
	O(admin_session, user, "user", json_str),
	F(admin_session, role, "role", json_str),
	F(admin_session, created, "created", json_time),
	F(admin_session, expires, "expires", json_time),
	JSON_END,
};
static JSON_OBJECT_TYPE(session_type, struct admin_session, session_fields);
JSON_LIST_TYPE(admin_session_list, session_type);

static const struct json_field left_fields[] = {
	F(admin_left, nodes, "nodes", json_int),
	F(admin_left, keys, "keys", json_int),
	O(admin_left, moved_to, "movedTo", json_str),
	JSON_END,
};
JSON_OBJECT_TYPE(admin_left_type, struct admin_left, left_fields);

static const struct json_field node_fields[] = {
	F(admin_node, id, "id", json_int),
	F(admin_node, name, "name", json_str),
	F(admin_node, fqdn, "fqdn", json_str),
	F(admin_node, hostname, "hostname", json_str),
	F(admin_node, name_pinned, "namePinned", json_bool),
	O(admin_node, user, "user", json_str),
	F(admin_node, ip4, "ipv4", json_ip),
	F(admin_node, ip6, "ipv6", json_ip),
	F(admin_node, online, "online", json_bool),
	O(admin_node, duplicate, "duplicate", json_bool),
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

static const struct json_field news_fields[] = {
	F(admin_news, changes, "changes", json_int),
	F(admin_news, total, "total", json_int),
	F(admin_news, all, "all", json_bool),
	F(admin_news, nodes, "nodes", admin_node_list),
	JSON_END,
};
JSON_OBJECT_TYPE(admin_news_type, struct admin_news, news_fields);

static const struct json_field pending_fields[] = {
	F(admin_pending, code, "code", json_str),
	O(admin_pending, node, "node", json_int),
	O(admin_pending, name, "name", json_str),
	O(admin_pending, user, "user", json_str),
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

static const struct json_field line_fields[] = {
	F(coord_grant_line, label, "label", json_str),
	F(coord_grant_line, value, "value", json_str),
	JSON_END,
};
static JSON_OBJECT_TYPE(line_type, struct coord_grant_line, line_fields);
static JSON_LIST_TYPE(line_list, line_type);

static const struct json_field grant_fields[] = {
	F(admin_grant, code, "code", json_str),
	O(admin_grant, node, "node", json_int),
	F(admin_grant, digest, "digest", json_str),
	O(admin_grant, from, "from", json_ip),
	F(admin_grant, created, "created", json_time),
	F(admin_grant, lines, "lines", line_list),
	JSON_END,
};
JSON_OBJECT_TYPE(admin_grant_type, struct admin_grant, grant_fields);

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

static const struct json_field token_fields[] = {
	F(admin_token, id, "id", json_int),
	O(admin_token, token, "token", json_str),
	O(admin_token, name, "name", json_str),
	F(admin_token, scope, "scope", json_str),
	F(admin_token, state, "state", json_str),
	F(admin_token, created, "created", json_time),
	O(admin_token, expires, "expires", json_time),
	O(admin_token, last_used, "lastUsed", json_time),
	JSON_END,
};
JSON_OBJECT_TYPE(admin_token_type, struct admin_token, token_fields);
JSON_LIST_TYPE(admin_token_list, admin_token_type);

static const struct json_field route_fields[] = {
	F(admin_route, node, "node", json_int),
	F(admin_route, name, "name", json_str),
	F(admin_route, prefix, "prefix", json_prefix),
	F(admin_route, advertised, "advertised", json_bool),
	F(admin_route, approved, "approved", json_bool),
	F(admin_route, in_use, "inUse", json_bool),
	F(admin_route, primary, "primary", json_bool),
	F(admin_route, online, "online", json_bool),
	F(admin_route, quarantined, "quarantined", json_bool),
	O(admin_route, nobodys, "offeredByNobody", json_bool),
	O(admin_route, by, "approvedBy", json_str),
	O(admin_route, approved_at, "approvedAt", json_time),
	O(admin_route, own, "ownPrefix", json_str),
	JSON_END,
};
JSON_OBJECT_TYPE(admin_route_type, struct admin_route, route_fields);
JSON_LIST_TYPE(admin_route_list, admin_route_type);

static const struct json_field own_prefixes_fields[] = {
	F(admin_own_prefixes, prefixes, "prefixes", json_prefix_list),
	F(admin_own_prefixes, mode, "mode", json_str),
	JSON_END,
};
JSON_OBJECT_TYPE(admin_own_prefixes_type, struct admin_own_prefixes, own_prefixes_fields);

static const struct json_field policy_fields[] = {
	F(admin_policy, version, "version", json_int),
	O(admin_policy, author, "author", json_str),
	O(admin_policy, created, "created", json_time),
	O(admin_policy, hash, "sha256", json_str),
	F(admin_policy, size, "size", json_int),
	F(admin_policy, current, "current", json_bool),
	{ .name = "policy",
		.type = &json_str,
		.offset = offsetof(struct admin_policy, policy),
		.flags = JSON_OMIT,
		.max = POLICY_LEN_MAX },
	JSON_END,
};
JSON_OBJECT_TYPE(admin_policy_type, struct admin_policy, policy_fields);
JSON_LIST_TYPE(admin_policy_list, admin_policy_type);

static const struct json_field git_fields[] = {
	F(admin_git, state, "state", json_str),
	F(admin_git, url, "url", json_str),
	F(admin_git, branch, "branch", json_str),
	F(admin_git, path, "path", json_str),
	O(admin_git, commit, "commit", json_str),
	O(admin_git, author, "author", json_str),
	O(admin_git, subject, "subject", json_str),
	O(admin_git, reason, "reason", json_str),
	O(admin_git, read, "read", json_time),
	JSON_END,
};
static JSON_OBJECT_TYPE(git_type, struct admin_git, git_fields);
static JSON_POINTER_TYPE(git_pointer, git_type);

static const struct json_field policy_status_fields[] = {
	F(admin_policy_status, version, "version", json_int),
	O(admin_policy_status, author, "author", json_str),
	O(admin_policy_status, created, "created", json_time),
	F(admin_policy_status, etag, "etag", json_str),
	F(admin_policy_status, rules, "rules", json_int),
	F(admin_policy_status, nodes, "nodes", json_int),
	F(admin_policy_status, classes, "classes", json_int),
	O(admin_policy_status, git, "git", git_pointer),
	JSON_END,
};
JSON_OBJECT_TYPE(admin_policy_status_type, struct admin_policy_status, policy_status_fields);

static const struct json_field change_fields[] = {
	F(admin_change, node, "node", json_int),
	F(admin_change, name, "name", json_str),
	F(admin_change, filter, "filter", json_bool),
	F(admin_change, ssh, "ssh", json_bool),
	F(admin_change, gained, "peersGained", json_int),
	F(admin_change, lost, "peersLost", json_int),
	JSON_END,
};
JSON_OBJECT_TYPE(admin_change_type, struct admin_change, change_fields);
JSON_LIST_TYPE(admin_change_list, admin_change_type);

static const struct json_field reach_fields[] = {
	F(admin_reach, allowed, "allowed", json_bool),
	O(admin_reach, pairs, "pairs", json_int),
	O(admin_reach, pairs_allowed, "pairsAllowed", json_int),
	O(admin_reach, denied_src, "deniedSrc", json_str),
	O(admin_reach, denied_dst, "deniedDst", json_str),
	O(admin_reach, rule, "rule", json_str),
	O(admin_reach, line, "line", json_int),
	JSON_END,
};
JSON_OBJECT_TYPE(admin_reach_type, struct admin_reach, reach_fields);

static const struct json_field failure_fields[] = {
	F(admin_failure, src, "src", json_str),
	F(admin_failure, text, "text", json_str),
	O(admin_failure, ssh, "ssh", json_bool),
	F(admin_failure, line, "line", json_int),
	F(admin_failure, column, "column", json_int),
	JSON_END,
};
JSON_OBJECT_TYPE(admin_failure_type, struct admin_failure, failure_fields);
JSON_LIST_TYPE(admin_failure_list, admin_failure_type);

static const struct json_field resolver_fields[] = {
	F(tc_resolver, addr, "address", json_str),
	O(tc_resolver, bootstrap, "at", json_ip_list),
	O(tc_resolver, use_with_exit_node, "useWithExitNode", json_bool),
	JSON_END,
};
static JSON_OBJECT_TYPE(resolver_type, struct tc_resolver, resolver_fields);
static JSON_LIST_TYPE(resolver_list, resolver_type);
static const struct json_field split_fields[] = {
	F(coord_dns_split, suffix, "suffix", json_str),
	F(coord_dns_split, resolvers, "nameservers", resolver_list),
	JSON_END,
};
static JSON_OBJECT_TYPE(split_type, struct coord_dns_split, split_fields);
static JSON_LIST_TYPE(split_list, split_type);
static const struct json_field record_fields[] = {
	F(tc_dns_record, name, "name", json_str),
	F(tc_dns_record, type, "type", json_str),
	F(tc_dns_record, value, "value", json_str),
	JSON_END,
};
static JSON_OBJECT_TYPE(record_type, struct tc_dns_record, record_fields);
static JSON_LIST_TYPE(record_list, record_type);

static const struct json_field dns_fields[] = {
	F(admin_dns, base_domain, "baseDomain", json_str),
	F(admin_dns, magic, "magicDNS", json_bool),
	F(admin_dns, override, "overrideLocalDNS", json_bool),
	F(admin_dns, wildcard, "wildcard", json_bool),
	F(admin_dns, certificates, "certificates", json_bool),
	F(admin_dns, nameservers, "nameservers", resolver_list),
	F(admin_dns, splits, "splitDNS", split_list),
	F(admin_dns, search, "searchDomains", json_str_list),
	F(admin_dns, records, "records", record_list),
	F(admin_dns, notes, "notes", json_str_list),
	JSON_END,
};
JSON_OBJECT_TYPE(admin_dns_type, struct admin_dns, dns_fields);

static const struct json_field dns_preview_fields[] = {
	F(admin_dns_preview, name, "name", json_str),
	F(admin_dns_preview, answers, "answers", json_str),
	O(admin_dns_preview, suffix, "suffix", json_str),
	O(admin_dns_preview, device, "device", json_str),
	O(admin_dns_preview, hidden, "hidden", json_bool),
	F(admin_dns_preview, addresses, "addresses", json_str_list),
	F(admin_dns_preview, nameservers, "nameservers", resolver_list),
	JSON_END,
};
JSON_OBJECT_TYPE(admin_dns_preview_type, struct admin_dns_preview, dns_preview_fields);

static const struct json_field error_fields[] = {
	F(admin_error, error, "error", json_str),
	O(admin_error, line, "line", json_int),
	O(admin_error, column, "column", json_int),
	O(admin_error, failures, "failures", admin_failure_list),
	JSON_END,
};
JSON_OBJECT_TYPE(admin_error_type, struct admin_error, error_fields);

static const struct json_field request_fields[] = {
	O(admin_request, name, "name", json_str),
	O(admin_request, code, "code", json_str),
	O(admin_request, user, "user", json_str),
	O(admin_request, digest, "digest", json_str),
	O(admin_request, next, "next", json_str),
	O(admin_request, scope, "scope", json_str),
	O(admin_request, mode, "mode", json_str),
	O(admin_request, role, "role", json_str),
	O(admin_request, state, "state", json_str),
	O(admin_request, os, "os", json_str),
	O(admin_request, tag, "tag", json_str),
	O(admin_request, sort, "sort", json_str),
	O(admin_request, reverse, "reverse", json_bool),
	O(admin_request, move_to, "moveTo", json_str),
	O(admin_request, with_devices, "withDevices", json_bool),
	{ .name = "policy",
		.type = &json_str,
		.offset = offsetof(struct admin_request, policy),
		.flags = JSON_OMIT,
		.max = POLICY_LEN_MAX },
	O(admin_request, author, "author", json_str),
	O(admin_request, src, "src", json_str),
	O(admin_request, text, "text", json_str),
	O(admin_request, below, "below", json_int),
	O(admin_request, limit, "limit", json_int),
	O(admin_request, since, "since", json_time),
	O(admin_request, dst, "dst", json_str),
	O(admin_request, proto, "proto", json_int),
	O(admin_request, port, "port", json_int),
	F(admin_request, prefixes, "prefixes", json_prefix_list),
	O(admin_request, force, "force", json_bool),
	O(admin_request, tags, "tags", json_str_list),
	O(admin_request, type, "type", json_str),
	O(admin_request, values, "values", json_str_list),
	O(admin_request, at, "at", json_ip_list),
	O(admin_request, with_exit_node, "useWithExitNode", json_bool),
	O(admin_request, changes, "changes", json_int),
	O(admin_request, if_version, "ifVersion", json_int),
	O(admin_request, expiry_ms, "expiryMs", json_int),
	O(admin_request, reusable, "reusable", json_bool),
	O(admin_request, ephemeral, "ephemeral", json_bool),
	O(admin_request, preapproved, "preapproved", json_bool),
	JSON_END,
};
JSON_OBJECT_TYPE(admin_request_type, struct admin_request, request_fields);

static const struct json_field audit_fields[] = {
	F(admin_audit, entries, "entries", json_raw_list),
	O(admin_audit, next, "next", json_int),
	JSON_END,
};
JSON_OBJECT_TYPE(admin_audit_type, struct admin_audit, audit_fields);
