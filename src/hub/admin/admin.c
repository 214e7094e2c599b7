/*
 * The administration: HTTP with JSON over a unix socket that only its owner and root can open.
 *	GET /status, /users, /nodes, /keys, /sessions, /pending
 *	GET /routes, /own-prefixes, /dns, /tokens, /policy, /policy/status, /policy/versions, /policy/versions/N
 *	POST /users, /users/ID/{delete,rename,role}, /nodes/{list,show,waiting,approve,reject}, /nodes/ID/{approve,rename,tag,move,expire,delete}, /keys,
 *	/keys/ID/{revoke,delete,move}, /login,
 *	/nodes/ID/routes/{approve,unapprove}, /own-prefixes, /tokens, /tokens/ID/revoke, /sessions/ID/end, /audit/list, /policy, /policy/{check,preview,can,pull},
 *	/policy/versions/N/restore, /dns/{nameservers,split,search,records}/{add,remove,set}, /dns/switch/NAME/{on,off}, /dns/preview
 * A change is durable before it is answered: hold.c sees to it.
 */
#include "hub/admin/admin.h"
#include "hub/admin/admin_json.h"
#include "hub/admin/internal.h"
#include "hub/auth/auth.h"
#include "os/log/log.h"

#include <stdio.h>
#include <unistd.h>

enum { MEM_MAX = 256 << 20, BODY_MAX = 4 * COORD_POLICY_TEXT_MAX };

/* NOTED: in the log; a CHANGE is that, too. POST without either only looks: its question has a body. */
enum { NOTED = HTTP_ROUTE_OWN, CHANGE = NOTED | HTTP_ROUTE_CHANGES };

static const struct http_route routes[] = {
	{ "GET", "/status", RIGHT_SEE, .fn = admin_status_get },
	{ "GET", "/limits", RIGHT_SEE, .fn = admin_limits },
	{ "GET", "/users", RIGHT_SEE, .fn = admin_users },
	{ "POST", "/users", RIGHT_USERS, .fn = admin_user_create, .flags = CHANGE },
	{ "POST", "/users/{id:int}/delete", RIGHT_USERS, .fn = admin_user_delete, .flags = CHANGE },
	{ "POST", "/users/{id:int}/rename", RIGHT_USERS, .fn = admin_user_rename, .flags = CHANGE },
	{ "POST", "/users/{id:int}/role", RIGHT_USERS, .fn = admin_user_role, .flags = CHANGE },
	{ "GET", "/nodes", RIGHT_SEE, .fn = admin_nodes },
	{ "POST", "/nodes/list", RIGHT_SEE, .fn = admin_nodes },
	{ "POST", "/nodes/changed", RIGHT_SEE, .fn = admin_nodes_changed },
	{ "POST", "/nodes/show", RIGHT_SEE, .fn = admin_node_show },
	{ "GET", "/pending", RIGHT_SEE, .fn = admin_pending },
	{ "POST", "/nodes/waiting", RIGHT_SEE, .fn = admin_waiting },
	{ "POST", "/nodes/approve", RIGHT_DEVICES, .fn = admin_approve, .flags = CHANGE },
	{ "POST", "/nodes/reject", RIGHT_DEVICES, .fn = admin_reject, .flags = CHANGE },
	{ "POST", "/nodes/{id:int}/approve", RIGHT_DEVICES, .fn = admin_approve_node,
		.flags = CHANGE },
	{ "POST", "/nodes/{id:int}/rename", RIGHT_DEVICES, .fn = admin_node_rename,
		.flags = CHANGE },
	{ "POST", "/nodes/{id:int}/tag", RIGHT_DEVICES, .fn = admin_node_tag, .flags = CHANGE },
	{ "POST", "/nodes/{id:int}/move", RIGHT_DEVICES, .fn = admin_node_move, .flags = CHANGE },
	{ "POST", "/nodes/{id:int}/expire", RIGHT_DEVICES, .fn = admin_node_expire,
		.flags = CHANGE },
	{ "POST", "/nodes/{id:int}/delete", RIGHT_DEVICES, .fn = admin_node_delete,
		.flags = CHANGE },
	{ "GET", "/keys", RIGHT_SEE, .fn = admin_keys },
	{ "POST", "/keys", RIGHT_DEVICES, .fn = admin_key_create, .flags = CHANGE },
	{ "POST", "/keys/{id:int}/revoke", RIGHT_DEVICES, .fn = admin_key_revoke, .flags = CHANGE },
	{ "POST", "/keys/{id:int}/delete", RIGHT_DEVICES, .fn = admin_key_delete, .flags = CHANGE },
	{ "POST", "/keys/{id:int}/move", RIGHT_DEVICES, .fn = admin_key_move, .flags = CHANGE },
	{ "POST", "/login", RIGHT_MACHINE, .fn = admin_login_create, .flags = NOTED },
	{ "GET", "/sessions", RIGHT_LOG, .fn = admin_sessions },
	{ "POST", "/sessions/{id:int}/end", RIGHT_USERS, .fn = admin_session_end, .flags = NOTED },
	{ "GET", "/tokens", RIGHT_LOG, .fn = admin_tokens },
	{ "POST", "/tokens", RIGHT_TOKENS, .fn = admin_token_create, .flags = CHANGE },
	{ "POST", "/tokens/{id:int}/revoke", RIGHT_TOKENS, .fn = admin_token_revoke,
		.flags = CHANGE },
	{ "POST", "/tokens/{id:int}/delete", RIGHT_TOKENS, .fn = admin_token_delete,
		.flags = CHANGE },
	{ "POST", "/audit/list", RIGHT_LOG, .fn = admin_audit },
	{ "GET", "/routes", RIGHT_SEE, .fn = admin_routes },
	{ "POST", "/nodes/{id:int}/routes/approve", RIGHT_NETWORK, .fn = admin_route_approve,
		.flags = CHANGE },
	{ "POST", "/nodes/{id:int}/routes/unapprove", RIGHT_NETWORK, .fn = admin_route_unapprove,
		.flags = CHANGE },
	{ "GET", "/own-prefixes", RIGHT_SEE, .fn = admin_own_prefixes },
	{ "POST", "/own-prefixes", RIGHT_NETWORK, .fn = admin_own_prefixes_set, .flags = CHANGE },
	{ "GET", "/dns", RIGHT_SEE, .fn = admin_dns },
	{ "POST", "/dns/nameservers/{verb}", RIGHT_NETWORK, .fn = admin_dns_nameservers,
		.flags = CHANGE },
	{ "POST", "/dns/split/{verb}", RIGHT_NETWORK, .fn = admin_dns_split, .flags = CHANGE },
	{ "POST", "/dns/search/{verb}", RIGHT_NETWORK, .fn = admin_dns_search, .flags = CHANGE },
	{ "POST", "/dns/records/{verb}", RIGHT_NETWORK, .fn = admin_dns_records, .flags = CHANGE },
	{ "POST", "/dns/switch/{name}/{verb}", RIGHT_NETWORK, .fn = admin_dns_switch,
		.flags = CHANGE },
	{ "POST", "/dns/preview", RIGHT_SEE, .fn = admin_dns_preview },
	{ "GET", "/policy", RIGHT_SEE, .fn = admin_policy },
	{ "POST", "/policy", RIGHT_POLICY, .fn = admin_policy_set, .flags = CHANGE },
	{ "GET", "/policy/status", RIGHT_SEE, .fn = admin_policy_status },
	{ "GET", "/policy/versions", RIGHT_SEE, .fn = admin_policy_versions },
	{ "GET", "/policy/versions/{id:int}", RIGHT_SEE, .fn = admin_policy_version },
	{ "POST", "/policy/versions/{id:int}/restore", RIGHT_POLICY, .fn = admin_policy_restore,
		.flags = CHANGE },
	{ "POST", "/policy/check", RIGHT_SEE, .fn = admin_policy_check },
	{ "POST", "/policy/preview", RIGHT_SEE, .fn = admin_policy_preview },
	{ "POST", "/policy/can", RIGHT_SEE, .fn = admin_policy_can },
	{ "POST", "/policy/pull", RIGHT_POLICY, .fn = admin_policy_pull, .flags = NOTED },
};

static void identify(struct http_request *q)
{
	if (!q->who.has_uid || (q->who.uid != 0 && q->who.uid != geteuid()))
		return;
	q->who.kind = PRINCIPAL_ADMIN;
	q->who.rights = RIGHTS_ALL;
}

/* " tags=tag:a,tag:b" */
static void add_texts(
	const char *name, const struct json_list *l, char *out, size_t size, size_t *at)
{
	for (size_t i = 0; i < l->n && *at < size; i++)
		*at += (size_t)snprintf(out + *at, size - *at, "%s%s%s%s", i ? "," : " ",
			i ? "" : name, i ? "" : "=", *JSON_AT(*l, const char *, i));
}

/* " name=printer user=ana": what a request says beside its path; nothing that is secret or long. */
static const char *details_of(const struct admin_request *r, char *out, size_t size)
{
	const struct {
		const char *name, *value;
	} fields[] = { { "name", r->name }, { "code", r->code }, { "user", r->user },
		{ "role", r->role }, { "moveTo", r->move_to } };
	size_t at = 0;

	out[0] = 0;
	for (size_t i = 0; i < ARRAY_LEN(fields) && at < size; i++)
		if (fields[i].value && *fields[i].value)
			at += (size_t)snprintf(
				out + at, size - at, " %s=%s", fields[i].name, fields[i].value);
	add_texts("tags", &r->tags, out, size, &at);
	add_texts("values", &r->values, out, size, &at);
	return out;
}

static int run(struct admin_call *c)
{
	struct http_request *q = c->q;
	char details[512];
	int rc = q->route->fn(q);

	if (q->route->flags & NOTED)
		log_info("admin", rc < 0 ? "a change was refused" : "a change was asked for",
			"by=%s request=%.*s%s%s%s",
			c->req.author && *c->req.author ? c->req.author : "unknown",
			(int)q->path.len, (const char *)q->path.p,
			details_of(&c->req, details, sizeof(details)), rc < 0 ? " why=" : "",
			rc < 0 ? c->error[0] ? c->error : err_text(rc) : "");
	return rc;
}

/* author: who asks, where the request itself is not to say that; NULL: it may. 1: it is malformed, and answered so. */
static int read_request(struct admin_call *c, const char *author)
{
	struct http_request *q = c->q;
	struct err_at at;
	int rc = q->body.len ? json_decode(&admin_request_type, q->body.p, q->body.len, &c->req,
				       c->mem, &at)
			     : 0;

	if (rc == -ERR_TOO_BIG)
		return admin_say(c, -ERR_BAD_VALUE,
			"this is more than a request may hold; a policy has at most %d bytes",
			COORD_POLICY_TEXT_MAX);
	if (rc < 0) {
		rc = http_reply_refuse_text(q->reply, 400, "malformed request\n");
		return rc < 0 ? rc : 1;
	}
	c->req.author = author ? author : c->req.author;
	q->who.name = c->req.author;
	return 0;
}

static int answer(struct http_request *q, const char *author)
{
	struct hub *h = q->ctx;
	struct admin_call c = { .q = q,
		.hub = h,
		.mem = &q->mem,
		.id = http_request_int(q, "id"),
		.now = loop_now(h->loop) };
	int rc;

	h->n.admin_requests++;
	q->call = &c;
	rc = read_request(&c, author);
	if (rc == 0)
		rc = run(&c);
	if (rc < 0 && !q->reply->answered)
		rc = admin_reply_error(&c, rc);
	q->call = NULL;
	return MIN_OF(rc, 0);
}

static int around(struct http_request *q)
{
	return answer(q, NULL);
}

static int refuse(struct http_request *q, enum router_refusal why, const char *detail, int rc)
{
	struct hub *h = q->ctx;

	if (q->who.kind == PRINCIPAL_STRANGER)
		return http_reply_refuse_text(
			q->reply, 403, "only root and the user of the hub may do this\n");
	if (why == ROUTER_NO_CHANGE)
		return hold_refuse(q, HUB_ADMIN, detail);
	h->n.admin_requests += why != ROUTER_FAILED;
	return 0;
}

static const struct router_ops ops = {
	.identify = identify, .around = around, .refuse = refuse, .gate = &hold_admin
};
const struct router admin_table = { ROUTER_TABLE(routes), .ops = &ops, .mem_max = MEM_MAX,
	.body_max = BODY_MAX };

/* The same for browsers: a session, and for whatever is more than GET the token that only a page of ours can have read. */

static int around_browser(struct http_request *q)
{
	struct hub *h = q->ctx;

	if (login_comes_from_us(q->who.proof, q->head, http_request_is(q, "GET")))
		return answer(q, q->who.name ? q->who.name : "console");
	h->n.csrf_failures++;
	return http_reply_refuse(q->reply, 403, "application/json", admin_headers,
		VIEW_LIT("{\"error\":\"this did not come from a page of the console\"}"));
}

static int refuse_browser(
	struct http_request *q, enum router_refusal why, const char *detail, int rc)
{
	if (!principal_may(&q->who, RIGHT_SESSION))
		return http_reply_refuse(q->reply, 401, "application/json", admin_headers,
			VIEW_LIT("{\"error\":\"not logged in\"}"));
	if (why == ROUTER_DENIED)
		return http_reply_refuse(q->reply, 403, "application/json", admin_headers,
			VIEW_LIT("{\"error\":\"your role does not include this\"}"));
	return refuse(q, why, detail, rc);
}

static const struct router_ops browser_ops = { .identify = login_identify,
	.around = around_browser,
	.refuse = refuse_browser,
	.gate = &hold_admin };
const struct router admin_browser_table = { ROUTER_TABLE(routes), .ops = &browser_ops,
	.mount = ADMIN_BROWSER_MOUNT, .prefix = ADMIN_BROWSER_MOUNT "/", .mem_max = MEM_MAX,
	.body_max = BODY_MAX, .answer_max = ADMIN_ANSWER_MAX };
