/* .../acl and .../acl/validate: the policy as it is, set, and judged. */
#include "base/text/text.h"
#include "hub/api/internal.h"
#include "hub/auth/tokens.h"
#include "proto/hujson/hujson.h"

#include <errno.h>
#include <stdio.h>

static const char hujson[] = "application/hujson";

static int nothing(struct http_request *q)
{
	return http_reply_send(q->reply, 200, API_JSON, API_HEADERS, VIEW_LIT("{}\n"));
}

static bool wants_json(const struct http_request *q)
{
	return http1_has_token(q->head, "Accept", API_JSON) ||
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

int api_policy_get(struct http_request *q)
{
	struct view text = policy_source_text(hub_of(q));
	char extra[512];
	struct buf b;
	int rc;

	snprintf(extra, sizeof(extra), "%sETag: \"%s\"\r\n", API_HEADERS,
		policy_source_etag(hub_of(q)));
	if (view_eq(http1_query(q->head, "details"), VIEW_LIT("1")))
		return reply_details(q, text, extra + sizeof(API_HEADERS) - 1);
	if (!wants_json(q))
		return http_reply_send(q->reply, 200, hujson, extra, text);
	buf_init(&b, COORD_POLICY_TEXT_MAX);
	rc = hujson_standardize(text.p, text.len, &b, NULL);
	if (rc == 0)
		rc = http_reply_send(q->reply, 200, API_JSON, extra, buf_view(&b));
	buf_fini(&b);
	return rc;
}

/* If-Match: "<etag>", <etag>, "ts-default" (only while there is no policy), * or nothing. */
static bool precondition_holds(const struct http_request *q)
{
	struct view v = http1_find(q->head, "If-Match");
	const char *etag = policy_source_etag(hub_of(q));

	if (v.len >= 2 && v.p[0] == '"' && v.p[v.len - 1] == '"')
		v = view_of(v.p + 1, v.len - 2);
	if (!v.len || view_eq(v, VIEW_LIT("*")))
		return true;
	if (view_eq(v, VIEW_LIT("ts-default")))
		return !coord_policy_current(hub_of(q)->tailnet);
	return view_eq(v, view_of(etag, strlen(etag)));
}

int api_policy_set(struct http_request *q)
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
	rc = policy_source_set(
		hub_of(q), q->body, author, POLICY_BY_HAND, COORD_POLICY_ANY_VERSION, f);
	if (rc == POLICY_OWNED_BY_GIT)
		return api_refuse(q, 409,
			"the policy of this hub comes from its Git repository: change it there");
	return rc == 0 ? api_policy_get(q) : api_reply_fault(q, 400, rc, f);
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
	struct view text = policy_source_text(hub_of(q)), value = { 0 }, open = { 0 };
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
int api_policy_validate(struct http_request *q)
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
		rc = policy_source_check(hub_of(q), buf_len(&b) ? buf_view(&b) : q->body, f);
	buf_fini(&b);
	return rc == 0 ? nothing(q) : api_reply_fault(q, 200, rc, f);
}
