#include "hub/api.h"
#include "hub/api_internal.h"
#include "base/text/text.h"
#include "hub/git.h"
#include "hub/token.h"
#include "os/log/log.h"
#include "proto/hujson/hujson.h"

#include <errno.h>
#include <stdio.h>

static const char json[] = "application/json", hujson[] = "application/hujson";
static const char headers[] = "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n";

enum {
	BODY_MAX = COORD_POLICY_TEXT_MAX + 64 * 1024,
	ANSWER_MAX = 2 * COORD_POLICY_TEXT_MAX,
	WEBHOOK_MAX = 256 * 1024,
	MEM_MAX = 256 << 20,
	TAILNET_NAME_MAX = 256
};

/* Answers */

struct detail {
	const char *user;
	struct json_list errors, warnings;
};

struct message {
	const char *message;
	struct json_list data;
};

static const struct json_field detail_fields[] = {
	JSON_F(struct detail, user, "user", json_str, 0),
	JSON_F(struct detail, errors, "errors", json_str_list, JSON_OMIT),
	JSON_F(struct detail, warnings, "warnings", json_str_list, JSON_OMIT),
	JSON_END,
};
static JSON_OBJECT_TYPE(detail_type, struct detail, detail_fields);
static JSON_LIST_TYPE(detail_list, detail_type);
static const struct json_field message_fields[] = {
	JSON_F(struct message, message, "message", json_str, 0),
	JSON_F(struct message, data, "data", detail_list, JSON_OMIT),
	JSON_END,
};
static JSON_OBJECT_TYPE(message_type, struct message, message_fields);

int api_reply(struct http_request *q, int status, const struct json_type *t, const void *doc,
	const char *extra)
{
	char all[512];
	struct buf b;
	int rc;

	snprintf(all, sizeof(all), "%s%s", headers, extra);
	buf_init(&b, ANSWER_MAX);
	rc = json_encode(t, doc, &b);
	if (rc == 0)
		rc = http_reply_send(q->reply, status, json, all, buf_view(&b));
	buf_fini(&b);
	return rc;
}

int api_refuse(struct http_request *q, int status, const char *text)
{
	struct message m = { .message = text };

	return api_reply(q, status, &message_type, &m,
		status == 401 ? "WWW-Authenticate: Basic realm=\"warren-hub\"\r\n" : "");
}

static int nothing(struct http_request *q)
{
	return http_reply_send(q->reply, 200, json, headers, VIEW_LIT("{}\n"));
}

/* Why a policy is not taken, as tools show it: those for Git find the place by "line N, column M:
 * ". */
int api_reply_fault(struct http_request *q, int status, int rc, const struct policy_fault *f)
{
	struct message m = { .message = "test(s) failed" };
	struct detail *d;

	if (rc == -ERR_CONFLICT)
		return api_refuse(q, 412, "precondition failed, invalid old hash");
	if (rc != COORD_POLICY_TESTS_FAILED) {
		char text[512];

		return api_refuse(q, rc == -ENOMEM || rc == -ERR_STORE ? 500 : status,
			policy_fault_text(rc, f, text, sizeof(text)));
	}
	d = arena_array(&q->mem, f->n, sizeof(*d));
	for (size_t i = 0; d && i < f->n; i++)
		d[i] = (struct detail){ .user = f->v[i].src,
			.errors = json_list_of((void *)(uintptr_t)&f->v[i].text, 1) };
	m.data = json_list_of(d, d ? f->n : 0);
	return api_reply(q, status, &message_type, &m, "");
}

/* The policy */

static bool wants_json(const struct http_request *q)
{
	return http1_has_token(q->head, "Accept", json) ||
	       http1_has_token(q->head, "Accept", "text/json");
}

struct details {
	const char *acl; /* base64 */
	struct json_list warnings, errors;
};
static const struct json_field details_fields[] = {
	JSON_F(struct details, acl, "acl", json_str, 0),
	JSON_F(struct details, warnings, "warnings", json_str_list, 0),
	JSON_F(struct details, errors, "errors", json_str_list, 0),
	JSON_END,
};
static JSON_OBJECT_TYPE(details_type, struct details, details_fields);

static int reply_details(struct http_request *q, struct view text, const char *extra)
{
	struct details d = { 0 };
	char *b64 = arena_alloc(&q->mem, BASE64_LEN(text.len) + 1);

	if (!b64)
		return -ENOMEM;
	base64_encode(text.p, text.len, b64);
	d.acl = b64;
	return api_reply(q, 200, &details_type, &d, extra);
}

static int reply_policy(struct http_request *q)
{
	struct view text = hub_policy_text(hub_of(q));
	char extra[512];
	struct buf b;
	int rc;

	snprintf(extra, sizeof(extra), "%sETag: \"%s\"\r\n", headers, hub_policy_etag(hub_of(q)));
	if (view_eq(http1_query(q->head, "details"), VIEW_LIT("1")))
		return reply_details(q, text, extra + sizeof(headers) - 1);
	if (!wants_json(q))
		return http_reply_send(q->reply, 200, hujson, extra, text);
	buf_init(&b, COORD_POLICY_TEXT_MAX);
	rc = hujson_standardize(text.p, text.len, &b, NULL);
	if (rc == 0)
		rc = http_reply_send(q->reply, 200, json, extra, buf_view(&b));
	buf_fini(&b);
	return rc;
}

/* If-Match: "<etag>", <etag>, "ts-default" (only while there is no policy), * or nothing. */
static bool precondition_holds(const struct http_request *q)
{
	struct view v = http1_find(q->head, "If-Match");
	const char *etag = hub_policy_etag(hub_of(q));

	if (v.len >= 2 && v.p[0] == '"' && v.p[v.len - 1] == '"')
		v = view_of(v.p + 1, v.len - 2);
	if (!v.len || view_eq(v, VIEW_LIT("*")))
		return true;
	if (view_eq(v, VIEW_LIT("ts-default")))
		return !coord_policy_current(hub_of(q)->tailnet);
	return view_eq(v, view_of(etag, strlen(etag)));
}

static int set_policy(struct http_request *q)
{
	struct policy_fault *f = arena_new(&q->mem, struct policy_fault);
	const struct token *t = q->who.proof;
	char author[TOKEN_NAME_MAX + 64];
	int rc;

	if (!f)
		return -ENOMEM;
	f->mem = &q->mem;
	if (!precondition_holds(q))
		return api_refuse(q, 412, "precondition failed, invalid old hash");
	snprintf(author, sizeof(author), "token k%lld%s%s", (long long)t->id, t->name[0] ? " " : "",
		t->name);
	rc = hub_policy_set(
		hub_of(q), q->body, author, POLICY_BY_HAND, COORD_POLICY_ANY_VERSION, f);
	if (rc == POLICY_OWNED_BY_GIT)
		return api_refuse(q, 409,
			"the policy of this hub comes from its Git repository: change it there");
	return rc == 0 ? reply_policy(q) : api_reply_fault(q, 400, rc, f);
}

/* Where the value of the policy's "tests" stands in its text; not set when there are none. */
static int find_tests(
	struct http_request *q, struct view text, struct view *ret_value, struct view *ret_open)
{
	struct hujson *root;
	int rc = hujson_parse(text.p, text.len, &q->mem, &root, NULL);

	if (rc < 0)
		return rc;
	if (root->kind != HUJSON_OBJECT)
		return -ERR_BAD_FORMAT;
	*ret_open = view_of(root->raw.p, 1);
	hujson_for_each(m, root) if (text_ieq(m->name, strlen(m->name), "tests", 5)) *ret_value =
		m->raw;
	return 0;
}

/* The running policy with other tests. */
static int with_tests(struct http_request *q, struct view tests, struct buf *out)
{
	struct view text = hub_policy_text(hub_of(q)), value = { 0 }, open = { 0 };
	int rc = find_tests(q, text, &value, &open);
	const uint8_t *cut = value.p   ? value.p
			     : rc == 0 ? open.p + 1
				       : NULL,
		      *end = text.p + text.len;

	if (rc == 0)
		rc = buf_append(out, text.p, (size_t)(cut - text.p));
	if (rc == 0 && !value.p)
		rc = buf_append_str(out, "\"tests\": ");
	if (rc == 0)
		rc = buf_append(out, tests.p, tests.len);
	if (rc == 0 && !value.p)
		rc = buf_append_str(out, ",");
	cut += value.len;
	return rc == 0 ? buf_append(out, cut, (size_t)(end - cut)) : rc;
}

/* The first character that is neither blank nor comment. */
static char first_char(struct http_request *q)
{
	struct hujson *root;

	if (hujson_parse(q->body.p, q->body.len, &q->mem, &root, NULL) < 0)
		return 0;
	return root->kind == HUJSON_ARRAY ? '[' : 0;
}

/* An object is a policy to judge; an array: tests for the running one. 200 in any case: what is
 * wrong stands in the body. */
static int on_validate(struct http_request *q)
{
	struct policy_fault *f = arena_new(&q->mem, struct policy_fault);
	struct buf b;
	int rc = 0;

	if (!f)
		return -ENOMEM;
	f->mem = &q->mem;
	buf_init(&b, COORD_POLICY_TEXT_MAX);
	if (first_char(q) == '[')
		rc = with_tests(q, q->body, &b);
	if (rc == 0)
		rc = hub_policy_check(hub_of(q), buf_len(&b) ? buf_view(&b) : q->body, f);
	buf_fini(&b);
	return rc == 0 ? nothing(q) : api_reply_fault(q, 200, rc, f);
}

static int on_webhook(struct http_request *q)
{
	switch (git_webhook(hub_of(q), q->head, q->body)) {
	case GIT_WEBHOOK_TAKEN:
		return http_reply_send(q->reply, 202, json, headers, VIEW_LIT("{}\n"));
	case GIT_WEBHOOK_OFF:
		return api_refuse(q, 404, "this hub has no webhook");
	case GIT_WEBHOOK_BAD_SIGNATURE:
		break;
	}
	return api_refuse(q, 403, "the signature is missing or wrong");
}

/* Who may ask for what */

#define BASE "/api/v2/"
#define ACL BASE "tailnet/{tailnet}/acl"
#define WEBHOOK BASE "webhook/policy-git"

/* Beside those of a token: its body could be signed, so it is read. */
enum { WEBHOOK_RIGHT = 1 << 8 };

static const struct http_route routes[] = {
	{ "GET", ACL, TOKEN_READ_POLICY, .fn = reply_policy },
	{ "POST", ACL, TOKEN_WRITE_POLICY, .fn = set_policy, .flags = HTTP_ROUTE_CHANGES },
	{ "POST", ACL "/preview", TOKEN_READ_POLICY, .fn = api_preview },
	{ "POST", ACL "/validate", TOKEN_READ_POLICY, .fn = on_validate },
	{ "POST", WEBHOOK, WEBHOOK_RIGHT, .fn = on_webhook, .body_max = WEBHOOK_MAX },
};

static bool is_webhook(const struct http_request *q)
{
	return view_eq(q->path, VIEW_LIT(WEBHOOK));
}

static void identify(struct http_request *q)
{
	struct token *t;

	if (is_webhook(q)) {
		if (git_webhook_wants(hub_of(q), q->head))
			q->who.rights = WEBHOOK_RIGHT;
		return;
	}
	t = token_of_request(hub_of(q), q->head);
	if (!t)
		return;
	q->who.kind = PRINCIPAL_TOKEN;
	q->who.rights = token_rights(t);
	q->who.name = t->name;
	q->who.proof = t;
	token_proved(t, httpd_stream(q->conn));
}

static int refuse_credential(struct http_request *q)
{
	struct ipaddr from = q->who.from.ip;
	char text[IPADDR_TEXT_MAX];

	hub_of(q)->n.api_denied++;
	log_warn_limited("api", "no valid token", "from=%s", ipaddr_format(from, text));
	if (throttle_failed(hub_of(q)->throttle, from, loop_now(hub_of(q)->loop).mono)) {
		struct message m = { .message = "too many requests without a valid API token" };

		hub_of(q)->n.api_throttled++;
		return api_reply(q, 429, &message_type, &m, "Retry-After: 6\r\n");
	}
	return api_refuse(q, 401,
		"API token invalid: unknown, expired or revoked; \"warren-hub tokens create\" makes one");
}

/* The tailnet of the path must be ours. */
static bool is_our_tailnet(const struct http_request *q)
{
	const struct hub *h = hub_of(q);
	char name[TAILNET_NAME_MAX];

	http_request_text(q, "tailnet", name, sizeof(name));
	return !strcmp(name, "-") || !strcmp(name, coord_tailnet_id(h->tailnet)) ||
	       text_ieq(name, strlen(name), h->o->base_domain, strlen(h->o->base_domain)) ||
	       text_ieq(name, strlen(name), h->url.host, strlen(h->url.host));
}

static int not_found(struct http_request *q)
{
	return api_refuse(q, 404, "not found: this hub serves /api/v2/tailnet/-/acl");
}

/* Of every request one of around and refuse is the first that hears. */
static void count(struct http_request *q)
{
	hub_of(q)->n.api_requests++;
	if (q->who.proof)
		token_used(hub_of(q), q->who.proof);
}

static int around(struct http_request *q)
{
	count(q);
	return is_webhook(q) || is_our_tailnet(q) ? q->route->fn(q) : not_found(q);
}

/* Nobody learns what there is without a token, but for the webhook, which has a signature. */
static int refuse(struct http_request *q, enum router_refusal why, const char *detail, int rc)
{
	char allow[HTTP_ALLOW_MAX + 16];

	if (why == ROUTER_FAILED)
		return api_refuse(q, 500, err_text(rc));
	count(q);
	if (!q->who.proof && !is_webhook(q))
		return refuse_credential(q);
	switch (why) {
	case ROUTER_BAD_METHOD: {
		struct message m = { .message = "this method is not for this path" };

		snprintf(allow, sizeof(allow), "Allow: %s\r\n", detail);
		return api_reply(q, 405, &message_type, &m, allow);
	}
	case ROUTER_DENIED:
		return is_webhook(q)
			       ? on_webhook(q)
			       : api_refuse(q, 403,
					 "this token may only read: policy_file is the scope that may write");
	case ROUTER_NO_CHANGE:
		return hold_refuse(q, HUB_API, detail);
	case ROUTER_NOT_FOUND:
	case ROUTER_FAILED:
		break;
	}
	return not_found(q);
}

static const struct router_ops ops = {
	.identify = identify, .around = around, .refuse = refuse, .gate = &hold_api
};
const struct router api_table = { ROUTER_TABLE(routes), .prefix = BASE, .ops = &ops,
	.mem_max = MEM_MAX, .body_max = BODY_MAX, .answer_max = 2 * ANSWER_MAX };
