/* The stored documents. */
#include "core/coord/tailnet/internal.h"

static const struct json_field user_fields[] = {
	JSON_F(struct coord_user, id, "id", json_int, 0),
	JSON_F(struct coord_user, name, "name", json_str, 0),
	JSON_F(struct coord_user, display_name, "displayName", json_str, JSON_OMIT),
	JSON_F(struct coord_user, role, "role", json_str, JSON_OMIT),
	JSON_F(struct coord_user, created, "created", json_time, 0),
	JSON_END,
};

JSON_OBJECT_TYPE(coord_user_type, struct coord_user, user_fields);

static JSON_POINTER_TYPE(hostinfo_ptr, tc_hostinfo_type);

static const struct json_field route_fields[] = {
	JSON_F(struct coord_route_approval, prefix, "prefix", json_prefix, 0),
	JSON_F(struct coord_route_approval, by, "by", json_str, JSON_OMIT),
	JSON_F(struct coord_route_approval, at, "at", json_time, 0),
	JSON_F(struct coord_route_approval, primary, "primary", json_bool, JSON_OMIT),
	JSON_END,
};

static JSON_OBJECT_TYPE(route_type, struct coord_route_approval, route_fields);

static JSON_LIST_TYPE(route_list, route_type);

static JSON_LIST_TYPE(node_key_list, json_key_node);

static const struct json_field coord_node_fields[] = {
	JSON_F(struct coord_node_doc, id, "id", json_int, 0),
	JSON_F(struct coord_node_doc, user, "user", json_int, JSON_OMIT),
	JSON_F(struct coord_node_doc, name, "name", json_str, 0),
	JSON_F(struct coord_node_doc, hostname, "hostname", json_str, JSON_OMIT),
	JSON_F(struct coord_node_doc, name_pinned, "namePinned", json_opt_bool, JSON_OMIT),
	JSON_F(struct coord_node_doc, ip4, "ipv4", json_ip, 0),
	JSON_F(struct coord_node_doc, ip6, "ipv6", json_ip, 0),
	JSON_F(struct coord_node_doc, machine, "machineKey", json_key_machine, 0),
	JSON_F(struct coord_node_doc, key, "nodeKey", json_key_node, 0),
	JSON_F(struct coord_node_doc, disco, "discoKey", json_key_disco, JSON_OMIT),
	JSON_F(struct coord_node_doc, cap, "capVersion", json_int, JSON_OMIT),
	JSON_F(struct coord_node_doc, home_derp, "homeDERP", json_int, JSON_OMIT),
	JSON_F(struct coord_node_doc, tags, "tags", json_str_list, JSON_OMIT),
	JSON_F(struct coord_node_doc, endpoints, "endpoints", json_ipport_list, JSON_OMIT),
	JSON_F(struct coord_node_doc, routes, "routes", route_list, JSON_OMIT),
	JSON_F(struct coord_node_doc, created, "created", json_time, 0),
	JSON_F(struct coord_node_doc, key_expiry, "keyExpiry", json_time, JSON_OMIT),
	JSON_F(struct coord_node_doc, key_expired, "keyExpired", json_bool, JSON_OMIT),
	JSON_F(struct coord_node_doc, former_keys, "formerKeys", node_key_list, JSON_OMIT),
	JSON_F(struct coord_node_doc, last_seen, "lastSeen", json_time, JSON_OMIT),
	JSON_F(struct coord_node_doc, unapproved, "unapproved", json_bool, JSON_OMIT),
	JSON_F(struct coord_node_doc, ephemeral, "ephemeral", json_bool, JSON_OMIT),
	JSON_F(struct coord_node_doc, online, "online", json_opt_bool, JSON_OMIT),
	/* The last one: without_hostinfo in load.c cuts here. */
	JSON_F(struct coord_node_doc, hostinfo, "hostinfo", hostinfo_ptr, JSON_OMIT),
	JSON_END,
};

JSON_OBJECT_TYPE(coord_node_doc_type, struct coord_node_doc, coord_node_fields);

static const struct json_field key_fields[] = {
	JSON_F(struct coord_key, id, "id", json_int, 0),
	JSON_F(struct coord_key, user, "user", json_int, JSON_OMIT),
	JSON_F(struct coord_key, hint, "hint", json_str, 0),
	JSON_F(struct coord_key, hash, "hash", json_str, 0),
	JSON_F(struct coord_key, bcrypt, "bcrypt", json_str, JSON_OMIT),
	JSON_F(struct coord_key, reusable, "reusable", json_bool, 0),
	JSON_F(struct coord_key, ephemeral, "ephemeral", json_bool, 0),
	JSON_F(struct coord_key, preapproved, "preapproved", json_bool, 0),
	JSON_F(struct coord_key, revoked, "revoked", json_bool, 0),
	JSON_F(struct coord_key, used, "used", json_int, 0),
	JSON_F(struct coord_key, tags, "tags", json_str_list, JSON_OMIT),
	JSON_F(struct coord_key, created, "created", json_time, 0),
	JSON_F(struct coord_key, expires, "expires", json_time, JSON_OMIT),
	JSON_END,
};

JSON_OBJECT_TYPE(coord_key_type, struct coord_key, key_fields);

static const struct json_field meta_fields[] = {
	JSON_F(struct coord_meta, next_id, "nextID", json_int, 0),
	JSON_F(struct coord_meta, next_host, "nextHost", json_int, 0),
	JSON_F_MAX(struct coord_meta, tailnet_id, "tailnetID", json_str, JSON_OMIT,
		TAILNET_ID_MAX - 1),
	JSON_END,
};

JSON_OBJECT_TYPE(coord_meta_type, struct coord_meta, meta_fields);

static const struct json_field settings_fields[] = {
	JSON_F(struct coord_settings, protected_prefixes, "ownPrefixes", json_prefix_list,
		JSON_OMIT),
	JSON_F(struct coord_settings, protected_switch, "ownSwitch", json_int, JSON_OMIT),
	JSON_END,
};

JSON_OBJECT_TYPE(coord_settings_type, struct coord_settings, settings_fields);

static JSON_LIST_TYPE(resolver_list, tc_resolver_type);

static const struct json_field split_fields[] = {
	JSON_F(struct coord_dns_split, suffix, "suffix", json_str, 0),
	JSON_F(struct coord_dns_split, resolvers, "resolvers", resolver_list, JSON_OMIT),
	JSON_END,
};

static JSON_OBJECT_TYPE(split_type, struct coord_dns_split, split_fields);

static JSON_LIST_TYPE(split_list, split_type);

static JSON_LIST_TYPE(record_list, tc_dns_record_type);

static const struct json_field dns_fields[] = {
	JSON_F(struct coord_dns, resolvers, "resolvers", resolver_list, JSON_OMIT),
	JSON_F(struct coord_dns, splits, "splits", split_list, JSON_OMIT),
	JSON_F(struct coord_dns, search, "search", json_str_list, JSON_OMIT),
	JSON_F(struct coord_dns, records, "records", record_list, JSON_OMIT),
	JSON_F(struct coord_dns, magic_off, "magicOff", json_bool, JSON_OMIT),
	JSON_F(struct coord_dns, override_off, "overrideOff", json_bool, JSON_OMIT),
	JSON_F(struct coord_dns, wildcard, "wildcard", json_bool, JSON_OMIT),
	JSON_F(struct coord_dns, certificates, "certificates", json_bool, JSON_OMIT),
	JSON_END,
};

JSON_OBJECT_TYPE(coord_dns_type, struct coord_dns, dns_fields);

static const struct json_field policy_fields[] = {
	JSON_F(struct coord_policy_doc, id, "id", json_int, 0),
	JSON_F(struct coord_policy_doc, author, "author", json_str, JSON_OMIT),
	JSON_F(struct coord_policy_doc, hash, "hash", json_str, 0),
	JSON_F(struct coord_policy_doc, created, "created", json_time, 0),
	JSON_F_MAX(struct coord_policy_doc, text, "text", json_str, 0, COORD_POLICY_TEXT_MAX),
	JSON_END,
};

JSON_OBJECT_TYPE(coord_policy_doc_type, struct coord_policy_doc, policy_fields);
