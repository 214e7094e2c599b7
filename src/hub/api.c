#include "hub/api.h"
#include "hub/api_internal.h"
#include "base/text/text.h"
#include "hub/git.h"
#include "hub/token.h"
#include "os/log/log.h"
#include "proto/hujson/hujson.h"

#include <errno.h>
#include <stdio.h>

static const char base[] = "/api/v2/", webhook_path[] = "webhook/policy-git",
		  json[] = "application/json", hujson[] = "application/hujson";
static const char headers[] = "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n";

enum {
	BODY_MAX = COORD_POLICY_TEXT_MAX + 64 * 1024,
	ANSWER_MAX = 2 * COORD_POLICY_TEXT_MAX,
	WEBHOOK_MAX = 256 * 1024,
	SEGMENTS_MAX = 4,
	SEGMENT_LEN_MAX = 256
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

int api_reply(struct api_call *c, int status, const struct json_type *t, const void *doc,
	const char *extra)
{
	char all[512];
	struct buf b;
	int rc;

	snprintf(all, sizeof(all), "%s%s", headers, extra);
	buf_init(&b, ANSWER_MAX);
	rc = json_encode(t, doc, &b);
	if (rc == 0)
		rc = httpd_answer(c->conn, status, json, all, buf_view(&b));
	buf_fini(&b);
	return rc;
}

int api_refuse(struct api_call *c, int status, const char *text)
{
	struct message m = { .message = text };

	return api_reply(c, status, &message_type, &m,
		status == 401 ? "WWW-Authenticate: Basic realm=\"warren-hub\"\r\n" : "");
}

static int nothing(struct api_call *c)
{
	return httpd_answer(c->conn, 200, json, headers, VIEW_LIT("{}\n"));
}

/* Why a policy is not taken, as tools show it: those for Git find the place by "line N, column M:
 * ". */
int api_reply_fault(struct api_call *c, int status, int rc, const struct policy_fault *f)
{
	struct message m = { .message = "test(s) failed" };
	struct detail *d;

	if (rc == -ERR_CONFLICT)
		return api_refuse(c, 412, "precondition failed, invalid old hash");
	if (rc != COORD_POLICY_TESTS_FAILED) {
		char text[512];

		return api_refuse(c, rc == -ENOMEM || rc == -ERR_STORE ? 500 : status,
			policy_fault_text(rc, f, text, sizeof(text)));
	}
	d = arena_array(&c->mem, f->n, sizeof(*d));
	for (size_t i = 0; d && i < f->n; i++)
		d[i] = (struct detail){ .user = f->v[i].src,
			.errors = json_list_of((void *)(uintptr_t)&f->v[i].text, 1) };
	m.data = json_list_of(d, d ? f->n : 0);
	return api_reply(c, status, &message_type, &m, "");
}

/* The policy */

static bool wants_json(const struct api_call *c)
{
	return http1_has_token(c->r->head, "Accept", json) ||
	       http1_has_token(c->r->head, "Accept", "text/json");
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

static int reply_details(struct api_call *c, struct view text, const char *extra)
{
	struct details d = { 0 };
	char *b64 = arena_alloc(&c->mem, BASE64_LEN(text.len) + 1);

	if (!b64)
		return -ENOMEM;
	base64_encode(text.p, text.len, b64);
	d.acl = b64;
	return api_reply(c, 200, &details_type, &d, extra);
}

static int reply_policy(struct api_call *c)
{
	struct view text = hub_policy_text(c->hub);
	char extra[512];
	struct buf b;
	int rc;

	snprintf(extra, sizeof(extra), "%sETag: \"%s\"\r\n", headers, hub_policy_etag(c->hub));
	if (view_eq(http1_query(c->r->head, "details"), VIEW_LIT("1")))
		return reply_details(c, text, extra + sizeof(headers) - 1);
	if (!wants_json(c))
		return httpd_answer(c->conn, 200, hujson, extra, text);
	buf_init(&b, COORD_POLICY_TEXT_MAX);
	rc = hujson_standardize(text.p, text.len, &b, NULL);
	if (rc == 0)
		rc = httpd_answer(c->conn, 200, json, extra, buf_view(&b));
	buf_fini(&b);
	return rc;
}

/* If-Match: "<etag>", <etag>, "ts-default" (only while there is no policy), * or nothing. */
static bool precondition_holds(const struct api_call *c)
{
	struct view v = http1_find(c->r->head, "If-Match");
	const char *etag = hub_policy_etag(c->hub);

	if (v.len >= 2 && v.p[0] == '"' && v.p[v.len - 1] == '"')
		v = view_of(v.p + 1, v.len - 2);
	if (!v.len || view_eq(v, VIEW_LIT("*")))
		return true;
	if (view_eq(v, VIEW_LIT("ts-default")))
		return !coord_policy_current(c->hub->tailnet);
	return view_eq(v, view_of(etag, strlen(etag)));
}

static int set_policy(struct api_call *c)
{
	struct policy_fault *f = arena_new(&c->mem, struct policy_fault);
	char author[TOKEN_NAME_MAX + 64];
	int rc;

	if (!f)
		return -ENOMEM;
	f->mem = &c->mem;
	if (!precondition_holds(c))
		return api_refuse(c, 412, "precondition failed, invalid old hash");
	snprintf(author, sizeof(author), "token k%lld%s%s", (long long)c->token->id,
		c->token->name[0] ? " " : "", c->token->name);
	rc = hub_policy_set(
		c->hub, c->r->body, author, POLICY_BY_HAND, COORD_POLICY_ANY_VERSION, f);
	if (rc == POLICY_OWNED_BY_GIT)
		return api_refuse(c, 409,
			"the policy of this hub comes from its Git repository: change it there");
	return rc == 0 ? reply_policy(c) : api_reply_fault(c, 400, rc, f);
}

static int on_acl(struct api_call *c)
{
	return c->post ? set_policy(c) : reply_policy(c);
}

/* Where the value of the policy's "tests" stands in its text; not set when there are none. */
static int find_tests(
	struct api_call *c, struct view text, struct view *ret_value, struct view *ret_open)
{
	struct hujson *root;
	int rc = hujson_parse(text.p, text.len, &c->mem, &root, NULL);

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
static int with_tests(struct api_call *c, struct view tests, struct buf *out)
{
	struct view text = hub_policy_text(c->hub), value = { 0 }, open = { 0 };
	int rc = find_tests(c, text, &value, &open);
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
static char first_char(struct api_call *c)
{
	struct hujson *root;

	if (hujson_parse(c->r->body.p, c->r->body.len, &c->mem, &root, NULL) < 0)
		return 0;
	return root->kind == HUJSON_ARRAY ? '[' : 0;
}

/* An object is a policy to judge; an array: tests for the running one. 200 in any case: what is
 * wrong stands in the body. */
static int on_validate(struct api_call *c)
{
	struct policy_fault *f = arena_new(&c->mem, struct policy_fault);
	struct buf b;
	int rc = 0;

	if (!f)
		return -ENOMEM;
	f->mem = &c->mem;
	buf_init(&b, COORD_POLICY_TEXT_MAX);
	if (first_char(c) == '[')
		rc = with_tests(c, c->r->body, &b);
	if (rc == 0)
		rc = hub_policy_check(c->hub, buf_len(&b) ? buf_view(&b) : c->r->body, f);
	buf_fini(&b);
	return rc == 0 ? nothing(c) : api_reply_fault(c, 200, rc, f);
}

/* Who may ask for what */

static const struct resource {
	const char *path; /* behind tailnet/{t}/ */
	enum token_right get, post;
	bool has_get;
	int (*fn)(struct api_call *c);
} resources[] = {
	{ "acl", TOKEN_READ_POLICY, TOKEN_WRITE_POLICY, true, on_acl },
	{ "acl/preview", TOKEN_READ_POLICY, TOKEN_READ_POLICY, false, api_preview },
	{ "acl/validate", TOKEN_READ_POLICY, TOKEN_READ_POLICY, false, on_validate },
};

static int refuse_credential(struct api_call *c)
{
	struct ipaddr from = stream_peer(httpd_stream(c->conn)).ip;
	char text[IPADDR_TEXT_MAX];

	c->hub->n.api_denied++;
	log_warn_limited("api", "no valid token", "from=%s", ipaddr_format(from, text));
	if (throttle_failed(c->hub->throttle, from, loop_now(c->hub->loop).mono)) {
		struct message m = { .message = "too many requests without a valid API token" };

		c->hub->n.api_throttled++;
		return api_reply(c, 429, &message_type, &m, "Retry-After: 6\r\n");
	}
	return api_refuse(c, 401,
		"API token invalid: unknown, expired or revoked; \"warren-hub tokens create\" makes one");
}

/* "tailnet/{t}/REST": the tailnet must be ours. */
static bool take_tailnet(const struct api_call *c, struct view path, struct view *ret_rest)
{
	static const char head[] = "tailnet/";
	size_t n = sizeof(head) - 1;
	const uint8_t *slash;
	char name[SEGMENT_LEN_MAX];

	if (path.len <= n || memcmp(path.p, head, n) != 0)
		return false;
	path = view_of(path.p + n, path.len - n);
	slash = memchr(path.p, '/', path.len);
	if (!slash || http1_unescape(view_of(path.p, (size_t)(slash - path.p)), false, name,
			      sizeof(name)) < 0)
		return false;
	*ret_rest = view_of(slash + 1, (size_t)(path.p + path.len - slash - 1));
	return !strcmp(name, "-") || !strcmp(name, coord_tailnet_id(c->hub->tailnet)) ||
	       text_ieq(name, strlen(name), c->hub->o->base_domain,
		       strlen(c->hub->o->base_domain)) ||
	       text_ieq(name, strlen(name), c->hub->url.host, strlen(c->hub->url.host));
}

static int dispatch(struct api_call *c, struct view path)
{
	bool get = http1_method_is(c->r->head, "GET") || http1_method_is(c->r->head, "HEAD");
	struct view rest;

	c->post = http1_method_is(c->r->head, "POST");
	c->token = token_of_request(c->hub, c->r->head);
	if (!c->token)
		return refuse_credential(c);
	token_used(c->hub, c->token);
	if (!take_tailnet(c, path, &rest))
		return api_refuse(c, 404, "not found: this hub serves /api/v2/tailnet/-/acl");
	for (size_t i = 0; i < ARRAY_LEN(resources); i++) {
		const struct resource *s = &resources[i];

		if (!view_eq(rest, view_of(s->path, strlen(s->path))))
			continue;
		if (!c->post && !(get && s->has_get))
			return api_refuse(c, 405, "this method is not for this path");
		if (!token_may(c->token, c->post ? s->post : s->get))
			return api_refuse(c, 403,
				"this token may only read: policy_file is the scope that may write");
		return s->fn(c);
	}
	return api_refuse(c, 404, "not found: this hub serves /api/v2/tailnet/-/acl");
}

static struct view path_below_base(const struct http1_head *head)
{
	struct view path = http1_path(head);

	return view_of(path.p + sizeof(base) - 1, path.len - (sizeof(base) - 1));
}

static bool is_webhook(const struct http1_head *head)
{
	return view_eq(path_below_base(head), view_of(webhook_path, sizeof(webhook_path) - 1));
}

bool api_wants(const struct http1_head *head)
{
	struct view path = http1_path(head);

	return path.len >= sizeof(base) - 1 && !memcmp(path.p, base, sizeof(base) - 1);
}

bool api_raise(
	void *ctx, struct httpd_conn *conn, const struct http1_head *head, struct httpd_limits *l)
{
	struct hub *h = ctx;
	const struct token *t;

	if (!api_wants(head))
		return false;
	if (is_webhook(head)) {
		l->body = WEBHOOK_MAX;
		l->head_only = !http1_method_is(head, "POST") || !git_webhook_wants(h, head);
		return true;
	}
	t = token_of_request(h, head);
	l->head_only = !t;
	if (t) {
		*l = (struct httpd_limits){ .body = BODY_MAX, .answer = 2 * ANSWER_MAX };
		token_proved(t, httpd_stream(conn));
	}
	return true;
}

static int on_webhook(struct api_call *c)
{
	if (!http1_method_is(c->r->head, "POST"))
		return api_refuse(c, 405, "this method is not for this path");
	switch (git_webhook(c->hub, c->r->head, c->r->body)) {
	case GIT_WEBHOOK_TAKEN:
		return httpd_answer(c->conn, 202, json, headers, VIEW_LIT("{}\n"));
	case GIT_WEBHOOK_OFF:
		return api_refuse(c, 404, "this hub has no webhook");
	case GIT_WEBHOOK_BAD_SIGNATURE:
		break;
	}
	return api_refuse(c, 403, "the signature is missing or wrong");
}

int api_on_request(struct hub *h, struct httpd_conn *conn, const struct httpd_request *r)
{
	struct api_call c = { .hub = h, .conn = conn, .r = r };
	int rc;

	h->n.api_requests++;
	arena_init(&c.mem, 256 << 20);
	rc = is_webhook(r->head) ? on_webhook(&c) : dispatch(&c, path_below_base(r->head));
	if (rc < 0)
		rc = api_refuse(&c, 500, err_text(rc));
	arena_fini(&c.mem);
	return rc;
}
