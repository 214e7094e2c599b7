/*
 * hub/docs: the documents of the administration socket, read and written by both ends (admin.c, command.c). What `--json`
 * prints is exactly what the socket answered; docs/operator-guide.md lists the fields.
 */
#ifndef WARREN_HUB_DOCS_H
#define WARREN_HUB_DOCS_H

#include "proto/json/json.h"

struct admin_status {
	const char *version, *url, *base_domain, *relay, *stun, *cert_name;
	int64_t uptime_s, nodes, online, users, keys, pending, sessions, relay_clients;
};

struct admin_user {
	int64_t id, nodes;
	const char *name, *display_name;
	unix_ms created;
};

struct admin_node {
	int64_t id, home_derp;
	const char *name, *fqdn, *hostname, *user, *os, *client;
	struct ipaddr ip4, ip6;
	struct json_list tags; /* const char * */
	struct json_list endpoints; /* struct ipport */
	struct machine_pub machine;
	struct node_pub key;
	struct disco_pub disco;
	unix_ms created, key_expiry, last_seen;
	bool online, expired, ephemeral, approved;
};

struct admin_pending {
	const char *code, *hostname, *os, *url;
	struct json_list tags;
	struct ipaddr from;
	unix_ms created;
};

struct admin_key {
	int64_t id, used;
	const char *key; /* the secret: only in the answer to its creation */
	const char *hint, *user, *state; /* "valid", "used", "expired", "revoked" */
	bool reusable, ephemeral, preapproved;
	struct json_list tags;
	unix_ms created, expires;
};

struct admin_link {
	const char *url;
};

struct admin_error {
	const char *error;
};

/* Body of every request that changes something: each uses some of the fields. */
struct admin_request {
	const char *name, *code, *user, *next;
	struct json_list tags;
	int64_t expiry_ms; /* 0: never */
	bool reusable, ephemeral, preapproved;
};

extern const struct json_type admin_status_type, admin_user_type, admin_user_list, admin_node_type, admin_node_list,
	admin_pending_type, admin_pending_list, admin_key_type, admin_key_list, admin_link_type, admin_error_type,
	admin_request_type;

#endif
