/*
 * hub/admin/admin_json: the documents of the administration socket, read and written by both ends (admin.c, hubctl/ask.c). What `--json`
 * prints is exactly what the socket answered; docs/operator-guide.md lists the fields.
 */
#ifndef WARREN_HUB_ADMIN_ADMIN_JSON_H
#define WARREN_HUB_ADMIN_ADMIN_JSON_H

#include "proto/json/json.h"

enum { ADMIN_ANSWER_MAX = 64 << 20 }; /* a list of 200,000 devices */

struct admin_status {
	const char *version, *url, *base_domain, *relay, *stun, *cert_name, *tailnet_id,
		*cert_fault, *store_fault;
	unix_ms cert_expires; /* 0: the hub has no certificate from files */
	int64_t duplicates;   /* devices that run twice */
	int64_t uptime_s, nodes, online, users, keys, pending, sessions, relay_clients;
};

/* One bound: what of, how much there is now and at most. */
struct admin_limit {
	const char *
		of; /* "memory", "descriptors", "tasks": these are parts of a whole; "number": a bound of its own */
	const char *what,
		*counter; /* the metric that counts when it is reached; "" where nothing can reach it */
	int64_t now, max; /* now -1: not known */
};

struct admin_limits {
	int64_t memory_max, memory_sum, descriptors_max, descriptors_sum,
		tasks_max /* 0: no limit */, tasks_sum;
	const char *memory_from;
	struct json_list limits; /* struct admin_limit */
};

struct admin_user {
	int64_t id, nodes, keys;
	const char *name, *display_name, *role;
	unix_ms created;
};

/* A browser that is logged in. */
struct admin_session {
	int64_t id;
	const char *user; /* NULL: root of the hub's machine */
	const char *role;
	unix_ms created, expires;
};
extern const struct json_type admin_session_list;

/* What a deleted user had: it was deleted too, or moved. */
struct admin_left {
	int64_t nodes, keys;
	const char *moved_to;
};

struct admin_node {
	int64_t id, home_derp;
	const char *name, *fqdn, *hostname, *user, *os, *client;
	struct ipaddr ip4, ip6;
	struct json_list tags;      /* const char * */
	struct json_list endpoints; /* struct ipport */
	struct machine_pub machine;
	struct node_pub key;
	struct disco_pub disco;
	unix_ms created, key_expiry, last_seen;
	bool online, expired, ephemeral, approved, name_pinned;
	bool duplicate; /* two devices run with its identity */
};

/* Devices that changed after the number of a request; all where that is not known. */
struct admin_news {
	int64_t changes,
		total; /* the number to ask with next; of all devices: who has another number of them asks for all */
	bool all;
	struct json_list nodes; /* struct admin_node */
};

/* A login, or a device that joined with a key (node is its number, and the code is that). */
struct admin_pending {
	int64_t node;
	const char *code, *name, *hostname, *user, *os, *url;
	struct json_list tags;
	struct ipaddr from;
	unix_ms created;
};

/* What an approval gives, and the digest that stands for it. */
struct admin_grant {
	int64_t node; /* of a device that is in; 0: a login */
	const char *code, *digest;
	struct ipaddr from;
	unix_ms created;
	struct json_list lines; /* struct coord_grant_line */
};

struct admin_key {
	int64_t id, used;
	const char *key;                 /* the secret: only in the answer to its creation */
	const char *hint, *user, *state; /* "valid", "used", "expired", "revoked" */
	bool reusable, ephemeral, preapproved;
	struct json_list tags;
	unix_ms created, expires;
};

struct admin_link {
	const char *url;
};

struct admin_token {
	int64_t id;
	const char *token;                /* the secret: only in the answer to its creation */
	const char *name, *scope, *state; /* "valid", "expired", "revoked" */
	unix_ms created, expires, last_used;
};

struct admin_route {
	int64_t node;
	const char *name; /* of the device */
	struct ipprefix prefix;
	bool advertised, approved, in_use, primary, online, quarantined;
	bool nobodys;   /* approved, and no device at all offers it */
	const char *by; /* who approved it; "autoApprovers" */
	unix_ms approved_at;
	const char *own; /* the organisation's own prefix that it overlaps */
};

struct admin_own_prefixes {
	struct json_list prefixes; /* struct ipprefix */
	const char *mode;          /* "show", "quarantine", "refuse" */
};

struct admin_dns {
	const char *base_domain;
	struct json_list nameservers; /* struct tc_resolver */
	struct json_list splits;      /* struct coord_dns_split */
	struct json_list search;      /* const char * */
	struct json_list records;     /* struct tc_dns_record */
	struct json_list notes;       /* const char *: what may surprise */
	bool magic, override, wildcard, certificates;
};

struct admin_dns_preview {
	const char *name;    /* in full */
	const char *answers; /* "nobody", "device", "records", "split", "global", "system" */
	const char *suffix, *device;
	bool hidden; /* a device has the name, and the one that asks may not see it */
	struct json_list addresses;   /* const char * */
	struct json_list nameservers; /* struct tc_resolver: that are asked */
};

struct admin_policy {
	int64_t version; /* 0: none was ever set */
	const char *author, *hash;
	unix_ms created;
	int64_t size;
	bool current;
	const char *policy; /* the text: not in lists */
};

struct admin_git {
	const char *state; /* "waiting", "applied", "refused", "overridden", "unreachable" */
	const char *url, *branch, *path, *commit, *author, *subject, *reason;
	unix_ms read;
};

struct admin_policy_status {
	int64_t version, rules, nodes, classes;
	const char *author, *etag;
	unix_ms created;
	struct admin_git *git; /* if the policy comes from there */
};

struct admin_change {
	int64_t node, gained, lost; /* peers */
	const char *name;
	bool filter, ssh;
};

struct admin_reach {
	bool allowed;                        /* every pair of devices that was asked about */
	int64_t pairs, pairs_allowed;        /* if several were asked about */
	const char *denied_src, *denied_dst; /* the first pair that may not */
	const char *rule;                    /* "acls[2]", "grants[0]", or "" */
	int64_t line;                        /* of the rule */
};

/* A failed test of a policy. */
struct admin_failure {
	const char *src, *text;
	bool ssh;
	int64_t line, column;
};

struct admin_error {
	const char *error;
	int64_t line, column;      /* in the policy; 0: nowhere in particular */
	struct json_list failures; /* struct admin_failure */
};

/* Body of every request that changes something: each uses some of the fields. */
struct admin_request {
	const char *name, *code, *user, *digest, *next, *scope, *mode, *role, *move_to, *state, *os,
		*tag, *sort;
	const char *policy, *author; /* author: who asks, for the list of versions */
	const char *src, *dst;
	const char *text; /* of the record: that has to occur */
	int64_t below, limit;
	unix_ms since;
	int64_t proto, port;
	struct json_list prefixes; /* struct ipprefix */
	struct json_list tags;
	const char *type; /* of a record */
	struct json_list
		values;      /* const char *: addresses of resolvers or records, search domains */
	struct json_list at; /* struct ipaddr: where a resolver with a name is found */
	bool with_exit_node; /* it is asked also while an exit node is in use */
	int64_t changes;     /* the number of changes that is known; 0: none */
	int64_t if_version;  /* of the policy that was looked at; 0: any */
	int64_t expiry_ms;   /* 0: never; of a device: now, and negative is never */
	bool reusable, ephemeral, preapproved, force, with_devices, reverse;
};

/* A page of the record of changes: documents as hub/audit has them. */
struct admin_audit {
	struct json_list entries; /* struct view */
	int64_t next;             /* below, for the next page; 0: this was the last */
};

extern const struct json_type admin_audit_type, admin_status_type, admin_limits_type,
	admin_user_type, admin_user_list, admin_left_type, admin_node_type, admin_node_list,
	admin_pending_type, admin_pending_list, admin_grant_type, admin_key_type, admin_key_list,
	admin_link_type, admin_error_type, admin_request_type, admin_token_type, admin_token_list,
	admin_route_type, admin_route_list, admin_own_prefixes_type, admin_policy_type,
	admin_policy_list, admin_policy_status_type, admin_change_type, admin_change_list,
	admin_reach_type, admin_failure_type, admin_failure_list, admin_dns_type,
	admin_dns_preview_type, admin_news_type;

#endif
