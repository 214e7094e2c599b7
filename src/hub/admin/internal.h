/* hub/admin: what the files behind the administration socket share; admin.c, with the table, is on top of them. */
#ifndef WARREN_HUB_ADMIN_INTERNAL_H
#define WARREN_HUB_ADMIN_INTERNAL_H

#include "hub/admin/admin_json.h"
#include "hub/state/state.h"

/* What a handler finds in q->call. */
struct admin_call {
	struct http_request *q;
	struct hub *hub;
	struct arena *mem; /* q->mem */
	struct admin_request req;
	int64_t id; /* from the path; -1: none */
	struct now now;
	char error[1024]; /* what the person reads when the call fails */
	struct {
		unsigned line, column;
	} at;                      /* in the policy */
	struct json_list failures; /* struct admin_failure */
};

/* reply.c: each request has one answer. */
extern const char admin_headers[];
MUST_USE int admin_reply(struct admin_call *c, const struct json_type *t, const void *doc);
MUST_USE int admin_ok(struct admin_call *c);
/* Sets the words of an error and returns rc. */
MUST_USE int admin_say(struct admin_call *c, int rc, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* rc decides the status; c->error, if set, is what the person reads. */
MUST_USE int admin_reply_error(struct admin_call *c, int rc);

/* lookup.c */
MUST_USE int admin_no_node(struct admin_call *c);
MUST_USE int admin_node_doc(
	struct admin_call *c, const struct coord_node_doc *d, struct admin_node *ret);
MUST_USE int admin_reply_node(struct admin_call *c, int64_t id); /* the device as it is */
const char *admin_user_name(const struct hub *h, int64_t id);    /* NULL: nobody */
enum { ADMIN_EXPIRY_YEARS_MAX = 1000 };
#define ADMIN_EXPIRY_MS_MAX ((unix_ms)ADMIN_EXPIRY_YEARS_MAX * 366 * 24 * 3600 * 1000)
/* When what is made now expires, as the request has it; 0: never. */
MUST_USE int admin_expires(struct admin_call *c, unix_ms *ret);
/* By name; NULL and "": the first one. */
MUST_USE int admin_find_user(struct admin_call *c, const char *name, const struct coord_user **ret);
/* Whoever asks has all the rights that this user has. -ERR_DENIED, said. */
MUST_USE int admin_may_act_for(struct admin_call *c, const struct coord_user *u);
/* Whom a device or a key is made the property of: by name, else whoever asks in a browser, else the first. -ERR_DENIED as above. */
MUST_USE int admin_find_grantee(
	struct admin_call *c, const char *name, const struct coord_user **ret);
/* The same, but without a name the only user that there is. */
MUST_USE int admin_find_heir(struct admin_call *c, const char *name, const struct coord_user **ret);

/* Handlers, by file */

/* status.c */
MUST_USE int admin_status_get(struct http_request *q);

/* node_changes.c */
MUST_USE int admin_node_rename(struct http_request *q);
MUST_USE int admin_node_tag(struct http_request *q);
MUST_USE int admin_node_move(struct http_request *q);
MUST_USE int admin_node_expire(struct http_request *q);
MUST_USE int admin_node_delete(struct http_request *q);

/* sessions.c */
MUST_USE int admin_sessions(struct http_request *q);
MUST_USE int admin_session_end(struct http_request *q);

/* keys.c */
MUST_USE int admin_keys(struct http_request *q);
MUST_USE int admin_key_create(struct http_request *q);
MUST_USE int admin_key_revoke(struct http_request *q);
MUST_USE int admin_key_delete(struct http_request *q);
MUST_USE int admin_key_move(struct http_request *q);

/* limits.c */
MUST_USE int admin_limits(struct http_request *q);

/* nodes.c */
MUST_USE int admin_nodes(struct http_request *q);
MUST_USE int admin_node_show(struct http_request *q);

/* news.c */
MUST_USE int admin_nodes_changed(struct http_request *q);

/* pending.c */
MUST_USE int admin_pending(struct http_request *q);
MUST_USE int admin_waiting(struct http_request *q);
MUST_USE int admin_approve(struct http_request *q);
MUST_USE int admin_approve_node(struct http_request *q);
MUST_USE int admin_reject(struct http_request *q);

/* users.c */
MUST_USE int admin_users(struct http_request *q);
MUST_USE int admin_user_create(struct http_request *q);
MUST_USE int admin_user_delete(struct http_request *q);
MUST_USE int admin_user_rename(struct http_request *q);
MUST_USE int admin_user_role(struct http_request *q);

/* policy.c */
MUST_USE int admin_policy(struct http_request *q);
MUST_USE int admin_policy_set(struct http_request *q);
MUST_USE int admin_policy_status(struct http_request *q);
MUST_USE int admin_policy_versions(struct http_request *q);
MUST_USE int admin_policy_version(struct http_request *q);
MUST_USE int admin_policy_restore(struct http_request *q);
MUST_USE int admin_policy_check(struct http_request *q);
MUST_USE int admin_policy_preview(struct http_request *q);
MUST_USE int admin_policy_can(struct http_request *q);
MUST_USE int admin_policy_pull(struct http_request *q);

/* routes.c: routes and the organisation's own prefixes */
MUST_USE int admin_routes(struct http_request *q);
MUST_USE int admin_route_approve(struct http_request *q);
MUST_USE int admin_route_unapprove(struct http_request *q);
MUST_USE int admin_own_prefixes(struct http_request *q);
MUST_USE int admin_own_prefixes_set(struct http_request *q);

/* dns.c */
MUST_USE int admin_dns(struct http_request *q);
MUST_USE int admin_dns_nameservers(struct http_request *q);
MUST_USE int admin_dns_split(struct http_request *q);
MUST_USE int admin_dns_search(struct http_request *q);
MUST_USE int admin_dns_records(struct http_request *q);
MUST_USE int admin_dns_switch(struct http_request *q);
MUST_USE int admin_dns_preview(struct http_request *q);

/* audit.c */
MUST_USE int admin_audit(struct http_request *q);

/* tokens.c */
MUST_USE int admin_tokens(struct http_request *q);
MUST_USE int admin_token_create(struct http_request *q);
MUST_USE int admin_token_revoke(struct http_request *q);
MUST_USE int admin_token_delete(struct http_request *q);
MUST_USE int admin_login_create(struct http_request *q);

#endif
